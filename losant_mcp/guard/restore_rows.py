"""Rows, put back into a table: in batches, without duplicates, with every refusal told apart.

Losant does not promise that a bulk insert is all or nothing. So after a refusal, and after an
answer that did not come, it is looked up what arrived before anything is sent again: by the
unique columns where the table has some, else among the rows created since by their cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from losant_mcp.api.body import parse_body
from losant_mcp.api.tables import Column, DataTable, RowInsert, RowsInserted
from losant_mcp.client.paging import by_offset
from losant_mcp.errors import (
    BadRequest,
    Conflict,
    InvalidRequest,
    LosantMcpError,
    NotFound,
    PayloadTooLarge,
    RateLimited,
)
from losant_mcp.guard.restore_work import (
    LONGEST_REQUEST,
    MOST_REPEATS,
    SETTLING,
    JsonObject,
    Work,
    reason,
)
from losant_mcp.guard.running import IDS_IN_A_SET, in_groups, milliseconds
from losant_mcp.guard.store import GuardError

BATCH = 1000
"""Rows in one insert: as many as Losant names the new ids of."""
FEW = 20
"""Rows that are looked up one by one, instead of reading the ids of a whole table."""
SCANS = 3
FUTILE = 40
"""Refusals one by one, without a single row restored, after which a restore gives up."""

_REFUSALS = (BadRequest, Conflict, PayloadTooLarge, InvalidRequest)


async def restore_rows(work: Work, table: DataTable, *, fresh: bool = False) -> None:
    """The rows of the backup are in the table, but for those that the outcome names.

    ``fresh`` says that the table was made just now. Raises GuardError, with nothing written,
    where rows of the backup cannot fit.
    """
    work.target_id, work.target_name = table.id, table.name
    columns = _fitting(work, table)
    place = work.journal.at(table.id)
    present = set() if fresh else await _present(work, table.id)
    inserter = _Inserter(work, table, columns, present)
    unsettled: list[JsonObject] = []
    async for chunk in work.source.chunks(BATCH):
        missing: list[JsonObject] = []
        for row in chunk:
            old = str(row["id"])
            new = place.restored.get(old)
            if old in present or new == "" or new in present:
                work.already += 1
            elif old in place.begun:
                unsettled.append(row)
            elif inserter.fits(row):
                missing.append(row)
        await inserter.insert(missing)
        await work.tell()
    for start in range(0, len(unsettled), BATCH):
        await inserter.settle(unsettled[start : start + BATCH])
        await work.tell()


def _fitting(work: Work, table: DataTable) -> Sequence[Column]:
    """The columns that rows are written to. Raises GuardError where the table is too different."""
    if work.manifest.table is None:
        return table.columns
    known = {column.name: column for column in work.manifest.table.columns}
    for column in table.columns:
        before = known.pop(column.name, None)
        if before is None and column.constraint != "optional":
            raise GuardError(
                f"The table now has a {column.constraint} column {column.name!r} that the backup "
                "does not know, so Losant would take none of its rows.",
                hint="Restore into another table that has the columns of the backup.",
            )
        if before is not None and before.dataType != column.dataType:
            raise GuardError(
                f"The column {column.name!r} is a {column.dataType} now and was a "
                f"{before.dataType} in the backup, so its values do not fit.",
                hint="Restore into another table that has the columns of the backup.",
            )
    if known:
        work.note(f"the table has no column {', '.join(known)} now; its values were left out")
    return table.columns


async def _present(work: Work, table_id: str) -> set[str]:
    """The ids of rows in the table; of only those that matter, where these are few."""
    if work.manifest.count > FEW:
        return await _all_ids(work, table_id)
    place = work.journal.at(table_id)
    present: set[str] = set()
    async for chunk in work.source.chunks(FEW):
        for row in chunk:
            old = str(row["id"])
            for row_id in filter(None, (old, place.restored.get(old))):
                try:
                    await work.client.data_table_row_get(**work.table(table_id), rowId=row_id)
                except NotFound:
                    continue
                present.add(row_id)
    return present


async def _all_ids(work: Work, table_id: str) -> set[str]:
    """The ids of all rows, read again while rows come or go meanwhile: then pages shift."""
    fetch = partial(
        work.client.data_table_rows_get,
        **work.table(table_id),
        sortColumn="id",
        sortDirection="asc",
        includeFields="id",
    )
    ids: set[str] = set()
    for _ in range(SCANS):
        async with by_offset(fetch) as pages:
            total = pages.total
            async for page in pages:
                ids |= {str(row["id"]) for row in page.items}
            if pages.total == total:
                break
    return ids


class _Inserter:
    """Inserts rows into one table."""

    def __init__(
        self, work: Work, table: DataTable, columns: Sequence[Column], present: Collection[str]
    ) -> None:
        self._work = work
        self._table = table
        self._columns = columns
        self._unique = [column for column in columns if column.constraint == "unique"]
        self._present = present
        self._place = work.journal.at(table.id)
        self._ours = set(self._place.restored.values())
        self._originals: set[str] | None = None
        self._last: str | None = None
        self._futile = 0

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether the row can be written at all; if not, it is told so."""
        for column in self._columns:
            if row.get(column.name) is None and column.constraint != "optional":
                text = f"column {column.name} is {column.constraint}, and was empty"
                self._work.fail(str(row["id"]), "refused", text)
                return False
        return True

    async def insert(self, rows: list[JsonObject]) -> None:
        """The rows are in the table, or told to be refused."""
        if not rows:
            return
        await self._work.announce("rows", self._table.id, len(rows))
        since = self._work.now()
        if self._last is not None:
            # Nothing of these rows can be older than the insert before.
            since = max(since, milliseconds(self._last) - 1000)
        await self._work.journal.note_begun(self._table.id, _ids(rows), since)
        await self._send(rows, since)

    async def settle(self, rows: list[JsonObject]) -> None:
        """The same, for rows of which it is not known whether an earlier restore inserted them."""
        rows = [row for row in rows if self.fits(row)]
        since = min((self._place.begun[old] for old in _ids(rows)), default=0)
        await self.insert(await self._unanswered(rows, since, earlier=True))

    async def _send(self, rows: list[JsonObject], since: int) -> None:
        parts = [rows]
        waits = unanswered = 0
        while parts:
            part = parts.pop()
            try:
                answer = await self._work.client.data_table_rows_post(
                    **self._work.table(self._table.id), body=self._body(part)
                )
            except RateLimited as error:
                await self._work.wait(error, waits)
                waits += 1
                parts.append(part)
            except _REFUSALS as error:
                parts += await self._refused(part, error, since)
            except LosantMcpError as error:
                if error.changed != "unknown" or unanswered >= MOST_REPEATS:
                    raise
                unanswered += 1
                parts += _unless_empty(await self._unanswered(part, since))
            else:
                parts += await self._answered(part, answer, since)

    def _body(self, rows: list[JsonObject]) -> RowInsert:
        cells = [{c.name: row.get(c.name) for c in self._columns} for row in rows]
        # One row alone goes as an object: how an array of one is answered is not documented.
        return parse_body(RowInsert, cells[0] if len(cells) == 1 else cells)

    # ---- what came of it -------------------------------------------------------------------

    async def _answered(
        self, part: list[JsonObject], answer: RowsInserted, since: int
    ) -> list[list[JsonObject]]:
        """What is left to send after a success."""
        self._last = answer.createdAt or self._last
        if len(answer.ids) == len(part):
            await self._landed(dict(zip(_ids(part), answer.ids, strict=True)))
            return []
        landed, _ = await self._look(part, since)
        if answer.inserted == len(part):
            # All are there, though Losant did not tell every id.
            await self._landed({old: landed.get(old, "") for old in _ids(part)})
            return []
        await self._landed(landed)
        left = [row for row in part if row["id"] not in landed]
        if len(left) == 1 == len(part):
            await self._give_up(left[0], "refused", "Losant did not insert it")
            return []
        return _halves(left)

    async def _unanswered(
        self, part: list[JsonObject], since: int, *, earlier: bool = False
    ) -> list[JsonObject]:
        """What is left to send after no answer; looked up until Losant is surely done with it."""
        left = part
        for seconds in (*SETTLING, None):
            landed, _ = await self._look(left, since, earlier=earlier)
            await self._landed(landed)
            left = [row for row in left if row["id"] not in landed]
            if not left or seconds is None or self._work.now() - since > LONGEST_REQUEST:
                break
            await self._work.pace.sleep(seconds)
        return left

    async def _refused(
        self, part: list[JsonObject], error: LosantMcpError, since: int
    ) -> list[list[JsonObject]]:
        """What is left to send after a refusal: without the rows that clash, or in halves."""
        landed, clashes = await self._look(part, since)
        await self._landed(landed)
        for row in part:
            if row["id"] in clashes and row["id"] not in landed:
                await self._give_up(row, "conflict", clashes[row["id"]])
        left = [row for row in part if row["id"] not in landed and row["id"] not in clashes]
        if len(left) < len(part):
            return _unless_empty(left)
        if len(part) > 1:
            return _halves(part)
        self._futile += 1
        if self._futile >= FUTILE and not self._work.restored:
            raise error
        await self._give_up(part[0], "refused", reason(error))
        return []

    async def _landed(self, pairs: Mapping[str, str]) -> None:
        await self._work.journal.note_restored(self._table.id, pairs)
        self._ours |= set(pairs.values())
        self._work.restored += len(pairs)

    async def _give_up(self, row: JsonObject, why: Any, text: str) -> None:
        await self._work.journal.note_refused(self._table.id, [row["id"]])
        self._work.fail(row["id"], why, text)

    # ---- looking ---------------------------------------------------------------------------

    async def _look(
        self, rows: list[JsonObject], since: int, *, earlier: bool = False
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Which of the rows arrived, as new ids by old ones, and which clash with which row.

        ``earlier`` says that they may have been sent by a restore before this one.
        """
        # What was there when this restore began did not come with one of its own inserts.
        foreign = await self._find_originals() if earlier else self._present
        if self._unique:
            return await self._look_by_unique(rows, since, foreign)
        wanted: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
        for row in rows:
            wanted[self._content(row)].append(row["id"])
        landed: dict[str, str] = {}
        claimed: set[str] = set()
        fetch = partial(
            self._work.client.data_table_rows_query,
            **self._work.table(self._table.id),
            body={"createdAt": {"$gte": since}},
            sortColumn="id",
            sortDirection="asc",
        )
        async with by_offset(fetch) as pages:
            async for page in pages:
                for found in page.items:
                    olds = wanted.get(self._content(found))
                    new = str(found["id"])
                    if olds and new not in claimed and self._may_be_ours(found, since, foreign):
                        claimed.add(new)
                        landed[olds.pop(0)] = new
        return landed, {}

    async def _look_by_unique(
        self, rows: list[JsonObject], since: int, foreign: Collection[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        landed: dict[str, str] = {}
        clashes: dict[str, str] = {}
        for column in self._unique:
            holders: dict[Any, JsonObject] = {}
            values = [row[column.name] for row in rows if row["id"] not in clashes]
            for group in in_groups(values, IDS_IN_A_SET):
                page = await self._work.client.data_table_rows_query(
                    **self._work.table(self._table.id),
                    body={column.name: {"$in": group}},
                    limit=len(group),
                )
                holders |= {found.get(column.name): found for found in page.items}
            for row in rows:
                holder = holders.get(row[column.name])
                if holder is None or row["id"] in landed:
                    continue
                same = self._content(holder) == self._content(row)
                if same and self._may_be_ours(holder, since, foreign):
                    landed[row["id"]] = str(holder["id"])
                else:
                    text = f"row {holder['id']} has the same {column.name}, which is unique"
                    clashes.setdefault(row["id"], text)
        return landed, clashes

    async def _find_originals(self) -> Collection[str]:
        """The rows of the backup that never went."""
        if self._originals is None:
            self._originals = set()
            async for chunk in self._work.source.chunks(BATCH):
                self._originals |= {old for old in _ids(chunk) if old in self._present}
        return self._originals

    def _may_be_ours(self, found: JsonObject, since: int, foreign: Collection[str]) -> bool:
        """Whether a row may have come with an insert of which nothing more is known."""
        row_id = str(found["id"])
        if row_id in self._ours or row_id in foreign:
            return False
        try:
            return milliseconds(str(found.get("createdAt"))) >= since
        except ValueError:
            return False

    def _content(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """The cells, comparable: 1 and 1.0 are one number, and true is not 1."""
        cells = [row.get(column.name) for column in self._columns]
        return tuple((isinstance(cell, bool), cell) for cell in cells)


def _ids(rows: Sequence[JsonObject]) -> list[str]:
    return [str(row["id"]) for row in rows]


def _unless_empty(rows: list[JsonObject]) -> list[list[JsonObject]]:
    return [rows] if rows else []


def _halves(rows: list[JsonObject]) -> list[list[JsonObject]]:
    middle = (len(rows) + 1) // 2
    return [half for half in (rows[middle:], rows[:middle]) if half]
