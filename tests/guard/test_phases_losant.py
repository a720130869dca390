"""Losant's own limits and failures during a run: followed to the end, and told as they are."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio import from_thread

from losant_mcp.guard import run_events
from tests.calling import asked, result
from tests.guard.guarding import Guarded
from tests.guard.meddling import EVENTS, LOW, MANY, OTHERS, TANKS, Somebody, agree, raise_many

LONG = 10
ROWS = 3000
"""Three times what one request deletes."""
TOO_MANY = {"kind": "status", "status": 429, "retryAfter": 60}


async def test_rows_are_deleted_past_the_limit_of_one_request(guarded: Guarded) -> None:
    """All 3,000 rows go, in steps, and what did not match stays."""
    who = Somebody(guarded)
    who.make_tanks()
    who.add_many(ROWS, lambda: "leaky")
    client = await guarded.connect(agree)

    outcome = await result(client, "delete_rows", dataTableId=who.table, query={"name": "leaky"})

    assert (outcome["status"], outcome["removed"]) == ("done", ROWS)
    assert who.left() == TANKS
    assert len(guarded.rows("tanks")) == len(TANKS)
    assert asked(guarded.sandbox).count("dataTableRows.delete") == ROWS // 1000


def _many_events(guarded: Guarded, fault: str | None = None) -> set[str]:
    """The other events, after many were put beside them."""
    others = set(guarded.events())
    raise_many(guarded.sandbox, fault)
    return others


async def test_a_bulk_delete_is_followed_to_the_end_of_its_job(guarded: Guarded) -> None:
    """The answer comes once the job has ended, with the number that it removed."""
    others = _many_events(guarded)
    client = await guarded.connect(agree)

    outcome = await result(client, "delete_events", query=MANY)

    assert (outcome["status"], outcome["removed"]) == ("done", EVENTS)
    assert set(guarded.events()) == others
    assert "applicationJobLogs.get" in asked(guarded.sandbox)


async def test_a_slow_job_is_waited_for(guarded: Guarded) -> None:
    """What the answer says is what is stored by then."""
    others = _many_events(guarded, "slow")
    client = await guarded.connect(agree)

    outcome = await result(client, "delete_events", query=MANY)

    assert (outcome["status"], outcome["removed"]) == ("done", EVENTS)
    assert set(guarded.events()) == others


@pytest.mark.parametrize("tool", ["delete_events", "update_events"])
@pytest.mark.parametrize("fault", ["errored", "failed"])
async def test_a_job_that_failed_is_told_as_failed(guarded: Guarded, fault: str, tool: str) -> None:
    """Nothing was removed or changed, as Losant itself tells when it is asked."""
    others = _many_events(guarded, fault)
    before = guarded.events()
    change = {"level": "critical"} if tool == "update_events" else {}
    client = await guarded.connect(agree)

    outcome = await result(client, tool, query=MANY, **change)

    assert outcome["status"] == "interrupted"
    assert f"ended as {fault}" in outcome["message"]
    assert outcome["changed" if change else "removed"] == 0
    assert outcome["backupId"].startswith("bak_")
    assert guarded.events() == before
    assert len(before) == len(others) + EVENTS
    assert [line.kind for line in await guarded.audited()][-1] == "failed"
    [plan] = await guarded.plans("failed")
    assert plan.outcome == outcome


@pytest.mark.parametrize("mode", ["auto"])
async def test_a_job_that_never_ends_is_told_to_go_on(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes all the same; it claims neither that all is done nor that nothing was."""
    monkeypatch.setattr(run_events, "JOB_SECONDS", 2.0)
    _many_events(guarded, "stuck")
    client = await guarded.connect(agree)

    outcome = await result(client, "delete_events", query=MANY)

    assert (outcome["status"], outcome["removed"]) == ("interrupted", 0)
    assert "had not ended after 2 s; it goes on at Losant." in outcome["message"]
    assert "Nothing was changed" not in outcome["message"]
    assert await guarded.backed_up(outcome["backupId"]) == EVENTS


async def test_an_agreed_bulk_change_is_followed_through_its_jobs(guarded: Guarded) -> None:
    """All that was agreed to is changed once, and nothing else."""
    others = _many_events(guarded)
    before = guarded.events()
    client = await guarded.connect(agree)

    outcome = await result(client, "update_events", query=MANY, state="resolved")

    assert (outcome["status"], outcome["changed"]) == ("done", EVENTS)
    after = guarded.events()
    assert {i for i in after if after[i] != before[i]} == set(after) - others


# ---- a connection that breaks --------------------------------------------------------------


def _drop(guarded: Guarded, endpoint: str, kind: str) -> None:
    guarded.sandbox.set_faults({"endpoint": endpoint, "kind": kind, "times": 1})


TABLES: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("truncate_rows", "dataTableRows.truncate", {}, set()),
    ("delete_rows", "dataTableRows.delete", {"query": LOW}, OTHERS),
]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
@pytest.mark.parametrize(("tool", "endpoint", "more", "left"), TABLES)
async def test_a_deletion_without_an_answer_is_counted_at_losant(
    guarded: Guarded, tool: str, endpoint: str, more: dict[str, Any], left: set[str], kind: str
) -> None:
    """Done or not, the answer says how many are gone, and the request is never repeated."""
    who = Somebody(guarded)
    table = who.make_tanks()
    _drop(guarded, endpoint, kind)
    client = await guarded.connect(agree)

    outcome = await result(client, tool, dataTableId=table, **more)

    expected = left if kind == "drop_after" else set(TANKS)
    assert set(who.left()) == expected
    assert outcome["status"] == "interrupted"
    assert outcome["removed"] == len(TANKS) - len(expected)
    assert outcome["backupId"].startswith("bak_")
    assert asked(guarded.sandbox).count(endpoint) == 1
    last = (await guarded.audited())[-1]
    assert (last.kind, last.facts["counts"].get("removed", 0)) == ("failed", outcome["removed"])


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
@pytest.mark.parametrize(
    ("tool", "endpoint"),
    [
        ("delete_row", "dataTableRow.delete"),
        ("delete_data_table", "dataTable.delete"),
        ("remove_data_table_column", "dataTable.removeColumn"),
    ],
)
async def test_a_single_deletion_without_an_answer_is_looked_up(
    guarded: Guarded, tool: str, endpoint: str, kind: str
) -> None:
    """A row, a table and a column are told as gone where they are."""
    who = Somebody(guarded)
    table = who.make_tanks()
    more = {
        "delete_row": {"rowId": who.rows["east"]},
        "remove_data_table_column": {"columnName": "level"},
    }.get(tool, {})
    _drop(guarded, endpoint, kind)
    client = await guarded.connect(agree)

    outcome = await result(client, tool, dataTableId=table, **more)

    gone = kind == "drop_after"
    assert outcome["status"] == "interrupted"
    assert bool(outcome["removed"]) is gone
    tables = guarded.sandbox.store.rows("SELECT 1 FROM data_tables WHERE id = ?", table)
    if tool == "delete_data_table":
        assert bool(tables) is not gone
    elif tool == "delete_row":
        assert ("east" in who.left()) is not gone
    else:
        assert who.has_column("level") is not gone
    assert asked(guarded.sandbox).count(endpoint) == 1


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_a_bulk_delete_of_events_without_an_answer_is_counted(
    guarded: Guarded, kind: str
) -> None:
    """Few enough for no job: what is gone is counted, and told."""
    who = Somebody(guarded)
    before = set(guarded.events())
    ids = {who.raise_event(subject="Few") for _ in range(4)}
    _drop(guarded, "events.delete", kind)
    client = await guarded.connect(agree)

    outcome = await result(client, "delete_events", query={"subject": "Few"})

    left = set() if kind == "drop_after" else ids
    assert set(guarded.events()) == before | left
    assert outcome["status"] == "interrupted"
    assert outcome["removed"] == len(ids) - len(left)
    assert asked(guarded.sandbox).count("events.delete") == 1


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_a_deleted_event_without_an_answer_is_looked_up(guarded: Guarded, kind: str) -> None:
    """Gone or not, the answer says which."""
    who = Somebody(guarded)
    event_id = who.raise_event()
    _drop(guarded, "event.delete", kind)
    client = await guarded.connect(agree)

    outcome = await result(client, "delete_event", eventId=event_id)

    assert outcome["status"] == "interrupted"
    assert outcome["removed"] == (kind == "drop_after")
    assert (event_id in guarded.events()) is (kind == "drop_before")


async def test_where_losant_cannot_be_asked_any_more_that_is_said(guarded: Guarded) -> None:
    """A number that nobody knows is not invented."""
    who = Somebody(guarded)
    table = who.make_tanks()
    guarded.sandbox.set_faults()

    def losant_goes_away() -> None:
        guarded.sandbox.set_faults(
            {"endpoint": "dataTableRows.truncate", "kind": "drop_after", "times": 1},
            {"kind": "status", "status": 500},
        )

    guarded.meddler.before("POST", "/rows/truncate", losant_goes_away)
    client = await guarded.connect(agree)

    outcome = await result(client, "truncate_rows", dataTableId=table)

    assert outcome["status"] == "interrupted"
    assert "Losant cannot be asked now what is left." in outcome["message"]
    assert "removed" not in outcome
    assert who.left() == {}


async def test_a_step_that_was_refused_does_not_deny_the_step_before(guarded: Guarded) -> None:
    """The second request changed nothing, and the first one did."""
    who = Somebody(guarded)
    who.make_tanks()
    who.add_many(ROWS // 2, lambda: "leaky")

    def too_many() -> None:
        guarded.sandbox.set_faults({"endpoint": "dataTableRows.delete", **TOO_MANY})

    guarded.meddler.before("POST", "/rows/delete", too_many, number=2)
    client = await guarded.connect(agree)

    outcome = await result(client, "delete_rows", dataTableId=who.table, query={"name": "leaky"})

    assert (outcome["status"], outcome["removed"]) == ("interrupted", 1000)
    assert "1,000 objects removed" in outcome["message"]
    assert "Nothing was changed" not in outcome["message"]
    assert len(guarded.rows("tanks")) == len(TANKS) + ROWS // 2 - 1000


async def test_a_restore_that_is_taken_back_has_its_last_line(guarded: Guarded) -> None:
    """Nobody was asked about one row, and whoever waits for it goes away while Losant is silent."""
    who = Somebody(guarded)
    row = {"dataTableId": who.make_tanks(), "rowId": who.rows["east"]}
    client = await guarded.connect()
    backup = (await result(client, "update_row", **row, row={"level": 99}))["backupId"]
    guarded.sandbox.set_faults({"endpoint": "dataTableRow.patch", "kind": "hang"})
    sent = anyio.Event()
    guarded.meddler.before("PATCH", row["rowId"], lambda: from_thread.run_sync(sent.set))

    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "restore_backup", {"backupId": backup})
            await sent.wait()
            tasks.cancel_scope.cancel()
        while (last := (await guarded.audited())[-1]).kind != "failed":
            await anyio.lowlevel.checkpoint()

    assert (last.facts["action"], last.facts["why"]) == ("restore_backup", "CancelledError")
    guarded.sandbox.set_faults()
    again = await result(client, "restore_backup", backupId=backup)
    assert (again["status"], again["changed"]) == ("done", 1)
    assert who.left() == TANKS
