"""Data tables, their columns, and their rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from losant_mcp.api.query import AdvancedQuery
from losant_mcp.api.types import (
    AnySortDirection,
    CallbackUrl,
    Count,
    Description,
    EmailText,
    Key,
    Name,
    Omit,
    OpenRequestModel,
    PageFields,
    RequestModel,
    RequestRoot,
    ResponseModel,
    Scalar,
    Text,
)

DataType = Literal["string", "number", "boolean"]
Constraint = Literal["unique", "required", "optional"]
DataTableSortField = Literal["name", "id", "creationDate", "lastUpdated"]

RESERVED_COLUMNS = ("id", "createdAt", "updatedAt")
"""Every row has them; no column may be called so (Losant's overview of data tables)."""

MAX_COLUMNS = 50
MAX_INSERT_ROWS = 25_000
"""Rows in one insert (the unreleased client 4.2.1 publishes this cap)."""

Cell = Annotated[Text | int | float | bool | None, Field(union_mode="left_to_right")]
"""A row's value. Rows are flat: no arrays, no objects."""

Row = Annotated[dict[Key, Cell], Field(max_length=MAX_COLUMNS)]


class DataTableColumn(RequestModel):
    """A column; ``defaultValue`` is for optional columns, and used only when a row is created."""

    name: Key
    dataType: DataType
    constraint: Constraint
    defaultValue: Omit[Text | int | float | bool] = None


class DataTablePost(RequestModel):
    """Creates a data table."""

    name: Name
    description: Omit[Description] = None
    columns: Omit[Annotated[list[DataTableColumn], Field(max_length=MAX_COLUMNS)]] = None


class DataTablePatch(RequestModel):
    """Renames or describes a data table; columns have endpoints of their own."""

    name: Omit[Name] = None
    description: Omit[Description] = None


class RowInsert(RequestRoot[Row | Annotated[list[Row], Field(max_length=MAX_INSERT_ROWS)]]):
    """One row, or many (schema ``dataTableRowInsert``)."""


class RowUpdate(RequestRoot[Row]):
    """The columns to change; the others stay (schema ``dataTableRowInsertUpdate``)."""


class RowsQueryOptions(OpenRequestModel):
    """Which rows to export, and in which order."""

    sortColumn: Omit[Text] = None
    sortDirection: Omit[AnySortDirection] = None
    limit: Omit[int | float] = None
    offset: Omit[int | float] = None


class DataTableRowsExport(RequestModel):
    """Asks for a CSV file of rows."""

    email: Omit[EmailText] = None
    callbackUrl: Omit[CallbackUrl] = None
    query: Omit[AdvancedQuery] = None
    queryOptions: Omit[RowsQueryOptions] = None


class Column(ResponseModel):
    """A column as Losant tells it."""

    name: str
    dataType: str
    constraint: str | None = None
    defaultValue: Scalar = None


class DataTable(ResponseModel):
    """A data table's definition; ``summary`` is newer than API 1.30.0."""

    id: str = ""
    dataTableId: str | None = None
    applicationId: str | None = None
    creationDate: str | None = None
    lastUpdated: str | None = None
    name: str = ""
    description: str | None = None
    columns: list[Column] = []
    summary: dict[str, Any] | None = None


class DataTables(PageFields):
    """A page of data tables."""

    items: list[DataTable] = []


class DataTableRow(ResponseModel):
    """A row: its id, its two dates, and its columns as extra fields."""

    id: str = ""
    createdAt: str | None = None
    updatedAt: str | None = None


class DataTableRows(ResponseModel):
    """A page of rows, each a plain JSON object; ``totalCount`` counts all that match."""

    items: list[dict[str, Any]] = []
    count: Count = 0
    totalCount: Count = 0
    limit: Count | None = None
    offset: Count | None = None
    sortColumn: str | None = None
    sortDirection: str | None = None
    dataTableId: str | None = None
    applicationId: str | None = None
    query: dict[str, Any] | None = None


class RowsInserted(ResponseModel):
    """What an insert made: the row itself where one was sent, ``rowIds`` and ``count`` for many.

    Only ``id`` tells the two apart: a row may have columns called ``rowIds`` and ``count``.
    """

    id: str | None = None
    createdAt: str | None = None
    updatedAt: str | None = None
    count: Scalar = None
    rowIds: list[str] | Scalar = None

    @property
    def ids(self) -> list[str]:
        """The ids of the rows made, as many as Losant tells (API 1.30.0: at most 1,000)."""
        if self.id is not None:
            return [self.id]
        return list(self.rowIds) if isinstance(self.rowIds, list) else []

    @property
    def inserted(self) -> int:
        """How many rows were made."""
        if self.id is None and isinstance(self.count, (int, float)):
            return int(self.count)
        return len(self.ids)


class RowsDeleted(ResponseModel):
    """How many rows a bulk delete removed."""

    removed: Count = 0
