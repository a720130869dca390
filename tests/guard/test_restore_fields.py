"""Fields set back to what they were, only where they still have what the change wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from losant_mcp.api.events import EventPatch
from losant_mcp.api.tables import DataTablePatch, RowUpdate
from losant_mcp.client import LosantClient
from losant_mcp.guard.restore import RestoreStopped
from losant_mcp.guard.store import GuardError
from tests.guard.backing_up import backups_in, events_of
from tests.guard.restoring import Case, thin_out_events, writing_nothing
from tests.served import Sandbox

FIELDS = ("state", "level", "subject", "deviceId", "eventTags")


@pytest.fixture
def case(losant: LosantClient, sandbox: Sandbox, tmp_path: Path) -> Case:
    """A backup folder beside the demo, and some of its events."""
    thin_out_events(sandbox)
    return Case(losant, sandbox, backups_in(tmp_path))


async def _changed(
    case: Case, change: dict[str, Any], most: int = 105
) -> tuple[list[dict[str, Any]], list[str]]:
    """Events as they were before a change that was backed up and made, and their ids."""
    found = await events_of(case.client, case.sandbox.application_id)
    events = [event for event in found if event["state"] != "acknowledged"][:most]
    await case.back_up("before-image", events, change=change)
    for event in events:
        await _patch(case, event["id"], **change)
    return events, [event["id"] for event in events]


async def _patch(case: Case, event_id: str, **change: Any) -> None:
    await case.client.event_patch(
        **case.at, eventId=event_id, body=EventPatch.model_validate(change)
    )


async def _now(case: Case, ids: list[str]) -> dict[str, dict[str, Any]]:
    found = {e["id"]: e for e in await events_of(case.client, case.sandbox.application_id)}
    return {event_id: found[event_id] for event_id in ids if event_id in found}


def _fields(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: event.get(name) for name in FIELDS} for event in events]


async def test_changed_events_are_as_before(case: Case) -> None:
    """Every field of the change has its old value again; the history grows and is never cut."""
    before, ids = await _changed(
        case,
        {"state": "resolved", "level": "info", "subject": "x", "deviceId": None, "comment": "c"},
    )
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (105, 0)
    after = await _now(case, ids)
    assert _fields(list(after.values())) == _fields(before)
    assert all(len(after[e["id"]]["updates"]) > len(e["updates"]) for e in before)
    assert {batch.meter for batch in case.written} == {"overwritten"}
    with writing_nothing(case):
        assert (await case.restore()).already == 105


async def test_what_somebody_changed_since_stays(case: Case) -> None:
    """A field that has a third value is left and reported; the others are set back."""
    before, ids = await _changed(case, {"state": "resolved", "subject": "cleared"}, most=20)
    await _patch(case, ids[3], state="acknowledged")
    await _patch(case, ids[4], subject="looked into", state="acknowledged")
    outcome = await case.restore()
    assert outcome.restored == 18
    problems = {problem.id: problem for problem in outcome.problems}
    assert {problem.why for problem in problems.values()} == {"conflict"}
    assert set(problems) == {ids[3], ids[4]}
    after = await _now(case, ids)
    assert after[ids[3]]["state"] == after[ids[4]]["state"] == "acknowledged"
    assert after[ids[3]]["subject"] == before[3]["subject"]
    assert after[ids[4]]["subject"] == "looked into"
    assert "the other fields were set back" in problems[ids[3]].text


async def test_events_that_are_gone_are_reported(case: Case) -> None:
    """An event that was deleted since is not created again by setting fields back."""
    _, ids = await _changed(case, {"level": "info"}, most=10)
    await case.client.event_delete(**case.at, eventId=ids[0])
    outcome = await case.restore()
    assert [(p.id, p.why) for p in outcome.problems] == [(ids[0], "gone")]
    assert ids[0] not in await _now(case, ids)


async def test_tags_are_set_back_one_by_one(case: Case) -> None:
    """Changed tags have their old value; one that was added cannot be removed, and is told."""
    events = await events_of(case.client, case.sandbox.application_id)
    event = next(e for e in events if e["eventTags"])
    [key, *_] = event["eventTags"]
    change = {"eventTags": {key: "changed", "brandNew": "added"}}
    await case.back_up("before-image", [event], change=change)
    await _patch(case, event["id"], **change)
    outcome = await case.restore()
    [problem] = outcome.problems
    assert "tag brandNew" in problem.text
    after = (await _now(case, [event["id"]]))[event["id"]]["eventTags"]
    assert after == {**event["eventTags"], "brandNew": "added"}


async def test_a_changed_row_is_as_before(case: Case) -> None:
    """Cells have their old values, empty ones included; cells that were not changed stay."""
    table = await case.table("parts")
    row = next(r for r in await case.rows(table) if r["supplier"] is None)
    at = {**case.at, "dataTableId": table.id, "rowId": row["id"]}
    change: dict[str, str | int | float | bool | None] = {
        "supplier": "",
        "stock": 999,
        "unitCost": 1,
    }
    await case.back_up("before-image", [row], change=change, table=table, action="update_row")
    await case.client.data_table_row_patch(**at, body=RowUpdate(change))
    await case.client.data_table_row_patch(**at, body=RowUpdate({"leadDays": 77}))
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (1, 0)
    after = (await case.client.data_table_row_get(**at)).to_json()
    assert {name: after[name] for name in change} == {name: row[name] for name in change}
    assert after["leadDays"] == 77


async def test_a_renamed_table_has_its_name_again(case: Case) -> None:
    """Name and description are as before, a missing description included."""
    table = await case.table("parts")
    change = {"name": "spares", "description": "renamed"}
    image = table.to_json()
    image.pop("description")
    await case.back_up(
        "before-image", [image], change=change, table=table, action="update_data_table"
    )
    at = {**case.at, "dataTableId": table.id}
    await case.client.data_table_patch(**at, body=DataTablePatch.model_validate(change))
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (1, 0)
    again = await case.client.data_table_get(**at)
    assert (again.name, again.description) == ("parts", "")


async def test_a_change_that_was_never_made_needs_nothing(case: Case) -> None:
    """Where the process died between the backup and the change, nothing is written."""
    events = (await events_of(case.client, case.sandbox.application_id))[:5]
    await case.back_up("before-image", events, change={"subject": "never written"})
    with writing_nothing(case):
        assert (await case.restore()).already == 5


async def test_a_budget_that_ends_in_the_middle_is_told(case: Case) -> None:
    """What was set back stays so, and another restore does the rest."""
    await _changed(case, {"subject": "x"}, most=110)
    case.fail_at = 1
    with pytest.raises(RestoreStopped) as caught:
        await case.restore()
    assert caught.value.known.restored == 100
    case.fail_at = None
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (10, 100)


async def test_an_old_value_that_losant_refuses_is_reported(case: Case) -> None:
    """A value that was possible once and is not any more does not stop the others."""
    events = (await events_of(case.client, case.sandbox.application_id))[:3]
    events[1]["deviceId"] = "0" * 24
    ids = [event["id"] for event in events]
    await case.back_up("before-image", events, change={"deviceId": None})
    for event_id in ids:
        await _patch(case, event_id, deviceId=None)
    outcome = await case.restore()
    assert [(p.id, p.why) for p in outcome.problems] == [(ids[1], "refused")]


async def test_another_place_is_refused(case: Case) -> None:
    """Fields are set back where they were changed and nowhere else."""
    await case.back_up("before-image", [], change={"subject": "x"})
    with writing_nothing(case), pytest.raises(GuardError):
        await case.restore(target="a" * 24)
