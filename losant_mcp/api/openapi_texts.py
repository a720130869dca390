"""The words of the OpenAPI document: what each operation does, and what each parameter means."""

from __future__ import annotations

from collections.abc import Mapping

INTRODUCTION = """\
Every operation of Losant's Events, Data Tables and Data APIs, and the lookups that they need. \
This is no publication of Losant's: it is written by `losant-mcp openapi` from the catalogue that \
its own client, sandbox and tools are made of.

Each operation carries two facts beside the usual ones. `x-losant-effect` says what it does to \
data, which the HTTP method does not: READ, WRITE (creates), OVERWRITE (changes what is there), \
EXPORT (sends data out of the platform) or DESTROY. `x-losant-scopes` lists the scopes of which a \
token needs one.

Requests are described strictly: what Losant would drop in silence or misread is not in a schema. \
Answers are described leniently, since the API grows: any field may be missing, and others may come.

The official clients say with a header `Accept-Version` which version of the API they expect."""

SUMMARIES: Mapping[str, str] = {
    "events.get": "List events",
    "events.post": "Create an event",
    "events.patch": "Change all events that match",
    "events.delete": "Delete all events that match",
    "events.export": "Export events to a file",
    "events.mostRecentBySeverity": "Get the most severe new event",
    "event.get": "Get an event",
    "event.patch": "Change an event",
    "event.delete": "Delete an event",
    "dataTables.get": "List data tables",
    "dataTables.post": "Create a data table",
    "dataTable.get": "Get a data table",
    "dataTable.patch": "Change a data table's name or description",
    "dataTable.delete": "Delete a data table with all its rows",
    "dataTable.addColumn": "Add a column to a data table",
    "dataTable.removeColumn": "Remove a column and what is in it",
    "dataTableRows.get": "List rows",
    "dataTableRows.post": "Insert one row or many",
    "dataTableRows.query": "Find rows by an advanced query",
    "dataTableRows.delete": "Delete rows that match, up to a limit",
    "dataTableRows.export": "Export rows to a CSV file",
    "dataTableRows.truncate": "Delete all rows",
    "dataTableRow.get": "Get a row",
    "dataTableRow.patch": "Change a row",
    "dataTableRow.delete": "Delete a row",
    "data.timeSeriesQuery": "Query device data over time",
    "data.lastValueQuery": "Query the last value of an attribute",
    "data.export": "Export device data to a file",
    "applications.get": "List applications",
    "application.get": "Get an application",
    "devices.get": "List devices",
    "device.get": "Get a device",
    "applicationJobLogs.get": "List background jobs",
    "applicationJobLog.get": "Get a background job",
}
"""By endpoint id, one line."""

DETAILS: Mapping[str, str] = {
    "events.patch": "Without `filter`, `state` and `query` every event of the application is "
    "changed. 200 means that it is done, 202 that a background job does it.",
    "events.delete": "The body is the query itself; without one, or with `{}`, every event of the "
    "application is deleted. 200 means that it is done, 202 that a background job does it. A "
    "read-only token suffices.",
    "events.export": "A background job writes the file and mails its address. `{}` exports all "
    "events.",
    "events.mostRecentBySeverity": "The first of the new events, by severity and then by "
    "creation, and how many are new.",
    "events.post": "Losant takes some 15 events in 15 seconds for an application, then answers "
    "429.",
    "event.patch": "Only the given fields change; `message` cannot be changed.",
    "dataTable.patch": "Columns are changed by the operations on `/column`.",
    "dataTable.addColumn": "Rows that exist get null in the new column.",
    "dataTable.removeColumn": "The values are lost; adding the column again brings none back.",
    "dataTableRows.get": "Without conditions; `POST .../rows/query` takes them.",
    "dataTableRows.post": "This inserts. A body with one row answers with that row, an array with "
    "the ids of the rows.",
    "dataTableRows.query": "The body is the query itself; `{}` finds all rows. It only reads.",
    "dataTableRows.delete": "The body is the query itself; without one, or with `{}`, rows are "
    "deleted whatever is in them, as many as `limit` says.",
    "dataTableRows.export": "A background job writes the file and mails its address. `{}` exports "
    "all rows.",
    "dataTableRows.truncate": "It takes no body and no conditions, and triggers no workflow.",
    "dataTableRow.patch": "Only the given columns change.",
    "data.timeSeriesQuery": "It only reads. Devices are chosen by ids, tags or a query.",
    "data.lastValueQuery": "It only reads. Devices are chosen by ids, tags or a query.",
    "data.export": "A background job writes the file and mails its address.",
    "applications.get": "An application token cannot list applications, not even its own.",
    "applicationJobLogs.get": "The oldest first, unless sorted otherwise.",
    "applicationJobLog.get": "The id is that of a job log; the `jobId` of a 202 may be another.",
}
"""By endpoint id, what surprises."""

PARAMETERS: Mapping[str, str] = {
    "applicationId": "The application",
    "eventId": "The event",
    "dataTableId": "The data table",
    "rowId": "The row",
    "deviceId": "The device",
    "jobId": "The job log",
    "sortField": "What to sort by",
    "sortColumn": "The column to sort by",
    "sortDirection": "Ascending or descending",
    "page": "Which page, from 0",
    "perPage": "How many items a page has",
    "limit": "How many rows at most",
    "offset": "How many rows to skip",
    "filterField": "The field that `filter` applies to",
    "filter": "Text with `*` as a wildcard, such as `pump*`",
    "state": "Only events in this state",
    "query": "An advanced query as JSON text. It replaces the other filters, which are then "
    "ignored",
    "email": "Who is told when the job has ended; without it, the owner of the token",
    "callbackUrl": "What is called when the job has ended",
    "columnName": "The column",
    "includeFields": "Columns to return, with commas between them; without it, all",
    "orgId": "Only applications of this organization",
    "summaryExclude": "Parts of the summary to leave out, with commas between them",
    "summaryInclude": "Parts of the summary to return, with commas between them",
    "deviceClass": "Only devices of this class",
    "tagFilter": "Only devices with such a tag",
    "parentId": "Only devices below this one",
    "excludeConnectionInfo": "Leave out `connectionInfo`",
    "tagsAsObject": "Return tags as a map instead of an array",
    "attributesAsObject": "Return attributes as a map instead of an array",
    "queryDeleted": "Look among deleted devices instead",
}
"""By name, for all parameters in path and query."""

STATUSES: Mapping[int, str] = {
    200: "Done",
    201: "Created",
    202: "A background job does it",
    400: "The request is not valid",
    401: "The token is missing, wrong or expired",
    403: "The token has none of the scopes that are needed",
    404: "What the path names is not there, or not for this token",
    413: "The body is too large",
    429: "Too many requests; try again later",
}
"""By status, what an answer means."""
