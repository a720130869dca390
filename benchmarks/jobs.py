"""Ten canonical jobs, done to the end by two assistants: calls and tokens of each.

Tokens are those of the calls' arguments and results; what the definitions of all tools cost on
top is measured in ``tokens``. An assistant with plain tools must read every row to count or to
add up: whether a model gets thousands of them right is not measured here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from benchmarks.assistants import Ours, Plain, assistants
from benchmarks.figure import Figure
from benchmarks.processes import sandbox

EVENTS_PAGE, ROWS_PAGE = 1000, 10_000
"""The largest pages that Losant gives."""

SEVERE_AND_OVERDUE = """
SELECT s.name, e.severe, count(*) AS overdue FROM sites s
JOIN (SELECT eventTags->>'site' AS siteCode, count(*) AS severe FROM events
      WHERE level IN ('error', 'critical') GROUP BY ALL) e USING (siteCode)
JOIN assets a USING (siteCode) WHERE a.inService AND a.nextServiceDue < today()::VARCHAR
GROUP BY ALL HAVING severe > 5 ORDER BY severe DESC
"""
COST_BY_KIND = """
SELECT kind, count(*) AS tickets, round(sum(cost)) AS cost FROM maintenance_log
JOIN assets USING (assetTag) GROUP BY ALL ORDER BY cost DESC
"""
INCIDENTS_BY_SITE = """
SELECT siteCode, count(*) AS incidents FROM shift_notes
WHERE category = 'incident' GROUP BY ALL ORDER BY incidents DESC LIMIT 5
"""


@dataclass(frozen=True)
class Job:
    """A job as a person would put it, and how each assistant does it."""

    what: str
    ours: Callable[[Ours], Awaitable[object]]
    plain: Callable[[Plain], Awaitable[object]]


def figures() -> Iterator[Figure]:
    """Calls and tokens of each job, and of all of them."""
    with sandbox() as facts, TemporaryDirectory() as folder:
        found = anyio.run(_work, facts, Path(folder))
    for job, ours, plain in found:
        calls = f"calls: {ours.calls} beside {plain.calls}"
        yield Figure(
            f"job: {job.what}", "tokens", ours.tokens, plain.tokens, f"endpoint tools; {calls}"
        )
    yield Figure(
        "all ten jobs",
        "tokens",
        sum(ours.tokens for _, ours, _ in found),
        sum(plain.tokens for _, _, plain in found),
        "endpoint tools",
    )
    yield Figure(
        "all ten jobs",
        "calls",
        sum(ours.calls for _, ours, _ in found),
        sum(plain.calls for _, _, plain in found),
        "endpoint tools",
    )


async def _work(facts: dict[str, Any], folder: Path) -> list[tuple[Job, Ours, Plain]]:
    done = []
    async with assistants(facts, folder) as (ours, plain):
        for job in JOBS:
            one, other = Ours(client=ours.client), Plain(http=plain.http)
            await job.plain(other)
            await job.ours(one)
            done.append((job, one, other))
    return done


def _ago(**span: float) -> int:
    return round((datetime.now(UTC) - timedelta(**span)).timestamp() * 1000)


# ---- how plain tools read all of something ---------------------------------------------------


async def _events(plain: Plain, query: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    while True:
        page = await plain.get(
            "events", query=query, perPage=EVENTS_PAGE, page=len(found) // EVENTS_PAGE
        )
        found += page["items"]
        if len(found) >= page["totalCount"] or not page["items"]:
            return found


async def _table_id(plain: Plain, *names: str) -> list[str]:
    tables = await plain.get("data-tables", perPage=1000)
    ids = {table["name"]: table["id"] for table in tables["items"]}
    return [ids[name] for name in names]


async def _rows(plain: Plain, *names: str) -> None:
    """Read whole tables; first their ids, since names are not enough."""
    for id in await _table_id(plain, *names):
        await plain.get(f"data-tables/{id}/rows", limit=ROWS_PAGE)


# ---- the jobs --------------------------------------------------------------------------------


async def _night_plain(plain: Plain) -> None:
    await _events(plain, {"creationDate": {"$gte": _ago(hours=24)}})


async def _handover_plain(plain: Plain) -> None:
    await _events(plain, {"creationDate": {"$gte": _ago(hours=12)}})
    await _events(plain, {"state": "new", "creationDate": {"$lt": _ago(hours=12)}})


async def _overdue_plain(plain: Plain) -> None:
    await _rows(plain, "sites", "assets")
    severe = {"level": {"$in": ["error", "critical"]}, "creationDate": {"$gte": _ago(days=7)}}
    await _events(plain, severe)


async def _device_ours(ours: Ours) -> None:
    name = "Alder Street Pump 1"
    device = (await ours.do("get_device", deviceId=name))["device"]
    await ours.do("summarize_events", start="-7d", query={"deviceId": device["id"]})
    await ours.do("query_time_series", deviceIds=[name], start="-24h", resolution=3_600_000)


async def _device_plain(plain: Plain) -> None:
    name = "Alder Street Pump 1"
    devices = await plain.get("devices", filterField="name", filter=name)
    [device] = devices["items"]
    await plain.get(f"devices/{device['id']}")
    await _events(plain, {"deviceId": device["id"], "creationDate": {"$gte": _ago(days=7)}})
    body = {"deviceIds": [device["id"]], "start": _ago(hours=24), "resolution": 3_600_000}
    await plain.post("data/time-series-query", body)


async def _search_plain(plain: Plain) -> None:
    await _rows(plain, "maintenance_log")


async def _clean_ours(ours: Ours) -> None:
    done = await ours.do("delete_rows", dataTableId="parts", query={"discontinued": True})
    assert done["removed"] > 0, done


async def _clean_plain(plain: Plain) -> None:
    # Nobody is asked, nothing is kept. Others than ours, so that both have something to delete.
    [id] = await _table_id(plain, "parts")
    await plain.post(f"data-tables/{id}/rows/delete", {"stock": 0, "category": "burner"})


def _parts(prefix: str) -> list[dict[str, Any]]:
    return [
        {
            "partNumber": f"{prefix}-{number:03}",
            "description": "Ball bearing 6308",
            "category": "bearing",
            "stock": number,
        }
        for number in range(50)
    ]


async def _import_ours(ours: Ours) -> None:
    done = await ours.do("insert_rows", dataTableId="parts", rows=_parts("A"))
    assert done["status"] == "done", done


async def _import_plain(plain: Plain) -> None:
    [id] = await _table_id(plain, "parts")
    await plain.post(f"data-tables/{id}/rows", _parts("B"))


JOBS = (
    Job(
        "what is worst now?",
        lambda ours: ours.do("get_most_severe_event"),
        lambda plain: plain.get("events/mostRecentBySeverity"),
    ),
    Job("what happened last night?", lambda ours: ours.do("summarize_events"), _night_plain),
    Job(
        "hand over the shift: 12 hours, and what is still open",
        lambda ours: ours.do("summarize_events", start="-12h", openHours=12),
        _handover_plain,
    ),
    Job(
        "which sites have severe events and overdue service?",
        lambda ours: ours.do("query_sql", sql=SEVERE_AND_OVERDUE.strip(), start="-7d"),
        _overdue_plain,
    ),
    Job(
        "maintenance cost by kind of asset",
        lambda ours: ours.do("query_sql", sql=COST_BY_KIND.strip()),
        lambda plain: _rows(plain, "maintenance_log", "assets"),
    ),
    Job(
        "incidents by site, over 5,000 notes",
        lambda ours: ours.do("query_sql", sql=INCIDENTS_BY_SITE.strip()),
        lambda plain: _rows(plain, "shift_notes"),
    ),
    Job("what is wrong with this pump?", _device_ours, _device_plain),
    Job(
        "which column says 'seal replaced'?",
        lambda ours: ours.do(
            "profile_data_table", dataTableId="maintenance_log", search="seal replaced"
        ),
        _search_plain,
    ),
    Job("remove the discontinued parts", _clean_ours, _clean_plain),
    Job("import 50 parts", _import_ours, _import_plain),
)
