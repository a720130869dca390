"""Cells as JSON: what a result holds, so that every reader gets the same and nothing is lost.

A number column's whole values come without a fraction. What JSON, as most programs read it, has
no form for becomes text: whole numbers beyond 2^53, dates and times (ISO 8601, with the session's
offset), "NaN" and "Infinity", blobs in DuckDB's ``\\x41`` notation. Lists, structs, maps and JSON
stay nested. Conversion is left to SQL where it can do it: fetching a TIMESTAMPTZ needs a library
for time zones, and knows no infinity.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

_PLAIN = re.compile(
    r"(BOOLEAN|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|VARCHAR|DECIMAL\(.*\)|ENUM\(.*\))",
    re.DOTALL,
)
_NESTED = re.compile(r"(JSON|STRUCT\(.*|MAP\(.*|UNION\(.*|VARIANT|.*\])", re.DOTALL)
_offset = re.compile(r"([+-]\d\d)(:\d\d)?(:\d\d)?$")

# From there on a double does not tell neighbouring whole numbers apart.
_EXACT = 2**53


def expression(place: int, kind: str) -> str:
    """The SQL that turns the column ``c<place>`` of that type into something to fetch."""
    name = f"c{place}"
    if _NESTED.fullmatch(kind):
        # Text first: a JSON value is then parsed here, whatever was inside.
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE to_json({name})::VARCHAR END"
    return name if _PLAIN.fullmatch(kind) else f"{name}::VARCHAR"


def convert(rows: Sequence[Sequence[Any]], kinds: Sequence[str]) -> list[list[Any]]:
    """The fetched rows as JSON values."""
    columns = [_converter(kind) for kind in kinds]
    return [
        [None if cell is None else turn(cell) for cell, turn in zip(row, columns, strict=True)]
        for row in rows
    ]


def _converter(kind: str) -> Any:  # a function of a cell; cells are of any type
    if _NESTED.fullmatch(kind):
        return _nested
    if kind in ("DOUBLE", "FLOAT"):
        return _number
    if kind.startswith("DECIMAL"):
        return _decimal
    if kind.startswith("TIMESTAMP"):
        return _moment
    return _whole if kind.endswith(("INT", "INTEGER")) else _same


def _same(cell: Any) -> Any:
    return cell


def _whole(cell: int) -> int | str:
    return cell if abs(cell) <= _EXACT else str(cell)


def _number(cell: float) -> int | float | str:
    if not math.isfinite(cell):
        return "NaN" if math.isnan(cell) else "Infinity" if cell > 0 else "-Infinity"
    return int(cell) if cell.is_integer() and abs(cell) <= _EXACT else cell


def _decimal(cell: Decimal) -> int | float | str:
    if cell == cell.to_integral_value():
        return _whole(int(cell))
    near = float(cell)
    return near if Decimal(repr(near)) == cell else str(cell)


def _moment(cell: str) -> str:
    text = cell.replace(" ", "T", 1) if cell[:1].isdigit() else cell
    found = _offset.search(text)
    if "T" not in text or not found:
        return text
    hours, minutes, seconds = found.groups()
    zone = f"{hours}{minutes or ':00'}{seconds or ''}"
    return text[: found.start()] + ("Z" if zone == "+00:00" else zone)


def _nested(cell: str) -> Any:
    try:
        return _finite(json.loads(cell, parse_float=float))
    except (ValueError, RecursionError):
        return cell


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else _number(value)
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value
