"""query_sql as a model calls it: columnar, within its budget, and honest about what it read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mcp import Client

from losant_mcp.text import NOTE, clean
from losant_mcp.tools import analysis
from losant_mcp.tools.call import Call
from losant_mcp.tools.spec import TOOLS
from tests.analysis.serving import serving
from tests.calling import refusal, result
from tests.served import Sandbox

SPEC = TOOLS[analysis.query_sql.__name__]


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A client of a server on the demo."""
    async with serving(sandbox, SPEC) as client:
        yield client


async def ask(client: Client, sql: str, **arguments: Any) -> dict[str, Any]:
    """The tool's answer."""
    return await result(client, "query_sql", sql=sql, **arguments)


async def test_an_answer_says_what_it_read(client: Client) -> None:
    """Columns once, rows below, how many rows each table had, and that it is exact."""
    answer = await ask(
        client, "SELECT kind, count(*) AS n FROM sites GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 2"
    )
    assert answer == {
        "note": NOTE,
        "scanned": {"sites": 20},
        "exact": True,
        "columns": ["kind", "n"],
        "rows": [["pumping station", 9], ["boiler house", 5]],
        "returned": 2,
        "total": 2,
    }


async def test_progress_only_grows(client: Client) -> None:
    """Tables that are loaded at once are told as one load, which ends with all their rows."""
    told: list[tuple[float, float | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    sql = "SELECT count(*) FROM events, maintenance_log, shift_notes LIMIT 1"
    await client.call_tool("query_sql", {"sql": f"SELECT ({sql})"}, progress_callback=tell)
    done = [each for each, _ in told]
    assert done == sorted(set(done))
    assert told[-1] == (8_500, 8_500)


class Told:
    """What a client is told, as the SDK's context takes it."""

    def __init__(self) -> None:
        self.progress: list[tuple[float, float | None]] = []

    async def report_progress(self, done: float, total: float | None, message: str) -> None:
        """Keep it."""
        self.progress.append((done, total))


async def test_progress_of_what_begins_anew_is_counted_on_top() -> None:
    """A table that is read again, or a second step, goes on where the first one ended."""
    told: Any = Told()
    nothing: Any = None
    call = Call(nothing, {}, told)
    for done in (0, 5, 10, 4, 4, 10, 3):
        await call.progress(done, 10, "reading")
    await call.progress(7, None, "reading")
    assert told.progress == [
        *((0, 10), (5, 10), (10, 10)),
        *((14, 20), (20, 20), (23, 30), (27, None)),
    ]


async def test_the_window_of_events_is_told(sandbox: Sandbox) -> None:
    """The default is the last 30 days by the server's clock; times may be relative."""
    now = datetime.now(UTC).replace(microsecond=0)
    async with serving(sandbox, SPEC, now=lambda: now) as client:
        answer = await ask(client, "SELECT count(*) AS n FROM events")
        since = (now - timedelta(days=30)).isoformat().replace("+00:00", "Z")
        assert answer["events"] == {"start": since}
        narrow = await ask(client, "SELECT count(*) AS n FROM events", start="-7d", end="-1d")
        assert set(narrow["events"]) == set(narrow["resolved"]) == {"start", "end"}
        assert 0 < narrow["rows"][0][0] < answer["rows"][0][0]


async def test_a_large_result_is_cut_and_says_so(client: Client) -> None:
    """Nothing is cut silently: total, truncated and a way on."""
    answer = await ask(client, "SELECT * FROM maintenance_log ORDER BY ticket")
    assert answer["total"] == 1500
    assert answer["returned"] == len(answer["rows"]) < 1000
    assert "left out by the token budget" in answer["truncated"]
    assert answer["hint"] == (
        "The result has 1500 rows. Aggregate, or page with ORDER BY … LIMIT … OFFSET …."
    )


async def test_an_empty_result_has_a_hint(client: Client) -> None:
    """It says what was read, and where such a result often comes from."""
    answer = await ask(client, "SELECT * FROM sites WHERE name = 'alder street'")
    assert answer["rows"] == []
    assert answer["scanned"] == {"sites": 20}
    assert "ILIKE" in answer["hint"]


async def test_a_table_without_rows_is_told(client: Client) -> None:
    """A prefilter that selects nothing is taken apart, and a window without events is named."""
    answer = await ask(
        client,
        "SELECT count(*) AS n FROM sites, events",
        prefilter={"sites": {"kind": "Depot", "district": "North"}},
        end="-300d",
    )
    assert answer["rows"] == [[0]]
    assert answer["scanned"] == {"sites": 0, "events": 0}
    assert answer["hint"] == (
        'The prefilter of \'sites\' selects none of its rows. Alone, {"kind":"Depot"} matches'
        ' nothing; {"district":"North"} matches 5. {"kind":{"$contains":"Depot","$ci":true}}'
        " would match 1. 'events' has no rows in this window."
    )
    wrong = {"events": {"level": "catastrophic"}}
    answer = await ask(client, "SELECT subject FROM events", prefilter=wrong)
    assert 'matches 2000; {"level":"catastrophic"} matches nothing.' in answer["hint"]


async def test_hostile_cells_are_cleaned_and_labelled(client: Client) -> None:
    """What a cell orders is shown as data, without what a terminal would obey."""
    answer = await ask(
        client,
        "SELECT note FROM shift_notes WHERE note ILIKE '%ignore%' OR note ILIKE '%alarms cleared%'"
        " OR note ILIKE '%gauge' ORDER BY note",
    )
    assert answer["note"] == NOTE
    notes = [row[0] for row in answer["rows"]]
    assert len(notes) >= 3
    assert notes == [clean(note) for note in notes]


async def test_a_prefilter_takes_relative_times(client: Client) -> None:
    """It is an advanced query like any other, and what its times were taken for is told."""
    answer = await ask(
        client,
        "SELECT count(*) AS n FROM maintenance_log",
        prefilter={"maintenance_log": {"createdAt": {"$gte": "-90d"}}},
    )
    assert 0 < answer["rows"][0][0] < 1500
    assert answer["scanned"] == {"maintenance_log": answer["rows"][0][0]}
    assert list(answer["resolved"]) == ["prefilter.maintenance_log.createdAt.$gte"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"sql": "SELECT * FROM nope"}, "There is no table 'nope'"),
        ({"sql": "DELETE FROM sites"}, "Only one SELECT is run."),
        ({"sql": ""}, "sql"),
        ({"sql": "SELECT 1", "prefilter": {"sites": 5}}, "prefilter.sites must be"),
        ({"sql": "SELECT 1", "start": "soon"}, "start: not a time."),
        ({"sql": "FROM sites", "prefilter": {"sites": {"name": {"$regex": "x"}}}}, "$regex"),
    ],
)
async def test_a_refusal_says_why(arguments: dict[str, Any], told: str, client: Client) -> None:
    """Errors are the tool's, short, and name the argument or the way on."""
    assert told in await refusal(client, "query_sql", **arguments)


async def test_too_many_rows_are_refused_by_the_setting(sandbox: Sandbox) -> None:
    """LOSANT_MCP_MAX_ROWS bounds a load."""
    async with serving(sandbox, SPEC, max_rows=100) as client:
        told = await refusal(client, "query_sql", sql="SELECT count(*) FROM maintenance_log")
        assert "1,500 rows here; one load may fetch 100 (LOSANT_MCP_MAX_ROWS)" in told


async def test_a_denied_table_is_refused(sandbox: Sandbox) -> None:
    """The list of tables that are never touched holds in SQL."""
    [sites] = sandbox.store.rows("SELECT id FROM data_tables WHERE name = 'sites'")
    async with serving(sandbox, SPEC, deny=(sites["id"],)) as client:
        told = await refusal(client, "query_sql", sql="SELECT 1 FROM assets, sites")
        assert "never touched" in told
