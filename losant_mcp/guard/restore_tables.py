"""A deleted table made again with its rows, and a removed column with its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from losant_mcp.api.body import parse_body
from losant_mcp.api.tables import (
    Column,
    DataTable,
    DataTableColumn,
    DataTablePost,
    RowUpdate,
)
from losant_mcp.client.paging import all_items, by_number, by_offset
from losant_mcp.errors import BadRequest, Conflict, InvalidRequest, LosantMcpError, NotFound
from losant_mcp.guard.backup_manifest import BackupDamaged
from losant_mcp.guard.restore_rows import restore_rows
from losant_mcp.guard.restore_work import LONGEST_REQUEST, SETTLING, JsonObject, Work, each, reason
from losant_mcp.guard.running import milliseconds
from losant_mcp.guard.store import GuardError

LONGEST_NAME = 255
VALUES = 100
"""Rows that get a value back between two looks at the budget."""


async def restore_into(work: Work, target: str | None) -> None:
    """The rows are in the table that they were in, or in ``target``."""
    table_id = target or _definition(work).id
    try:
        table = await work.client.data_table_get(**work.table(table_id))
    except NotFound:
        raise GuardError(
            "The table that the rows were in is gone." if target is None else "No such table.",
            hint="Restore the backup of the table itself, or name the table to restore into.",
        ) from None
    await restore_rows(work, table)


async def restore_table(work: Work, target: str | None) -> None:
    """The table is there with its columns and rows: the same one, or made again."""
    if target is not None:
        await restore_into(work, target)
        return
    for table_id in (_definition(work).id, work.journal.created):
        table = await _find(work, table_id)
        if table is not None:
            await restore_rows(work, table)
            return
    table = await _adopted(work)
    if table is not None:
        await restore_rows(work, table)
        return
    await restore_rows(work, await _make(work), fresh=True)


def _definition(work: Work) -> DataTable:
    if work.manifest.table is None:
        raise BackupDamaged(f"The backup {work.manifest.id} does not say which table it is of.")
    return work.manifest.table


async def _find(work: Work, table_id: str | None) -> DataTable | None:
    if not table_id:
        return None
    try:
        return await work.client.data_table_get(**work.table(table_id))
    except NotFound:
        return None


async def _tables(work: Work) -> list[DataTable]:
    return await all_items(by_number(partial(work.client.data_tables_get, **work.at)))


# ---- the table -----------------------------------------------------------------------------


async def _make(work: Work) -> DataTable:
    """The table, made again under its name, or beside one that has taken it."""
    definition = _definition(work)
    empty = await _columns_with_nulls(work, definition)
    columns = [
        _column(work, column, weaker=empty.get(column.name, "")) for column in definition.columns
    ]
    name = await _free_name(work, definition.name)
    given: JsonObject = {"name": name, "columns": columns}
    if definition.description:
        given["description"] = definition.description
    body = parse_body(DataTablePost, given)
    await work.announce("table", definition.id, 1)
    await work.journal.note_creating(name, work.now())
    try:
        table = await work.client.data_tables_post(**work.at, body=body)
    except LosantMcpError as error:
        arrived = await _adopted(work) if error.changed == "unknown" else None
        if arrived is None:
            raise
        return arrived
    await work.journal.note_created(table.id)
    return table


async def _adopted(work: Work) -> DataTable | None:
    """The table that a request made of which no answer came, if there is exactly one."""
    creating = work.journal.creating
    if creating is None or work.journal.created is not None:
        return None
    for seconds in (*SETTLING, None):
        found = [
            table
            for table in await _tables(work)
            if table.name == creating.name
            and table.creationDate is not None
            and milliseconds(table.creationDate) >= creating.at
            and [c.name for c in table.columns] == [c.name for c in _definition(work).columns]
        ]
        if len(found) == 1:
            await work.journal.note_created(found[0].id)
            return found[0]
        if seconds is None or work.now() - creating.at > LONGEST_REQUEST:
            break
        await work.pace.sleep(seconds)
    return None


async def _columns_with_nulls(work: Work, definition: DataTable) -> dict[str, str]:
    """Strict columns in which some row of the backup has nothing: such rows are from before the
    column, and Losant would refuse to insert them.
    """
    strict = {column.name for column in definition.columns if column.constraint != "optional"}
    empty: dict[str, str] = {}
    async for chunk in work.source.chunks(1000):
        for name in strict - set(empty):
            if any(row.get(name) is None for row in chunk):
                empty[name] = "some rows have nothing in it"
    return empty


def _column(work: Work, column: Column, *, weaker: str) -> JsonObject:
    constraint = column.constraint or "optional"
    if weaker and constraint != "optional":
        work.note(f"column {column.name} was {constraint}, and is optional now: {weaker}")
        constraint = "optional"
    made: JsonObject = {"name": column.name, "dataType": column.dataType, "constraint": constraint}
    if column.defaultValue is not None:
        made["defaultValue"] = column.defaultValue
    return made


async def _free_name(work: Work, name: str) -> str:
    """The table's name, or one that says what it is where another table has taken it.

    Losant lets two tables have one name, but whoever looks a table up by its name would then
    find either; and the other table is somebody's work, which a restore never touches.
    """
    taken = {table.name.casefold() for table in await _tables(work)}
    if name.casefold() not in taken:
        return name
    day = f"{work.client.losant_now():%Y-%m-%d}"
    number = 1
    while True:
        suffix = f" (restored {day})" if number == 1 else f" (restored {day}, {number})"
        other = name[: LONGEST_NAME - len(suffix)] + suffix
        if other.casefold() not in taken:
            work.note("another table has its name now, so the restored one is called otherwise")
            return other
        number += 1


# ---- the column ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Values:
    """What a column holds now, by row; and whether a restore made it, so that its nulls and
    defaults are nobody's.
    """

    now: dict[str, Any]
    made: bool
    default: Any

    def is_nobodys(self, value: Any) -> bool:
        """Whether nobody wrote this value on purpose."""
        return value is None or (self.made and value == self.default)


async def restore_column(work: Work, target: str | None) -> None:
    """The table has the column, and the rows that are left have their values in it again."""
    if target is not None and target != _definition(work).id:
        raise GuardError("The values of a column only fit the table that they were in.")
    column = work.manifest.removed_column
    if column is None:
        raise BackupDamaged(f"The backup {work.manifest.id} does not say what the column was.")
    table = await _find(work, _definition(work).id)
    if table is None:
        raise GuardError("The table that the column was in is gone.")
    work.target_id, work.target_name = table.id, table.name
    made = await _add(work, table, column)
    values = _Values(await _values(work, table, column), made, column.defaultValue)
    async for chunk in work.source.chunks(VALUES):
        await _set_back(work, table, column, chunk, values)
        await work.tell()


async def _add(work: Work, table: DataTable, column: Column) -> bool:
    """Add the column unless it is there; whether a restore of this backup made it."""
    made = table.id in work.journal.added_columns
    there = next((c for c in table.columns if c.name == column.name), None)
    if there is not None:
        if there.dataType != column.dataType:
            raise GuardError(
                f"The table has a column {column.name!r} again, of another type, so the values "
                "do not fit."
            )
        return made
    some = await work.client.data_table_rows_get(**work.table(table.id), limit=1)
    # A strict column on a table with rows would refuse inserts that went well all the while,
    # and a constraint cannot be changed later without removing the column.
    weaker = "the table has rows" if some.totalCount else ""
    body = parse_body(DataTableColumn, _column(work, column, weaker=weaker))
    await work.announce("column", table.id, 1)
    await work.journal.note_added(table.id)
    try:
        await work.client.data_table_add_column(**work.table(table.id), body=body)
    except LosantMcpError as error:
        if error.changed != "unknown":
            raise
        await work.pace.sleep(SETTLING[0])
        again = await work.client.data_table_get(**work.table(table.id))
        if column.name not in [c.name for c in again.columns]:
            raise
    return True


async def _values(work: Work, table: DataTable, column: Column) -> dict[str, Any]:
    fetch = partial(
        work.client.data_table_rows_get,
        **work.table(table.id),
        sortColumn="id",
        sortDirection="asc",
        includeFields=f"id,{column.name}",
    )
    values: dict[str, Any] = {}
    async with by_offset(fetch) as pages:
        async for page in pages:
            values |= {str(row["id"]): row.get(column.name) for row in page.items}
    return values


async def _set_back(
    work: Work, table: DataTable, column: Column, items: Sequence[JsonObject], values: _Values
) -> None:
    due: list[JsonObject] = []
    for item in items:
        row_id, value = str(item["id"]), item.get(column.name)
        if row_id not in values.now:
            work.fail(row_id, "gone", "the row is gone")
        elif _same(values.now[row_id], value):
            work.already += 1
        elif values.is_nobodys(values.now[row_id]):
            due.append(item)
        else:
            work.fail(row_id, "conflict", "the row has another value in it now")
    if not due:
        return
    await work.announce("values", table.id, len(due))

    async def patch(item: JsonObject) -> None:
        row_id = str(item["id"])
        try:
            body = parse_body(RowUpdate, {column.name: item.get(column.name)})
            await work.insist(
                partial(
                    work.client.data_table_row_patch,
                    **work.table(table.id),
                    rowId=row_id,
                    body=body,
                )
            )
        except NotFound:
            work.fail(row_id, "gone", "the row is gone")
        except (BadRequest, Conflict, InvalidRequest) as error:
            work.fail(row_id, "refused", reason(error))
        else:
            work.restored += 1

    await each(due, patch)


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
