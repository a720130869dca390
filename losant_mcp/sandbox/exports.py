"""Exports: files of events, rows and device data, made by jobs and downloaded without a token.

One export at a time runs per application, and per table for rows. The columns of Losant's files
are not documented; these hold what the API tells, under its own names.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from losant_mcp.sandbox import rows
from losant_mcp.sandbox.aggregation import Series, aggregate
from losant_mcp.sandbox.call import MAX_TIME, Answer, Call, Handler, iso
from losant_mcp.sandbox.data import devices_meant, moment
from losant_mcp.sandbox.event_record import COLUMNS, SOURCE, read_event
from losant_mcp.sandbox.events import condition
from losant_mcp.sandbox.jobs import Job, enqueue, refuse_second
from losant_mcp.sandbox.tables import find_table

EVENT_COLUMNS = (
    "id", "creationDate", "lastUpdated", "level", "state", "subject", "message", "deviceId",
    "deviceName", "sourceType", "sourceId", "sourceName", "data", "eventTags", "updates",
)  # fmt: skip

CSV = "text/csv; charset=utf-8"

File = tuple[str, str, str]
"""Name, content type, text."""


def export_events(call: Call) -> Answer:
    """A job that writes the events a query finds, as CSV or JSON."""
    body, application_id = call.body, call.application_id
    refuse_second(call, "ExportEvents", None)
    meant = condition(application_id, body)

    def write(db: sqlite3.Connection) -> list[File]:
        sql, parameters = meant
        found = db.execute(
            f"SELECT {COLUMNS} FROM {SOURCE} WHERE {sql} ORDER BY e.creationDate, e.id", parameters
        )
        events = [read_event(row) for row in found]
        columns = list(EVENT_COLUMNS)
        if body.get("excludeUpdates"):
            columns.remove("updates")
            for event in events:
                del event["updates"]
        if body.get("format") == "json":
            return [("events.json", "application/json", json.dumps(events, ensure_ascii=False))]
        cells = ([_cell(event.get(name)) for name in columns] for event in events)
        return [("events.csv", CSV, _csv(columns, cells))]

    return _export(call, "ExportEvents", write, "event", None)


def export_rows(call: Call) -> Answer:
    """A job that writes the rows a query finds, as CSV."""
    body, table_id = call.body, find_table(call)["id"]
    refuse_second(call, "ExportDataTable", table_id)

    def write(db: sqlite3.Connection) -> list[File]:
        query, options = body.get("query"), body.get("queryOptions", {})
        return [("rows.csv", CSV, rows.csv_rows(db, table_id, query, options))]

    return _export(call, "ExportDataTable", write, "datatable", table_id)


def export_data(call: Call) -> Answer:
    """A job that writes what devices reported: a line per report, a column per attribute."""
    body = call.body
    refuse_second(call, "ExportDeviceData", None)
    end = moment(body.get("end"), call.now)
    # Where no start is given, which is not documented, an export holds everything.
    start = min(max(0, int(body.get("start", 0))), MAX_TIME)
    attributes = body.get("attributes")
    series = Series(devices_meant(call, body), start, end, 1, attributes, "ASC")
    options = {"includeDate": True, "includeID": True, **body.get("options", {})}

    def write(db: sqlite3.Connection) -> list[File]:
        # Nothing here is a blob, so that includeBlobData has nothing to include.
        found = list(aggregate(db, series, "NONE", None, MAX_TIME, end))
        if not options.get("filePerDevice"):
            return [("data.csv", CSV, _reports(db, found, options))]
        return [
            (f"data-{device_id}.csv", CSV, _reports(db, list(points), options))
            for device_id, points in groupby(found, key=lambda row: row[0])
        ]

    return _export(call, "ExportDeviceData", write, "device", None)


def _reports(
    db: sqlite3.Connection, found: Sequence[tuple[str, int, str, Any]], options: dict[str, Any]
) -> str:
    names = {row["id"]: row["name"] for row in db.execute("SELECT id, name FROM devices")}
    attributes = sorted({attribute for _, _, attribute, _ in found})
    columns = ["timestamp"]
    columns += ["date"] if options["includeDate"] else []
    columns += ["deviceId"] if options["includeID"] else []
    columns += ["deviceName", *attributes]
    lines = []
    for (device_id, at), points in groupby(found, key=lambda row: row[:2]):
        values = {attribute: value for _, _, attribute, value in points}
        line: list[Any] = [at]
        line += [iso(at)] if options["includeDate"] else []
        line += [device_id] if options["includeID"] else []
        line += [names[device_id], *(_cell(values.get(attribute)) for attribute in attributes)]
        lines.append(line)
    return _csv(columns, lines)


def _export(
    call: Call,
    name: str,
    write: Callable[[sqlite3.Connection], list[File]],
    resource_type: str,
    resource_id: str | None,
) -> Answer:
    base_url = call.base_url

    def work(job: Job) -> dict[str, Any]:
        with job.store.transaction(write=True) as db:
            files = write(db)
            urls = [f"{base_url}/sandbox/files/{_keep(db, file)}" for file in files]
            job.progress(db, len(files), len(files))
        return {"downloadUrls": urls}

    asked = {key: call.body[key] for key in ("email", "callbackUrl", "query") if key in call.body}
    return enqueue(
        call, name, work, resource_type=resource_type, resource_id=resource_id, asked=asked
    )


def _keep(db: sqlite3.Connection, file: File) -> str:
    """Store a file under an id that nobody can guess, since it is all that a download needs."""
    id = secrets.token_hex(12)
    name, content_type, text = file
    db.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (id, name, content_type, text.encode()))
    return id


def _csv(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(lines)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A value as a cell: objects and booleans as JSON, what is missing as nothing."""
    if isinstance(value, (dict, list, bool)):
        return json.dumps(value, ensure_ascii=False)
    return value


HANDLERS: dict[str, Handler] = {
    "events.export": export_events,
    "dataTableRows.export": export_rows,
    "data.export": export_data,
}
