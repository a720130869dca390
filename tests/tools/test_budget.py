"""No result is larger than its budget, and following ``next`` shows everything exactly once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client

from losant_mcp.tools.paging import offsets, pages
from losant_mcp.tools.results import BYTES_PER_TOKEN, listing, single, size
from tests.calling import Connect, cells, result
from tests.served import Sandbox
from tests.tools import huge
from tests.tools.plausible import Ids, ids_in

pytestmark = pytest.mark.parametrize("mode", ["auto"])

BUDGETS = (500, 2000, 8000)
TABLE = {"dataTableId": huge.TABLE}
LONG = {"$or": [{"subject": {"$ne": "x" * 200}}] * 12}


def _calls(ids: Ids) -> list[tuple[str, dict[str, Any]]]:
    every: dict[str, Any] = {"deviceQuery": {}}
    return [
        ("list_events", {"fields": ["id", "subject", "message", "data", "updates"]}),
        ("list_events", {"query": LONG}),
        ("get_event", {"eventId": ids.event}),
        ("get_most_severe_event", {}),
        ("list_data_tables", {}),
        ("get_data_table", TABLE),
        ("list_rows", TABLE),
        ("list_rows", {**TABLE, "limit": 3}),
        ("query_rows", {**TABLE, "query": {}}),
        ("get_row", {**TABLE, "rowId": f"5f0c0de05100000{17:09x}"}),
        ("list_devices", {}),
        ("get_device", {"deviceId": ids.device}),
        ("list_applications", {}),
        ("list_jobs", {}),
        ("query_time_series", {**every, "resolution": 3_600_000}),
        ("query_time_series", {**every, "aggregation": "NONE"}),
        ("query_time_series", {"deviceIds": [ids.device], "order": "desc", "resolution": 60_000}),
        ("query_last_values", {**every, "attribute": "flow"}),
    ]


@pytest.mark.parametrize("tokens", BUDGETS)
async def test_no_result_is_larger_than_its_budget(
    connect: Connect, sandbox: Sandbox, tokens: int
) -> None:
    """With the largest data that Losant allows, each tool stays within, and says what it cut."""
    calls = _calls(huge.fill(sandbox))
    client = await connect(result_tokens=tokens)
    for name, arguments in calls:
        found = await result(client, name, **arguments)
        assert size(found) <= tokens * BYTES_PER_TOKEN, (name, arguments)
        if "rows" in found and found["total"]:
            assert found["returned"] >= 1, name
            left = found["total"] - found["returned"]
            assert bool(left) == ("next" in found), name


async def _follow(client: Client, name: str, given: dict[str, Any]) -> list[list[Any]]:
    """The rows of all pages; each call has at most what ``next`` said."""
    rows: list[list[Any]] = []
    arguments: dict[str, Any] | None = dict(given)
    for _ in range(2000):
        assert arguments is not None
        found = await result(client, name, **arguments)
        rows += found["rows"]
        left_out = ("truncated" in found) and "next is without" in found["truncated"]
        if "next" not in found:
            return rows
        arguments = {**(arguments if left_out else {}), **found["next"]}
    raise AssertionError("next never ends")


@pytest.mark.parametrize("tokens", [500, 3000])
@pytest.mark.parametrize(
    ("name", "given", "source"),
    [
        ("list_events", {"fields": ["id", "subject", "message"]}, "events"),
        ("list_events", {"perPage": 7, "page": 0}, "events"),
        ("list_events", {"query": LONG, "fields": ["id"]}, "events"),
        ("list_data_tables", {}, "data_tables"),
        ("list_rows", {**TABLE, "limit": 40}, f"rows_{huge.TABLE}"),
        ("query_rows", {**TABLE, "query": {}}, f"rows_{huge.TABLE}"),
        ("list_devices", {}, "devices WHERE deletedAt IS NULL"),
        ("list_jobs", {}, "jobs"),
    ],
)
async def test_following_next_shows_every_id_exactly_once(
    connect: Connect,
    sandbox: Sandbox,
    tokens: int,
    name: str,
    given: dict[str, Any],
    source: str,
) -> None:
    """However a page was cut, the next one goes on where it ended."""
    huge.fill(sandbox)
    client = await connect(result_tokens=tokens)
    expected = [row["id"] for row in sandbox.store.rows(f"SELECT id FROM {source}")]
    found = [row[0] for row in await _follow(client, name, given)]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("tokens", [500, 4000])
@pytest.mark.parametrize(
    "given",
    [
        {"resolution": 14_400_000},
        {"resolution": 14_400_000, "order": "desc"},
        {"aggregation": "NONE", "duration": 7_200_000},
        {"aggregation": "NONE", "duration": 7_200_000, "order": "desc"},
    ],
)
async def test_following_a_time_series_shows_every_point_exactly_once(
    connect: Connect, sandbox: Sandbox, tokens: int, given: dict[str, Any]
) -> None:
    """Lines of many devices at the same moment are not lost between two pages."""
    some = {"deviceQuery": {"name": {"$contains": "Pump"}}, "attributes": ["flow"], **given}
    wide = await result(await connect(result_tokens=100_000), "query_time_series", **some)
    window = {**some, **wide["window"]}
    window.pop("duration", None)
    client = await connect(result_tokens=tokens)
    rows = await _follow(client, "query_time_series", window)
    assert len(rows) == wide["total"]
    assert rows == wide["rows"]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_raw_points_beyond_the_limit_of_a_device_follow(
    connect: Connect, sandbox: Sandbox, order: str
) -> None:
    """A busy device is cut at its limit; the others wait for it, and nothing is skipped."""
    ids = ids_in(sandbox.store)
    start = sandbox.store.clock() - 86_400_000
    with sandbox.store.transaction(write=True) as db:
        db.executemany(
            "INSERT OR REPLACE INTO points VALUES (?, 'flow', ?, ?)",
            [(ids.device, start + n * 20_000, float(n)) for n in range(2500)],
        )
    client = await connect(result_tokens=50_000)
    window = {"aggregation": "NONE", "attributes": ["flow"], "order": order}
    window |= {"start": str(start - 1), "end": str(start + 60_000_000)}
    pumps = {"deviceQuery": {"name": {"$startsWith": "Alder"}}}
    rows = await _follow(client, "query_time_series", {**window, **pumps})
    [(expected,)] = sandbox.store.rows(
        "SELECT COUNT(*) FROM points p JOIN devices d ON d.id = p.deviceId WHERE attribute = 'flow'"
        " AND d.name LIKE 'Alder%' AND time >= ? AND time < ?",
        start - 1,
        start + 60_000_000,
    )
    assert len({tuple(row[:2]) for row in rows}) == len(rows) == expected
    # A time with a fraction comes before the same without one, but for what ends both.
    times = [row[0].removesuffix("Z") for row in rows]
    assert times == sorted(times, reverse=order == "desc")


async def test_a_limit_that_was_asked_for_is_kept_and_told(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Who wants the last three points of a device gets three, and learns that there are more."""
    client = await connect()
    pumps = {"deviceQuery": {"name": {"$startsWith": "Alder"}}, "attributes": ["flow"]}
    found = await result(
        client, "query_time_series", **pumps, aggregation="NONE", limit=3, order="desc"
    )
    assert found["total"] == 6
    assert "next" not in found
    assert found["limited"] == "2 devices may have more than 3 points"


async def test_last_values_go_on_by_offset(connect: Connect, sandbox: Sandbox) -> None:
    """Many devices take several pages, at the same moment."""
    huge.fill(sandbox)
    client = await connect(result_tokens=1000)
    rows = await _follow(client, "query_last_values", {"attribute": "flow", "deviceQuery": {}})
    whole = await result(
        await connect(result_tokens=100_000), "query_last_values", attribute="flow", deviceQuery={}
    )
    assert [row[0] for row in rows] == cells(whole, "deviceId")


async def test_what_is_cut_is_named(connect: Connect, sandbox: Sandbox) -> None:
    """Rows, columns and texts: how many, and which tool gives all."""
    ids = huge.fill(sandbox)
    client = await connect(result_tokens=1000)
    found = await result(client, "list_rows", **TABLE)
    assert "rows left out by the token budget" in found["truncated"]
    assert f"{53 - len(found['columns'])} of 53 columns left out" in found["truncated"]
    rich = await connect(result_tokens=50_000)
    events = await result(rich, "list_events", fields=["id", "message"], perPage=3)
    assert events["truncated"] == "3 long texts shortened; get_event gives all"
    assert events["rows"][0][1].endswith("mmm… [32767 characters]")
    single_event = await result(client, "get_event", eventId=ids.event)
    assert "LOSANT_MCP_RESULT_TOKENS" in single_event["truncated"]


@pytest.mark.parametrize(
    ("name", "given", "hint"),
    [
        ("list_events", {"filter": "zzz"}, 'matches {"filter":"zzz"}. Loosen one condition'),
        ("list_events", {"page": 99}, "Page 99 is past the end: 2000 events match."),
        ("list_data_tables", {"filter": "zzz"}, "No table's name fits 'zzz'"),
        ("list_data_tables", {"page": 9}, "Page 9 is past the end: there are 5 tables."),
        ("list_rows", {"dataTableId": "sites", "offset": 99}, "offset 99 is past the end: 20"),
        ("query_rows", {"dataTableId": "sites", "query": {"name": "alder"}}, "would match 1."),
        (
            "query_rows",
            {"dataTableId": "sites", "query": {"district": "North", "kind": "silo"}},
            'Alone, {"district":"North"} matches 5; {"kind":"silo"} matches nothing.',
        ),
        (
            "list_events",
            {"state": "new", "query": {"subject": "nobody"}},
            '{"subject":"nobody"} matches nothing; {"state":"new"} matches',
        ),
        ("list_devices", {"filter": "zzz"}, 'No device matches {"filterField"'),
        ("list_devices", {"page": 9}, "Page 9 is past the end: 45 devices match."),
        ("query_time_series", {"deviceTags": [{"key": "nope"}]}, "No device fits."),
        (
            "query_time_series",
            {"deviceQuery": {"name": "Alder Street Pump 1"}, "attributes": ["nope"]},
            "1 devices fit but reported nothing",
        ),
        (
            "query_last_values",
            {"deviceQuery": {}, "attribute": "nope"},
            "No chosen device has reported 'nope'",
        ),
    ],
)
async def test_an_empty_result_explains_itself(
    connect: Connect, name: str, given: dict[str, Any], hint: str
) -> None:
    """What was searched, and which clause is the likely reason."""
    client = await connect()
    found = await result(client, name, **given)
    assert found["rows"] == []
    assert hint in found["hint"], found["hint"]


@given(
    st.integers(1, 400),
    st.integers(1, 120),
    st.lists(st.integers(1, 60), min_size=1, max_size=40),
)
def test_pages_cut_anywhere_show_every_item_exactly_once(
    mode: str, total: int, size: int, fits: list[int]
) -> None:
    """Whatever fits into each page, the pages meet."""
    page = 0
    shown_all: list[int] = []
    for turn in range(2000):
        items = list(range(total))[page * size : (page + 1) * size]
        fit = min(len(items), fits[turn % len(fits)])
        rule = pages({}, page=page, size=size, total=total)
        shown, following = rule(fit, cut=fit < len(items))
        assert 1 <= shown <= fit
        shown_all += items[:shown]
        if following is None:
            break
        page, size = following["page"], following["perPage"]
    assert shown_all == list(range(total))


@given(st.integers(1, 300), st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_offsets_show_every_item_exactly_once(mode: str, total: int, fits: list[int]) -> None:
    """The same for collections that are paged by offset."""
    offset = 0
    shown_all: list[int] = []
    for turn in range(400):
        fit = min(total - offset, fits[turn % len(fits)])
        shown, following = offsets({}, offset=offset, total=total)(fit, cut=offset + fit < total)
        shown_all += range(offset, offset + shown)
        if following is None:
            break
        offset = following["offset"]
    assert shown_all == list(range(total))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=2000),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=300), inner),
    max_leaves=60,
)


@given(JSON, st.sampled_from([500, 1000, 8000]))
@settings(max_examples=60)
def test_any_single_object_fits(mode: str, value: object, tokens: int) -> None:
    """Quotes and line breaks take more room inside JSON than outside; the budget holds."""
    found = single("object", value, tokens=tokens)
    assert size(found) <= tokens * BYTES_PER_TOKEN


CELL = st.none() | st.booleans() | st.floats() | st.text(max_size=900) | st.lists(st.text())


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdef"), CELL, max_size=6), max_size=12),
    st.sampled_from([500, 1000, 8000]),
)
@settings(max_examples=40)
def test_any_listing_fits(mode: str, items: list[dict[str, object]], tokens: int) -> None:
    """The same for rows of cells."""
    rule = offsets({}, offset=0, total=len(items))
    found = listing(list("abcdef"), items, total=len(items), tokens=tokens, paging=rule)
    assert size(found) <= tokens * BYTES_PER_TOKEN
    assert found["returned"] == len(found["rows"])
    assert ("next" in found) == (found["returned"] < len(items))
