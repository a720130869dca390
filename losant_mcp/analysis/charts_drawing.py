"""How each kind of chart is drawn: marks and channels of a Vega-Lite specification.

Whatever comes from outside is data of the specification: columns get names of ours, titles are
plain text, and every expression in it is written in ``charts_style``. So no text can become part
of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from losant_mcp.analysis.charts_data import ChartKind, Data, Description
from losant_mcp.analysis.charts_fields import Field, Kind
from losant_mcp.analysis.charts_style import (
    CONFIG,
    HEIGHT,
    LEVEL_COLOURS,
    WIDTH,
    time_axis,
    wrapped,
)
from losant_mcp.api.events import LEVELS
from losant_mcp.api.types import JsonObject
from losant_mcp.text import one_line

_TURNED = 18
"""Points between labels that are turned, so that the lines keep clear of each other."""


@dataclass(frozen=True)
class Drawing:
    """A chart's data on their way to a specification; ``zone_name`` is that of its times."""

    data: Data
    zone_name: str

    @property
    def description(self) -> Description:
        """How it is to be drawn."""
        return self.data.description

    @property
    def fields(self) -> dict[str, Field]:
        """The columns by role."""
        return self.data.fields

    def specification(self) -> JsonObject:
        """All of it, for Vega-Lite."""
        makers: dict[ChartKind, Callable[[], JsonObject]] = {
            "line": self._line,
            "area": self._line,
            "scatter": self._scatter,
            "bar": self._bar,
            "histogram": self._histogram,
            "heatmap": self._heatmap,
        }
        return {
            "data": {"values": self.data.values},
            "width": WIDTH,
            "height": HEIGHT,
            **makers[self.description.kind](),
            "title": {"text": wrapped(self.title, 80)},
            "config": CONFIG,
        }

    @property
    def title(self) -> str:
        """As given, or what is drawn by what."""
        if given := one_line(self.description.title or "", 160):
            return given
        if self.description.kind == "histogram":
            return f"Distribution of {self.fields['x'].label}"
        if self.description.kind == "heatmap":
            labels = [self.fields[role].label for role in ("c", "x", "y")]
            return "{} by {} and {}".format(*labels)
        by = f" and {self.fields['c'].label}" if "c" in self.fields else ""
        return f"{self.fields['y'].label} by {self.fields['x'].label}{by}"

    # ---- marks ---------------------------------------------------------------------------------

    def _line(self) -> JsonObject:
        area = self.description.kind == "area"
        few = len(self.fields["x"].shown) <= 60 * max(1, len(self.data.series))
        mark: JsonObject = {"type": self.description.kind, "interpolate": "linear"}
        if area:
            mark |= {"line": True, "opacity": 0.75 if "c" in self.fields else 0.35}
        else:
            mark |= {"strokeWidth": 2, "point": {"size": 28} if few else False}
        return {"mark": mark, "encoding": self._encoding(zero=area)}

    def _scatter(self) -> JsonObject:
        size = 60 if len(self.fields["x"].shown) <= 300 else 24
        mark = {"type": "point", "filled": True, "opacity": 0.7, "size": size}
        return {"mark": mark, "encoding": self._encoding(zero=False)}

    def _bar(self) -> JsonObject:
        mark: JsonObject = {"type": "bar"}
        encoding = self._encoding(zero=True)
        x = self.fields["x"]
        if x.type != "category":
            moments = sorted(set(x.shown))
            steps = [b - a for a, b in pairwise(moments)]
            slots = (moments[-1] - moments[0]) / min(steps) + 1 if steps else 1
            # Bars on a continuous axis have no band to fill.
            width = max(1, min(60, round(WIDTH / (slots + 1) * 0.8)))
            mark["width"] = width
            encoding["x"]["scale"] = {"padding": width / 2 + 2, "zero": False}
            return {"mark": mark, "encoding": encoding}
        distinct = list(dict.fromkeys(x.shown))
        longest = max(len(str(label)) for label in distinct)
        if longest * len(distinct) <= 70:
            encoding["x"]["axis"]["labelAngle"] = 0
            return {"mark": mark, "encoding": encoding}
        # Long names are read from left to right.
        encoding["x"], encoding["y"] = encoding["y"], encoding["x"]
        height = max(120, min(24 * len(distinct), 1100))
        return {"mark": mark, "encoding": encoding, "height": height}

    def _histogram(self) -> JsonObject:
        x, shown = self._axis("x"), self.fields["x"].shown
        bins: JsonObject = {"maxbins": 30}
        if all(isinstance(value, int) for value in shown):
            bins["minstep"] = 1
        if spread := max(shown) - min(shown):
            # The last bin would take its upper end in, and with it what belongs to the next one.
            bins["extent"] = [min(shown), max(shown) + spread / 1e6]
        x |= {"bin": bins}
        encoding: JsonObject = {
            "x": x,
            "y": {"aggregate": "count", "type": "quantitative", "axis": {"title": "rows"}},
        }
        return {"mark": {"type": "bar", "binSpacing": 1}, "encoding": encoding | self._colour()}

    def _heatmap(self) -> JsonObject:
        colour = self.fields["c"]
        x, y = self._axis("x"), self._axis("y")
        for side in (x, y):
            side["scale"] = {"padding": 0.03}
        names = [str(value) for value in self.fields["x"].shown]
        upright = max(map(len, names)) * len(set(names)) <= 70
        x["axis"]["labelAngle"] = 0 if upright else -45
        # Turned labels that touch nobody are taken to overlap by their corners.
        x["axis"]["labelOverlap"] = len(set(names)) * _TURNED > WIDTH
        encoding = {
            "x": x,
            "y": y,
            "color": {
                "field": "c",
                "type": "quantitative",
                "scale": {"scheme": "viridis"},
                "legend": {"title": wrapped(self._measured(colour), 20), "gradientLength": 200},
            },
        }
        rows = len(set(self.fields["y"].shown))
        height = max(140, min(28 * rows, 700))
        return {"mark": {"type": "rect"}, "encoding": encoding, "height": height}

    # ---- channels ------------------------------------------------------------------------------

    def _encoding(self, *, zero: bool) -> JsonObject:
        y = self._axis("y")
        y["scale"] = {"zero": zero, "nice": True}
        return {"x": self._axis("x"), "y": y, **self._colour()}

    def _axis(self, role: str) -> JsonObject:
        found = self.fields[role]
        types: dict[Kind, str] = {
            "time": "temporal",
            "number": "quantitative",
            "category": "nominal",
        }
        axis: JsonObject = {"title": wrapped(self._axis_title(role, found), 90)}
        channel: JsonObject = {"field": role, "type": types[found.type], "axis": axis}
        if found.type == "time":
            axis |= time_axis(min(found.shown), max(found.shown))
        elif found.type == "category":
            # As the rows come, unless they are a heatmap's, where both sides are in order.
            channel["sort"] = found.order
            if self.description.kind == "heatmap" and set(found.shown) <= set(LEVELS):
                channel["sort"] = LEVELS
        else:
            if role == "x":
                channel["scale"] = {"zero": False, "nice": True}
            if max(map(abs, found.shown)) >= 100_000:
                axis["format"] = "~s"
            elif all(isinstance(value, int) for value in found.shown):
                axis["tickMinStep"] = 1
        return channel

    def _colour(self) -> JsonObject:
        if "c" not in self.fields:
            return {}
        found = self.fields["c"]
        # Bars and areas are piled up in the order of the legend.
        names = found.order or self.data.series
        if set(names) <= set(LEVELS):
            names = [level for level in LEVELS if level in names]
        colour: JsonObject = {
            "field": "c",
            "type": "nominal",
            "sort": names,
            "legend": {"title": wrapped(found.label, 24)},
        }
        if set(names) <= set(LEVELS):
            colour["scale"] = {"domain": names, "range": [LEVEL_COLOURS[name] for name in names]}
        for value in self.data.values:
            value["o"] = names.index(value["c"])
        if self.description.kind not in ("bar", "area", "histogram"):
            # The order of a line's points is that of x.
            return {"color": colour}
        return {"color": colour, "order": {"field": "o", "type": "quantitative"}}

    def _axis_title(self, role: str, found: Field) -> str:
        if found.zoned:
            return f"{found.label} ({self.zone_name})"
        # A heatmap's values are its colours.
        measured = {"histogram": "x", "heatmap": "c"}.get(self.description.kind, "y")
        return self._measured(found) if role == measured else found.label

    def _measured(self, found: Field) -> str:
        unit = one_line(self.description.unit or "", 20)
        return f"{found.label} ({unit})" if unit else found.label
