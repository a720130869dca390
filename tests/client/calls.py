"""A call of every operation, for the tests that go through the whole catalogue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from losant_mcp.api.data import DevicesDataExport, LastValueQuery, TimeSeriesQuery
from losant_mcp.api.events import EventPatch, EventPost, EventsExport
from losant_mcp.api.tables import (
    DataTableColumn,
    DataTablePatch,
    DataTablePost,
    DataTableRowsExport,
    Row,
    RowInsert,
    RowUpdate,
)
from losant_mcp.api.types import ResponseModel
from losant_mcp.client import LosantClient
from tests.served import Sandbox


@dataclass(frozen=True)
class Ids:
    """Objects of the demo to work on."""

    application: str
    event: str
    table: str
    row: str
    device: str


def ids_in(sandbox: Sandbox) -> Ids:
    """An event, a table, a row and a device that exist."""

    def first(sql: str) -> str:
        return str(sandbox.store.rows(sql)[0][0])

    table = first("SELECT id FROM data_tables WHERE name = 'sites'")
    return Ids(
        sandbox.application_id,
        first("SELECT id FROM events WHERE state = 0"),
        table,
        first(f"SELECT id FROM rows_{table}"),
        first("SELECT id FROM devices ORDER BY id"),
    )


async def _job_log(losant: LosantClient, i: Ids) -> ResponseModel:
    await losant.events_export(applicationId=i.application)
    logs = await losant.application_job_logs_get(applicationId=i.application)
    return await losant.application_job_log_get(
        applicationId=i.application, jobId=logs.items[-1].id
    )


_SITE: Row = {"siteCode": "NEW-1", "name": "New", "kind": "pump", "district": "North"}
CALLS: dict[str, Callable[[LosantClient, Ids], Awaitable[ResponseModel]]] = {
    "events.get": lambda c, i: c.events_get(applicationId=i.application, state="new"),
    "events.post": lambda c, i: c.events_post(
        applicationId=i.application, body=EventPost(level="info", subject="Hello")
    ),
    "events.patch": lambda c, i: c.events_patch(
        applicationId=i.application,
        query={"id": i.event},
        body=EventPatch(state="acknowledged"),
    ),
    "events.delete": lambda c, i: c.events_delete(
        applicationId=i.application, body={"id": i.event}
    ),
    "events.export": lambda c, i: c.events_export(
        applicationId=i.application, body=EventsExport(format="json")
    ),
    "events.mostRecentBySeverity": lambda c, i: c.events_most_recent_by_severity(
        applicationId=i.application
    ),
    "event.get": lambda c, i: c.event_get(applicationId=i.application, eventId=i.event),
    "event.patch": lambda c, i: c.event_patch(
        applicationId=i.application, eventId=i.event, body=EventPatch(comment="Seen")
    ),
    "event.delete": lambda c, i: c.event_delete(applicationId=i.application, eventId=i.event),
    "dataTables.get": lambda c, i: c.data_tables_get(
        applicationId=i.application, filterField="name", filter="s*"
    ),
    "dataTables.post": lambda c, i: c.data_tables_post(
        applicationId=i.application, body=DataTablePost(name="Fresh")
    ),
    "dataTable.get": lambda c, i: c.data_table_get(
        applicationId=i.application, dataTableId=i.table
    ),
    "dataTable.patch": lambda c, i: c.data_table_patch(
        applicationId=i.application, dataTableId=i.table, body=DataTablePatch(name="Places")
    ),
    "dataTable.delete": lambda c, i: c.data_table_delete(
        applicationId=i.application, dataTableId=i.table
    ),
    "dataTable.addColumn": lambda c, i: c.data_table_add_column(
        applicationId=i.application,
        dataTableId=i.table,
        body=DataTableColumn(name="fresh", dataType="string", constraint="optional"),
    ),
    "dataTable.removeColumn": lambda c, i: c.data_table_remove_column(
        applicationId=i.application, dataTableId=i.table, columnName="notes"
    ),
    "dataTableRows.get": lambda c, i: c.data_table_rows_get(
        applicationId=i.application, dataTableId=i.table, limit=2, includeFields="id,name"
    ),
    "dataTableRows.post": lambda c, i: c.data_table_rows_post(
        applicationId=i.application, dataTableId=i.table, body=RowInsert([_SITE])
    ),
    "dataTableRows.query": lambda c, i: c.data_table_rows_query(
        applicationId=i.application, dataTableId=i.table, body={"id": i.row}
    ),
    "dataTableRows.delete": lambda c, i: c.data_table_rows_delete(
        applicationId=i.application, dataTableId=i.table, body={"id": i.row}, limit=1
    ),
    "dataTableRows.export": lambda c, i: c.data_table_rows_export(
        applicationId=i.application, dataTableId=i.table, body=DataTableRowsExport()
    ),
    "dataTableRows.truncate": lambda c, i: c.data_table_rows_truncate(
        applicationId=i.application, dataTableId=i.table
    ),
    "dataTableRow.get": lambda c, i: c.data_table_row_get(
        applicationId=i.application, dataTableId=i.table, rowId=i.row
    ),
    "dataTableRow.patch": lambda c, i: c.data_table_row_patch(
        applicationId=i.application,
        dataTableId=i.table,
        rowId=i.row,
        body=RowUpdate({"notes": None}),
    ),
    "dataTableRow.delete": lambda c, i: c.data_table_row_delete(
        applicationId=i.application, dataTableId=i.table, rowId=i.row
    ),
    "data.timeSeriesQuery": lambda c, i: c.data_time_series_query(
        applicationId=i.application,
        body=TimeSeriesQuery(
            duration=3_600_000, resolution=600_000, aggregation="MEAN", deviceIds=[i.device]
        ),
    ),
    "data.lastValueQuery": lambda c, i: c.data_last_value_query(
        applicationId=i.application,
        body=LastValueQuery(attribute="pressure", deviceIds=[i.device]),
    ),
    "data.export": lambda c, i: c.data_export(
        applicationId=i.application, body=DevicesDataExport(deviceIds=[i.device])
    ),
    "applications.get": lambda c, i: c.applications_get(perPage=5),
    "application.get": lambda c, i: c.application_get(applicationId=i.application),
    "devices.get": lambda c, i: c.devices_get(applicationId=i.application, tagsAsObject=True),
    "device.get": lambda c, i: c.device_get(applicationId=i.application, deviceId=i.device),
    "applicationJobLogs.get": lambda c, i: c.application_job_logs_get(applicationId=i.application),
    "applicationJobLog.get": _job_log,
}
"""A call of every operation that succeeds on the demo with the full token."""
