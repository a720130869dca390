"""A network that is gone from one request of a guarded call on: each request, and so each phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import pytest
from mcp.types import CallToolResult

from losant_mcp.guard.plans import STATUSES
from tests.calling import check_error, text_of
from tests.faults.serving import Serve, Served, change, given, stored
from tests.faults.table import WRITES, Write

Phase = Literal["plan", "answer", "backup", "check", "write", "after"]


class Requests(NamedTuple):
    """How many requests a call makes in each phase before the write itself.

    ``plan`` is before the question; ``answer`` finds the names again, when the yes has come;
    ``check`` is what is read between the backup and the write.
    """

    plan: int
    answer: int
    backup: int
    check: int


REQUESTS: Mapping[str, Requests] = {
    "add_data_table_column": Requests(5, 1, 0, 1),
    "update_event": Requests(2, 1, 1, 0),
    "update_events": Requests(7, 1, 1, 1),
    "update_row": Requests(4, 2, 2, 0),
    "update_data_table": Requests(4, 1, 1, 0),
    "delete_event": Requests(1, 0, 1, 1),
    "delete_events": Requests(4, 0, 1, 0),
    "delete_row": Requests(3, 1, 2, 1),
    "delete_rows": Requests(7, 1, 3, 1),
    "truncate_rows": Requests(4, 1, 2, 2),
    "remove_data_table_column": Requests(4, 1, 2, 2),
    "delete_data_table": Requests(4, 1, 2, 2),
}
ASKED = [write for write in WRITES.values() if write.asked]

pytestmark = pytest.mark.parametrize("mode", ["auto"])


def _losses() -> Iterator[object]:
    """Every request of every guarded call; of each phase the first is lost in every run."""
    for write in ASKED:
        number = 1
        for phase, count in REQUESTS[write.tool]._asdict().items():
            for place in range(count):
                marks = [pytest.mark.nightly] if place else []
                name = f"{write.tool} {phase} {place + 1}"
                yield pytest.param(write, phase, number, id=name, marks=marks)
                number += 1
        yield pytest.param(write, "write", number, id=f"{write.tool} write")
        yield pytest.param(write, "after", number + 1, id=f"{write.tool} after")


@pytest.mark.parametrize("write", ASKED, ids=lambda write: write.tool)
async def test_a_call_makes_these_requests(serve: Serve, write: Write) -> None:
    """Else a phase would be missed below."""
    served = await serve(write)
    await served.client.call_tool(write.tool, given(write, served.sandbox.store))
    assert served.line.requests == sum(REQUESTS[write.tool]) + 1


@pytest.mark.parametrize(("write", "phase", "number"), list(_losses()))
async def test_a_lost_network_is_told_as_it_was(
    serve: Serve, doors: dict[str, int], write: Write, phase: Phase, number: int
) -> None:
    """Before the write nothing is changed; at it, and after it, nobody can ask how it stands."""
    served = await serve(write)
    before = stored(served.sandbox)
    served.lose(number, doors["slammed"])
    if phase == "after":
        served.sandbox.set_faults({"endpoint": write.endpoint, "kind": "drop_after"})

    answer = await served.client.call_tool(write.tool, given(write, served.sandbox.store))

    assert change(before, served.sandbox) == (write.change if phase == "after" else {})
    assert served.requests(write.endpoint) == (phase == "after")
    if phase in ("plan", "answer"):
        await _check_not_begun(served, answer, phase)
    elif phase in ("backup", "check"):
        await _check_not_reached(served, answer, write, phase)
    else:
        await _check_in_doubt(served, answer, write)
    served.recover()
    if phase != "after":
        # The yes is used up or was never heard, so that another call asks again.
        await served.client.call_tool(write.tool, given(write, served.sandbox.store))
        assert change(before, served.sandbox) == write.change
        assert len(served.guarded.questions) == (1 if phase == "plan" else 2)


async def _check_not_begun(served: Served, answer: CallToolResult, phase: Phase) -> None:
    told = text_of(answer)
    check_error(told)
    assert answer.is_error
    assert told.endswith("Nothing was changed.")
    plans = await served.guarded.plans(*STATUSES)
    assert [plan.status for plan in plans] == ([] if phase == "plan" else ["pending"])


async def _check_not_reached(
    served: Served, answer: CallToolResult, write: Write, phase: Phase
) -> None:
    content = answer.structured_content
    assert content is not None
    assert content["status"] == "interrupted"
    assert content["message"].endswith("Nothing was changed.")
    [plan] = await served.guarded.plans("failed")
    assert plan.outcome == content
    # A backup is whole or not there at all.
    kept = [
        line.facts["backup"] for line in await served.guarded.audited() if line.kind == "backed_up"
    ]
    assert len(kept) == (phase == "check" and write.backs_up is not None)
    for backup_id in kept:
        assert await served.guarded.backed_up(backup_id) == write.backs_up


async def _check_in_doubt(served: Served, answer: CallToolResult, write: Write) -> None:
    content = answer.structured_content
    assert content is not None
    assert content["status"] == "interrupted"
    assert "Losant may have done it all the same: look with " in content["message"]
    assert "Losant cannot be asked now" in content["message"]
    assert "Nothing was changed" not in content["message"]
    # A number would be a claim.
    assert content.keys().isdisjoint({"removed", "changed"})
    [plan] = await served.guarded.plans("failed")
    assert plan.outcome == content
    if write.backs_up is not None:
        assert await served.guarded.backed_up(content["backupId"]) == write.backs_up
