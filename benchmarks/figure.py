"""One measured figure beside its alternative, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Figure:
    """``ours`` and ``alternative`` share a unit; ``limit`` is what ``judged`` may come to."""

    what: str
    unit: str
    ours: float | None
    alternative: float | None = None
    alternative_name: str = ""
    judged: Literal["ours", "ratio"] = "ours"
    limit: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the alternative."""
        if self.ours is None or not self.alternative:
            return None
        return self.ours / self.alternative

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is no goal or nothing was measured."""
        if self.limit is None or self.ours is None:
            return None
        value = self.ratio if self.judged == "ratio" else self.ours
        return None if value is None else value <= self.limit

    @property
    def goal(self) -> str:
        """The goal in words, with the verdict."""
        if self.limit is None:
            return ""
        is_ratio = self.judged == "ratio"
        prefix, unit = ("ratio ", "") if is_ratio else ("", f" {self.unit}")
        verdict = {True: "met", False: "MISSED", None: "not measured"}[self.met]
        return f"{prefix}<= {self.limit:,.4g}{unit}: {verdict}"

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table, which also reads well as plain text."""
    rows = [("what", "ours", "alternative", "ratio", "goal")]
    for it in figures:
        name = f" ({it.alternative_name})" if it.alternative_name else ""
        ratio = "" if it.ratio is None else f"{it.ratio:.3g}"
        other = _number(it.alternative, it.unit) + name if it.alternative is not None else it.note
        rows.append((it.what, _number(it.ours, it.unit), other, ratio, it.goal))
    sizes = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(f"{cell:<{size}}" for cell, size in zip(row, sizes, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (size + 2) for size in sizes) + "|")
    return "\n".join(lines)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"
