"""How long a digest of 50,000 events takes: read from the sandbox over HTTP, counted, told.

Beside it the same pages read one after the other and thrown away, which is what a client without
a digest would begin with. The sandbox is another process; a latency is injected where one is
named.
"""

from __future__ import annotations

import json
import random
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import anyio
import httpx
from pydantic import SecretStr

from benchmarks.figure import Figure
from benchmarks.processes import sandbox
from losant_mcp.analysis.digest import Scope, digest
from losant_mcp.analysis.digest_counts import Tally
from losant_mcp.analysis.digest_report import report
from losant_mcp.api.events import Event
from losant_mcp.client import LosantClient
from losant_mcp.sandbox.demo import seed
from losant_mcp.sandbox.demo.write import insert
from losant_mcp.sandbox.store import Store

EVENTS = 50_000
PAGE = 1_000
LATENCY = 50
RUNS = 3
HOUR = 3_600_000
SUBJECTS = ("Low suction pressure: {:.2f} bar", "Fault {:.0f}", "Link of unit {:.0f} lost")


def figures() -> Iterator[Figure]:
    """Seconds with and without latency, events counted a second, and what the counting keeps."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "events.sqlite")
        now = _store(file)
        with sandbox("--database", str(file), "--empty") as facts:
            for latency in (0, LATENCY):
                _delay(facts, latency)
                took = [anyio.run(_digest, facts, now) for _ in range(RUNS)]
                behind = f", {latency} ms away" if latency else ""
                yield Figure(
                    f"digest of {EVENTS:,} events{behind}",
                    "s",
                    median(took),
                    _pages(facts, now),
                    "its pages read one by one",
                )
    yield Figure("digest: counting alone", "events/s", EVENTS / _counting(now))
    yield Figure("digest: memory kept after counting", "MB", _kept(now))


def _store(file: Path) -> int:
    """Store the events of a day; returns its end in ms."""
    store = Store(file)
    application = seed(store, empty=True)
    now = store.clock()
    with store.transaction(write=True) as db:
        insert(db, "events", [_row(application, now, event) for event in _events(now)])
    store.close()
    return now


def _events(now: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(11)
    for number in range(EVENTS):
        subject = SUBJECTS[number % len(SUBJECTS)].format(rng.uniform(0, 20))
        yield {
            "id": f"{rng.getrandbits(96):024x}",
            "at": now - 24 * HOUR + number * 24 * HOUR // EVENTS,
            "level": rng.choices(range(4), (50, 30, 18, 2))[0],
            "state": rng.randrange(3),
            "subject": subject,
            "deviceId": f"{number % 300:024x}",
        }


def _row(application: str, now: int, event: dict[str, Any]) -> dict[str, Any]:
    at = event.pop("at")
    return {"applicationId": application, "creationDate": at, "lastUpdated": at, **event}


def _delay(facts: dict[str, Any], latency: int) -> None:
    rules = [{"kind": "latency", "ms": latency}] if latency else []
    httpx.put(f"{facts['url']}/sandbox/faults", json=rules).raise_for_status()


async def _digest(facts: dict[str, Any], now: int) -> float:
    token = SecretStr(facts["tokens"]["full"])
    async with LosantClient(token, base_url=facts["url"]) as losant:
        started = perf_counter()
        found = await digest(
            losant,
            Scope(facts["applicationId"], now - 24 * HOUR, now),
            group_by=("subject", "device"),
            local=lambda moment: moment,
            open_hours=24,
            most=1_000_000,
        )
        told = report(found, roll_up=True)
        took = perf_counter() - started
    assert (told["total"], told["exact"]) == (EVENTS, True)
    return took


def _pages(facts: dict[str, Any], now: int) -> float:
    headers = {"Authorization": f"Bearer {facts['tokens']['full']}"}
    path = f"{facts['url']}/applications/{facts['applicationId']}/events"
    window = {"creationDate": {"$gte": now - 24 * HOUR, "$lt": now}}
    with httpx.Client(headers=headers, timeout=60) as http:
        started = perf_counter()
        for page in range(EVENTS // PAGE):
            params: dict[str, Any] = {"page": page, "perPage": PAGE, "query": json.dumps(window)}
            assert len(http.get(path, params=params).raise_for_status().json()["items"]) == PAGE
        return perf_counter() - started


def _counted(now: int) -> tuple[Tally, float]:
    events = [Event.model_validate({**e, "level": "error", "state": "new"}) for e in _events(now)]
    tally = Tally(("subject", "device"), lambda moment: moment)
    started = perf_counter()
    tally.add(events, otherwise=now)
    return tally, perf_counter() - started


def _counting(now: int) -> float:
    return median(_counted(now)[1] for _ in range(RUNS))


def _kept(now: int) -> float:
    tracemalloc.start()
    try:
        tally, _ = _counted(now)
        assert tally.total == EVENTS
        return tracemalloc.get_traced_memory()[0] / 1e6
    finally:
        tracemalloc.stop()
