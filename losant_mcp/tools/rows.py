"""Tools for the rows of a data table."""

from __future__ import annotations

from time import monotonic
from typing import Annotated, Any

from anyio.to_thread import run_sync
from pydantic import Field

from losant_mcp.analysis import clauses
from losant_mcp.api.endpoints import (
    APPLICATION_JOB_LOG_GET,
    APPLICATION_JOB_LOGS_GET,
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
    DATA_TABLES_GET,
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
from losant_mcp.tools import paging, results
from losant_mcp.tools.arguments import ApplicationId, RowId, RowQuery, TableId
from losant_mcp.tools.call import Call
from losant_mcp.tools.egress import CallbackUrl, Email
from losant_mcp.tools.guarded import ApprovalId, Outcome, destroy, overwrite, recorded, resumes
from losant_mcp.tools.jobs import started
from losant_mcp.tools.spec import LISTING, OUTCOME, tool
from losant_mcp.tools.tables import check_columns, is_of_type

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
    """List rows page by page, the oldest first unless sorted."""
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
    query: RowQuery,
    sortColumn: SortColumn | None = None,
    sortDirection: SortDirection = "asc",
    limit: Limit = 100,
    offset: Offset = 0,
    includeFields: IncludeFields | None = None,
    countOnly: bool = False,
) -> dict[str, Any]:
    """Find the rows that an advanced query matches, or with countOnly their number."""
    at: dict[str, Any] = {"applicationId": applicationId, "dataTableId": dataTableId}
    table = await call.client.data_table_get(**at)
    checked = call.query(query, ROWS, columns=[column.name for column in table.columns])
    view = _view(table, sortColumn, sortDirection, offset, includeFields)
    if countOnly:
        limit, view = 1, {"includeFields": "id"}
    page = await call.client.data_table_rows_query(**at, body=checked, limit=limit, **view)
    hint = "" if page.totalCount else await _why_none(call, table, applicationId, checked or {})
    if countOnly:
        return call.listing([], [], total=page.totalCount, paging=paging.only_page, hint=hint)
    return _page(call, table, page, offset, includeFields, hint)


async def _why_none(call: Call, table: DataTable, applicationId: str, query: dict[str, Any]) -> str:
    """What the query was asked of, and which of its clauses is the culprit."""
    count = clauses.count_rows(call.client, applicationId, table.id)
    everything = await count({})
    name = repr(one_line(table.name, 60))
    if not everything:
        return f"Table {name} has no rows."
    types = {column.name: column.dataType for column in table.columns}
    why = await clauses.why_nothing(query, count, types)
    return (
        f"None of the {everything} rows of {name} matches"
        f" {one_line(results.compact(query), 200)}."
        f" {why or 'String tests mind case without $ci: true.'}"
    )


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
        paging=paging.offsets(call.arguments, offset=offset, total=page.totalCount),
        whole="get_row",
        hint=hint,
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
    # A full insert has a million cells: too long to hold up everybody else.
    await run_sync(_check_rows, table, rows)
    body = call.root(RowInsert, rows[0] if len(rows) == 1 else rows)
    async with await recorded(
        call,
        "insert_rows",
        applicationId,
        target=dataTableId,
        meter="created_rows",
        count=len(rows),
    ):
        made = await call.client.data_table_rows_post(**at, body=body)
    count = made.inserted or len(rows)
    message = f"{count} of {len(rows)} rows were inserted."
    if len(made.ids) > SHOWN_IDS:
        message += f" rowIds has the first {SHOWN_IDS}."
    return {
        "status": "done",
        "message": message,
        "changed": count,
        "rowIds": made.ids[:SHOWN_IDS],
    }


SHOWN_IDS = 20
"""Losant names at most 1,000 rows; more than a few would only fill the context."""


def _check_rows(table: DataTable, rows: list[dict[str, Any]]) -> None:
    for index, row in enumerate(rows):
        check_row(table, row, f"rows[{index}]", new=True)


def check_row(table: DataTable, row: dict[str, Any], where: str, *, new: bool) -> None:
    """Refuse what Losant would drop or refuse less clearly. Raises InvalidRequest."""
    check_columns(table, list(row), where)
    if reserved := [name for name in RESERVED_COLUMNS if name in row]:
        raise InvalidRequest(f"{where}: {reserved[0]} is set by Losant.", hint="Leave it out.")
    for column in table.columns:
        here = f"{where}.{column.name}"
        value = row.get(column.name)
        if column.name not in row and not new:
            continue
        if value is None:
            if column.constraint in ("required", "unique"):
                raise InvalidRequest(f"{here} is {column.constraint}, so it needs a value.")
            continue
        if not is_of_type(value, column.dataType):
            raise InvalidRequest(f"{here} must be a {column.dataType}.")


@tool("tables", DATA_TABLE_GET, DATA_TABLE_ROW_GET, DATA_TABLE_ROW_PATCH, title="Update a row")
async def update_row(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    rowId: RowId,
    row: Annotated[dict[str, Any], Field(description="Columns to change; the rest stay")],
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Change some columns of one row."""
    at: dict[str, Any] = {"applicationId": applicationId, "dataTableId": dataTableId}
    if not row:
        raise InvalidRequest("row is empty: nothing to change was given.")
    table = await call.client.data_table_get(**at)
    check_row(table, row, "row", new=False)
    change = call.root(RowUpdate, row).to_json()
    outcome = await overwrite(
        call, "update_row", applicationId, rowId, parent_id=dataTableId, change=change
    )
    if isinstance(outcome, dict) and "result" in outcome:
        return call.single("row", outcome["result"], backupId=outcome["backupId"])
    return outcome


@tool(
    "tables",
    DATA_TABLE_GET,
    DATA_TABLE_ROW_GET,
    DATA_TABLE_ROW_DELETE,
    title="Delete a row",
    output=OUTCOME,
)
async def delete_row(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    rowId: RowId,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Delete one row, after a person's yes; backed up first."""
    return await destroy(call, "delete_row", applicationId, rowId, parent_id=dataTableId)


@tool(
    "tables",
    DATA_TABLE_GET,
    DATA_TABLES_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    DATA_TABLE_ROW_GET,
    DATA_TABLE_ROWS_DELETE,
    DATA_TABLE_ROW_DELETE,
    title="Delete rows",
    output=OUTCOME,
)
async def delete_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    query: RowQuery,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Delete the rows that the query matches, after a person's yes; backed up first."""
    if not query:
        raise InvalidRequest(
            "An empty query matches every row.", hint="Use truncate_rows for that."
        )
    columns = None
    if not resumes(call):  # else it was checked when it was planned, and the plan counts
        at = {"applicationId": applicationId, "dataTableId": dataTableId}
        columns = [column.name for column in (await call.client.data_table_get(**at)).columns]
    checked = call.query(query, ROWS, columns=columns)
    return await destroy(
        call, "delete_rows", applicationId, dataTableId, selection={"query": checked}
    )


@tool(
    "tables",
    DATA_TABLE_GET,
    DATA_TABLES_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    DATA_TABLE_ROWS_TRUNCATE,
    DATA_TABLE_ROWS_DELETE,
    DATA_TABLE_ROW_GET,
    DATA_TABLE_ROW_DELETE,
    title="Empty a data table",
    output=OUTCOME,
)
async def truncate_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Delete all rows of a table, after a person's yes; backed up first."""
    return await destroy(call, "truncate_rows", applicationId, dataTableId)


@tool(
    "tables",
    DATA_TABLE_GET,
    DATA_TABLE_ROWS_EXPORT,
    APPLICATION_JOB_LOGS_GET,
    APPLICATION_JOB_LOG_GET,
    title="Export rows",
    output=OUTCOME,
)
async def export_rows(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    query: RowQuery | None = None,
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
    began = monotonic()
    async with await recorded(call, "export_rows", applicationId, target=dataTableId):
        answer = await call.client.data_table_rows_export(**at, body=body)
    return await started(
        call,
        applicationId,
        answer,
        began=began,
        resourceType="datatable",
        resourceId=dataTableId,
    )
