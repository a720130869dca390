"""Tools for the rows of a data table."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import Field

from losant_mcp.api.endpoints import (
    DATA_TABLE_GET,
    DATA_TABLE_ROW_DELETE,
    DATA_TABLE_ROW_GET,
    DATA_TABLE_ROW_PATCH,
    DATA_TABLE_ROWS_DELETE,
    DATA_TABLE_ROWS_EXPORT,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_POST,
    DATA_TABLE_ROWS_QUERY,
    DATA_TABLE_ROWS_TRUNCATE,
)
from losant_mcp.api.query import ROWS
from losant_mcp.api.tables import (
    MAX_INSERT_ROWS,
    RESERVED_COLUMNS,
    DataTable,
    DataTableRows,
    DataTableRowsExport,
    RowInsert,
    RowUpdate,
)
from losant_mcp.api.types import SortDirection
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import one_line
from losant_mcp.tools import results
from losant_mcp.tools.arguments import ApplicationId, Query, RowId, TableId
from losant_mcp.tools.call import Call
from losant_mcp.tools.egress import CallbackUrl, Email
from losant_mcp.tools.guarded import ApprovalId, not_yet
from losant_mcp.tools.jobs import started
from losant_mcp.tools.spec import LISTING, OUTCOME, tool

SortColumn = Annotated[str, Field(description="Column, id, createdAt or updatedAt")]
Limit = Annotated[int, Field(ge=1, le=10_000)]
Offset = Annotated[int, Field(ge=0)]
IncludeFields = Annotated[list[str], Field(description="Columns to return; all if left out")]


@tool("tables", DATA_TABLE_GET, DATA_TABLE_ROWS_GET, title="List rows", output=LISTING)
async def list_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    sortColumn: SortColumn | None = None,
    sortDirection: SortDirection = "asc",
    limit: Limit = 100,
    offset: Offset = 0,
    includeFields: IncludeFields | None = None,
) -> dict[str, Any]:
    """List rows page by page. To compute over a whole table use query_sql."""
    at: dict[str, Any] = {"applicationId": applicationId, "dataTableId": dataTableId}
    table = await call.client.data_table_get(**at)
    page = await call.client.data_table_rows_get(
        **at, limit=limit, **_view(table, sortColumn, sortDirection, offset, includeFields)
    )
    hint = f"Table {one_line(table.name, 60)!r} has no rows." if not page.totalCount else ""
    return _page(call, table, page, offset, includeFields, hint)


@tool("tables", DATA_TABLE_GET, DATA_TABLE_ROWS_QUERY, title="Query rows", output=LISTING)
async def query_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    query: Query,
    sortColumn: SortColumn | None = None,
    sortDirection: SortDirection = "asc",
    limit: Limit = 100,
    offset: Offset = 0,
    includeFields: IncludeFields | None = None,
    countOnly: bool = False,
) -> dict[str, Any]:
    """Find or count the rows that an advanced query matches; sums and joins: query_sql."""
    at: dict[str, Any] = {"applicationId": applicationId, "dataTableId": dataTableId}
    table = await call.client.data_table_get(**at)
    checked = call.query(query, ROWS, columns=[column.name for column in table.columns])
    view = _view(table, sortColumn, sortDirection, offset, includeFields)
    if countOnly:
        page = await call.client.data_table_rows_query(
            **at, body=checked, limit=1, includeFields="id"
        )
        return call.listing([], [], total=page.totalCount, next_page=lambda _: None)
    page = await call.client.data_table_rows_query(**at, body=checked, limit=limit, **view)
    hint = ""
    if not page.totalCount:
        everything = await call.client.data_table_rows_query(
            **at, body={}, limit=1, includeFields="id"
        )
        hint = (
            f"None of the {everything.totalCount} rows of {one_line(table.name, 60)!r} matches"
            f" {results.compact(checked)[:200]}. String tests mind case without $ci: true."
        )
    return _page(call, table, page, offset, includeFields, hint)


def _view(
    table: DataTable,
    sort_column: str | None,
    sort_direction: SortDirection,
    offset: int,
    include_fields: list[str] | None,
) -> dict[str, Any]:
    view: dict[str, Any] = {"sortDirection": sort_direction, "offset": offset}
    if sort_column is not None:
        check_columns(table, [sort_column], "sortColumn")
        view["sortColumn"] = sort_column
    if include_fields:
        check_columns(table, include_fields, "includeFields")
        view["includeFields"] = ",".join(dict.fromkeys(["id", *include_fields]))
    return view


def check_columns(table: DataTable, names: list[str], where: str) -> None:
    """Refuse a column that the table does not have. Raises InvalidRequest with the nearest."""
    known = [*(column.name for column in table.columns), *RESERVED_COLUMNS]
    for name in names:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise InvalidRequest(
            f"{where}: table {one_line(table.name, 60)!r} has no column"
            f" {one_line(name, 60)!r}.{guess}",
            hint=f"Columns: {', '.join(known)[:250]}.",
        )


def _page(
    call: Call,
    table: DataTable,
    page: DataTableRows,
    offset: int,
    include_fields: list[str] | None,
    hint: str,
) -> dict[str, Any]:
    if include_fields:
        columns = list(dict.fromkeys(["id", *include_fields]))
    else:
        columns = ["id", *(c.name for c in table.columns), "createdAt", "updatedAt"]
    if not page.items and page.totalCount:
        hint = f"offset {offset} is past the end: {page.totalCount} rows match."
    return call.listing(
        columns,
        page.items,
        total=page.totalCount,
        next_page=results.offsets(call.arguments, offset=offset, total=page.totalCount),
        **({"hint": hint} if hint else {}),
    )


@tool("tables", DATA_TABLE_ROW_GET, title="Get a row")
async def get_row(
    call: Call, *, applicationId: ApplicationId, dataTableId: TableId, rowId: RowId
) -> dict[str, Any]:
    """Get one row whole."""
    row = await call.client.data_table_row_get(
        applicationId=applicationId, dataTableId=dataTableId, rowId=rowId
    )
    return call.single("row", row.to_json())


@tool("tables", DATA_TABLE_GET, DATA_TABLE_ROWS_POST, title="Insert rows", output=OUTCOME)
async def insert_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    rows: Annotated[
        list[dict[str, Any]],
        Field(
            min_length=1,
            max_length=MAX_INSERT_ROWS,
            description="Column to value; flat; a column left out gets its default",
        ),
    ],
) -> dict[str, Any]:
    """Insert rows. An unknown column is refused (Losant would drop it)."""
    at: dict[str, Any] = {"applicationId": applicationId, "dataTableId": dataTableId}
    table = await call.client.data_table_get(**at)
    for index, row in enumerate(rows):
        check_row(table, row, f"rows[{index}]", new=True)
    body = call.root(RowInsert, rows[0] if len(rows) == 1 else rows, "rows")
    made = await call.client.data_table_rows_post(**at, body=body)
    count = made.count if made.count is not None else len(rows)
    outcome = {"status": "done", "message": f"{count} rows were inserted.", "changed": count}
    # Losant names at most 1,000 of them; more than a few would only fill the context.
    return {**outcome, "rowIds": made.ids[:20]}


def check_row(table: DataTable, row: dict[str, Any], where: str, *, new: bool) -> None:
    """Refuse what Losant would drop or refuse less clearly. Raises InvalidRequest."""
    check_columns(table, list(row), where)
    if reserved := [name for name in RESERVED_COLUMNS if name in row]:
        raise InvalidRequest(f"{where}: {reserved[0]} is set by Losant.", hint="Leave it out.")
    for column in table.columns:
        here = f"{where}.{column.name}"
        if column.name not in row:
            if new and column.constraint in ("required", "unique"):
                raise InvalidRequest(f"{here} is {column.constraint}, so it needs a value.")
            continue
        value = row[column.name]
        if value is None:
            if column.constraint in ("required", "unique"):
                raise InvalidRequest(f"{here} is {column.constraint}: it may not be null.")
            continue
        fits = {
            "string": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "number": isinstance(value, (int, float)) and not isinstance(value, bool),
        }.get(column.dataType, True)
        if not fits:
            raise InvalidRequest(f"{here} must be a {column.dataType}.")


@tool("tables", DATA_TABLE_GET, DATA_TABLE_ROW_PATCH, title="Update a row")
async def update_row(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    rowId: RowId,
    row: Annotated[dict[str, Any], Field(description="Columns to change; the rest stay")],
) -> dict[str, Any]:
    """Change some columns of one row."""
    at: dict[str, Any] = {"applicationId": applicationId, "dataTableId": dataTableId}
    if not row:
        raise InvalidRequest("row is empty: nothing to change was given.")
    table = await call.client.data_table_get(**at)
    check_row(table, row, "row", new=False)
    body = call.root(RowUpdate, row, "row")
    changed = await call.client.data_table_row_patch(**at, rowId=rowId, body=body)
    return call.single("row", changed.to_json())


@tool("tables", DATA_TABLE_ROW_DELETE, title="Delete a row", output=OUTCOME)
async def delete_row(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    rowId: RowId,
    approvalId: ApprovalId | None = None,
) -> dict[str, Any]:
    """Delete one row, after a person's yes; backed up first."""
    not_yet("delete a row")


@tool("tables", DATA_TABLE_GET, DATA_TABLE_ROWS_DELETE, title="Delete rows", output=OUTCOME)
async def delete_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    query: Query,
    approvalId: ApprovalId | None = None,
) -> dict[str, Any]:
    """Delete the rows that the query matches, after a person's yes; backed up first."""
    if not query:
        raise InvalidRequest(
            "An empty query matches every row.", hint="Use truncate_rows for that."
        )
    table = await call.client.data_table_get(applicationId=applicationId, dataTableId=dataTableId)
    call.query(query, ROWS, columns=[column.name for column in table.columns])
    not_yet("delete rows")


@tool("tables", DATA_TABLE_ROWS_TRUNCATE, title="Empty a data table", output=OUTCOME)
async def truncate_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    approvalId: ApprovalId | None = None,
) -> dict[str, Any]:
    """Delete all rows of a table, after a person's yes; backed up first."""
    not_yet("empty a data table")


@tool("tables", DATA_TABLE_GET, DATA_TABLE_ROWS_EXPORT, title="Export rows", output=OUTCOME)
async def export_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    query: Query | None = None,
    sortColumn: SortColumn | None = None,
    sortDirection: SortDirection | None = None,
    limit: Annotated[int, Field(ge=1)] | None = None,
    offset: Offset | None = None,
    email: Email | None = None,
    callbackUrl: CallbackUrl | None = None,
) -> dict[str, Any]:
    """Export rows to a CSV file; Losant mails a link to the token's owner, or to email."""
    at: dict[str, Any] = {"applicationId": applicationId, "dataTableId": dataTableId}
    table = await call.client.data_table_get(**at)
    selected: dict[str, Any] = {}
    if query is not None:
        names = [column.name for column in table.columns]
        selected["query"] = call.query(query, ROWS, columns=names)
    if sortColumn is not None:
        check_columns(table, [sortColumn], "sortColumn")
    options = {
        name: call.values[name]
        for name in ("sortColumn", "sortDirection", "limit", "offset")
        if name in call.values
    }
    if options:
        selected["queryOptions"] = options
    body = call.body(DataTableRowsExport, **selected)
    answer = await call.client.data_table_rows_export(**at, body=body)
    return await started(
        call, applicationId, answer, resource_type="datatable", resource_id=dataTableId
    )
