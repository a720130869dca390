"""The catalogue: one row per REST operation, with what it does to the world.

The client's methods, the sandbox's routes, the tools' annotations, the retries and the policy
all come from these rows. Paths, parameters and scopes are those of the official clients
(losant-rest 4.2.0 for JavaScript, 2.3.0 for Python); the published OpenAPI derivative calls
inserting a row "Delete All Data", so it is not followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from losant_mcp.api import data, events, lookup, query, tables
from losant_mcp.api.endpoint import Effect, Endpoint, Param, scopes
from losant_mcp.api.types import KEY, JobEnqueued, ResponseModel, SortDirection, Success


def _sort(fields: object, default: str, direction: str) -> tuple[Param, ...]:
    return (
        Param("sortField", default=default, enum=get_args(fields)),
        Param("sortDirection", default=direction, enum=get_args(SortDirection)),
        Param("page", "integer", default=0),
        Param("perPage", "integer", default=100),
    )


def _filter(field: str) -> tuple[Param, ...]:
    return (Param("filterField", enum=(field,)), Param("filter"))


_APPLICATION = "/applications/{applicationId}"
_EVENTS = f"{_APPLICATION}/events"
_EVENT = f"{_EVENTS}/{{eventId}}"
_TABLES = f"{_APPLICATION}/data-tables"
_TABLE = f"{_TABLES}/{{dataTableId}}"
_ROWS = f"{_TABLE}/rows"
_ROW = f"{_ROWS}/{{rowId}}"
_DATA = f"{_APPLICATION}/data"
_DEVICES = f"{_APPLICATION}/devices"
_JOBS = f"{_APPLICATION}/jobLogs"

_STATE = Param("state", enum=events.STATES)
_EVENT_QUERY = Param("query", "json", subject=query.EVENTS)
_DEVICE_QUERY = Param("query", "json", subject=query.DEVICES)
_JOB_QUERY = Param("query", "json", subject=query.JOB_LOGS)
_NOTIFY = (Param("email"), Param("callbackUrl"))
_ROW_PAGE = (
    Param("sortColumn"),
    Param("sortDirection", default="asc", enum=get_args(SortDirection)),
    Param("limit", "integer", default=1000),
    Param("offset", "integer", default=0),
    Param("includeFields"),
)
_SUMMARY = (Param("summaryExclude"), Param("summaryInclude"))
_DEVICE_SHAPE = (
    Param("excludeConnectionInfo", "boolean"),
    Param("tagsAsObject", "boolean"),
    Param("attributesAsObject", "boolean"),
)

_QUEUED: Mapping[int, type[ResponseModel]] = {202: JobEnqueued}
_SUCCESS: Mapping[int, type[ResponseModel]] = {200: Success}

EVENTS_GET = Endpoint(
    "events.get",
    "GET",
    _EVENTS,
    Effect.READ,
    {200: events.Events},
    scopes("events.get", "read"),
    params=(
        *_sort(events.EventSortField, "creationDate", "desc"),
        *_filter("subject"),
        _STATE,
        _EVENT_QUERY,
    ),
)
EVENTS_POST = Endpoint(
    "events.post",
    "POST",
    _EVENTS,
    Effect.WRITE,
    {201: events.Event},
    scopes("events.post"),
    body=events.EventPost,
    body_required=True,
    errors=(400, 404, 429),
)
EVENTS_PATCH = Endpoint(
    "events.patch",
    "PATCH",
    _EVENTS,
    Effect.OVERWRITE,
    {**_SUCCESS, **_QUEUED},
    scopes("events.patch"),
    params=(*_filter("subject"), _STATE, _EVENT_QUERY, *_NOTIFY),
    body=events.EventPatch,
    body_required=True,
)
EVENTS_DELETE = Endpoint(
    "events.delete",
    "POST",
    f"{_EVENTS}/delete",
    Effect.DESTROY,
    {200: events.EventsDeleted, **_QUEUED},
    # Read-only scopes suffice here, oddly: a "read" token may delete events in bulk.
    scopes("events.delete", "read"),
    params=_NOTIFY,
    body=query.AdvancedEventQuery,
)
EVENTS_EXPORT = Endpoint(
    "events.export",
    "POST",
    f"{_EVENTS}/export",
    Effect.EXPORT,
    _QUEUED,
    scopes("events.export", "read"),
    body=events.EventsExport,
)
EVENTS_MOST_RECENT_BY_SEVERITY = Endpoint(
    "events.mostRecentBySeverity",
    "GET",
    f"{_EVENTS}/mostRecentBySeverity",
    Effect.READ,
    {200: events.EventPlusNewCount},
    scopes("events.mostRecentBySeverity", "read"),
    params=(Param("filter"), _EVENT_QUERY),
    errors=(404,),
)
EVENT_GET = Endpoint(
    "event.get", "GET", _EVENT, Effect.READ, {200: events.Event}, scopes("event.get", "read")
)
EVENT_PATCH = Endpoint(
    "event.patch",
    "PATCH",
    _EVENT,
    Effect.OVERWRITE,
    {200: events.Event},
    scopes("event.patch"),
    body=events.EventPatch,
    body_required=True,
)
EVENT_DELETE = Endpoint(
    "event.delete", "DELETE", _EVENT, Effect.DESTROY, _SUCCESS, scopes("event.delete")
)

DATA_TABLES_GET = Endpoint(
    "dataTables.get",
    "GET",
    _TABLES,
    Effect.READ,
    {200: tables.DataTables},
    scopes("dataTables.get", "read", "cli"),
    params=(*_sort(tables.DataTableSortField, "name", "asc"), *_filter("name")),
)
DATA_TABLES_POST = Endpoint(
    "dataTables.post",
    "POST",
    _TABLES,
    Effect.WRITE,
    {201: tables.DataTable},
    scopes("dataTables.post"),
    body=tables.DataTablePost,
    body_required=True,
)
DATA_TABLE_GET = Endpoint(
    "dataTable.get",
    "GET",
    _TABLE,
    Effect.READ,
    {200: tables.DataTable},
    scopes("dataTable.get", "read", "cli"),
)
DATA_TABLE_PATCH = Endpoint(
    "dataTable.patch",
    "PATCH",
    _TABLE,
    Effect.OVERWRITE,
    {200: tables.DataTable},
    scopes("dataTable.patch"),
    body=tables.DataTablePatch,
    body_required=True,
)
DATA_TABLE_DELETE = Endpoint(
    "dataTable.delete", "DELETE", _TABLE, Effect.DESTROY, _SUCCESS, scopes("dataTable.delete")
)
DATA_TABLE_ADD_COLUMN = Endpoint(
    "dataTable.addColumn",
    "POST",
    f"{_TABLE}/column",
    Effect.WRITE,
    {200: tables.DataTable},
    scopes("dataTable.addColumn"),
    body=tables.DataTableColumn,
    body_required=True,
)
DATA_TABLE_REMOVE_COLUMN = Endpoint(
    "dataTable.removeColumn",
    "DELETE",
    f"{_TABLE}/column",
    Effect.DESTROY,
    {200: tables.DataTable},
    scopes("dataTable.removeColumn"),
    params=(Param("columnName", required=True, pattern=KEY),),
)

DATA_TABLE_ROWS_GET = Endpoint(
    "dataTableRows.get",
    "GET",
    _ROWS,
    Effect.READ,
    {200: tables.DataTableRows},
    scopes("dataTableRows.get", "read", "cli"),
    params=_ROW_PAGE,
)
DATA_TABLE_ROWS_POST = Endpoint(
    "dataTableRows.post",
    "POST",
    _ROWS,
    Effect.WRITE,
    {201: tables.RowsInserted},
    scopes("dataTableRows.post"),
    body=tables.RowInsert,
    body_required=True,
)
DATA_TABLE_ROWS_QUERY = Endpoint(
    "dataTableRows.query",
    "POST",
    f"{_ROWS}/query",
    Effect.READ,
    {200: tables.DataTableRows},
    scopes("dataTableRows.query", "read"),
    params=_ROW_PAGE,
    body=query.AdvancedQuery,
)
DATA_TABLE_ROWS_DELETE = Endpoint(
    "dataTableRows.delete",
    "POST",
    f"{_ROWS}/delete",
    Effect.DESTROY,
    {200: tables.RowsDeleted},
    scopes("dataTableRows.delete"),
    params=(Param("limit", "integer", default=1000),),
    body=query.AdvancedQuery,
)
DATA_TABLE_ROWS_EXPORT = Endpoint(
    "dataTableRows.export",
    "POST",
    f"{_ROWS}/export",
    Effect.EXPORT,
    _QUEUED,
    scopes("dataTableRows.export", "read"),
    body=tables.DataTableRowsExport,
    body_required=True,
)
DATA_TABLE_ROWS_TRUNCATE = Endpoint(
    "dataTableRows.truncate",
    "POST",
    f"{_ROWS}/truncate",
    Effect.DESTROY,
    _SUCCESS,
    scopes("dataTableRows.truncate"),
)
DATA_TABLE_ROW_GET = Endpoint(
    "dataTableRow.get",
    "GET",
    _ROW,
    Effect.READ,
    {200: tables.DataTableRow},
    scopes("dataTableRow.get", "read"),
)
DATA_TABLE_ROW_PATCH = Endpoint(
    "dataTableRow.patch",
    "PATCH",
    _ROW,
    Effect.OVERWRITE,
    {200: tables.DataTableRow},
    scopes("dataTableRow.patch"),
    body=tables.RowUpdate,
    body_required=True,
)
DATA_TABLE_ROW_DELETE = Endpoint(
    "dataTableRow.delete",
    "DELETE",
    _ROW,
    Effect.DESTROY,
    _SUCCESS,
    scopes("dataTableRow.delete"),
)

DATA_TIME_SERIES_QUERY = Endpoint(
    "data.timeSeriesQuery",
    "POST",
    f"{_DATA}/time-series-query",
    Effect.READ,
    {200: data.TimeSeriesData},
    scopes("data.timeSeriesQuery", "read", "device"),
    body=data.TimeSeriesQuery,
    body_required=True,
)
DATA_LAST_VALUE_QUERY = Endpoint(
    "data.lastValueQuery",
    "POST",
    f"{_DATA}/last-value-query",
    Effect.READ,
    {200: data.LastValueData},
    scopes("data.lastValueQuery", "read", "device"),
    body=data.LastValueQuery,
    body_required=True,
)
DATA_EXPORT = Endpoint(
    "data.export",
    "POST",
    f"{_DATA}/export",
    Effect.EXPORT,
    _QUEUED,
    scopes("data.export", "read", "device"),
    body=data.DevicesDataExport,
    body_required=True,
)

APPLICATIONS_GET = Endpoint(
    "applications.get",
    "GET",
    "/applications",
    Effect.READ,
    {200: lookup.Applications},
    # No scope of an application: an application token must know its application's id.
    (scopes("applications.get", "read") | {"all.User.cli"})
    - {"all.Application", "all.Application.bounded", "all.Application.read"}
    | {"only.Organization", "only.Organization.bounded", "only.Organization.read"},
    params=(
        *_sort(lookup.ApplicationSortField, "name", "asc"),
        *_filter("name"),
        Param("orgId", pattern=r"^([A-Fa-f0-9]{24}|)$"),
        *_SUMMARY,
    ),
    errors=(400,),
)
APPLICATION_GET = Endpoint(
    "application.get",
    "GET",
    _APPLICATION,
    Effect.READ,
    {200: lookup.Application},
    scopes("application.get", "read", "cli"),
    params=_SUMMARY,
)
DEVICES_GET = Endpoint(
    "devices.get",
    "GET",
    _DEVICES,
    Effect.READ,
    {200: lookup.Devices},
    scopes("devices.get", "read", "device"),
    params=(
        *_sort(lookup.DeviceSortField, "name", "asc"),
        *_filter("name"),
        Param("deviceClass", "strings", enum=get_args(lookup.DeviceClass)),
        Param("tagFilter", "tags"),
        Param("parentId"),
        _DEVICE_QUERY,
        *_DEVICE_SHAPE,
        Param("queryDeleted", "boolean"),
    ),
)
DEVICE_GET = Endpoint(
    "device.get",
    "GET",
    f"{_DEVICES}/{{deviceId}}",
    Effect.READ,
    {200: lookup.Device},
    scopes("device.get", "read", "device"),
    params=_DEVICE_SHAPE,
)
APPLICATION_JOB_LOGS_GET = Endpoint(
    "applicationJobLogs.get",
    "GET",
    _JOBS,
    Effect.READ,
    {200: lookup.JobLogs},
    scopes("applicationJobLogs.get", "read"),
    params=(*_sort(lookup.JobSortField, "runQueuedAt", "asc"), _JOB_QUERY),
)
APPLICATION_JOB_LOG_GET = Endpoint(
    "applicationJobLog.get",
    "GET",
    f"{_JOBS}/{{jobId}}",
    Effect.READ,
    {200: lookup.JobLog},
    scopes("applicationJobLog.get", "read"),
)

ENDPOINTS: Mapping[str, Endpoint] = {
    value.id: value for value in list(globals().values()) if isinstance(value, Endpoint)
}
"""Every operation by its id."""
