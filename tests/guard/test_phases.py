"""SIGKILL at every boundary of a run, and what the next start finds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.calling import result
from tests.guard.guarding import Guarded, guarded_server
from tests.guard.meddling import EVENTS, LOW, MANY, TANKS, Somebody, agree, raise_many
from tests.guard.wire import LONG, Trap, Wire, answers, spoken, types_the_phrase
from tests.served import Sandbox

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
    # The killed process speaks the older version; how it was asked is no matter after that.
    pytest.mark.parametrize("mode", ["auto"], indirect=True),
]

SELDOM = pytest.mark.nightly


def _trap(sandbox: Sandbox) -> Trap:
    """A trap that is to be set; before its first request the application takes a further layer."""
    trap = Trap()
    sandbox.server.app.add_middleware(trap.middleware)
    return trap


async def _killed(
    guarded: Guarded, trap: Trap, folder: Path, tool: str, **arguments: object
) -> Guarded:
    """The next start on the state of a process that carried the call out until the trap."""
    state = folder / "killed"

    def call(wire: Wire) -> None:
        trap.victim = wire
        assert wire.call(tool, types_the_phrase, **arguments) is None
        assert trap.sprung.wait(LONG)

    await spoken(guarded.sandbox, state, call)
    return await _next_start(guarded, state)


async def _next_start(guarded: Guarded, state: Path) -> Guarded:
    return await guarded_server(guarded.sandbox, guarded.mode, state, guarded.stack)


@pytest.mark.parametrize(
    ("method", "path", "number", "carried_out", "backed_up"),
    [
        pytest.param("GET", "{table}", 1, False, False, id="before the backup"),
        pytest.param("GET", "/rows", 1, False, False, id="in the backup", marks=SELDOM),
        pytest.param("GET", "{table}", 2, False, True, id="before the check", marks=SELDOM),
        pytest.param("GET", "/rows", 2, True, True, id="after the check", marks=SELDOM),
        pytest.param("POST", "/rows/truncate", 1, False, True, id="before the deletion"),
        pytest.param("POST", "/rows/truncate", 1, True, True, id="after the deletion"),
    ],
)
async def test_a_killed_truncate_is_backed_up_told_and_never_repeated(
    guarded: Guarded,
    tmp_path: Path,
    method: str,
    path: str,
    number: int,
    carried_out: bool,
    backed_up: bool,
) -> None:
    """Nothing goes without backup and audit line; the next start says how far it came."""
    trap = _trap(guarded.sandbox)
    who = Somebody(guarded)
    table = who.make_tanks()
    # The plan looks at the table and its rows before; the tables of the same name come between.
    trap.method, trap.path = method, path.format(table=table)
    trap.number = number + (method == "GET")
    trap.carried_out = carried_out

    next_start = await _killed(guarded, trap, tmp_path, "truncate_rows", dataTableId=table)

    gone = carried_out and method == "POST"
    assert who.left() == ({} if gone else TANKS)
    [plan] = await next_start.plans("interrupted")
    kinds = [line.kind for line in await next_start.audited()]
    told = ["planned", "asked", "approved", "running", *(["backed_up"] if backed_up else [])]
    assert kinds == [*told, "interrupted"]
    last = (await next_start.audited())[-1].facts
    assert plan.outcome is not None
    if backed_up:
        left = 0 if gone else len(TANKS)
        assert last["counts"] == {"planned": len(TANKS), "backed_up": len(TANKS), "left": left}
        assert f"Of 6 rows in the plan, {left} are at Losant now." in plan.outcome["message"]
        manifest = await next_start.backed_up(plan.outcome["backupId"])
        assert manifest == len(TANKS)
    else:
        assert last["counts"] == {"planned": len(TANKS)}
        assert plan.outcome["message"].endswith("Nothing was changed.")
    # Going on is a new plan, which a person is asked about again.
    if not gone:
        client = await next_start.connect(agree)
        assert (await result(client, "truncate_rows", dataTableId=table))["removed"] == len(TANKS)
        assert len(next_start.questions) == 1
    assert who.left() == {}


@pytest.mark.parametrize(
    ("method", "path", "number", "carried_out", "gone"),
    [
        pytest.param("POST", "/events/delete", 1, False, False, id="before the deletion"),
        pytest.param("POST", "/events/delete", 1, True, True, id="after the job began"),
        pytest.param("GET", "/events", 4, False, False, id="in the backup", marks=SELDOM),
    ],
)
async def test_a_killed_bulk_delete_of_events_says_how_far_it_came(
    guarded: Guarded,
    tmp_path: Path,
    method: str,
    path: str,
    number: int,
    carried_out: bool,
    gone: bool,
) -> None:
    """A job goes on at Losant; what it left is counted at the next start."""
    trap = _trap(guarded.sandbox)
    other = set(guarded.events())
    raise_many(guarded.sandbox)
    trap.method, trap.path, trap.number = method, path, number
    trap.carried_out = carried_out

    next_start = await _killed(guarded, trap, tmp_path, "delete_events", query=MANY)

    left = set(guarded.events())
    assert other <= left
    assert len(left - other) == (0 if gone else EVENTS)
    [plan] = await next_start.plans("interrupted")
    last = (await next_start.audited())[-1]
    assert last.kind == "interrupted"
    backed_up = path != "/events"
    assert ("backed_up" in last.facts["counts"]) is backed_up
    if backed_up:
        assert last.facts["counts"]["left"] == (0 if gone else EVENTS)
        assert await next_start.backed_up(last.facts["backup"]) == EVENTS
    assert plan.outcome is not None
    assert plan.outcome["status"] == "interrupted"


async def test_a_question_whose_server_was_killed_is_worth_nothing(
    guarded: Guarded, tmp_path: Path
) -> None:
    """Nobody can answer it any more: the next start does not know this call."""
    state = tmp_path / "killed"
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}

    def call(wire: Wire) -> None:
        assert wire.call("delete_rows", None, **table, query=LOW) is None

    await spoken(guarded.sandbox, state, call)

    next_start = await _next_start(guarded, state)
    [plan] = await next_start.plans("pending")
    client = await next_start.connect()
    answer = await client.call_tool("delete_rows", {**table, "query": LOW, "approvalId": plan.id})
    assert answer.is_error
    assert who.left() == TANKS


async def test_an_answer_that_no_protocol_knows_is_a_no(guarded: Guarded, tmp_path: Path) -> None:
    """It never becomes a traceback, and never a yes."""
    who = Somebody(guarded)
    odd: list[object] = [{"a": 1}, [[1]], [1, 2]]
    tables = [who.make_tanks() for _ in odd]

    def call(wire: Wire) -> None:
        for table, value in zip(tables, odd, strict=True):
            outcome = wire.call("truncate_rows", answers(value), dataTableId=table)
            assert outcome is not None
            assert outcome["status"] == "declined", outcome

    await spoken(guarded.sandbox, tmp_path / "odd", call)

    count = guarded.sandbox.store.rows
    assert [len(count(f"SELECT 1 FROM rows_{table}")) for table in tables] == [len(TANKS)] * 3
