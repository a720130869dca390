"""What reaches a whole table: emptying it, deleting it, removing a column.

Losant takes no ids for these. So the last request before each of them reads the table again,
and anything but equality stops the run.
"""

from __future__ import annotations

from functools import partial

from losant_mcp.api.endpoints import (
    DATA_TABLE_DELETE,
    DATA_TABLE_REMOVE_COLUMN,
    DATA_TABLE_ROWS_TRUNCATE,
)
from losant_mcp.client.paging import by_offset
from losant_mcp.errors import LosantMcpError, NotFound
from losant_mcp.guard.backup_manifest import BackupKind
from losant_mcp.guard.planning import read_extent
from losant_mcp.guard.plans import PlannedSet
from losant_mcp.guard.running import Chunks, Drifted, Ran, Run, Stopped, same_table
from losant_mcp.guard.wording import counted
from losant_mcp.policy import Permit


async def truncate_rows(run: Run) -> Ran:
    """Delete all rows of a table that holds what the person saw, and nothing else."""
    whole = _Whole(run)
    backup_id = await whole.back_up("rows")
    await whole.check_again()
    permit = Permit(DATA_TABLE_ROWS_TRUNCATE.id, run.table)
    try:
        await run.client.data_table_rows_truncate(**run.table, permit=permit)
    except LosantMcpError as error:
        raise Stopped(error, await whole.known(error, backup_id)) from error
    return Ran(removed=whole.count, backup_id=backup_id)


async def delete_data_table(run: Run) -> Ran:
    """Delete a table that holds what the person saw, and nothing else."""
    whole = _Whole(run)
    backup_id = await whole.back_up("table")
    await whole.check_again()
    permit = Permit(DATA_TABLE_DELETE.id, run.table)
    try:
        await run.client.data_table_delete(**run.table, permit=permit)
    except LosantMcpError as error:
        raise Stopped(error, await whole.known(error, backup_id)) from error
    return Ran(removed=max(whole.count, 1), backup_id=backup_id)


async def remove_data_table_column(run: Run) -> Ran:
    """Remove a column of a table that holds what the person saw, and nothing else."""
    whole = _Whole(run)
    column = run.plan.target.name
    backup_id = await whole.back_up("column", only=column)
    await whole.check_again()
    permit = Permit(DATA_TABLE_REMOVE_COLUMN.id, run.table, {"columnName": column})
    try:
        await run.client.data_table_remove_column(**run.table, columnName=column, permit=permit)
    except LosantMcpError as error:
        raise Stopped(error, await whole.known_column(error, backup_id)) from error
    return Ran(removed=max(whole.count, 1), backup_id=backup_id)


_UNASKED = "Losant cannot be asked now what is left."


class _Whole:
    """A whole table during one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._items: list[tuple[str, str | None]] = []
        self.count = 0

    async def back_up(self, kind: BackupKind, *, only: str | None = None) -> str:
        """Keep the table's definition and rows, or one column of them, as the person saw them."""
        table = await same_table(self._run)
        backup_id = await self._run.keep(kind, self._rows(only), table=table)
        self.count = len(self._items)
        newest = max((changed for _, changed in self._items if changed), default=None)
        if not self._as_planned(self.count, newest):
            raise self._drifted(self.count)
        return backup_id

    async def _rows(self, only: str | None) -> Chunks:
        fetch = partial(
            self._run.client.data_table_rows_get,
            **self._run.table,
            sortColumn="id",
            sortDirection="asc",
        )
        seen: set[str] = set()
        async with by_offset(fetch) as pages:
            async for page in pages:
                rows = [row for row in page.items if row["id"] not in seen]
                seen |= {row["id"] for row in rows}
                self._items += [(row["id"], row.get("updatedAt")) for row in rows]
                await self._run.progress(len(seen), self._run.plan.planned.count, "rows backed up")
                yield [{"id": r["id"], only: r.get(only)} for r in rows] if only else rows

    async def check_again(self) -> None:
        """Read the table once more. Raises Drifted unless it is what was planned and backed up."""
        await same_table(self._run)
        # Last, so that as little time as possible lies between it and the deletion.
        count, newest, _ = await read_extent(self._run.client, **self._run.table)
        if not self._as_planned(count, newest):
            raise self._drifted(count)

    def _as_planned(self, count: int, newest: str | None) -> bool:
        planned = self._run.plan.planned
        # An empty table or column still counts as one object that goes.
        rows = planned.count if planned.newest is not None else 0
        return count == rows and newest == planned.newest

    def _drifted(self, count: int) -> Drifted:
        """The table has so many rows now, or they are others."""
        planned = self._run.plan.planned
        if count == planned.count:
            return Drifted("rows of the table were changed")
        words = f"the table had {planned.count:,} rows and now has {count:,}"
        return Drifted(words, self._agreed(planned) if count > planned.count else None)

    def _agreed(self, planned: PlannedSet) -> PlannedSet | None:
        """The rows that were agreed to, where they are all as they were."""
        if self._run.plan.operation.action != "truncate_rows" or planned.newest is None:
            return None
        old = tuple(item for item in self._items if item[1] and item[1] <= planned.newest)
        return PlannedSet(len(old), planned.newest, old) if len(old) == planned.count else None

    async def known(self, error: LosantMcpError, backup_id: str) -> Ran:
        """How far a stopped run came, as far as Losant tells."""
        if error.changed == "nothing":
            return Ran(backup_id=backup_id)
        try:
            count, _, _ = await read_extent(self._run.client, **self._run.table)
        except NotFound:
            return Ran(removed=max(self.count, 1), backup_id=backup_id, note="The table is gone.")
        except LosantMcpError:
            return Ran(backup_id=backup_id, note=_UNASKED, unclear=True)
        note = f"The table now has {counted(count, 'row')}."
        return Ran(removed=max(0, self.count - count), backup_id=backup_id, note=note)

    async def known_column(self, error: LosantMcpError, backup_id: str) -> Ran:
        """Whether the column of a stopped run is gone, as far as Losant tells."""
        if error.changed == "nothing":
            return Ran(backup_id=backup_id)
        column = self._run.plan.target.name
        try:
            table = await self._run.client.data_table_get(**self._run.table)
        except LosantMcpError:
            return Ran(backup_id=backup_id, note=_UNASKED, unclear=True)
        if column in [there.name for there in table.columns]:
            return Ran(backup_id=backup_id, note="The column is still there.")
        return Ran(removed=max(self.count, 1), backup_id=backup_id, note="The column is gone.")
