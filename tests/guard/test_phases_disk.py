"""Where backup or audit cannot be written, nothing is deleted, and the answer says why."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.calling import JsonObject, refusal, result
from tests.guard.guarding import Answer, Guarded
from tests.guard.meddling import LOW, TANKS, Somebody, agree, meanwhile
from tests.guard.wire import Wire, spoken, types_the_phrase

Break = Callable[[Path], None]


def _missing(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _a_file(path: Path) -> None:
    _missing(path)
    path.write_bytes(b"")


def _a_folder(path: Path) -> None:
    _missing(path)
    path.mkdir(mode=0o700)


TOOLS: list[tuple[str, JsonObject]] = [("truncate_rows", {}), ("delete_rows", {"query": LOW})]


@pytest.mark.parametrize("harm", [_missing, _a_file], ids=["missing", "a file"])
@pytest.mark.parametrize(("tool", "more"), TOOLS, ids=["truncate_rows", "delete_rows"])
async def test_without_a_backup_nothing_goes(
    guarded: Guarded, tool: str, more: JsonObject, harm: Break
) -> None:
    """The folder of the backups goes while the person reads."""
    who = Somebody(guarded)
    table = who.make_tanks()
    state = (await guarded.guard()).state
    client = await guarded.connect(meanwhile(lambda: harm(state.backups), agree))

    outcome = await result(client, tool, dataTableId=table, **more)

    assert outcome["status"] == "interrupted"
    assert "backup" in outcome["message"].lower()
    assert outcome["message"].endswith("Nothing was changed.")
    assert who.left() == TANKS
    [plan] = await guarded.plans("failed")
    assert plan.outcome == outcome
    assert [line.kind for line in await guarded.audited()][-2:] == ["running", "failed"]


async def test_a_change_without_its_image_of_before_does_not_happen(guarded: Guarded) -> None:
    """Also where nobody is asked."""
    who = Somebody(guarded)
    table = who.make_tanks()
    _missing((await guarded.guard()).state.backups)
    client = await guarded.connect()

    answer = await client.call_tool(
        "update_row", {"dataTableId": table, "rowId": who.rows["east"], "row": {"level": 1}}
    )

    assert answer.is_error
    assert "Nothing was changed." in str(answer.content)
    assert who.left() == TANKS


def _at(moment: str, guarded: Guarded, harm: Callable[[], None]) -> Answer:
    """The person's yes, with something that breaks before, at or after it."""
    if moment == "while the person reads":
        return meanwhile(harm, agree)
    # After the yes: the rows are read for the backup.
    return meanwhile(lambda: guarded.meddler.before("GET", "/rows", harm), agree)


@pytest.mark.parametrize("moment", ["while the person reads", "in the backup"])
async def test_without_an_audit_nothing_goes(guarded: Guarded, moment: str) -> None:
    """A folder lies where the audit was, so that no line can be written."""
    who = Somebody(guarded)
    table = who.make_tanks()
    audit = (await guarded.guard()).state.audit
    client = await guarded.connect(_at(moment, guarded, lambda: _a_folder(audit)))

    answer = await client.call_tool("truncate_rows", {"dataTableId": table})

    assert "audit" in str(answer.content).lower()
    assert "Nothing was changed." in str(answer.content)
    assert who.left() == TANKS


async def test_without_an_audit_nothing_is_written_either(guarded: Guarded) -> None:
    """No insert, no event, no change, and no plan: the model is told why each time."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    event_id = who.raise_event()
    state = (await guarded.guard()).state
    await (await guarded.guard()).ledger.note("writing")
    _a_folder(state.audit)
    events = guarded.events()
    client = await guarded.connect(agree)
    calls: list[tuple[str, JsonObject]] = [
        ("insert_rows", {**table, "rows": [{"name": "new"}]}),
        ("create_event", {"level": "info", "subject": "Hello"}),
        ("update_row", {**table, "rowId": who.rows["east"], "row": {"level": 1}}),
        ("update_event", {"eventId": event_id, "state": "resolved"}),
        ("truncate_rows", table),
        ("delete_event", {"eventId": event_id}),
    ]

    for tool, arguments in calls:
        answer = await client.call_tool(tool, arguments)
        assert answer.is_error, (tool, answer.content)
        assert "Nothing was changed." in str(answer.content)

    assert who.left() == TANKS
    assert guarded.events() == events
    assert guarded.questions == []


async def test_an_audit_that_breaks_after_the_deletion_does_not_hide_it(guarded: Guarded) -> None:
    """What is done is told as done, with its backup, and that its end has no line."""
    who = Somebody(guarded)
    table = who.make_tanks()
    audit = (await guarded.guard()).state.audit
    guarded.meddler.before("POST", "/rows/truncate", lambda: _a_folder(audit))
    client = await guarded.connect(agree)

    outcome = await result(client, "truncate_rows", dataTableId=table)

    assert (outcome["status"], outcome["removed"]) == ("done", len(TANKS))
    assert "could not be recorded" in outcome["message"]
    assert outcome["backupId"].startswith("bak_")
    assert who.left() == {}


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "not answered"])
async def test_an_audit_that_breaks_after_a_write_does_not_deny_it(
    guarded: Guarded, answered: bool
) -> None:
    """A row that was inserted, or may have been, is never told as not inserted."""
    who = Somebody(guarded)
    table = who.make_tanks()
    audit = (await guarded.guard()).state.audit
    guarded.meddler.before("POST", "/rows", lambda: _a_folder(audit))
    if not answered:
        guarded.sandbox.set_faults({"endpoint": "dataTableRows.post", "kind": "drop_after"})
    client = await guarded.connect()

    told = await refusal(client, "insert_rows", dataTableId=table, rows=[{"name": "new"}])

    assert "new" in who.left()
    assert ("Losant did it, but that could not be recorded." in told) is answered
    assert "look" in told
    assert "Nothing was changed" not in told


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process is Linux's")
@pytest.mark.parametrize("mode", ["legacy"], indirect=True)
async def test_a_full_disk_stops_the_deletion(guarded: Guarded, tmp_path: Path) -> None:
    """A backup that does not fit is not there at all, and the rows still are."""
    state = tmp_path / "full"
    who = Somebody(guarded)
    table = who.make_tanks()
    who.add_many(FULL // 500, lambda: secrets.token_urlsafe(1000))
    before = guarded.rows("tanks")

    def call(wire: Wire) -> JsonObject | None:
        return wire.call("truncate_rows", types_the_phrase, dataTableId=table)

    outcome = await spoken(guarded.sandbox, state, call, file_bytes=FULL)

    assert outcome is not None
    assert outcome["status"] == "interrupted", outcome
    assert "Nothing was changed." in outcome["message"]
    assert guarded.rows("tanks") == before
    assert [path for path in state.rglob("bak_*") if path.suffix != ".lock"] == []


FULL = 1024**2
"""Bytes that a file may have: more than the database of plans needs, less than the backup."""
