"""Time series aggregated by SQLite: one statement per kind of aggregation.

A bucket begins at the window's start, or a whole number of resolutions later, and is told by its
beginning. A bucket without data is absent. What counts, adds or averages looks at attributes of
type number only, as a mean of texts means nothing; what Losant does with others is not
documented.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from losant_mcp.sandbox.call import invalid
from losant_mcp.sandbox.listing import Condition

MAX_BUCKETS = 100_000
"""Most buckets that a time at a value is split over; a sandbox need not do more."""

Row = tuple[str, int, str, Any]
"""Device id, time in ms, attribute, value."""

PLAIN = {"MAX": "MAX", "MIN": "MIN", "MEAN": "AVG", "SUM": "SUM"}
PICKED = {
    "FIRST": ("time", "place = 1"),
    "LAST": ("time", "place = size"),
}


@dataclass(frozen=True, slots=True)
class Series:
    """Which points, and how they fall into buckets; ``attributes`` None or empty means all."""

    devices: Condition
    start: int
    end: int
    resolution: int
    attributes: list[str] | None
    direction: Literal["ASC", "DESC"]

    def points(self, numbers: bool, start: int | None = None) -> Condition:
        """A SELECT of the points in the window: deviceId, attribute, time, value, type, bucket."""
        sql, parameters = self.devices
        chosen = ""
        if self.attributes:
            chosen = f" AND a.name IN ({', '.join('?' * len(self.attributes))})"
        if numbers:
            chosen += " AND a.dataType = 'number'"
        select = (
            "SELECT p.deviceId, p.attribute, p.time, p.value, a.dataType,"
            " (p.time - ?) / ? AS bucket"
            " FROM devices d JOIN device_attributes a ON a.deviceId = d.id"
            " JOIN points p ON p.deviceId = d.id AND p.attribute = a.name"
            f" WHERE p.time >= ? AND p.time < ? AND {sql}{chosen}"
        )
        return (
            select,
            [
                self.start,
                self.resolution,
                self.start if start is None else start,
                self.end,
                *parameters,
                *(self.attributes or []),
            ],
        )


def aggregate(
    db: sqlite3.Connection, series: Series, kind: str, value: Any, limit: int, now: int
) -> Iterator[Row]:
    """The rows in the order of device, time (as the series asks) and attribute."""
    if kind == "NONE":
        yield from _raw(db, series, limit)
        return
    numbers = kind in PLAIN or kind in ("MEDIAN", "STD_DEV")
    points, parameters = series.points(numbers)
    if kind == "TIMEATVALUE":
        select, parameters = _time_at_value(series, value, now)
    elif kind in PLAIN or kind == "COUNT":
        function = PLAIN.get(kind, "COUNT")
        select = f"SELECT *, {function}(value) AS result FROM ({points}) GROUP BY {_BUCKET}"
    elif kind == "STD_DEV":
        # Of the population, as Losant's reference of aggregations says. From the mean of the
        # bucket and not from sums of squares, which lose all digits where values are large.
        mean = f"SELECT *, AVG(value) OVER (PARTITION BY {_BUCKET}) AS mean FROM ({points})"
        variance = "AVG((value - mean) * (value - mean))"
        select = f"SELECT *, {variance} AS result FROM ({mean}) GROUP BY {_BUCKET}"
    else:
        order, which = PICKED.get(kind, ("value", "place IN ((size + 1) / 2, (size + 2) / 2)"))
        ranked = (
            f"SELECT *, ROW_NUMBER() OVER (PARTITION BY {_BUCKET} ORDER BY {order}) AS place,"
            f" COUNT(*) OVER (PARTITION BY {_BUCKET}) AS size FROM ({points})"
        )
        picked = "AVG(value)" if kind == "MEDIAN" else "value"
        select = f"SELECT *, {picked} AS result FROM ({ranked}) WHERE {which} GROUP BY {_BUCKET}"
    for row in db.execute(
        f"SELECT * FROM ({select}) ORDER BY deviceId, bucket {series.direction}, attribute",
        parameters,
    ):
        at = series.start + row["bucket"] * series.resolution
        result: Any = row["result"]
        if kind == "STD_DEV":
            result = math.sqrt(result)  # SQLite's own sqrt is missing from some builds
        elif kind in PICKED and row["dataType"] == "boolean":
            result = bool(result)
        yield row["deviceId"], at, row["attribute"], result


_BUCKET = "deviceId, attribute, bucket"


def _raw(db: sqlite3.Connection, series: Series, limit: int) -> Iterator[Row]:
    """Every report as it was made; the limit counts moments, not values."""
    points, parameters = series.points(numbers=False)
    ranked = (
        f"SELECT *, DENSE_RANK() OVER (PARTITION BY deviceId ORDER BY time {series.direction})"
        f" AS place FROM ({points})"
    )
    for row in db.execute(
        f"SELECT * FROM ({ranked}) WHERE place <= ?"
        f" ORDER BY deviceId, time {series.direction}, attribute",
        [*parameters, limit],
    ):
        value = bool(row["value"]) if row["dataType"] == "boolean" else row["value"]
        yield row["deviceId"], row["time"], row["attribute"], value


def _time_at_value(series: Series, value: Any, now: int) -> Condition:
    """How many ms of each bucket an attribute had the value: from a report to the next one.

    The last report before the window holds at its start, and the newest report holds until now.
    Attributes of another type than the value are left out.
    """
    if (series.end - series.start) // series.resolution > MAX_BUCKETS:
        raise invalid(f"resolution: more than {MAX_BUCKETS} buckets for TIMEATVALUE")
    kind = (
        "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
    )
    points, parameters = series.points(numbers=False, start=0)
    until = min(series.end, now)
    return (
        f"""WITH RECURSIVE reports AS ({points}),
        spans AS (
          SELECT deviceId, attribute, dataType, MAX(time, ?) AS since,
            LEAD(time, 1, ?) OVER (PARTITION BY deviceId, attribute ORDER BY time) AS until,
            value = ? AS hit
          FROM reports WHERE dataType = ?),
        pieces AS (
          SELECT * FROM spans WHERE until > since
          UNION ALL
          SELECT deviceId, attribute, dataType,
            ? + ((since - ?) / ? + 1) * ?, until, hit
          FROM pieces WHERE ? + ((since - ?) / ? + 1) * ? < until)
        SELECT deviceId, attribute, dataType, (since - ?) / ? AS bucket,
          SUM(hit * (MIN(until, ? + ((since - ?) / ? + 1) * ?) - since)) AS result
        FROM pieces GROUP BY deviceId, attribute, bucket""",
        [
            *parameters, series.start, until, value, kind,
            *([series.start, series.start, series.resolution, series.resolution] * 2),
            series.start, series.resolution,
            series.start, series.start, series.resolution, series.resolution,
        ],
    )  # fmt: skip
