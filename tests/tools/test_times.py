"""Times as people write them: absolute before they leave, and told in the answer."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losant_mcp.api.times import iso, to_ms
from losant_mcp.errors import InvalidRequest
from losant_mcp.tools.times import LAST, Clock
from tests.calling import Connect, result
from tests.tools.plausible import PUMP
from tests.tools.watching import Watch

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
# From 1971 to 2099, in whole seconds.
MOMENTS = st.integers(31_622_400, 4_102_444_799).map(lambda s: datetime.fromtimestamp(s, UTC))
ZONES = sorted(available_timezones() - {"localtime"})


def _clock(zone: str = "UTC", at: datetime = NOON) -> Clock:
    return Clock(zone, now=lambda: at)


def _resolve(text: Any, zone: str = "UTC", at: datetime = NOON) -> str:
    return iso(_clock(zone, at).resolve(text, "start"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-22T12:00:00Z"),
        (" NOW ", "2026-11-22T12:00:00Z"),
        ("today", "2026-11-22T00:00:00Z"),
        ("Yesterday", "2026-11-21T00:00:00Z"),
        ("-24h", "2026-11-21T12:00:00Z"),
        ("now-24h", "2026-11-21T12:00:00Z"),
        ("now - 90 m", "2026-11-22T10:30:00Z"),
        ("-30s", "2026-11-22T11:59:30Z"),
        ("-2w", "2026-11-08T12:00:00Z"),
        ("+1D", "2026-11-23T12:00:00Z"),
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("20260301", "2026-03-01T00:00:00Z"),
        ("2026-03-01T08:15", "2026-03-01T08:15:00Z"),
        ("2026-03-01 08:15:30.250", "2026-03-01T08:15:30.250Z"),
        ("2026-03-01T08:15:00Z", "2026-03-01T08:15:00Z"),
        ("2026-03-01T08:15:00+02:00", "2026-03-01T06:15:00Z"),
        ("1772352900000", "2026-03-01T08:15:00Z"),
        (1772352900001, "2026-03-01T08:15:00.001Z"),
        (1772352900000.7, "2026-03-01T08:15:00Z"),
    ],
)
def test_every_form_is_understood(text: str | float, expected: str) -> None:
    """ISO 8601, ms since the epoch, and relative ones."""
    assert _resolve(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "soon", "last week", "24h", "-24", "-24y", "-1M", "--1h", "tomorrow", "-1.5h"),
        *("2026-13-01", "2026-02-30", "2026-03-01T25:00", "1767225600", "-1772352900000"),
        *("9999999999999999", "-999999w", "+999999w", "0001-01-01", "1969-12-31", "9" * 5000),
        *(0, -1, -86_400_000, 1_767_225_600, 10**18, float("nan"), float("inf"), True),
    ],
    ids=lambda text: repr(text)[:30],
)
def test_what_is_no_time_is_refused(text: Any) -> None:
    """Also seconds for ms, and the numbers by which some endpoints mean now or before now."""
    with pytest.raises(InvalidRequest) as caught:
        _clock().resolve(text, "start")
    assert str(caught.value) in (
        "start: not a time.",
        "start: lies outside the years 1970 to 9999.",
    )


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """There is no third way out."""
    with contextlib.suppress(InvalidRequest):
        assert 0 < _clock().resolve(text, "t") <= LAST


@given(st.floats() | st.integers())
def test_any_number_is_a_time_or_refused(number: float) -> None:
    """Nor for numbers."""
    with contextlib.suppress(InvalidRequest):
        assert 0 < _clock().resolve(number, "t") <= LAST


@given(st.integers(min_value=1, max_value=LAST))
def test_what_is_told_is_what_was_meant(ms: int) -> None:
    """A resolved time, given back as it was told, is the same time."""
    assert _clock().resolve(iso(ms), "t") == ms


@given(MOMENTS, st.sampled_from(ZONES))
def test_today_is_the_first_moment_of_the_zones_day(moment: datetime, zone: str) -> None:
    """Also where midnight is skipped, or a day is missing altogether."""
    clock = _clock(zone, moment)
    start = datetime.fromtimestamp(clock.resolve("today", "t") / 1000, UTC)
    local = moment.astimezone(ZoneInfo(zone))
    assert start <= moment
    assert start.astimezone(ZoneInfo(zone)).date() == local.date()
    before = (start - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    assert before.date() < local.date() or before.hour == 23


@given(MOMENTS.map(lambda moment: moment.replace(tzinfo=None)), st.sampled_from(ZONES))
def test_a_time_without_a_zone_is_in_the_configured_one(naive: datetime, zone: str) -> None:
    """Reading it back on that zone's clock gives what was written, unless the clocks skip it."""
    ms = _clock(zone).resolve(naive.isoformat(), "t")
    back = datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).replace(tzinfo=None)
    skipped = (
        naive.replace(tzinfo=ZoneInfo(zone), fold=0).utcoffset()
        != naive.replace(tzinfo=ZoneInfo(zone), fold=1).utcoffset()
    )
    assert back == naive or skipped


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        # The clocks went forward at 02:00, and back at 03:00.
        ("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59:00Z"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z"),
        ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00Z"),
        ("Pacific/Kiritimati", "today", "2026-11-22T10:00:00Z"),
        ("Pacific/Honolulu", "yesterday", "2026-11-21T10:00:00Z"),
    ],
)
def test_a_zone_has_its_own_days(zone: str, text: str, expected: str) -> None:
    """Daylight saving and odd offsets are the zone's business."""
    assert _resolve(text, zone) == expected


def test_a_relative_day_is_24_hours_also_when_the_clocks_change() -> None:
    """Sums of hours never depend on a zone."""
    morning = datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
    assert _resolve("-1d", "Europe/Berlin", morning) == "2026-03-28T06:00:00Z"


def test_the_systems_zone_is_used_where_none_is_set() -> None:
    """``system`` is the machine's own."""
    ms = Clock("system", now=lambda: NOON).resolve("2026-07-01T08:15", "t")
    local = datetime.fromtimestamp(ms / 1000, UTC).astimezone()
    assert (local.day, local.hour, local.minute) == (1, 8, 15)


# ---- in tools ------------------------------------------------------------------------------


async def test_times_inside_queries_leave_as_ms(connect: Connect) -> None:
    """Deep inside, too; what they were taken for is told by their place."""
    watch = Watch()
    client = await connect(transport=watch, now=lambda: NOON, time_zone="Europe/Berlin")
    found = await result(
        client,
        "list_events",
        query={
            "$or": [
                {"creationDate": {"$gte": "-24h", "$lt": "now"}},
                {"lastUpdated": {"$in": ["today", 1772352900000]}},
                {"subject": "today"},
            ]
        },
    )
    day = 86_400_000
    noon = to_ms(NOON)
    sent = _query(watch)
    assert sent == {
        "$or": [
            {"creationDate": {"$gte": noon - day, "$lt": noon}},
            {"lastUpdated": {"$in": [noon - 13 * 3_600_000, 1772352900000]}},
            {"subject": "today"},
        ]
    }
    assert found["resolved"] == {
        "query.$or[0].creationDate.$gte": "2026-11-21T12:00:00Z",
        "query.$or[0].creationDate.$lt": "2026-11-22T12:00:00Z",
        "query.$or[1].lastUpdated.$in[0]": "2026-11-21T23:00:00Z",
    }


def _query(watch: Watch) -> Any:
    """The query of the first request, from its URL."""
    return json.loads(parse_qs(watch.queries[0])["query"][0])


async def test_the_next_page_means_the_same_moments(connect: Connect) -> None:
    """A relative time moves on between two calls; in ``next`` it stands still."""
    client = await connect(now=lambda: NOON)
    found = await result(client, "list_events", query={"creationDate": {"$lt": "now"}}, perPage=2)
    assert found["next"]["query"] == {"creationDate": {"$lt": to_ms(NOON)}}


async def test_rows_devices_and_jobs_have_times_of_their_own(connect: Connect) -> None:
    """Only fields that are times are read as such: a column of that text stays text."""
    watch = Watch()
    client = await connect(transport=watch, now=lambda: NOON)
    query = {"createdAt": {"$gte": "-1d"}, "name": "now"}
    await result(client, "query_rows", dataTableId="sites", query=query)
    assert json.loads(watch.bodies[2]) == {
        "createdAt": {"$gte": to_ms(NOON) - 86_400_000},
        "name": "now",
    }
    found = await result(client, "list_devices", query={"connectedAt": {"$lt": "-1h"}})
    assert list(found["resolved"]) == ["query.connectedAt.$lt"]
    found = await result(client, "list_jobs", query={"runQueuedAt": {"$lt": "-1h"}})
    assert list(found["resolved"]) == ["query.runQueuedAt.$lt"]
    found = await result(
        client, "query_last_values", attribute="flow", deviceQuery={"creationDate": {"$lt": "now"}}
    )
    assert list(found["resolved"]) == ["deviceQuery.creationDate.$lt"]


async def test_a_time_series_tells_its_window(connect: Connect) -> None:
    """Start, end and duration become explicit, in the request and in the answer."""
    watch = Watch()
    client = await connect(transport=watch, now=lambda: NOON)
    pump = {"deviceIds": [PUMP], "attributes": ["flow"]}
    found = await result(client, "query_time_series", **pump)
    assert found["window"] == {"start": "2026-11-21T12:00:00Z", "end": "2026-11-22T12:00:00Z"}
    sent = json.loads(watch.bodies[-1])
    assert (sent["start"], sent["end"]) == (to_ms(NOON) - 86_400_000, to_ms(NOON))
    assert "duration" not in sent
    found = await result(client, "query_time_series", **pump, start="-2h", end="-1h")
    assert found["window"] == {"start": "2026-11-22T10:00:00Z", "end": "2026-11-22T11:00:00Z"}
    assert found["resolved"] == {"start": "2026-11-22T10:00:00Z", "end": "2026-11-22T11:00:00Z"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"start": "now", "end": "-1h"}, "is not before end"),
        ({"start": "-1h", "duration": 5000}, "duration beside start"),
        ({"start": "whenever"}, "start: not a time."),
        ({"end": 0}, "end: not a time."),
    ],
)
async def test_a_window_that_cannot_be_is_refused(
    connect: Connect, given: dict[str, Any], expected: str
) -> None:
    """Backwards, ambiguous, or no time at all."""
    client = await connect()
    answer = await client.call_tool("query_time_series", {"deviceIds": [PUMP], **given})
    assert answer.is_error
    assert expected in answer.content[0].text  # type: ignore[union-attr]


def test_every_date_has_a_day_before_it() -> None:
    """Yesterday of the first of a month is the last of the month before."""
    first = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert _resolve("yesterday", at=first)[:10] == date(2026, 2, 28).isoformat()
