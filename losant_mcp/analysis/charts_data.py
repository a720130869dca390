"""What a chart draws: the columns that a description names, read, checked and within limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Literal

from losant_mcp.analysis.charts_fields import Field, read_field
from losant_mcp.api.query_values import nearest
from losant_mcp.api.types import JsonObject
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import one_line

ChartKind = Literal["line", "bar", "area", "scatter", "histogram", "heatmap"]

MOST_POINTS = 5_000
MOST_SERIES = 12
MOST_BARS = 60
MOST_CELLS = 60
"""Categories along each side of a heatmap."""


@dataclass(frozen=True)
class Table:
    """What is drawn: columns by name and DuckDB type (empty: seen from the values), and rows."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]  # JSON values


@dataclass(frozen=True)
class Description:
    """How it is drawn. ``unit`` is that of the measured values, for their axis.

    Left out, ``x`` is the first column, ``y`` the first one of numbers beside it, and a heatmap's
    colour the first one of numbers beside both.
    """

    kind: ChartKind
    x: str | None = None
    y: str | None = None
    colour: str | None = None
    title: str | None = None
    unit: str | None = None


@dataclass
class Data:
    """The values under the names of their roles: x, y, and c for the colour.

    ``skipped`` rows have nothing to be drawn by.
    """

    table: Table
    description: Description
    zone: tzinfo | None
    skipped: int = 0
    fields: dict[str, Field] = field(default_factory=dict)
    values: list[JsonObject] = field(default_factory=list)

    @classmethod
    def read(cls, table: Table, description: Description, zone: tzinfo | None) -> Data:
        """The data of a chart. Raises InvalidRequest where the description does not fit them."""
        if not table.rows:
            raise InvalidRequest("There are no rows, so there is nothing to draw.")
        if len(table.rows) > MOST_POINTS:
            raise InvalidRequest(
                f"There are more than {MOST_POINTS:,} rows, which nobody can tell apart.",
                hint="Aggregate them, by time_bucket or date_trunc for instance.",
            )
        data = cls(table, description, zone)
        data._choose()
        data._read()
        if not data.values:
            raise InvalidRequest("No row has all that is drawn, so there is nothing to draw.")
        data._check_sizes()
        data._check_single()
        return data

    @property
    def series(self) -> list[Any]:
        """What the colours stand for, as they come."""
        return list(dict.fromkeys(self.fields["c"].shown)) if "c" in self.fields else []

    def _choose(self) -> None:
        """Find the columns. Raises InvalidRequest where one does not exist or does not fit."""
        it, kind = self.description, self.description.kind
        names = [name for name, _ in self.table.columns]
        self.fields["x"] = self._field(it.x if it.x is not None else names[0])
        if kind == "histogram":
            if it.y is not None:
                raise InvalidRequest("A histogram counts x; it has no y.", hint="Leave y out.")
            self._check_number("x")
        else:
            self.fields["y"] = self._field(self._otherwise(it.y, any_type=kind == "heatmap"))
            if kind != "heatmap":
                self._check_number("y")
        if it.colour is not None or kind == "heatmap":
            self.fields["c"] = self._field(self._otherwise(it.colour))
        if kind == "heatmap":
            self._check_number("c")
            for role in ("x", "y"):
                self.fields[role] = self.fields[role].as_category()
        elif "c" in self.fields and self.fields["c"].type != "category":
            # A number or a time for each series is a name here.
            self.fields["c"] = self.fields["c"].as_category()

    def _otherwise(self, name: str | None, *, any_type: bool = False) -> str:
        """The column as named, or the first that is free and fits."""
        if name is not None:
            return name
        taken = {found.name for found in self.fields.values()}
        free = [name for name, _ in self.table.columns if name not in taken]
        fitting = [name for name in free if any_type or self._field(name).type == "number"]
        if not fitting:
            raise InvalidRequest(
                "There is no column of numbers to draw.", hint=f"Columns: {self._columns()}."
            )
        return fitting[0]

    def _field(self, name: str) -> Field:
        names = [name for name, _ in self.table.columns]
        if name not in names:
            raise InvalidRequest(
                f"There is no column {one_line(name, 60)!r}{nearest(name, names)}",
                hint=f"Columns: {self._columns()}.",
            )
        place = names.index(name)
        cells = [row[place] for row in self.table.rows]
        return read_field(name, self.table.columns[place][1], cells, self.zone)

    def _columns(self) -> str:
        return one_line(", ".join(name for name, _ in self.table.columns), 200)

    def _check_number(self, role: str) -> None:
        found = self.fields[role]
        if found.type != "number":
            named = {"c": "colour"}.get(role, role)
            raise InvalidRequest(
                f"{named}: column {one_line(found.name, 60)!r} has no numbers.",
                hint=f"A {self.description.kind} needs them. Columns: {self._columns()}.",
            )

    def _read(self) -> None:
        roles = list(self.fields)
        for cells in zip(*(self.fields[role].values for role in roles), strict=True):
            value = dict(zip(roles, cells, strict=True))
            if self.description.kind != "heatmap" and value.get("c", "") is None:
                value["c"] = "(none)"
            if None in value.values():
                self.skipped += 1
                continue
            self.values.append(value)
        for role, found in self.fields.items():
            found.shown = [value[role] for value in self.values]

    def _check_sizes(self) -> None:
        kind = self.description.kind
        limits = {"x": (MOST_BARS, "bars"), "c": (MOST_SERIES, "colours")}
        if kind == "heatmap":
            limits = {"x": (MOST_CELLS, "columns"), "y": (MOST_CELLS, "rows")}
        elif kind != "bar" or self.fields["x"].type != "category":
            del limits["x"]
        for role, (most, what) in limits.items():
            distinct = set(self.fields[role].shown) if role in self.fields else set()
            if len(distinct) > most:
                raise InvalidRequest(
                    f"{len(distinct)} {what} cannot be told apart; at most {most} are drawn.",
                    hint="Keep the largest (ORDER BY … LIMIT), or fewer devices or attributes.",
                )

    def _check_single(self) -> None:
        """Refuse two values where one would hide the other, or make a line go to and fro."""
        kind = self.description.kind
        if kind in ("scatter", "histogram"):
            return
        second = "y" if kind == "heatmap" else "c"
        seen = {(value["x"], value.get(second)) for value in self.values}
        if len(seen) == len(self.values):
            return
        what = "x and y" if kind == "heatmap" else "x and colour" if "c" in self.fields else "x"
        hint = "Aggregate them, or give colour, a series each."
        raise InvalidRequest(
            f"{len(self.values) - len(seen)} rows have the same {what} as another one.",
            hint=hint if what == "x" else "Aggregate them with GROUP BY.",
        )
