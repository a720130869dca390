"""Tools for data tables and their columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from losant_mcp.api.endpoints import (
    DATA_TABLE_ADD_COLUMN,
    DATA_TABLE_DELETE,
    DATA_TABLE_GET,
    DATA_TABLE_PATCH,
    DATA_TABLE_REMOVE_COLUMN,
    DATA_TABLE_ROWS_GET,
    DATA_TABLES_GET,
    DATA_TABLES_POST,
)
from losant_mcp.api.query_values import nearest
from losant_mcp.api.tables import (
    RESERVED_COLUMNS,
    Constraint,
    DataTable,
    DataTableColumn,
    DataTablePatch,
    DataTablePost,
    DataTableSortField,
    DataType,
)
from losant_mcp.api.types import SortDirection
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import one_line
from losant_mcp.tools import results
from losant_mcp.tools.arguments import ApplicationId, TableId, Value
from losant_mcp.tools.call import Call
from losant_mcp.tools.guarded import ApprovalId, Outcome, destroy, overwrite, recorded, resumes
from losant_mcp.tools.spec import LISTING, OUTCOME, tool

Name = Annotated[str, Field(min_length=1, max_length=255)]
Description = Annotated[str, Field(max_length=32767)]


def described(table: DataTable) -> dict[str, Any]:
    """A table for a result: its columns one a line, what repeats left out."""
    facts = results.api_object(table.to_json(), "dataTableId")
    facts["columns"] = [column.to_json() for column in table.columns]
    return facts


def check_columns(table: DataTable, names: Iterable[str], where: str) -> None:
    """Refuse a column that the table does not have. Raises InvalidRequest with the nearest."""
    known = [*(column.name for column in table.columns), *RESERVED_COLUMNS]
    for name in names:
        if name not in known:
            raise InvalidRequest(
                f"{where}: table {one_line(table.name, 60)!r} has no column"
                f" {one_line(name, 60)!r}{nearest(name, known)}",
                hint=f"Columns: {one_line(', '.join(known), 250)}.",
            )


@tool("tables", DATA_TABLES_GET, title="List data tables", output=LISTING)
async def list_data_tables(
    call: Call,
    *,
    applicationId: ApplicationId,
    filter: Annotated[str, Field(description="Name glob: *log*")] | None = None,
    sortField: DataTableSortField = "name",
    sortDirection: SortDirection = "asc",
    page: Annotated[int, Field(ge=0)] = 0,
    perPage: Annotated[int, Field(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the data tables with their columns (name:type, ! required, * unique)."""
    chosen = {"filterField": "name", "filter": filter} if filter else {}
    found = await call.client.data_tables_get(
        applicationId=applicationId,
        sortField=sortField,
        sortDirection=sortDirection,
        page=page,
        perPage=perPage,
        **chosen,
    )
    hint = ""
    if not found.items:
        hint = (
            f"Page {page} is past the end: there are {found.totalCount} tables."
            if found.totalCount
            else f"No table's name fits {filter!r}; leave filter out to see all."
            if filter
            else "The application has no data tables."
        )
    return call.page(
        ["id", "name", "columns", "description", "lastUpdated"],
        [_line(call, table) for table in found.items],
        found,
        page=page,
        perPage=perPage,
        cell=1000,
        whole="get_data_table",
        hint=hint,
    )


def _line(call: Call, table: DataTable) -> dict[str, Any]:
    facts = table.to_json()
    if call.client.policy.denies(table.id):
        # Named, so that who looks for it learns why no tool will touch it, and told no more.
        return {k: facts.get(k) for k in ("id", "name")} | {"description": DENIED}
    return {**facts, "columns": _columns(table)}


DENIED = "Never touched here: a person put it on LOSANT_MCP_DENY."


def _columns(table: DataTable) -> str:
    marks = {"required": "!", "unique": "*"}
    return ", ".join(
        f"{c.name}:{c.dataType}{marks.get(c.constraint or '', '')}" for c in table.columns
    )


@tool("tables", DATA_TABLE_GET, DATA_TABLE_ROWS_GET, title="Get a data table")
async def get_data_table(
    call: Call, *, applicationId: ApplicationId, dataTableId: TableId
) -> dict[str, Any]:
    """Get a table's columns, constraints and row count."""
    at: dict[str, Any] = {"applicationId": applicationId, "dataTableId": dataTableId}
    table = await call.client.data_table_get(**at)
    rows = await call.client.data_table_rows_get(**at, limit=1)
    return call.single("dataTable", {**described(table), "rowCount": rows.totalCount})


@tool("tables", DATA_TABLES_POST, title="Create a data table")
async def create_data_table(
    call: Call,
    *,
    applicationId: ApplicationId,
    name: Name,
    description: Description | None = None,
    columns: Annotated[
        list[DataTableColumn],
        Field(max_length=50, description="defaultValue only for optional columns"),
    ]
    | None = None,
) -> dict[str, Any]:
    """Create a data table. id, createdAt and updatedAt are added by Losant."""
    for column in columns or ():
        check_column(column)
    names = [column.name for column in columns or ()]
    if twice := {n for n in names if names.count(n) > 1}:
        raise InvalidRequest(f"columns: given twice: {', '.join(sorted(twice))}.")
    body = call.body(DataTablePost)
    async with await recorded(call, "create_data_table", applicationId):
        table = await call.client.data_tables_post(applicationId=applicationId, body=body)
    return call.single("dataTable", described(table))


def is_of_type(value: object, data_type: str) -> bool:
    """Whether a column of that type takes the value; one of an unknown type takes any."""
    return {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
    }.get(data_type, True)


def check_column(column: DataTableColumn) -> None:
    """Refuse what Losant's documentation forbids but its schema lets pass."""
    if column.name in RESERVED_COLUMNS:
        raise InvalidRequest(f"Column {column.name!r} is reserved: every row has it already.")
    default = column.defaultValue
    if default is None:
        return
    if column.constraint != "optional":
        raise InvalidRequest(f"Column {column.name!r}: only an optional column has a default.")
    if not is_of_type(default, column.dataType):
        raise InvalidRequest(f"Column {column.name!r}: defaultValue is not a {column.dataType}.")


@tool(
    "tables",
    DATA_TABLE_GET,
    DATA_TABLES_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_PATCH,
    title="Rename or describe a data table",
)
async def update_data_table(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    name: Name | None = None,
    description: Description | None = None,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Rename or describe a data table. A rename breaks workflows, so it needs a person's yes."""
    body = call.body(DataTablePatch)
    if not body.model_fields_set:
        raise InvalidRequest("Nothing to change was given.", hint="Give name or description.")
    outcome = await overwrite(
        call,
        "update_data_table",
        applicationId,
        dataTableId,
        ask=name is not None and await _has_rows(call, applicationId, dataTableId),
        change=body.to_json(),
    )
    return _changed(call, outcome)


async def _has_rows(call: Call, application_id: str, table_id: str) -> bool:
    """Whether the table has rows; a call that goes on with a plan need not look again."""
    if resumes(call):
        return True
    page = await call.client.data_table_rows_get(
        applicationId=application_id, dataTableId=table_id, limit=1
    )
    return page.totalCount > 0


def _changed(call: Call, outcome: Outcome) -> Outcome:
    """The table after a change, or what the guard answers instead."""
    if not isinstance(outcome, dict) or "result" not in outcome:
        return outcome
    backup = {"backupId": outcome["backupId"]} if "backupId" in outcome else {}
    table = DataTable.model_validate(outcome["result"])
    return call.single("dataTable", described(table), **backup)


@tool(
    "tables",
    DATA_TABLE_GET,
    DATA_TABLES_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_DELETE,
    title="Delete a data table",
    output=OUTCOME,
)
async def delete_data_table(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Delete a data table with all its rows, after a person's yes; backed up first."""
    return await destroy(call, "delete_data_table", applicationId, dataTableId)


@tool(
    "tables",
    DATA_TABLE_GET,
    DATA_TABLES_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ADD_COLUMN,
    title="Add a column",
)
async def add_data_table_column(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    name: Annotated[str, Field(description="Letters, digits, _ or -")],
    dataType: DataType,
    constraint: Constraint = "optional",
    defaultValue: Value | None = None,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Add a column. Rows that exist get null in it, whatever the constraint and default."""
    column = call.body(DataTableColumn, constraint=constraint)
    check_column(column)
    if constraint != "optional" and await _has_rows(call, applicationId, dataTableId):
        change = column.to_json()
        outcome = await destroy(
            call, "add_data_table_column", applicationId, dataTableId, change=change
        )
        return _changed(call, outcome)
    async with await recorded(call, "add_data_table_column", applicationId, target=dataTableId):
        table = await call.client.data_table_add_column(
            applicationId=applicationId, dataTableId=dataTableId, body=column
        )
    return call.single("dataTable", described(table))


@tool(
    "tables",
    DATA_TABLE_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_REMOVE_COLUMN,
    title="Remove a column",
    output=OUTCOME,
)
async def remove_data_table_column(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    columnName: str,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Remove a column and its data, after a person's yes; backed up first."""
    if columnName in RESERVED_COLUMNS:
        raise InvalidRequest(f"columnName: {columnName!r} is part of every table.")
    if not resumes(call):
        table = await call.client.data_table_get(
            applicationId=applicationId, dataTableId=dataTableId
        )
        check_columns(table, [columnName], "columnName")
    return await destroy(
        call,
        "remove_data_table_column",
        applicationId,
        dataTableId,
        change={"columnName": columnName},
    )
