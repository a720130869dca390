"""The rows of a data table.

Not documented, and chosen here:

- A value of another type than its column's is refused. Unknown columns are ignored, as the
  documentation says of workflows.
- A bulk insert is all or nothing. An array of one row is answered as an array.
- A read gives at most 10,000 rows, like the workflow node, and the envelope says so in
  ``limit``; a delete of more at once is refused, since a client that counts on its own limit
  would believe that nothing is left. A limit of 0 reads, or deletes, nothing.
- Without ``sortColumn`` rows come in the order of their creation; ties are broken by id.
- Unknown names in ``includeFields`` are ignored.
- Deletes take the rows in the order of their creation.
"""

from __future__ import annotations

import csv
import io
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from losant_mcp.api.query import ROWS, parse_query
from losant_mcp.errors import InvalidQuery
from losant_mcp.sandbox.call import Answer, Call, Handler, Problem, invalid, iso, not_found
from losant_mcp.sandbox.parameters import refused
from losant_mcp.sandbox.query_sql import Bound, Field, number, where
from losant_mcp.sandbox.tables import Column, columns_of, find_table

MAX_LIMIT = 10_000
MAX_ROW_IDS = 1000
"""How many ids a bulk insert's answer names (schema ``dataTableRowInsertResult``)."""

_OWN = {"id": "id", "createdAt": "createdAt", "updatedAt": "updatedAt"}


# ---- reading -------------------------------------------------------------------------------


def fields_of(columns: Sequence[Column]) -> dict[str, Field]:
    """What a query may name, and the SQL that it stands for."""
    types: Mapping[str, Any] = {"string": "string", "number": "number", "boolean": "boolean"}
    return {
        "id": Field("id", "id"),
        "createdAt": Field("createdAt", "time"),
        "updatedAt": Field("updatedAt", "time"),
    } | {column.name: Field(column.sql, types[column.data_type]) for column in columns}


def _where(columns: Sequence[Column], query: object) -> tuple[str, list[Bound]]:
    """The query's SQL; an empty one matches every row. Raises Problem 400."""
    try:
        tree = parse_query(query or {}, ROWS, columns=[column.name for column in columns])
    except InvalidQuery as error:
        raise refused(error) from error
    return where(tree, fields_of(columns))


def _order(columns: Sequence[Column], sort_column: str | None, direction: str) -> str:
    known = _OWN | {column.name: column.sql for column in columns}
    if sort_column and sort_column not in known:
        raise invalid(f"sortColumn: there is no column {sort_column[:60]!r}")
    sql = known[sort_column or "id"]
    way = "DESC" if direction.lower() == "desc" else "ASC"
    return f"id {way}" if sql == "id" else f"{sql} {way}, id {way}"


def _shown(selected: Iterable[sqlite3.Row], columns: Sequence[Column]) -> list[dict[str, Any]]:
    names = [*_OWN, *(column.name for column in columns)]
    booleans = [column.name for column in columns if column.data_type == "boolean"]
    rows: list[dict[str, Any]] = []
    # Neighbours in a bulk insert share their dates.
    at, text = -1, ""
    for cells in selected:
        row = dict(zip(names, cells, strict=True))
        for name in ("createdAt", "updatedAt"):
            if row[name] != at:
                at = row[name]
                text = iso(at)
            row[name] = text
        for name in booleans:
            if row[name] is not None:
                row[name] = bool(row[name])
        rows.append(row)
    return rows


def _selected(columns: Sequence[Column]) -> str:
    return ", ".join((*_OWN, *(column.sql for column in columns)))


def _page(call: Call, query: dict[str, Any] | None) -> Answer:
    table, params = find_table(call), call.params
    table_id = table["id"]
    columns = columns_of(call.db, table_id)
    limit, offset = min(params["limit"], MAX_LIMIT), params["offset"]
    sort_column, direction = params.get("sortColumn", "id"), params["sortDirection"]
    order = _order(columns, sort_column, direction)
    condition, parameters = _where(columns, query)
    if condition == "1":
        total = table["rowCount"]
    else:
        counted = call.db.execute(
            f"SELECT COUNT(*) FROM rows_{table_id} WHERE {condition}", parameters
        )
        total = counted.fetchone()[0]
    # The inner SELECT skips the offset in an index alone, where there is one for the order.
    selected = call.db.execute(
        f"SELECT {_selected(columns)} FROM rows_{table_id} WHERE rowid IN (SELECT rowid"
        f" FROM rows_{table_id} WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?)"
        f" ORDER BY {order}",
        [*parameters, limit, offset],
    )
    items = _shown(selected, columns)
    if wanted := {name for name in params.get("includeFields", "").split(",") if name}:
        items = [{name: row[name] for name in row if name in wanted} for row in items]
    body = {
        "items": items,
        "count": len(items),
        "totalCount": total,
        "limit": limit,
        "offset": offset,
        "sortColumn": sort_column,
        "sortDirection": direction,
        "dataTableId": table_id,
        "applicationId": call.application_id,
    }
    return Answer(200, body if query is None else body | {"query": query})


def get_rows(call: Call) -> Answer:
    """A page of all rows."""
    return _page(call, None)


def query_rows(call: Call) -> Answer:
    """A page of the rows that match."""
    return _page(call, call.body or None)


def csv_rows(
    db: sqlite3.Connection,
    table_id: str,
    query: dict[str, Any] | None,
    options: Mapping[str, Any],
) -> str:
    """The rows as CSV with a header; ``options`` are sortColumn, sortDirection, limit, offset.

    Without a limit, all of them.
    """
    columns = columns_of(db, table_id)
    condition, parameters = _where(columns, query)
    order = _order(columns, options.get("sortColumn"), options.get("sortDirection") or "asc")
    limit, offset = options.get("limit"), options.get("offset") or 0
    selected = db.execute(
        f"SELECT {_selected(columns)} FROM rows_{table_id} WHERE {condition} ORDER BY {order}"
        " LIMIT ? OFFSET ?",
        [*parameters, -1 if limit is None else _whole(limit), _whole(offset)],
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*_OWN, *(column.name for column in columns)])
    for row in _shown(selected, columns):
        writer.writerow(
            str(cell).lower() if isinstance(cell, bool) else cell for cell in row.values()
        )
    return text.getvalue()


def _whole(value: float) -> int:
    return max(0, min(int(value), 2**53))


# ---- writing -------------------------------------------------------------------------------


def _cell(column: Column, value: Any) -> Any:
    """The value as it is stored. Raises Problem 400."""
    if value is None:
        if column.constraint != "optional":
            raise invalid(f"Column {column.name} is {column.constraint} and may not be null")
        return None
    if not column.holds(value):
        raise invalid(f"Column {column.name} takes a {column.data_type}")
    if column.data_type == "number":
        value = number(value)
        if not math.isfinite(value):
            raise invalid(f"Column {column.name}: the number is too large")
    return value


def _cells(columns: Sequence[Column], row: Mapping[str, Any]) -> list[Any]:
    """A new row's cells: unknown names are ignored, defaults fill in what is absent."""
    return [_cell(column, row.get(column.name, column.default)) for column in columns]


def insert_rows(
    call: Call, table_id: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Store all of the rows, or none; returns their ids. Raises Problem 400."""
    now, new_id = call.now, call.store.new_id
    prepared = [(new_id(now), now, now, *_cells(columns, row)) for row in rows]
    places = ", ".join("?" * (3 + len(columns)))
    try:
        call.db.executemany(
            f"INSERT INTO rows_{table_id} ({_selected(columns)}) VALUES ({places})", prepared
        )
    except sqlite3.IntegrityError as error:
        raise _clash(error, columns) from error
    call.db.execute(
        "UPDATE data_tables SET rowCount = rowCount + ? WHERE id = ?", (len(rows), table_id)
    )
    return [str(row[0]) for row in prepared]


def _clash(error: sqlite3.IntegrityError, columns: Sequence[Column]) -> Problem:
    """What a unique constraint says; status and type of this error are not documented."""
    broken = str(error).rpartition(".")[2]
    name = next((column.name for column in columns if column.sql == broken), broken)
    return invalid(f"Column {name} is unique, and a row has this value already")


def post_rows(call: Call) -> Answer:
    """One row, answered whole, or many, answered by their number and ids."""
    table_id = find_table(call)["id"]
    columns = columns_of(call.db, table_id)
    if isinstance(call.body, list):
        ids = insert_rows(call, table_id, columns, call.body)
        body = {"createdAt": iso(call.now), "count": len(ids), "rowIds": ids[:MAX_ROW_IDS]}
        return Answer(201, body)
    [row_id] = insert_rows(call, table_id, columns, [call.body])
    return Answer(201, _one(call, table_id, columns, row_id))


def delete_rows(call: Call) -> Answer:
    """The first ``limit`` rows that match are gone; all rows match where there is no query."""
    table_id = find_table(call)["id"]
    limit = call.params["limit"]
    if limit > MAX_LIMIT:
        raise invalid(f"limit: at most {MAX_LIMIT} rows are deleted at once")
    condition, parameters = _where(columns_of(call.db, table_id), call.body)
    removed = call.db.execute(
        f"DELETE FROM rows_{table_id} WHERE rowid IN (SELECT rowid FROM rows_{table_id}"
        f" WHERE {condition} ORDER BY id LIMIT ?)",
        [*parameters, limit],
    ).rowcount
    _count_down(call, table_id, removed)
    return Answer(200, {"removed": removed})


def truncate_rows(call: Call) -> Answer:
    """The table has no rows."""
    table_id = find_table(call)["id"]
    call.db.execute(f"DELETE FROM rows_{table_id}")
    call.db.execute("UPDATE data_tables SET rowCount = 0 WHERE id = ?", (table_id,))
    return Answer(200, {"success": True})


def _count_down(call: Call, table_id: str, removed: int) -> None:
    call.db.execute(
        "UPDATE data_tables SET rowCount = rowCount - ? WHERE id = ?", (removed, table_id)
    )


# ---- one row -------------------------------------------------------------------------------


def _one(call: Call, table_id: str, columns: Sequence[Column], row_id: str) -> dict[str, Any]:
    selected = call.db.execute(
        f"SELECT {_selected(columns)} FROM rows_{table_id} WHERE id = ?", (row_id,)
    ).fetchall()
    if not selected:
        raise not_found("Data Table Row")
    return _shown(selected, columns)[0]


def get_row(call: Call) -> Answer:
    """One row."""
    table_id = find_table(call)["id"]
    return Answer(200, _one(call, table_id, columns_of(call.db, table_id), call.path["rowId"]))


def update_row(call: Call) -> Answer:
    """The row with the given cells changed and no default applied; the others stay."""
    table_id, row_id = find_table(call)["id"], call.path["rowId"]
    columns = columns_of(call.db, table_id)
    changed = [column for column in columns if column.name in call.body]
    sets = "".join(f", {column.sql} = ?" for column in changed)
    cells = [_cell(column, call.body[column.name]) for column in changed]
    try:
        # Whether a change of nothing moves updatedAt is not documented; here it does.
        call.db.execute(
            f"UPDATE rows_{table_id} SET updatedAt = ?{sets} WHERE id = ?",
            (call.now, *cells, row_id),
        )
    except sqlite3.IntegrityError as error:
        raise _clash(error, columns) from error
    return Answer(200, _one(call, table_id, columns, row_id))


def delete_row(call: Call) -> Answer:
    """The row is gone."""
    table_id = find_table(call)["id"]
    removed = call.db.execute(
        f"DELETE FROM rows_{table_id} WHERE id = ?", (call.path["rowId"],)
    ).rowcount
    if not removed:
        raise not_found("Data Table Row")
    _count_down(call, table_id, removed)
    return Answer(200, {"success": True})


HANDLERS: dict[str, Handler] = {
    "dataTableRows.get": get_rows,
    "dataTableRows.post": post_rows,
    "dataTableRows.query": query_rows,
    "dataTableRows.delete": delete_rows,
    "dataTableRows.truncate": truncate_rows,
    "dataTableRow.get": get_row,
    "dataTableRow.patch": update_row,
    "dataTableRow.delete": delete_row,
}
