"""How charts look: one card that reads on light and dark alike, and axes of time.

The card is white with dark text, so it needs nothing of what is around it. Its colours can be
told apart by people who see no red or green (Okabe and Ito's, without their yellow, which is too
faint on white).
"""

from __future__ import annotations

import textwrap

from losant_mcp.api.times import DAY
from losant_mcp.api.types import JsonObject

WIDTH, HEIGHT = 660, 330

_INK, _SOFT, _GRID = "#1f2328", "#57606a", "#e5e8eb"
_COLOURS = [
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"),
    *("#5b3a91", "#8c510a", "#4d4d4d", "#b2182b", "#1b7837", "#80cdc1"),
]

LEVEL_COLOURS = {
    "info": "#8c959f",
    "warning": "#e69f00",
    "error": "#d55e00",
    "critical": "#8b0a50",
}
"""The worse, the darker: they differ in grey as well."""

CONFIG: JsonObject = {
    "background": "#ffffff",
    "padding": 16,
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "title": {
        "anchor": "start",
        "fontSize": 17,
        "fontWeight": 600,
        "color": _INK,
        "offset": 14,
        "frame": "group",
    },
    "axis": {
        "labelColor": _SOFT,
        "labelFontSize": 12,
        "labelLimit": 280,
        "labelOverlap": True,
        "labelSeparation": 6,
        "titleColor": _INK,
        "titleFontSize": 13,
        "titleFontWeight": 500,
        "titlePadding": 10,
        "gridColor": _GRID,
        "domainColor": "#afb8c1",
        "tickColor": "#afb8c1",
    },
    "axisX": {"grid": False, "tickCount": 9},
    # Else the title stands in the labels where these are long.
    "axisY": {"tickCount": 6, "maxExtent": 320},
    "axisBand": {"ticks": False},
    "legend": {
        "labelColor": _INK,
        "labelFontSize": 12,
        "labelLimit": 240,
        "titleColor": _INK,
        "titleFontSize": 12,
        "titleFontWeight": 600,
        "symbolStrokeWidth": 3,
        "rowPadding": 4,
        "offset": 18,
    },
    "view": {"stroke": None},
    "range": {"category": _COLOURS},
    "mark": {"color": _COLOURS[0]},
    "scale": {"bandPaddingInner": 0.18},
}

# Written here and nowhere else: no text from outside comes near an expression.
_DATES_AND_TIMES = (
    "seconds(datum.value) != 0 ? timeFormat(datum.value, '%H:%M:%S')"
    " : hours(datum.value) == 0 && minutes(datum.value) == 0"
    " ? timeFormat(datum.value, '%b %-d') : timeFormat(datum.value, '%H:%M')"
)
_DATES = "timeFormat(datum.value, '%b %-d')"
_MONTHS = (
    "month(datum.value) == 0 && date(datum.value) == 1"
    " ? timeFormat(datum.value, '%Y') : date(datum.value) == 1"
    " ? timeFormat(datum.value, '%b') : timeFormat(datum.value, '%b %-d')"
)


def time_axis(start: int, end: int) -> JsonObject:
    """Labels of an axis of time from ``start`` to ``end`` (ms), in 24 hours."""
    if end - start <= 4 * DAY:
        return {"labelExpr": _DATES_AND_TIMES}
    return {"labelExpr": _DATES if end - start <= 60 * DAY else _MONTHS}


def wrapped(text: str, characters: int) -> str | list[str]:
    """The text, over two lines where it is long."""
    if len(text) <= characters:
        return text
    return textwrap.wrap(text, characters, max_lines=2, placeholder=" …")
