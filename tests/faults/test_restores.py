"""Restores whose first write meets a fault: in the end all is there again, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import anyio
import pytest

from losant_mcp.guard.restore import RestoreOutcome, RestoreStopped, WriteBatch, restore
from tests.calling import refusal, result
from tests.faults.serving import Serve, Served, change, given, stored
from tests.faults.table import FAULTS, WRITES, Change, Fault
from tests.guard.restoring import VirtualTime

LONG = 30.0
EVERY_RUN = {"reset after the work", "429 with Retry-After", "500"}
"""The faults that are tried in every run, and not only at night."""

pytestmark = pytest.mark.parametrize("mode", ["auto"])


class Restore(NamedTuple):
    """A write that is taken back: by which operation, and what is then different from before."""

    write: str
    endpoint: str
    change: Change


_TABLE: Change = {"data_tables": (1, 1), "data_table_columns": (10, 10), "rows": (20, 20)}
# Only cells that were not empty are written again, and date their rows anew.
_COLUMN: Change = {"data_tables": (1, 1), "rows": (3, 3)}

RESTORES: Mapping[str, Restore] = {
    "rows": Restore("delete_rows asked", "dataTableRows.post", {"rows": (4, 4)}),
    "a row": Restore("delete_row asked", "dataTableRows.post", {"rows": (1, 1)}),
    "a table": Restore("delete_data_table asked", "dataTables.post", _TABLE),
    "a table's rows": Restore("delete_data_table asked", "dataTableRows.post", _TABLE),
    "a column": Restore("remove_data_table_column asked", "dataTable.addColumn", _COLUMN),
    "a column's values": Restore("remove_data_table_column asked", "dataTableRow.patch", _COLUMN),
    "an event": Restore(
        "delete_event asked", "events.post", {"events": (1, 1), "event_tags": (2, 2)}
    ),
    "an event's fields": Restore(
        "update_event unasked", "event.patch", {"events": (1, 1), "event_updates": (0, 2)}
    ),
    "events' fields": Restore(
        "update_events unasked", "event.patch", {"events": (4, 4), "event_updates": (0, 8)}
    ),
    "a row's cells": Restore("update_row unasked", "dataTableRow.patch", {"rows": (1, 1)}),
    "a table's name": Restore(
        "update_data_table unasked", "dataTable.patch", {"data_tables": (1, 1)}
    ),
}


def _cases() -> Iterator[object]:
    for what, case in RESTORES.items():
        for name, fault in FAULTS.items():
            # In time that does not pass, what is done later would be looked for too early.
            if not fault.late:
                marks = [] if name in EVERY_RUN else [pytest.mark.nightly]
                yield pytest.param(case, fault, id=f"{what}, {name}", marks=marks)


async def _restored(served: Served, time: VirtualTime) -> RestoreOutcome | None:
    """How a restore of the only backup ended; None where it stopped in the middle."""
    time.install()
    guard = await served.guarded.guard()
    where = (served.sandbox.url, served.sandbox.application_id)
    [manifest] = await guard.backups.list(guard.ledger.binding.principal, *where)

    async def remember(batch: WriteBatch) -> None:
        """Every write is welcome."""

    try:
        return await restore(
            served.guarded.client, guard.backups, manifest, remember=remember, pace=time.pace()
        )
    except RestoreStopped:
        return None


@pytest.mark.parametrize(("case", "fault"), list(_cases()))
async def test_a_restore_survives_a_fault(
    serve: Serve, doors: dict[str, int], case: Restore, fault: Fault
) -> None:
    """It goes on by itself or when it is called again, and finds what got no answer."""
    write = WRITES[case.write]
    served = await serve(write)
    before, time = stored(served.sandbox), VirtualTime(served.sandbox.store)
    await served.client.call_tool(write.tool, given(write, served.sandbox.store))
    gone = stored(served.sandbox)

    async def worked() -> None:
        with anyio.fail_after(LONG):
            while not change(gone, served.sandbox):  # noqa: ASYNC110 - a database tells nobody
                await anyio.sleep(0.005)

    served.befall(case.endpoint, fault, doors, times=1, worked=worked)

    outcome = await _restored(served, time)
    assert served.line.attempts
    served.recover()
    if outcome is None:
        outcome = await _restored(served, time)

    assert outcome is not None
    assert outcome.problem_count == 0
    assert change(before, served.sandbox) == case.change


async def test_a_restore_that_never_left_may_be_called_again(
    serve: Serve, doors: dict[str, int]
) -> None:
    """Without a network the tool says that nothing was changed, and later it does its work."""
    write = WRITES["update_row unasked"]
    served = await serve(write)
    made = await result(served.client, write.tool, **given(write, served.sandbox.store))
    before = stored(served.sandbox)
    served.befall(write.endpoint, FAULTS["refused connection"], doors)

    told = await refusal(served.client, "restore_backup", backupId=made["backupId"])

    assert told.endswith("Nothing was changed.")
    assert change(before, served.sandbox) == {}
    served.recover()
    again = await result(served.client, "restore_backup", backupId=made["backupId"])
    assert (again["status"], again["changed"]) == ("done", 1)
    assert change(before, served.sandbox) == write.change
