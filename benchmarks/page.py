"""The figures of one run as a page of the documentation, with plots.

``python -m benchmarks --publish`` measures everything, keeps the figures in ``results.json`` and
writes the page; a test holds the page against the file.
"""

from __future__ import annotations

import inspect
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.figure import Figure, table
from losant_mcp import __version__
from losant_mcp.analysis.charts_style import CONFIG

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "images"

INTRODUCTION = """\
# Figures

Each figure stands beside its alternative, measured in the same run on the same machine. A ratio is
ours over the alternative's: below 1, we need less. A goal that is missed says so.

Measured on {date} with losant-mcp {version}, {python} on {system} with {cores} cores. To
measure again, run `make bench`; `make bench ARGS=--publish` writes this page.
"""

Results = dict[str, Any]


def results(measured: Mapping[str, Sequence[Figure]]) -> Results:
    """The figures of a run, and what it ran on."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "version": __version__,
        "python": f"Python {platform.python_version()}",
        "system": platform.system(),
        "cores": os.cpu_count(),
        "figures": {
            name: [figure.to_json() for figure in figures] for name, figures in measured.items()
        },
    }


def publish(found: Results, modules: Mapping[str, ModuleType]) -> None:
    """Write the results, the page and its plots."""
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(found, modules), encoding="utf-8")
    IMAGES.mkdir(exist_ok=True)
    for name, plot in plots(found):
        (IMAGES / f"{name}.svg").write_text(_svg(plot), encoding="utf-8")


def page(found: Results, modules: Mapping[str, ModuleType]) -> str:
    """The page, as Markdown."""
    facts = {name: value for name, value in found.items() if name != "figures"}
    parts = [INTRODUCTION.format(**facts)]
    parts += [
        f"![{plot['title']}](images/{name}.svg)\n" for name, plot in plots(found) if plot["data"]
    ]
    for name, figures in found["figures"].items():
        heading, *rest = (inspect.getdoc(modules[name]) or "").split("\n\n")
        text = "\n\n".join([f"## {heading.rstrip('.')}", *rest])
        parts.append(f"{text}\n\n{table(_read(figures))}\n")
    return "\n".join(parts)


def plots(found: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is drawn: jobs by their tokens, and everything else by its ratio."""
    jobs = [
        {"what": it.what.removeprefix("job: "), "whose": whose, "value": value}
        for it in _read(found["figures"].get("jobs", ()))
        if it.what.startswith("job: ")
        for whose, value in (("losant-mcp", it.ours), ("one tool an endpoint", it.alternative))
    ]
    yield (
        "jobs",
        {"title": "Tokens of ten jobs", "axis": "tokens, logarithmic", "data": jobs},
    )
    ratios = [
        {"what": it.what, "whose": it.alternative_name or "", "value": it.ratio}
        for name in RATIOS
        for it in _read(found["figures"].get(name, ()))
        if it.ratio is not None
    ]
    yield (
        "ratios",
        {"title": "Ours over the alternative's", "axis": "ratio, logarithmic", "data": ratios},
    )


RATIOS = ("cold_start", "call_overhead", "workbench", "digest", "answers", "tokens")
"""Measures whose ratios are worth a picture."""


def _read(figures: Sequence[Mapping[str, Any]]) -> list[Figure]:
    derived = ("ratio", "met")
    return [Figure(**{k: v for k, v in it.items() if k not in derived}) for it in figures]


def _svg(plot: Mapping[str, Any]) -> str:
    import vl_convert

    names = list(dict.fromkeys(row["what"] for row in plot["data"]))
    place: dict[str, Any] = {
        "y": {"field": "what", "type": "nominal", "title": None, "sort": names},
        "x": {
            "field": "value",
            "type": "quantitative",
            "title": plot["axis"],
            "scale": {"type": "log"},
            "axis": {"grid": True, "tickCount": 6},
        },
    }
    colour = {"field": "whose", "type": "nominal", "title": None}
    several = len({row["whose"] for row in plot["data"]}) == 2
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {**place, **({"color": colour} if several else {})},
        }
    ]
    if several:
        line = {"type": "line", "color": "#afb8c1"}
        layers.insert(0, {"mark": line, "encoding": {**place, "detail": {"field": "what"}}})
    specification = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": plot["title"],
        "width": 480,
        "height": {"step": 24},
        "data": {"values": list(plot["data"])},
        "layer": layers,
        "config": {**CONFIG, "axis": {**CONFIG["axis"], "labelLimit": 400}},
    }
    svg: str = vl_convert.vegalite_to_svg(specification, allowed_base_urls=[])
    return svg
