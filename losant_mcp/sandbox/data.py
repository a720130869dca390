"""Time series: windows, the devices that are meant, and the two ways to read their values."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from losant_mcp.api.data import MAX_RAW_POINTS
from losant_mcp.sandbox.aggregation import Series, aggregate
from losant_mcp.sandbox.call import MAX_TIME, Answer, Call, Handler, invalid, iso
from losant_mcp.sandbox.listing import Condition, both, either
from losant_mcp.sandbox.lookup import device_query, tagged, tags_by_key
from losant_mcp.sandbox.query_sql import number

DEFAULT_DURATION = 24 * 3600 * 1000
"""Used where neither start nor duration is given, which is not documented."""

DEFAULT_AGGREGATION = "LAST"
"""Used where none is given, which is not documented; it is the one that suits every data type."""


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` to just before ``end``, in ms since the epoch."""

    start: int
    end: int


def window(body: dict[str, Any], now: int) -> Window:
    """The window of a query. Raises Problem 400 where it ends before it starts.

    ``end`` 0 or absent is now, and negative is that long before now; ``duration`` counts back
    from the end and is ignored where ``start`` is given.
    """
    end = moment(body.get("end"), now)
    start = body.get("start")
    if start is None:
        start = end - (body.get("duration") or DEFAULT_DURATION)
    if not 0 <= start <= end <= MAX_TIME:
        raise invalid("start and end: the window must begin before it ends")
    return Window(int(start), end)


def moment(end: float | None, now: int) -> int:
    """An ``end`` as ms since the epoch. Raises Problem 400."""
    at = int(end) if end and end > 0 else now + int(end or 0)
    if not 0 <= at <= MAX_TIME:
        raise invalid("end: lies outside the years 1970 to 9999")
    return at


def devices_meant(call: Call, body: dict[str, Any]) -> Condition:
    """The condition that a device ``d`` is meant: by its id, by a tag, or by the query.

    One of them is enough. Which devices are meant where nothing is given is not documented; here
    it is all of the application.
    """
    there: Condition = ("d.applicationId = ? AND d.deletedAt IS NULL", [call.application_id])
    ways: list[Condition] = []
    if ids := body.get("deviceIds"):
        ways.append((f"d.id IN ({', '.join('?' * len(ids))})", [id.lower() for id in ids]))
    if tags := body.get("deviceTags"):
        ways.append(tagged(tags))
    if "deviceQuery" in body:
        ways.append(device_query(body["deviceQuery"]))
    return both(there, either(*ways)) if ways else there


def time_series_query(call: Call) -> Answer:
    """The points of every device that is meant, aggregated by bucket."""
    body = call.body
    span = window(body, call.now)
    given = body.get("aggregation", DEFAULT_AGGREGATION)
    kind = given["type"] if isinstance(given, dict) else given
    resolution, limit, order = body.get("resolution"), body.get("limit"), body.get("order", "asc")
    if resolution is not None and resolution < 0:
        raise invalid("resolution: must not be negative")
    if limit is not None and not 0 <= limit <= MAX_RAW_POINTS:
        raise invalid(f"limit: must be between 0 and {MAX_RAW_POINTS}")
    meant = devices_meant(call, body)
    series = Series(
        meant,
        span.start,
        span.end,
        # Without a resolution the whole window is one bucket. Not documented.
        min(int(resolution or 0), MAX_TIME) or max(1, span.end - span.start),
        body.get("attributes"),
        "DESC" if order == "desc" else "ASC",
    )
    value = given["options"]["value"] if kind == "TIMEATVALUE" else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = number(value)
    # A limit is for NONE only, and per device: of several devices none crowds out another.
    rows = aggregate(call.db, series, kind, value, int(limit or MAX_RAW_POINTS), call.now)
    devices = _devices(call.db, meant)
    for device_id, points in groupby(rows, key=lambda row: row[0]):
        devices[device_id]["points"] = [
            {"time": iso(at), "data": {attribute: value for _, _, attribute, value in values}}
            for at, values in groupby(points, key=lambda row: row[1])
        ]
    return Answer(
        200,
        {
            "start": iso(span.start),
            "end": iso(span.end),
            "resolution": resolution,
            "aggregation": given,
            "limit": limit,
            "order": order,
            "devices": devices,
        },
    )


def _devices(db: sqlite3.Connection, meant: Condition) -> dict[str, dict[str, Any]]:
    sql, parameters = meant
    tags: dict[str, list[dict[str, str]]] = {}
    for row in db.execute(
        "SELECT t.deviceId, t.key, t.value FROM devices d JOIN device_tags t ON t.deviceId = d.id"
        f" WHERE {sql} ORDER BY t.rowid",
        parameters,
    ):
        tags.setdefault(row["deviceId"], []).append({"key": row["key"], "value": row["value"]})
    found = db.execute(f"SELECT d.id, d.name FROM devices d WHERE {sql} ORDER BY d.id", parameters)
    return {
        row["id"]: {"name": row["name"], "tags": tags_by_key(tags.get(row["id"], [])), "points": []}
        for row in found
    }


def last_value_query(call: Call) -> Answer:
    """The last value of one attribute, by device; a device without data is absent.

    Losant does not insist on the attribute. What it answers without is not documented; here it
    is all that was reported at the last moment something was.
    """
    body = call.body
    sql, parameters = devices_meant(call, body)
    chosen = "AND p.attribute = ?" if "attribute" in body else ""
    rows = call.db.execute(
        f"""SELECT p.deviceId, p.attribute, p.time, p.value, a.dataType
        FROM (SELECT p.deviceId, MAX(p.time) AS time FROM devices d
              JOIN device_attributes a ON a.deviceId = d.id
              JOIN points p ON p.deviceId = d.id AND p.attribute = a.name
              WHERE {sql} AND p.time <= ? {chosen} GROUP BY p.deviceId) last
        JOIN device_attributes a ON a.deviceId = last.deviceId
        JOIN points p ON p.deviceId = last.deviceId AND p.attribute = a.name
          AND p.time = last.time {chosen}
        ORDER BY p.deviceId, p.attribute""",
        [
            *parameters,
            moment(body.get("end"), call.now),
            *([body["attribute"]] * 2 if chosen else []),
        ],
    )
    answer: dict[str, dict[str, Any]] = {}
    for row in rows:
        value = bool(row["value"]) if row["dataType"] == "boolean" else row["value"]
        last = answer.setdefault(row["deviceId"], {"time": iso(row["time"]), "data": {}})
        last["data"][row["attribute"]] = value
    return Answer(200, answer)


HANDLERS: dict[str, Handler] = {
    "data.timeSeriesQuery": time_series_query,
    "data.lastValueQuery": last_value_query,
}
