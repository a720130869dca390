"""Every write with every fault: done once or not at all, and the answer claims what is known."""

from __future__ import annotations

import time
from functools import partial

import anyio
import pytest
from mcp.types import CallToolResult

from losant_mcp.api.endpoint import Effect
from losant_mcp.client.transport import ATTEMPTS
from losant_mcp.tools.spec import TOOLS
from tests.calling import check_error, text_of
from tests.faults.serving import Serve, Served, Stored, change, given, stored
from tests.faults.table import FAULTS, WRITES, Fault, Write

LONG = 30.0

every_fault = pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=name, marks=[pytest.mark.nightly] if fault.seldom else [])
        for name, fault in FAULTS.items()
    ],
)
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


def test_every_tool_that_writes_is_in_the_table() -> None:
    """A new one cannot slip past the matrix; restores have one of their own."""
    writing = {name for name, spec in TOOLS.items() if spec.effect is not Effect.READ}
    assert {write.tool for write in WRITES.values()} == writing - {"restore_backup"}


@pytest.mark.parametrize("mode", ["auto"])
@every_write
async def test_without_a_fault_it_is_done_once(serve: Serve, write: Write) -> None:
    """What the table says of a write is what it does."""
    served = await serve(write)
    before = stored(served.sandbox)
    answer = await served.client.call_tool(write.tool, given(write, served.sandbox.store))
    _check_done(answer, write)
    assert change(before, served.sandbox) == write.change
    assert served.requests(write.endpoint) == 1
    assert len(served.guarded.questions) == write.asked


@pytest.mark.parametrize("mode", ["auto"])
@every_write
@every_fault
async def test_a_fault_leaves_no_doubt_that_is_not_told(
    serve: Serve, doors: dict[str, int], write: Write, fault: Fault
) -> None:
    """It was sent once, done as often as the table says, and told as far as that is known."""
    await _check(serve, doors, write, fault)


@pytest.mark.parametrize("mode", ["legacy"])
@every_write
async def test_the_older_protocol_tells_the_same(
    serve: Serve, doors: dict[str, int], write: Write
) -> None:
    """A sample: what is known of a write does not depend on how a person is asked."""
    await _check(serve, doors, write, FAULTS["reset after the work"])


async def _check(serve: Serve, doors: dict[str, int], write: Write, fault: Fault) -> None:
    served = await serve(write)
    before = stored(served.sandbox)
    worked = partial(_done, served, before, write)
    served.befall(write.endpoint, fault, doors, worked=worked)

    answer = await served.client.call_tool(write.tool, given(write, served.sandbox.store))

    if fault.late:
        await worked()
    assert change(before, served.sandbox) == (write.change if fault.happens else {})
    assert served.requests(write.endpoint) == (fault.door is None)
    # Only what was surely not sent may be tried again.
    assert served.line.attempts == (ATTEMPTS if fault.door == "shut" else 1)
    if fault.told == "done":
        _check_done(answer, write)
    else:
        _check_failed(answer, write, fault)
    if write.asked:
        await _check_burned(served, write, fault)
    last = (await served.guarded.audited())[-1]
    assert last.kind in (("wrote", "ran") if fault.told == "done" else ("failed",))


async def _done(served: Served, before: Stored, write: Write) -> None:
    """Wait until the write is done after all."""
    deadline = time.monotonic() + LONG
    while change(before, served.sandbox) != write.change:
        assert time.monotonic() < deadline, change(before, served.sandbox)
        await anyio.sleep(0.005)


def _check_done(answer: CallToolResult, write: Write) -> None:
    assert not answer.is_error, text_of(answer)
    content = answer.structured_content or {}
    assert content.get("status", "done") == "done"
    for field in ("removed", "changed"):
        assert content.get(field, write.reaches) == write.reaches


def _check_failed(answer: CallToolResult, write: Write, fault: Fault) -> None:
    """The answer claims no more than is known, and no less."""
    content = answer.structured_content
    told = text_of(answer) if content is None else content["message"]
    assert ("Nothing was changed." in told) == (fault.told == "nothing"), told
    assert ("Losant may have done it all the same: look with " in told) == (
        fault.told == "unknown"
    ), told
    assert fault.told == "nothing" or "A retry may help" not in told
    if content is None:
        assert answer.is_error
        check_error(told)
        return
    assert content["status"] == "interrupted"
    # Losant was asked how it stands; of what is done later, that is known or not yet.
    known = {0} if not fault.happens else {0, write.reaches} if fault.late else {write.reaches}
    assert content.get("removed", content.get("changed")) in known
    assert ("backupId" in content) == (write.backs_up is not None)


async def _check_burned(served: Served, write: Write, fault: Fault) -> None:
    """The yes is used up, the plan tells how it ended, and the backup holds all."""
    [plan] = await served.guarded.plans("done", "failed")
    assert plan.status == ("done" if fault.told == "done" else "failed")
    assert plan.outcome is not None
    if write.backs_up is not None:
        held = await served.guarded.backed_up(plan.outcome["backupId"])
        assert held == write.backs_up
