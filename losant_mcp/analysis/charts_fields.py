"""The columns of a chart: what kind of values they have, and the values as Vega takes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any, Literal

from losant_mcp.api.times import from_ms, to_ms
from losant_mcp.api.types import JsonObject
from losant_mcp.text import one_line

Kind = Literal["time", "number", "category"]

LABEL_CHARACTERS = 36
LINE_CHARACTERS = 10_000

_TIME_TYPES = re.compile(r"TIMESTAMP.*|DATE")
_NUMBER_TYPES = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*|REAL")
_LOOKS_LIKE_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")


@dataclass
class Field:
    """A column. ``values`` are ms since the epoch, numbers, or short texts, and None.

    ``shown`` are those that are drawn; ``order`` is the order of categories, None as they come.
    ``zoned`` says that it is of times whose zone matters: days without an hour have none.
    """

    name: str
    type: Kind
    values: list[Any]
    zone: tzinfo | None
    order: list[str] | None = None
    shown: list[Any] = field(default_factory=list)
    zoned: bool = False

    @property
    def label(self) -> str:
        """The name for an axis or a legend."""
        return one_line(self.name, 80) or "value"

    def as_category(self) -> Field:
        """The same with each value as a text, in the values' own order."""
        if self.type == "category":
            return self
        known = sorted({value for value in self.values if value is not None})
        texts = dict(zip(known, self._texts(known), strict=True))
        return replace(
            self,
            type="category",
            values=[texts.get(value) for value in self.values],
            shown=[texts.get(value) for value in self.shown],
            order=list(dict.fromkeys(texts.values())),
        )

    def _texts(self, known: Sequence[Any]) -> list[str]:
        """As short as tells them apart."""
        if self.type == "number":
            return _apart([f"{value:.6g}" for value in known], [f"{value:.17g}" for value in known])
        moments = [_local(value, self.zone) for value in known]
        midnight = all((moment.hour, moment.minute) == (0, 0) for moment in moments)
        one_day = len({moment.date() for moment in moments}) == 1
        form = "%Y-%m-%d" if midnight else "%H:%M" if one_day else "%m-%d %H:%M"
        short, long = ([moment.strftime(it) for moment in moments] for it in (form, f"{form}:%S"))
        return _apart(short, long)

    def summary(self, zone: tzinfo | None) -> JsonObject:
        """What is drawn of it, in few words."""
        told: JsonObject = {"column": self.label, "type": self.type}
        if self.type == "category":
            distinct = list(dict.fromkeys(self.shown))
            return told | {"distinct": len(distinct), "first": distinct[:5]}
        low, high = min(self.shown), max(self.shown)
        if self.type == "time":
            ends = [_local(moment, zone).isoformat(timespec="seconds") for moment in (low, high)]
            return told | {"min": ends[0], "max": ends[1]}
        mean = math.fsum(self.shown) / len(self.shown)
        return told | {"min": low, "max": high, "mean": float(f"{mean:.6g}")}


def read_field(name: str, type: str, cells: Sequence[Any], zone: tzinfo | None) -> Field:
    """The column as it can be drawn; an unknown type is told from its cells."""
    filled = [cell for cell in cells if cell is not None]
    texts = all(isinstance(cell, str) for cell in filled)
    if filled and texts and (_TIME_TYPES.fullmatch(type) or _are_times(filled)):
        moments = [None if cell is None else _moment(cell, zone) for cell in cells]
        if any(moment is not None for moment in moments):
            return Field(name, "time", moments, zone, zoned=any(len(text) > 10 for text in filled))
    numbers = all(isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in filled)
    if (filled and numbers) or _NUMBER_TYPES.fullmatch(type):
        return Field(name, "number", [_number(cell) for cell in cells], zone)
    labels = _labels(map(_text, filled))
    values = [None if cell is None else labels[_text(cell)] for cell in cells]
    return Field(name, "category", values, zone)


def _are_times(texts: Sequence[str]) -> bool:
    return all(_LOOKS_LIKE_TIME.fullmatch(text) for text in texts)


def _moment(text: str, zone: tzinfo | None) -> int | None:
    """Ms since the epoch; what has no zone is in the configured one."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
        return to_ms(moment)
    except (ValueError, OverflowError):
        return None


def _local(ms: int, zone: tzinfo | None) -> datetime:
    return from_ms(ms).astimezone(zone)


def _number(cell: Any) -> float | None:
    """The number, where a drawing can have it; numbers beyond JSON's come as text."""
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _text(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _labels(texts: Iterable[str]) -> dict[str, str]:
    """A short label for each text: its beginning, or where that is another's too, both its ends."""
    known = list(dict.fromkeys(texts))
    lines = [one_line(text, LINE_CHARACTERS) or "(blank)" for text in known]
    whole = [
        line if len(line) <= LABEL_CHARACTERS else f"{line[:17]}…{line[-17:]}" for line in lines
    ]
    apart = _apart([one_line(line, LABEL_CHARACTERS) for line in lines], whole)
    return dict(zip(known, apart, strict=True))


def _apart(short: Sequence[str], long: Sequence[str] = ()) -> list[str]:
    """The short labels, or the long ones where two are the same; what still is gets a number."""
    labels = long if long and len(set(short)) < len(short) else short
    taken: dict[str, None] = {}
    for label in labels:
        chosen, number = label, 2
        while chosen in taken:
            chosen, number = f"{label} ({number})", number + 1
        taken[chosen] = None
    return list(taken)
