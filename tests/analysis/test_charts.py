"""Charts: what is drawn, what is refused, and that no text becomes more than text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import vl_convert
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from losant_mcp.analysis.charts import ChartKind, Description, Table, available, chart, render
from losant_mcp.analysis.charts_render import MOST_BYTES, _environment
from losant_mcp.errors import InvalidRequest
from tests.analysis.counting import tokens
from tests.served import Sandbox

HOURS = [f"2026-05-28 {hour:02d}:00:00+00" for hour in range(24)]
LEVELS = ("info", "warning", "error", "critical")

EVENTS = Table(
    [("hour", "TIMESTAMP WITH TIME ZONE"), ("n", "BIGINT"), ("level", "VARCHAR")],
    [[hour, i + len(level), level] for i, hour in enumerate(HOURS) for level in LEVELS],
)
SITES = Table(
    [("site", "VARCHAR"), ("cost", "DOUBLE"), ("flow", "DOUBLE"), ("weekday", "VARCHAR")],
    [
        [f"Site {i}", i * 1000.5, (i * 7) % 11, day]
        for i in range(8)
        for day in ("Monday", "Tuesday", "Wednesday")
    ],
)

KINDS: dict[ChartKind, tuple[Table, Description]] = {
    "line": (EVENTS, Description("line", colour="level", unit="events")),
    "area": (EVENTS, Description("area", colour="level")),
    "bar": (EVENTS, Description("bar", colour="level")),
    "scatter": (SITES, Description("scatter", "flow", "cost", "weekday", unit="USD")),
    "histogram": (SITES, Description("histogram", "cost", colour="weekday", unit="USD")),
    "heatmap": (SITES, Description("heatmap", "site", "weekday", "cost", unit="USD")),
}


def drawn(specification: dict[str, Any]) -> str:
    """The drawing as SVG, in which texts can be read."""
    svg: str = vl_convert.vegalite_to_svg(specification, allowed_base_urls=[])
    return svg


def texts_outside_data(value: Any) -> Iterator[str]:
    """Every key and text of a specification, without its data."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key != "values":
                yield from texts_outside_data(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_outside_data(inner)
    elif isinstance(value, str):
        yield value


# ---- pictures ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_with_titles_and_units(kind: ChartKind) -> None:
    """Axes and legends say what they show, and in what."""
    table, description = KINDS[kind]
    made = chart(table, description, time_zone="Europe/Berlin")
    svg = drawn(made.specification)
    wanted: dict[ChartKind, list[str]] = {
        "line": ["hour (Europe/Berlin)", "n (events)", "critical"],
        "area": ["n by hour and level", "warning"],
        "bar": ["info"],
        "scatter": ["flow", "cost (USD)", "Tuesday"],
        "histogram": ["Distribution of cost", "cost (USD)", "rows"],
        "heatmap": ["cost by site and weekday", "cost (USD)", "Site 7", "weekday"],
    }
    for text in wanted[kind]:
        assert f">{text}<" in svg, text
    assert 'fill="#ffffff"' in svg


@pytest.mark.parametrize("kind", ["line", "heatmap"])
async def test_a_picture_is_a_small_png(kind: ChartKind) -> None:
    """It is a PNG of at most 100 KB, drawn at twice the size, on an opaque ground."""
    table, description = KINDS[kind]
    png = await render(chart(table, description).specification)
    assert len(png) <= MOST_BYTES
    with Image.open(BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1300
        assert "transparency" not in picture.info
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)


async def test_a_crowded_picture_is_made_smaller() -> None:
    """Where the finest drawing is too large, a coarser one is taken."""
    rows = [[i, (i * 7919) % 1013, f"series {i % 12}"] for i in range(2000)]
    table = Table([("x", "BIGINT"), ("y", "DOUBLE"), ("s", "VARCHAR")], rows)
    made = chart(table, Description("scatter", colour="s"))
    png = await render(made.specification, most=60_000)
    assert 8 < len(png) <= 60_000
    with Image.open(BytesIO(png)) as picture:
        assert picture.width < 1700


def test_times_are_those_of_the_configured_zone() -> None:
    """Midnight is the zone's midnight, summer time and all."""
    rows = [[f"2026-05-28 {hour:02d}:30:00+00", hour] for hour in range(24)]
    table = Table([("at", "TIMESTAMP WITH TIME ZONE"), ("n", "BIGINT")], rows)
    made = chart(table, Description("line"), time_zone="Asia/Kolkata")
    code = (
        "import json, sys, vl_convert;"
        "print(vl_convert.vegalite_to_svg(json.load(sys.stdin), allowed_base_urls=[]))"
    )
    svg = subprocess.run(
        [sys.executable, "-I", "-c", code],
        input=json.dumps(made.specification),
        env=_environment("Asia/Kolkata"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ">May 29<" in svg
    assert ">at (Asia/Kolkata)<" in svg
    assert made.summary["x"]["min"] == "2026-05-28T06:00:00+05:30"


def test_levels_have_their_colours_and_their_order() -> None:
    """The worse a level, the further up it is piled, and the darker it is."""
    made = chart(EVENTS, Description("bar", colour="level"))
    colour = made.specification["encoding"]["color"]
    assert colour["scale"]["domain"] == list(LEVELS)
    assert [value["o"] for value in made.specification["data"]["values"][:4]] == [0, 1, 2, 3]


def test_a_heatmap_has_its_unit_and_its_levels_where_they_belong() -> None:
    """The unit is that of the colours, and levels are in the order of their severity."""
    rows = [["ALD", level, n] for n, level in enumerate(("critical", "info", "error"))]
    table = Table([("site", "VARCHAR"), ("level", "VARCHAR"), ("n", "BIGINT")], rows)
    made = chart(table, Description("heatmap", unit="events")).specification["encoding"]
    assert (made["y"]["axis"]["title"], made["color"]["legend"]["title"]) == ("level", "n (events)")
    assert list(made["y"]["sort"]) == list(LEVELS)


LONG = "Pumping station in the industrial estate, number"


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["Boiler 1", "Boiler 2", None], ["Boiler 1", "Boiler 2"]),
        ([f"{LONG} 1", f"{LONG} 2"], ["Pumping station i… estate, number 1",
                                      "Pumping station i… estate, number 2"]),
        ([f"{LONG}{'-' * n}{LONG}" for n in (0, 1)], ["Pumping station i…al estate, number",
                                                      "Pumping station i…al estate, number (2)"]),
        (["", " ", "(blank)"], ["(blank)", "(blank) (2)", "(blank) (3)"]),
        ([1_000_001, 1_000_002], ["1000001", "1000002"]),
        ([0.5, 2], ["0.5", "2"]),
        (["2026-05-28 08:00:01+00", "2026-05-28 08:00:02+00"], ["10:00:01", "10:00:02"]),
        # The hour that comes twice.
        (["2026-10-25 00:30:00+00", "2026-10-25 01:30:00+00"], ["02:30:00", "02:30:00 (2)"]),
    ],
)  # fmt: skip
def test_what_differs_has_a_label_of_its_own(cells: list[Any], shown: list[str]) -> None:
    """However short labels are, two values never become one column, row or colour."""
    table = Table([("x", ""), ("y", "VARCHAR"), ("n", "BIGINT")], [[it, "a", 1] for it in cells])
    made = chart(table, Description("heatmap", y="y", colour="n"), time_zone="Europe/Berlin")
    assert made.summary["x"]["first"] == shown


def test_a_line_follows_x_whatever_the_order_of_rows() -> None:
    """Points are joined along the axis, and bars stay as the rows came."""
    rows = [[3, 30], [1, 10], [2, 20]]
    table = Table([("x", "BIGINT"), ("y", "BIGINT")], rows)
    assert "order" not in chart(table, Description("line")).specification["encoding"]
    names = Table([("x", "VARCHAR"), ("y", "BIGINT")], [["c", 3], ["a", 1], ["b", 2]])
    assert chart(names, Description("bar")).specification["encoding"]["x"]["sort"] is None


@pytest.mark.parametrize(("step", "width"), [(1, 1), (0.5, 0.1)])
def test_a_bar_of_a_histogram_begins_with_its_values(step: float, width: float) -> None:
    """The largest one, too: it is not in the bar before; whole numbers have bars that wide."""
    rows = [[n * step] for n in range(1, 5) for _ in range(n)]
    table = Table([("x", "DOUBLE")], rows)
    svg = drawn(chart(table, Description("histogram")).specification)
    found = re.findall(r'"x \(binned\): (\S+) – (\S+); Count of Records: (\d)"', svg)
    assert [(float(start), int(count)) for start, _, count in found] == [
        (n * step, n) for n in range(1, 5)
    ]
    assert all(float(end) - float(start) == pytest.approx(width) for start, end, _ in found)


def test_seconds_are_told_where_minutes_do_not_tell_times_apart() -> None:
    """No two marks of an axis of time have the same label."""
    rows = [[f"2026-05-28 08:{i // 60:02d}:{i % 60:02d}+00", i] for i in range(90)]
    table = Table([("at", "TIMESTAMP WITH TIME ZONE"), ("n", "BIGINT")], rows)
    svg = drawn(chart(table, Description("line")).specification)
    labels = re.findall(r">(\d\d:\d\d(?::\d\d)?)<", svg)
    assert len(labels) == len(set(labels)) > 3
    assert any(label.endswith(":00:15") for label in labels)


# ---- in words ------------------------------------------------------------------------------


def test_the_summary_says_what_the_picture_shows() -> None:
    """Columns, ranges and each series are told exactly, in few tokens."""
    made = chart(EVENTS, Description("line", colour="level"), time_zone="UTC")
    assert made.summary == {
        "kind": "line",
        "title": "n by hour and level",
        "points": 96,
        "x": {
            "column": "hour",
            "type": "time",
            "min": "2026-05-28T00:00:00+00:00",
            "max": "2026-05-28T23:00:00+00:00",
        },
        "y": {"column": "n", "type": "number", "min": 4, "max": 31, "mean": 17.5},
        "colour": {"column": "level", "type": "category", "distinct": 4, "first": list(LEVELS)},
        "series": {
            "columns": ["series", "points", "min", "max", "last"],
            "rows": [[level, 24, len(level), 23 + len(level), 23 + len(level)] for level in LEVELS],
        },
    }
    assert tokens(made.summary) < 250


def test_rows_without_a_value_are_skipped_and_counted() -> None:
    """Null, NaN and infinity cannot be drawn; the summary says how many rows they cost."""
    rows: list[list[Any]] = [["a", 1], ["b", None], [None, 2], ["c", "NaN"], ["d", "Infinity"]]
    made = chart(Table([("x", "VARCHAR"), ("y", "DOUBLE")], rows), Description("bar"))
    assert (made.summary["points"], made.summary["skipped"]) == (1, "4 rows without a value")


# ---- text stays text -----------------------------------------------------------------------

HOSTILE = (
    '{"expr": "1"}',
    "datum.x + 1",
    "a'] + event",
    "a.b[0]",
    "${7*7}",
    "<script>alert(1)</script>",
    "data:text/html,x",
    "https://example.com/x.png",
    "\\",
    '"',
)


@given(name=st.sampled_from(HOSTILE) | st.text(max_size=60), cell=st.text(max_size=60))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("kind", ["bar", "line", "heatmap"])
def test_text_reaches_nothing_but_titles_and_data(kind: ChartKind, name: str, cell: str) -> None:
    """Whatever columns, cells and titles hold, the specification around them is the same."""

    def skeleton(name: str, cell: str, title: str) -> list[str]:
        table = Table(
            [
                (name, "VARCHAR"),
                ("b", "DOUBLE"),
                ("c", "DOUBLE" if kind == "heatmap" else "VARCHAR"),
            ],
            [[cell, 1.5, 2 if kind == "heatmap" else cell]],
        )
        # Heatmaps take a column of any type for y.
        description = Description(kind, name, "b", "c", title, unit=cell)
        made = chart(table, description).specification
        for channel in made["encoding"].values():
            for part in ("axis", "legend"):
                channel.get(part, {}).pop("title", None)
            channel.pop("sort", None)
            # Longer names are turned, or read from left to right.
            channel.get("axis", {}).pop("labelAngle", None)
        made["title"].pop("text")
        made.pop("height")
        return sorted(texts_outside_data(made))

    assert skeleton(name + "!", cell, cell) == skeleton("plain", "word", "title")


def test_hostile_text_is_drawn_as_it_is() -> None:
    """Expressions and markup are shown and not run; what cannot be seen is gone."""
    rows = [[text, i + 1] for i, text in enumerate([*HOSTILE, "a\u202eb\x1b"])]
    table = Table([("{'signal': 'width'}", "VARCHAR"), ("n", "BIGINT")], rows)
    svg = drawn(chart(table, Description("bar", title="<b>1 + 1</b>\u200b")).specification)
    assert ">${7*7}<" in svg
    assert ">datum.x + 1<" in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in svg
    assert "<script" not in svg
    assert "&lt;b&gt;1 + 1&lt;/b&gt;" in svg
    assert not any(character in svg for character in "\u202e\x1b\u200b")


async def test_a_drawing_reaches_no_address_and_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """Even a specification that asks for them gets neither the network nor the disk."""

    def asking_for(url: str) -> dict[str, Any]:
        encoding = {"x": {"field": "a", "type": "nominal"}}
        data = {"url": url, "format": {"type": "csv"}}
        return {"data": data, "mark": "bar", "encoding": encoding}

    with pytest.raises(InvalidRequest):
        await render(asking_for(f"{sandbox.url}/applications"))
    assert sandbox.requests == []
    file = tmp_path / "secret.csv"
    file.write_text("a\nsecret\n", encoding="utf-8")
    assert "secret" not in drawn(asking_for(file.as_uri()))


# ---- refusals ------------------------------------------------------------------------------


def many(count: int) -> Table:
    """So many categories."""
    return Table([("x", "VARCHAR"), ("y", "BIGINT")], [[f"c{i}", i] for i in range(count)])


@pytest.mark.parametrize(
    ("table", "description", "words"),
    [
        (Table([("x", "VARCHAR")], []), Description("bar"), "no rows"),
        (many(61), Description("bar"), "61 bars cannot be told apart"),
        (many(13), Description("scatter", "y", "y", "x"), "13 colours"),
        (many(5001), Description("scatter"), "more than 5,000 rows"),
        (many(3), Description("bar", "z"), "no column 'z'"),
        (many(3), Description("bar", "y", "x"), "y: column 'x' has no numbers"),
        (many(3), Description("histogram", "x"), "x: column 'x' has no numbers"),
        (many(3), Description("histogram", "y", "x"), "has no y"),
        (many(3), Description("heatmap", "x", "y", "x"), "colour: column 'x' has no numbers"),
        (Table([("x", "VARCHAR")], [["a"]]), Description("line"), "no column of numbers"),
        (Table([("x", "BIGINT"), ("y", "BIGINT")], [[1, None]]), Description("line"), "No row has"),
        (EVENTS, Description("line"), "72 rows have the same x as another one"),
        (SITES, Description("heatmap", "site", "flow", "cost"), "the same x and y"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(
    table: Table, description: Description, words: str
) -> None:
    """The error says what is wrong with which column, and what to do."""
    with pytest.raises(InvalidRequest) as caught:
        chart(table, description)
    assert words in str(caught.value)
    assert caught.value.hint or "nothing to draw" in str(caught.value)


async def test_a_drawing_ends_with_its_deadline() -> None:
    """The process that draws is killed, and the call says so."""
    specification = chart(EVENTS, Description("line", colour="level")).specification
    with pytest.raises(InvalidRequest) as caught:
        await render(specification, seconds=0.05)
    assert "took longer than 0.05 s" in str(caught.value)


async def test_a_picture_that_cannot_be_small_is_refused() -> None:
    """Where no size is small enough, the error says what to do."""
    with pytest.raises(InvalidRequest) as caught:
        await render(chart(many(3), Description("bar")).specification, most=100)
    assert "more than 100 bytes" in str(caught.value)


def test_charts_are_available_here() -> None:
    """The extra is installed where tests run, so the tool can be listed."""
    assert available()
