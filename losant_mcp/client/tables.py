"""The client's methods for data tables and their rows: one per operation, named after it."""

from __future__ import annotations

from losant_mcp.api import endpoints
from losant_mcp.api.tables import (
    DataTable,
    DataTableColumn,
    DataTablePatch,
    DataTablePost,
    DataTableRow,
    DataTableRows,
    DataTableRowsExport,
    DataTables,
    DataTableSortField,
    RowInsert,
    RowsDeleted,
    RowsInserted,
    RowUpdate,
)
from losant_mcp.api.types import JobEnqueued, JsonObject, SortDirection, Success
from losant_mcp.client.transport import Transport
from losant_mcp.policy import Permit


class TableMethods(Transport):
    """``dataTables.*``, ``dataTable.*``, ``dataTableRows.*`` and ``dataTableRow.*``."""

    async def data_tables_get(
        self,
        *,
        applicationId: str,
        sortField: DataTableSortField | None = None,
        sortDirection: SortDirection | None = None,
        page: int | None = None,
        perPage: int | None = None,
        filterField: str | None = None,
        filter: str | None = None,
    ) -> DataTables:
        """A page of data tables with their columns, by name."""
        return await self._send(
            DataTables,
            endpoints.DATA_TABLES_GET,
            {"applicationId": applicationId},
            {
                "sortField": sortField,
                "sortDirection": sortDirection,
                "page": page,
                "perPage": perPage,
                "filterField": filterField,
                "filter": filter,
            },
        )

    async def data_tables_post(self, *, applicationId: str, body: DataTablePost) -> DataTable:
        """The data table created."""
        return await self._send(
            DataTable, endpoints.DATA_TABLES_POST, {"applicationId": applicationId}, body=body
        )

    async def data_table_get(self, *, applicationId: str, dataTableId: str) -> DataTable:
        """One data table with its columns."""
        return await self._send(
            DataTable, endpoints.DATA_TABLE_GET, _table(applicationId, dataTableId)
        )

    async def data_table_patch(
        self, *, applicationId: str, dataTableId: str, body: DataTablePatch
    ) -> DataTable:
        """The data table with its new name or description."""
        return await self._send(
            DataTable, endpoints.DATA_TABLE_PATCH, _table(applicationId, dataTableId), body=body
        )

    async def data_table_delete(
        self, *, applicationId: str, dataTableId: str, permit: Permit | None = None
    ) -> Success:
        """Delete a data table with all its rows."""
        return await self._send(
            Success, endpoints.DATA_TABLE_DELETE, _table(applicationId, dataTableId), permit=permit
        )

    async def data_table_add_column(
        self, *, applicationId: str, dataTableId: str, body: DataTableColumn
    ) -> DataTable:
        """The data table with its new column; rows that exist hold null in it."""
        return await self._send(
            DataTable,
            endpoints.DATA_TABLE_ADD_COLUMN,
            _table(applicationId, dataTableId),
            body=body,
        )

    async def data_table_remove_column(
        self,
        *,
        applicationId: str,
        dataTableId: str,
        columnName: str,
        permit: Permit | None = None,
    ) -> DataTable:
        """The data table without the column, whose values are gone for good."""
        return await self._send(
            DataTable,
            endpoints.DATA_TABLE_REMOVE_COLUMN,
            _table(applicationId, dataTableId),
            {"columnName": columnName},
            permit=permit,
        )

    async def data_table_rows_get(
        self,
        *,
        applicationId: str,
        dataTableId: str,
        sortColumn: str | None = None,
        sortDirection: SortDirection | None = None,
        limit: int | None = None,
        offset: int | None = None,
        includeFields: str | None = None,
    ) -> DataTableRows:
        """A page of rows; ``includeFields`` is a comma-separated list of columns."""
        return await self._send(
            DataTableRows,
            endpoints.DATA_TABLE_ROWS_GET,
            _table(applicationId, dataTableId),
            {
                "sortColumn": sortColumn,
                "sortDirection": sortDirection,
                "limit": limit,
                "offset": offset,
                "includeFields": includeFields,
            },
        )

    async def data_table_rows_post(
        self, *, applicationId: str, dataTableId: str, body: RowInsert
    ) -> RowsInserted:
        """The ids of the rows inserted."""
        return await self._send(
            RowsInserted,
            endpoints.DATA_TABLE_ROWS_POST,
            _table(applicationId, dataTableId),
            body=body,
        )

    async def data_table_rows_query(
        self,
        *,
        applicationId: str,
        dataTableId: str,
        body: JsonObject | None = None,
        sortColumn: str | None = None,
        sortDirection: SortDirection | None = None,
        limit: int | None = None,
        offset: int | None = None,
        includeFields: str | None = None,
    ) -> DataTableRows:
        """A page of the rows that match the query ``body``."""
        return await self._send(
            DataTableRows,
            endpoints.DATA_TABLE_ROWS_QUERY,
            _table(applicationId, dataTableId),
            {
                "sortColumn": sortColumn,
                "sortDirection": sortDirection,
                "limit": limit,
                "offset": offset,
                "includeFields": includeFields,
            },
            body,
        )

    async def data_table_rows_delete(
        self,
        *,
        applicationId: str,
        dataTableId: str,
        body: JsonObject | None = None,
        limit: int | None = None,
        permit: Permit | None = None,
    ) -> RowsDeleted:
        """Delete at most ``limit`` (1000) rows that match the query ``body``, or any."""
        return await self._send(
            RowsDeleted,
            endpoints.DATA_TABLE_ROWS_DELETE,
            _table(applicationId, dataTableId),
            {"limit": limit},
            body,
            permit,
        )

    async def data_table_rows_export(
        self, *, applicationId: str, dataTableId: str, body: DataTableRowsExport
    ) -> JobEnqueued:
        """Start the export of rows into a CSV file, whose address Losant sends by mail."""
        return await self._send(
            JobEnqueued,
            endpoints.DATA_TABLE_ROWS_EXPORT,
            _table(applicationId, dataTableId),
            body=body,
        )

    async def data_table_rows_truncate(
        self, *, applicationId: str, dataTableId: str, permit: Permit | None = None
    ) -> Success:
        """Delete all rows of a data table; no workflow is told."""
        return await self._send(
            Success,
            endpoints.DATA_TABLE_ROWS_TRUNCATE,
            _table(applicationId, dataTableId),
            permit=permit,
        )

    async def data_table_row_get(
        self, *, applicationId: str, dataTableId: str, rowId: str
    ) -> DataTableRow:
        """One row."""
        return await self._send(
            DataTableRow, endpoints.DATA_TABLE_ROW_GET, _row(applicationId, dataTableId, rowId)
        )

    async def data_table_row_patch(
        self, *, applicationId: str, dataTableId: str, rowId: str, body: RowUpdate
    ) -> DataTableRow:
        """The row as changed; columns that are not given stay."""
        return await self._send(
            DataTableRow,
            endpoints.DATA_TABLE_ROW_PATCH,
            _row(applicationId, dataTableId, rowId),
            body=body,
        )

    async def data_table_row_delete(
        self, *, applicationId: str, dataTableId: str, rowId: str, permit: Permit | None = None
    ) -> Success:
        """Delete one row."""
        return await self._send(
            Success,
            endpoints.DATA_TABLE_ROW_DELETE,
            _row(applicationId, dataTableId, rowId),
            permit=permit,
        )


def _table(applicationId: str, dataTableId: str) -> dict[str, str]:
    return {"applicationId": applicationId, "dataTableId": dataTableId}


def _row(applicationId: str, dataTableId: str, rowId: str) -> dict[str, str]:
    return {"applicationId": applicationId, "dataTableId": dataTableId, "rowId": rowId}
