"""The tool that draws: a SELECT or a time-series query as a picture, and what it shows in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from losant_mcp.analysis.charts import (
    MOST_POINTS,
    ChartKind,
    Description,
    Table,
    available,
    chart,
    render,
)
from losant_mcp.api.data import Aggregation, TimeSeriesData, TimeSeriesQuery
from losant_mcp.api.endpoints import (
    DATA_TABLE_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    DATA_TABLES_GET,
    DATA_TIME_SERIES_QUERY,
    DEVICES_GET,
    EVENTS_GET,
)
from losant_mcp.api.times import DAY, iso
from losant_mcp.errors import InvalidRequest
from losant_mcp.tools.arguments import ApplicationId, DeviceIds, Time, read
from losant_mcp.tools.call import Call
from losant_mcp.tools.image import WithImage, size_of
from losant_mcp.tools.selects import select, told, why_empty
from losant_mcp.tools.series import device_labels
from losant_mcp.tools.spec import tool

_MINUTE = 60_000
# What people count in, in minutes.
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200)
_BUCKETS, _HEATMAP_BUCKETS = 160, 36

Column = Annotated[str, Field(max_length=255)]


def missing() -> str | None:
    """What drawing lacks here."""
    return None if available() else "needs an extra; pip install 'losant-mcp[charts]'"


@tool(
    "analysis",
    DATA_TABLES_GET,
    DATA_TABLE_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    EVENTS_GET,
    DEVICES_GET,
    DATA_TIME_SERIES_QUERY,
    title="Draw a chart",
    missing=missing,
)
async def render_chart(
    call: Call,
    *,
    applicationId: ApplicationId,
    kind: ChartKind,
    sql: Annotated[str, Field(description="As for query_sql; or give deviceIds")] | None = None,
    prefilter: Annotated[
        dict[str, Any],
        WithJsonSchema({"type": "object", "description": "Table to advanced query"}),
    ]
    | None = None,
    deviceIds: DeviceIds | None = None,
    attributes: Annotated[list[str], Field(description="Of the devices; default all")]
    | None = None,
    aggregation: Aggregation = "MEAN",
    start: Annotated[Time, Field(description="Window of events or device data")] | None = None,
    end: Annotated[Time, Field(description="Default now")] | None = None,
    x: Annotated[Column, Field(description="Column; default the first")] | None = None,
    y: Annotated[Column, Field(description="Default the first of numbers")] | None = None,
    colour: Annotated[Column, Field(description="A series each; a heatmap's value")] | None = None,
    title: Annotated[str, Field(max_length=255)] | None = None,
    unit: Annotated[str, Field(max_length=20, description="Of the values, for the axis")]
    | None = None,
) -> WithImage:
    """Draw a SELECT's result, or device attributes over time, as a PNG with a summary."""
    description = Description(kind, x, y, colour, title, unit)
    if (sql is None) == (deviceIds is None):
        raise InvalidRequest("Give either sql or deviceIds.", hint="sql reads tables and events.")
    if sql is not None:
        if attributes is not None or "aggregation" in call.values:
            raise InvalidRequest("attributes and aggregation go with deviceIds, not with sql.")
        table, about = await _selected(call, applicationId, sql, prefilter, start, end)
    else:
        if prefilter is not None:
            raise InvalidRequest("prefilter goes with sql, not with deviceIds.")
        table, description, about = await _reported(call, applicationId, description, start, end)
    drawing = chart(table, description, time_zone=call.settings.time_zone)
    png = await render(drawing.specification, time_zone=call.settings.time_zone)
    width, height = size_of(png)
    told = {"width": width, "height": height, "bytes": len(png)}
    return WithImage(call.single("chart", drawing.summary, image=told, **about), png)


async def _selected(
    call: Call,
    application_id: str,
    sql: str,
    prefilter: dict[str, Any] | None,
    start: int | None,
    end: int | None,
) -> tuple[Table, dict[str, Any]]:
    """The result of a SELECT, whole. Raises InvalidRequest where it is too large to draw."""
    answer = await select(
        call, application_id, sql, prefilter, start=start, end=end, rows=MOST_POINTS
    )
    if not answer.rows:
        raise InvalidRequest(
            "The statement has no rows, so there is nothing to draw.", hint=why_empty(answer)
        )
    if answer.total is None or answer.total > len(answer.rows):
        count = "Too many" if answer.total is None else f"{answer.total:,}"
        raise InvalidRequest(
            f"{count} rows: at most {MOST_POINTS:,} short ones are drawn.",
            hint="Aggregate them, by time_bucket or date_trunc for instance.",
        )
    return Table(answer.columns, answer.rows), told(answer)


async def _reported(
    call: Call, application_id: str, description: Description, start: int | None, end: int | None
) -> tuple[Table, Description, dict[str, Any]]:
    """What devices reported, as a table of time, value, and whose it is."""
    since, until = call.window(start, end, DAY)
    buckets = _HEATMAP_BUCKETS if description.kind == "heatmap" else _BUCKETS
    raw = call.values.get("aggregation") == "NONE"
    asked: dict[str, Any] = {
        **{k: call.values[k] for k in ("deviceIds", "attributes") if k in call.values},
        "aggregation": call.values.get("aggregation", "MEAN"),
        "start": since,
        "end": until,
        "order": "asc",
        **(
            {"limit": MOST_POINTS + 1}
            if raw
            else {"resolution": resolution(until - since, buckets)}
        ),
    }
    body = read(TimeSeriesQuery, asked)
    found = await call.client.data_time_series_query(applicationId=application_id, body=body)
    if raw and any(len(device.points) > MOST_POINTS for device in found.devices.values()):
        raise InvalidRequest(
            f"A device has more than {MOST_POINTS:,} points in this window.",
            hint="Shorten it, or leave aggregation NONE out.",
        )
    table, whose = series_table(found)
    (_, _), (value, _), (series, _) = table.columns
    roles: dict[ChartKind, tuple[str, str | None, str | None]] = {
        "histogram": (value, None, whose),
        "heatmap": ("time", series, value),
    }
    x, y, colour = roles.get(description.kind, ("time", value, whose))
    description = replace(
        description,
        x=description.x or x,
        y=description.y or y,
        colour=description.colour or colour,
        # One series has no legend to say whose it is.
        title=description.title or (None if whose else f"{value} of {table.rows[0][2]}"),
    )
    about: dict[str, Any] = {"window": {"start": iso(since), "end": iso(until)}}
    if not raw:
        about["resolution"] = asked["resolution"]
    return table, description, about


def resolution(span: int, buckets: int) -> int:
    """The shortest step that people count in of which so many fill the span, in ms."""
    wanted = span / buckets / _MINUTE
    return next((step for step in _STEPS if step >= wanted), _STEPS[-1]) * _MINUTE


def series_table(found: TimeSeriesData) -> tuple[Table, str | None]:
    """The points in order of time, and the column that tells series apart, where there are any.

    Raises InvalidRequest where there is no number among them.
    """
    points = [
        (key, point.time, attribute, value)
        for key, device in found.devices.items()
        for point in device.points
        for attribute, value in point.data.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    if not points:
        raise InvalidRequest(
            "The devices reported no numbers in this window.",
            hint="Widen start and end, or check the attributes with get_device.",
        )
    labels = device_labels(found)
    attributes = {attribute for _, _, attribute, _ in points}
    devices = {key for key, _, _, _ in points}
    whose = "device" if len(attributes) == 1 else "attribute" if len(devices) == 1 else "series"
    shown: dict[str, Callable[[str, str], str]] = {
        "device": lambda key, attribute: labels[key],
        "attribute": lambda key, attribute: attribute,
        "series": lambda key, attribute: f"{labels[key]} · {attribute}",
    }
    points.sort(key=lambda point: point[1])
    rows = [[time, value, shown[whose](key, name)] for key, time, name, value in points]
    value = attributes.pop() if len(attributes) == 1 else "value"
    columns = [
        ("time", "TIMESTAMP WITH TIME ZONE"),
        (f"{value} (attribute)" if value in ("time", whose) else value, "DOUBLE"),
        (whose, "VARCHAR"),
    ]
    return Table(columns, rows), whose if len({row[2] for row in rows}) > 1 else None
