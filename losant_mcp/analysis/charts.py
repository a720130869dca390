"""Charts: a table and a small description become a Vega-Lite specification and a summary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from losant_mcp.analysis.charts_data import MOST_POINTS, ChartKind, Data, Description, Table
from losant_mcp.analysis.charts_render import available, render
from losant_mcp.api.types import JsonObject
from losant_mcp.text import one_line

__all__ = [
    "MOST_POINTS",
    "Chart",
    "ChartKind",
    "Description",
    "Table",
    "available",
    "chart",
    "render",
]

_LABEL = 40


@dataclass(frozen=True)
class Chart:
    """A drawing to be made (by ``render``), and what it shows in words."""

    specification: JsonObject
    summary: JsonObject


def chart(table: Table, description: Description, *, time_zone: str = "system") -> Chart:
    """The chart of a table; times are shown in the zone ("system" is the machine's own).

    Raises InvalidRequest where the description does not fit the table.
    """
    # Loaded here: most servers' starts are followed by no chart.
    from losant_mcp.analysis.charts_drawing import Drawing

    zone = None if time_zone == "system" else ZoneInfo(time_zone)
    data = Data.read(table, description, zone)
    drawing = Drawing(data, time_zone if zone else datetime.now().astimezone().tzname() or "local")
    return Chart(drawing.specification(), _summary(data, drawing.title))


def _summary(data: Data, title: str) -> JsonObject:
    told: JsonObject = {
        "kind": data.description.kind,
        "title": title,
        "points": len(data.values),
    }
    if data.skipped:
        told["skipped"] = f"{data.skipped} row{'s' * (data.skipped > 1)} without a value"
    for role, found in data.fields.items():
        told[{"c": "colour"}.get(role, role)] = found.summary(data.zone)
    if "c" in data.fields and data.fields["c"].type == "category" and "y" in data.fields:
        told["series"] = _series(data)
    return told


def _series(data: Data) -> JsonObject:
    by_name: dict[Any, list[float]] = {}
    for name, y in zip(data.fields["c"].shown, data.fields["y"].shown, strict=True):
        by_name.setdefault(name, []).append(y)
    rows = [
        [one_line(str(name), _LABEL), len(ys), min(ys), max(ys), ys[-1]]
        for name, ys in by_name.items()
    ]
    return {"columns": ["series", "points", "min", "max", "last"], "rows": rows}
