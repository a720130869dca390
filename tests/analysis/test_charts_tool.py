"""render_chart as a model calls it: SQL or device data in, a picture and its facts out."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client
from mcp.types import ImageContent

from losant_mcp.api.data import TimeSeriesData
from losant_mcp.errors import InvalidRequest
from losant_mcp.sandbox.demo.alarms import STORM
from losant_mcp.tools import charts
from losant_mcp.tools.charts import resolution, series_table
from losant_mcp.tools.image import size_of
from losant_mcp.tools.spec import TOOLS
from tests.analysis.counting import tokens
from tests.analysis.serving import serving
from tests.calling import content, refusal
from tests.served import Sandbox

SPEC = TOOLS[charts.render_chart.__name__]

HOUR = 3_600_000


class Drawn:
    """A client of a server that draws."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def chart(self, **arguments: Any) -> dict[str, Any]:
        """The facts of a chart, whose picture must be what they say."""
        answer = await self.client.call_tool("render_chart", arguments)
        made = content(answer)
        [_, picture] = answer.content
        assert isinstance(picture, ImageContent)
        assert picture.mime_type == "image/png"
        png = b64decode(picture.data)
        assert png.startswith(b"\x89PNG\r\n")
        width, height = size_of(png)
        assert made["image"] == {"width": width, "height": height, "bytes": len(png)}
        assert len(png) <= 100_000
        assert tokens(made) < 900
        return made


@pytest.fixture
async def draw(sandbox: Sandbox) -> AsyncIterator[Drawn]:
    """The demo, to be drawn."""
    async with serving(sandbox, SPEC, time_zone="America/New_York") as client:
        yield Drawn(client)


async def test_a_select_is_drawn(draw: Drawn) -> None:
    """The storm stands out in the picture's facts, which say what was scanned."""
    made = await draw.chart(
        kind="bar",
        sql="SELECT date_trunc('hour', creationDate) AS hour, level, count(*) AS n"
        " FROM events GROUP BY ALL",
        start="-24h",
        colour="level",
        title="The night of the storm",
    )
    assert made["exact"] is True
    assert made["scanned"]["events"] > STORM
    assert made["chart"]["title"] == "The night of the storm"
    assert made["chart"]["y"]["max"] >= STORM / 2
    assert made["chart"]["x"]["min"].endswith(("-05:00", "-04:00"))
    text = await refusal(draw.client, "render_chart", kind="bar", sql="SELECT nme FROM sites")
    assert "nme" in text
    text = await refusal(
        draw.client, "render_chart", kind="line", sql="SELECT x, x FROM range(6000) AS r(x)"
    )
    assert "6,000 rows: at most 5,000" in text


async def test_device_data_are_drawn(draw: Drawn) -> None:
    """Each device is a series of its own, by name, in buckets that people count in."""
    made = await draw.chart(
        kind="line",
        deviceIds=["Mill Lane Pump 1", "Canal Road Pump 1"],
        attributes=["pressure"],
        unit="bar",
        start="-36h",
    )
    assert made["chart"]["colour"]["first"] == ["Canal Road Pump 1", "Mill Lane Pump 1"]
    assert made["chart"]["y"]["column"] == "pressure"
    assert made["chart"]["y"]["min"] < 2.5
    assert made["resolution"] == HOUR // 4


async def test_raw_points_are_drawn_all_or_not_at_all(draw: Drawn, sandbox: Sandbox) -> None:
    """What Losant cuts off at its limit is no picture of the window."""
    name = "Mill Lane Pump 1"
    [device] = sandbox.store.rows("SELECT id FROM devices WHERE name = ?", name)
    since = sandbox.store.clock() - 1000 * HOUR
    with sandbox.store.transaction(write=True) as db:
        db.executemany(
            "INSERT INTO points VALUES (?, 'flow', ?, ?)",
            [(device["id"], since + i * 600, i) for i in range(5_001)],
        )
    until = since + HOUR
    raw: dict[str, Any] = {"deviceIds": [name], "attributes": ["flow"], "aggregation": "NONE"}
    told = await refusal(draw.client, "render_chart", kind="line", **raw, start=since, end=until)
    assert told == (
        "A device has more than 5,000 points in this window."
        " Shorten it, or leave aggregation NONE out."
    )
    made = await draw.chart(kind="line", **raw, start=since + 600, end=until)
    assert made["chart"]["points"] == 5_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "Give either sql or deviceIds"),
        ({"sql": "SELECT 1", "deviceIds": ["Mill Lane Pump 1"]}, "either sql or deviceIds"),
        ({"sql": "SELECT 1", "attributes": ["flow"]}, "go with deviceIds"),
        ({"deviceIds": ["Mill Lane Pump 1"], "prefilter": {"a": {}}}, "prefilter goes with sql"),
        ({"deviceIds": ["Mill Lane Pump 1"], "start": "now", "end": "-1h"}, "is not before end"),
        ({"deviceIds": ["Mill Lane Pump 1"], "attributes": ["mode"]}, "no numbers"),
        ({"sql": "SELECT 1", "prefilter": {"sites": 1}}, "prefilter"),
        (
            {"sql": "SELECT name FROM sites", "prefilter": {"sites": {"kind": "Depot"}}},
            "The prefilter of 'sites' selects none of its rows.",
        ),
    ],
)
async def test_what_cannot_be_drawn_is_refused(
    draw: Drawn, arguments: dict[str, Any], words: str
) -> None:
    """The error says which arguments belong together, or why there is nothing."""
    assert words in await refusal(draw.client, "render_chart", kind="line", **arguments)


@pytest.mark.parametrize(
    ("span", "expected"), [(HOUR, 60_000), (24 * HOUR, 10 * 60_000), (30 * 24 * HOUR, 6 * HOUR)]
)
def test_buckets_are_those_that_people_count_in(span: int, expected: int) -> None:
    """A chart has at most 160 of them, of a round length."""
    assert resolution(span, 160) == expected
    assert span / resolution(span, 160) <= 160


def test_series_go_by_what_tells_them_apart() -> None:
    """By device, by attribute, or by both; devices of the same name by their ids."""

    def found(*devices: tuple[str, str, dict[str, Any]]) -> TimeSeriesData:
        return TimeSeriesData.model_validate(
            {
                "start": "2026-05-28T00:00:00.000Z",
                "end": "2026-05-29T00:00:00.000Z",
                "resolution": HOUR,
                "aggregation": "MEAN",
                "limit": 1,
                "order": "asc",
                "devices": {
                    id: {
                        "name": name,
                        "tags": {},
                        "points": [{"time": "2026-05-28T00:00:00.000Z", "data": data}],
                    }
                    for id, name, data in devices
                },
            }
        )

    table, whose = series_table(found(("a", "P", {"flow": 1.5, "on": True, "mode": "auto"})))
    assert ([name for name, _ in table.columns], whose) == (["time", "flow", "device"], None)
    table, whose = series_table(found(("a", "P", {"flow": 1, "temp": 2})))
    assert ({row[2] for row in table.rows}, whose) == ({"flow", "temp"}, "attribute")
    table, whose = series_table(found(("a", "P", {"flow": 1}), ("b", "P", {"flow": 2})))
    assert ({row[2] for row in table.rows}, whose) == ({"a", "b"}, "device")
    table, whose = series_table(found(("a", "P", {"flow": 1, "t": 2}), ("b", "Q", {"flow": 2})))
    assert {row[2] for row in table.rows} == {"P · flow", "P · t", "Q · flow"}
    assert ([name for name, _ in table.columns], whose) == (["time", "value", "series"], "series")
    with pytest.raises(InvalidRequest):
        series_table(found(("a", "P", {"mode": "auto"})))


def test_the_definition_is_short() -> None:
    """Name, description and input schema together take few tokens."""
    schema = SPEC.input_schema(bound=True)
    whole = {"name": SPEC.name, "description": SPEC.description, "inputSchema": schema}
    assert tokens(whole) < 330
