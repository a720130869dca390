"""Deleting rows that were named one by one."""

from __future__ import annotations

from collections.abc import Sequence

from losant_mcp.api.endpoints import DATA_TABLE_ROW_DELETE, DATA_TABLE_ROWS_DELETE
from losant_mcp.errors import BadRequest, LosantMcpError, NotFound
from losant_mcp.guard.run_set import NamedSet
from losant_mcp.guard.running import (
    ROWS_IN_A_STEP,
    Chunks,
    Drifted,
    JsonObject,
    Ran,
    Run,
    Stopped,
    exactly,
    in_groups,
    one_of,
    same_table,
)
from losant_mcp.policy import Permit


async def delete_row(run: Run) -> Ran:
    """Delete the one row, unless it changed since the person saw it."""
    [(row_id, seen)] = run.plan.planned.items
    try:
        row = (await run.client.data_table_row_get(**run.table, rowId=row_id)).to_json()
    except NotFound:
        return Ran(gone=1, note="The row was already gone.")
    if row.get("updatedAt") != seen or row.get("createdAt") != run.plan.target.created:
        raise Drifted("the row was changed since")
    table = await same_table(run)

    async def chunks() -> Chunks:
        yield [row]

    backup_id = await run.keep("rows", chunks(), table=table)
    path = {**run.table, "rowId": row_id}
    try:
        again = (await run.client.data_table_row_get(**path)).to_json()
    except NotFound:
        return Ran(gone=1, backup_id=backup_id)
    if again.get("updatedAt") != seen:
        raise Drifted("the row was changed since")
    try:
        await run.client.data_table_row_delete(
            **path, permit=Permit(DATA_TABLE_ROW_DELETE.id, path)
        )
    except LosantMcpError as error:
        raise Stopped(error, await _Rows(run).known(error, 0, backup_id, [row_id])) from error
    return Ran(removed=1, backup_id=backup_id)


async def delete_rows(run: Run) -> Ran:
    """Delete the rows of the set that are still as the person saw them."""
    table = await same_table(run)
    rows = _Rows(run)
    backup_id = await run.keep("rows", rows.present(), table=table)
    if not rows.same:
        return Ran(kept=rows.changed, gone=rows.gone, backup_id=backup_id)
    await same_table(run)
    return await rows.delete_same(backup_id)


async def count_left(run: Run) -> int:
    """How many rows of the plan are at Losant now."""
    return len(await _Rows(run).there(run.plan.planned.ids))


class _Rows(NamedSet):
    """The rows of one run, and how they are reached."""

    what = "rows"
    in_a_step = ROWS_IN_A_STEP

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._query = run.plan.operation.selection.get("query")
        self._by_sets: bool | None = None

    async def present(self) -> Chunks:
        """The rows, whole, that are still as the person saw them; the others are counted."""
        for group in in_groups(list(self.seen), ROWS_IN_A_STEP):
            found = await self._fetch(group)
            same = [row for row in found if row.get("updatedAt") == self.seen[row["id"]]]
            self.same += [row["id"] for row in same]
            self.changed += len(found) - len(same)
            self.gone += len(group) - len(found)
            self.note_newest(row.get("updatedAt") for row in same)
            await self.run.progress(len(self.same), len(self.seen), "rows backed up")
            yield same

    async def _fetch(self, ids: Sequence[str]) -> list[JsonObject]:
        """The rows with these ids.

        That ``$in`` works on the ids of rows is not documented, so it is tried once; where it
        finds nothing, rows are read, and later deleted, one by one.
        """
        if self._by_sets is None:
            self._by_sets = await self._sets_work(ids[0])
        if self._by_sets:
            page = await self.run.client.data_table_rows_query(
                **self.run.table, body=one_of(ids), limit=len(ids)
            )
            return page.items
        return [row for row_id in ids if (row := await self._get(row_id)) is not None]

    async def _sets_work(self, row_id: str) -> bool:
        try:
            page = await self.run.client.data_table_rows_query(
                **self.run.table, body={"id": {"$in": [row_id]}}, limit=1
            )
        except BadRequest:
            return False
        return bool(page.items) or await self._get(row_id) is None

    async def _get(self, row_id: str) -> JsonObject | None:
        try:
            row = await self.run.client.data_table_row_get(**self.run.table, rowId=row_id)
        except NotFound:
            return None
        return row.to_json()

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete these rows unless they changed meanwhile; how many were removed."""
        if not self._by_sets:
            return sum([await self._delete_one(row_id) for row_id in ids])
        removed = 0
        while removed < len(ids):
            answer = await self.run.client.data_table_rows_delete(
                **self.run.table,
                body=exactly(ids, self._query, "updatedAt", self.newest),
                limit=ROWS_IN_A_STEP,
                permit=Permit(DATA_TABLE_ROWS_DELETE.id, self.run.table, {"limit": ROWS_IN_A_STEP}),
            )
            removed += answer.removed
            self.deleted = True
            if not answer.removed:
                break
        return removed

    async def _delete_one(self, row_id: str) -> int:
        row = await self._get(row_id)
        if row is None or row.get("updatedAt") != self.seen[row_id]:
            return 0
        path = {**self.run.table, "rowId": row_id}
        permit = Permit(DATA_TABLE_ROW_DELETE.id, path)
        await self.run.client.data_table_row_delete(**path, permit=permit)
        self.deleted = True
        return 1

    async def there(self, ids: Sequence[str]) -> list[str]:
        """Which of these rows exist."""
        there: list[str] = []
        for group in in_groups(ids, ROWS_IN_A_STEP):
            there += [row["id"] for row in await self._fetch(group)]
        return there
