"""Time series in the sandbox, held against plain Python over the same points."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from losant_mcp.sandbox.call import iso
from losant_mcp.sandbox.store import Store
from tests.sandbox.demo_http import OTHER_PUMP, PUMP, at_application
from tests.served import Sandbox

NOW = 1_780_000_000_000
"""Long past, so that no token has expired."""

MINUTE = 60_000
METER, SISTER = "5f0c0de0ee00000000000001", "5f0c0de0ee00000000000002"

READINGS = ((0, 4.0), (1, 1.0), (4, 10.0), (5, 2.5), (6, 2.5), (14, -3.0), (15, 8.0), (29, 8.5))
"""Minutes since the start of the window, and what the meter read."""

MODES = ((-7, "auto"), (3, "manual"), (12, "auto"), (27, "manual"))
START = NOW - 30 * MINUTE

Point = tuple[int, Any]


@pytest.fixture
def http(empty_sandbox: Sandbox) -> httpx.Client:
    """A client at an application of two meters, one of them with half an hour of readings."""
    _store_meters(empty_sandbox.store)
    empty_sandbox.store.clock = lambda: NOW
    return at_application(empty_sandbox)


def _store_meters(store: Store) -> None:
    with store.transaction(write=True) as db:
        [application] = db.execute("SELECT id FROM applications").fetchone()
        for id, name in ((METER, "Meter"), (SISTER, "Sister")):
            db.execute(
                "INSERT INTO devices (id, applicationId, name, deviceClass, creationDate,"
                " lastUpdated) VALUES (?, ?, ?, 'standalone', 0, 0)",
                (id, application, name),
            )
        db.execute("INSERT INTO device_tags VALUES (?, 'site', 'ALD')", (METER,))
        types = {"level": "number", "mode": "string", "open": "boolean"}
        db.executemany(
            "INSERT INTO device_attributes VALUES (?, ?, ?)",
            [(METER, *item) for item in types.items()],
        )
        points: list[tuple[str, int, Any]] = [
            ("level", minute, value) for minute, value in READINGS
        ]
        points += [("mode", minute, value) for minute, value in MODES]
        points += [("open", 0, 1), ("open", 20, 0)]
        db.executemany(
            "INSERT INTO points VALUES (?, ?, ?, ?)",
            [(METER, name, START + minute * MINUTE, value) for name, minute, value in points],
        )


def series(http: httpx.Client, **body: Any) -> dict[str, Any]:
    """The answer to a time series query."""
    answer = http.post("/data/time-series-query", json=body)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()
    return data


def level(data: dict[str, Any]) -> list[tuple[str, Any]]:
    """Times and values of the meter's level."""
    points = data["devices"][METER]["points"]
    return [(point["time"], point["data"]["level"]) for point in points if "level" in point["data"]]


def plainly(
    resolution: int, function: Callable[[Sequence[float]], float]
) -> list[tuple[str, float]]:
    """The same in plain Python, over buckets from the window's start."""
    buckets: dict[int, list[float]] = {}
    for minute, value in READINGS:
        at = minute * MINUTE // resolution * resolution
        buckets.setdefault(START + at, []).append(value)
    return [(iso(at), function(values)) for at, values in buckets.items()]


@pytest.mark.parametrize("minutes", [1, 5, 7, 30, 1000])
@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("FIRST", lambda values: values[0]),
        ("LAST", lambda values: values[-1]),
        ("COUNT", len),
        ("MAX", max),
        ("MIN", min),
        ("SUM", sum),
        ("MEAN", statistics.fmean),
        ("MEDIAN", statistics.median),
        ("STD_DEV", statistics.pstdev),
    ],
)
def test_an_aggregation_equals_plain_python(
    http: httpx.Client, kind: str, function: Callable[[Sequence[float]], float], minutes: int
) -> None:
    """Every aggregation of every bucket is what the readings say, oldest bucket first."""
    data = series(
        http, aggregation=kind, duration=30 * MINUTE, resolution=minutes * MINUTE,
        attributes=["level"],
    )  # fmt: skip
    times, values = zip(*level(data), strict=True)
    expected_times, expected = zip(*plainly(minutes * MINUTE, function), strict=True)
    assert times == expected_times
    assert values == pytest.approx(expected)


def test_values_far_from_zero_keep_their_spread(empty_sandbox: Sandbox) -> None:
    """The standard deviation does not drown in the size of the values."""
    _store_meters(empty_sandbox.store)
    empty_sandbox.store.clock = lambda: NOW
    with empty_sandbox.store.transaction(write=True) as db:
        db.execute("UPDATE points SET value = value + 1e9 WHERE attribute = 'level'")
    data = series(at_application(empty_sandbox), aggregation="STD_DEV", duration=30 * MINUTE)
    expected = statistics.pstdev(value for _, value in READINGS)
    assert level(data)[0][1] == pytest.approx(expected, rel=1e-6)


def test_the_answer_repeats_what_was_asked(http: httpx.Client) -> None:
    """Window, resolution, aggregation, limit and order come back resolved."""
    data = series(http, duration=30 * MINUTE, aggregation={"type": "MAX"}, order="desc")
    devices = data.pop("devices")
    assert data == {
        "start": iso(START),
        "end": iso(NOW),
        "resolution": None,
        "aggregation": {"type": "MAX"},
        "limit": None,
        "order": "desc",
    }
    assert devices[METER]["tags"] == {"site": ["ALD"]}
    assert devices[SISTER] == {"name": "Sister", "tags": {}, "points": []}


def test_without_a_resolution_the_window_is_one_bucket(http: httpx.Client) -> None:
    """The one point lies at the window's start."""
    data = series(http, duration=30 * MINUTE, aggregation="MEAN")
    [(at, value)] = level(data)
    assert (at, value) == (iso(START), pytest.approx(statistics.fmean(v for _, v in READINGS)))


def test_an_empty_query_reads_the_last_values_of_a_day(http: httpx.Client) -> None:
    """The defaults are LAST over 24 hours, over every device."""
    data = series(http)
    assert (data["aggregation"], data["start"]) == ("LAST", iso(NOW - 24 * 60 * MINUTE))
    [point] = data["devices"][METER]["points"]
    assert point["data"] == {"level": 8.5, "mode": "manual", "open": False}


@pytest.mark.parametrize(
    ("body", "start", "end"),
    [
        ({"duration": 10 * MINUTE}, NOW - 10 * MINUTE, NOW),
        ({"duration": 10 * MINUTE, "end": 0}, NOW - 10 * MINUTE, NOW),
        ({"duration": 10 * MINUTE, "end": -5 * MINUTE}, NOW - 15 * MINUTE, NOW - 5 * MINUTE),
        ({"start": START, "end": START + MINUTE, "duration": 1}, START, START + MINUTE),
        ({"start": START}, START, NOW),
        ({"start": START, "duration": MINUTE}, START, NOW),
    ],
)
def test_windows_follow_the_documented_rules(
    http: httpx.Client, body: dict[str, Any], start: int, end: int
) -> None:
    """End 0 is now, a negative end is before now, duration counts only where start is absent."""
    data = series(http, **body)
    assert (data["start"], data["end"]) == (iso(start), iso(end))


def test_a_window_holds_its_start_and_not_its_end(http: httpx.Client) -> None:
    """A point at the end belongs to the next window, so that windows add up."""
    body = {"start": START, "end": START + 4 * MINUTE, "aggregation": "COUNT"}
    assert level(series(http, **body)) == [(iso(START), 2)]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_raw_points_are_the_reports_as_they_came(http: httpx.Client, order: str) -> None:
    """With NONE, what was reported at one moment is one point, in the order asked for."""
    data = series(http, duration=30 * MINUTE, aggregation="NONE", order=order)
    points = data["devices"][METER]["points"]
    times = [point["time"] for point in points]
    assert times == sorted(times, reverse=order == "desc")
    assert {"time": iso(START), "data": {"level": 4.0, "open": True}} in points
    assert len(points) == len({m for m, _ in (*READINGS, *MODES[1:])} | {20})


def test_a_limit_holds_for_raw_points_only(http: httpx.Client) -> None:
    """With NONE it counts points from the first in order; aggregated buckets are all there."""
    data = series(http, duration=30 * MINUTE, aggregation="NONE", limit=2, order="desc")
    points = data["devices"][METER]["points"]
    assert [point["time"] for point in points] == [
        iso(START + 29 * MINUTE),
        iso(START + 27 * MINUTE),
    ]
    buckets = series(http, duration=30 * MINUTE, resolution=MINUTE, aggregation="MAX", limit=2)
    assert len(level(buckets)) == len(READINGS)


def test_time_at_value_counts_from_report_to_report(http: httpx.Client) -> None:
    """What was reported before the window holds at its start, and the last report until now."""
    data = series(
        http,
        aggregation={"type": "TIMEATVALUE", "options": {"value": "auto"}},
        duration=30 * MINUTE,
        resolution=10 * MINUTE,
    )
    found = [(point["time"], point["data"]) for point in data["devices"][METER]["points"]]
    assert found == [
        (iso(START), {"mode": 3 * MINUTE}),
        (iso(START + 10 * MINUTE), {"mode": 8 * MINUTE}),
        (iso(START + 20 * MINUTE), {"mode": 7 * MINUTE}),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, {"open": 20 * MINUTE}), (False, {"open": 10 * MINUTE}), (2.5, {"level": 9 * MINUTE})],
)
def test_time_at_value_knows_types(http: httpx.Client, value: Any, expected: Any) -> None:
    """A boolean is no number, and attributes of another type are left out."""
    wanted = {"type": "TIMEATVALUE", "options": {"value": value}}
    data = series(http, aggregation=wanted, duration=30 * MINUTE)
    [point] = data["devices"][METER]["points"]
    assert point["data"] == expected


@pytest.mark.parametrize("huge", [2**63, 1e185, 10**400], ids=["2^63", "1e185", "10^400"])
def test_numbers_beyond_the_databases_are_still_numbers(http: httpx.Client, huge: Any) -> None:
    """A resolution is then one bucket, and a value is one that no attribute had."""
    data = series(http, duration=30 * MINUTE, resolution=min(huge, 1e300))
    assert level(data) == [(iso(START), 8.5)]
    wanted = {"type": "TIMEATVALUE", "options": {"value": huge}}
    data = series(http, aggregation=wanted, duration=30 * MINUTE)
    [point] = data["devices"][METER]["points"]
    assert point["data"] == {"level": 0}


def test_averages_leave_texts_and_booleans_out(http: httpx.Client) -> None:
    """What cannot be averaged is absent, and what can be counted is there."""
    [point] = series(http, duration=30 * MINUTE, aggregation="MEAN")["devices"][METER]["points"]
    assert point["data"].keys() == {"level"}
    [point] = series(http, duration=30 * MINUTE, aggregation="COUNT")["devices"][METER]["points"]
    assert point["data"] == {"level": 8, "mode": 3, "open": 2}


@pytest.mark.parametrize(
    "body",
    [
        {"start": NOW, "end": NOW - 1},
        {"duration": -1},
        {"end": -(10**15)},
        {"resolution": -1},
        {"limit": 25_001, "aggregation": "NONE"},
        {
            "aggregation": {"type": "TIMEATVALUE", "options": {"value": 1}},
            "start": 0,
            "resolution": 1,
        },
    ],
)
def test_impossible_queries_are_refused(http: httpx.Client, body: dict[str, Any]) -> None:
    """A window that ends before it starts, and numbers beyond their bounds, are a 400."""
    answer = http.post("/data/time-series-query", json=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "Validation")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"deviceIds": [PUMP]}, {"Alder Street Pump 1"}),
        (
            {"deviceIds": [PUMP], "deviceTags": [{"key": "site", "value": "MIL"}]},
            {"Alder Street Pump 1", "Mill Lane Pump 1", "Mill Lane Pump 2"},
        ),
        ({"deviceTags": [{"key": "duty"}]}, {"Alder Street Pump 1"}),
        (
            {"deviceQuery": {"name": {"$startsWith": "Alder"}}},
            {"Alder Street Pump 1", "Alder Street Pump 2"},
        ),
        (
            {"deviceQuery": {"deviceClass": "edgeCompute"}, "deviceIds": [OTHER_PUMP]},
            {"North Depot Edge Controller", "Alder Street Pump 2"},
        ),
        ({"deviceIds": ["5f0c0de02000000000ffffff"]}, set()),
    ],
)
def test_any_way_of_naming_a_device_is_enough(
    sandbox: Sandbox, body: dict[str, Any], found: set[str]
) -> None:
    """Ids, tags and a query add up; nobody is there twice."""
    http = at_application(sandbox)
    data = series(http, duration=1, **body)
    assert {device["name"] for device in data["devices"].values()} == found
    answer = http.post("/data/last-value-query", json={"attribute": "motorTemp", **body})
    assert {id for id in answer.json() if id in data["devices"]} == answer.json().keys()


def test_last_values_are_there_for_devices_that_have_some(http: httpx.Client) -> None:
    """The last value of one attribute comes with its time; a device without data is absent."""
    answer = http.post("/data/last-value-query", json={"attribute": "open"})
    assert answer.json() == {METER: {"time": iso(START + 20 * MINUTE), "data": {"open": False}}}


@pytest.mark.parametrize(("end", "value"), [(START + 4 * MINUTE, 10.0), (-26 * MINUTE, 10.0)])
def test_a_last_value_can_be_asked_of_the_past(http: httpx.Client, end: int, value: float) -> None:
    """The end counts, absolute or before now."""
    answer = http.post("/data/last-value-query", json={"attribute": "level", "end": end})
    assert answer.json()[METER] == {"time": iso(START + 4 * MINUTE), "data": {"level": value}}


def test_without_an_attribute_the_last_report_is_told(http: httpx.Client) -> None:
    """All that was reported at the last moment comes together."""
    answer = http.post("/data/last-value-query", json={"end": START})
    assert answer.json()[METER] == {"time": iso(START), "data": {"level": 4.0, "open": True}}
