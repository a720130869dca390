"""SQL over whole tables: how long the first question waits, and the next, and what it takes.

A sandbox in a process of its own serves tables of 8 columns. Each measurement runs in a fresh
process, so that its peak memory is its own; the child's is asked of the child. The alternative
is what a script does with Losant's own Python client: pages of 1,000, one after the other. The
sandbox's serving limit is what our client gets of it, eight requests at a time, when nothing is
done with the pages.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import anyio
import httpx
from losant_rest import Client
from pydantic import SecretStr

from benchmarks.figure import Figure
from benchmarks.processes import environment, sandbox
from losant_mcp.analysis.sources import Window, source_of
from losant_mcp.analysis.workbench import Workbench
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import CONCURRENT

SMALL, LARGE = 100_000, 1_000_000
BATCH = 25_000
PAGE = 1_000
MIB = 1024 * 1024

WARM_MS = 100
MEMORY_MB = 600
# At so many ms of latency, at most this share of the official client's time.
SHARES = {50: 1 / 3, 200: 1 / 6}

COLUMNS = {
    "site": "string",
    "asset": "string",
    "reading": "number",
    "count": "number",
    "ok": "boolean",
    "note": "string",
    "cost": "number",
    "kind": "string",
}
GROUP_BY = 'SELECT site, kind, count(*), avg(reading), sum(cost) FROM "{}" GROUP BY ALL'


def figures() -> Iterator[Figure]:
    """Cold loads, warm questions and memory of 100,000 and 1,000,000 rows."""
    with sandbox("--empty") as facts:
        for size in (SMALL, LARGE):
            facts[f"table{size}"] = _fill(facts, size)
            found = _measured(facts, size)
            name = f"{size:,} rows"
            limit = found["serving"]
            yield Figure(
                f"{name}: cold load and first answer", "s", found["cold"], limit, "serving limit"
            )
            yield Figure(f"{name}: rows a second", "rows/s", size / found["cold"])
            yield Figure(f"{name}: warm group-by, whole call", "ms", found["warm"], limit=WARM_MS)
            yield Figure(f"{name}: the same in the child alone", "ms", found["engine"])
            yield Figure(
                f"{name}: peak memory of both processes", "MB", found["memory"], limit=MEMORY_MB
            )
        for latency, share in SHARES.items():
            _set_latency(facts, latency)
            ours = _measured(facts, SMALL)["cold"]
            yield Figure(
                f"{SMALL:,} rows at {latency} ms of latency",
                "s",
                ours,
                _official(facts, SMALL),
                "losant-rest, page by page",
                "ratio",
                share,
            )


def _http(facts: dict[str, Any]) -> httpx.Client:
    headers = {"Authorization": f"Bearer {facts['tokens']['full']}"}
    return httpx.Client(base_url=facts["url"], headers=headers, timeout=120)


def _set_latency(facts: dict[str, Any], ms: int) -> None:
    with _http(facts) as http:
        http.put("/sandbox/faults", json=[{"kind": "latency", "ms": ms}]).raise_for_status()


def _fill(facts: dict[str, Any], size: int) -> str:
    """The name of a new table of so many rows."""
    name = f"readings {size}"
    tables = f"/applications/{facts['applicationId']}/data-tables"
    columns = [
        {"name": column, "dataType": kind, "constraint": "optional"}
        for column, kind in COLUMNS.items()
    ]
    rng = random.Random(size)
    with _http(facts) as http:
        made = http.post(tables, json={"name": name, "columns": columns}).raise_for_status()
        path = f"{tables}/{made.json()['id']}/rows"
        for start in range(0, size, BATCH):
            rows = [_row(rng, number) for number in range(start, min(start + BATCH, size))]
            http.post(path, json=rows).raise_for_status()
    return name


def _row(rng: random.Random, number: int) -> dict[str, Any]:
    return {
        "site": rng.choice(("ALD", "BEA", "BRK", "CAN", "CED")),
        "asset": f"PU-{rng.randrange(5000):04d}",
        "reading": round(rng.uniform(0, 100), 3),
        "count": rng.randrange(1000),
        "ok": rng.random() < 0.9,
        "note": f"checked at night by crew {number % 17}" if number % 3 == 0 else None,
        "cost": round(rng.lognormvariate(3, 1), 2),
        "kind": rng.choice(("pump", "valve", "motor")),
    }


def _official(facts: dict[str, Any], size: int) -> float:
    """The seconds of reading all rows with Losant's own client."""
    client = Client(auth_token=facts["tokens"]["full"], url=facts["url"])
    application = facts["applicationId"]
    tables = client.data_tables.get(applicationId=application)["items"]
    [table] = [t["id"] for t in tables if t["name"] == facts[f"table{size}"]]
    started = perf_counter()
    rows: list[Any] = []
    while True:
        page = client.data_table_rows.get(
            applicationId=application,
            dataTableId=table,
            sortColumn="id",
            limit=PAGE,
            offset=len(rows),
        )
        rows += page["items"]
        if len(rows) >= page["totalCount"]:
            break
    assert len(rows) == size
    return perf_counter() - started


# ---- in a process of its own ---------------------------------------------------------------


def _measured(facts: dict[str, Any], size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.workbench", json.dumps(facts), str(size)]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _measure(facts: dict[str, Any], size: int) -> dict[str, float]:
    """Seconds of the cold question, ms of the warm ones, MB of both processes, serving limit."""
    application, sql = facts["applicationId"], GROUP_BY.format(facts[f"table{size}"])
    token = SecretStr(facts["tokens"]["full"])
    async with LosantClient(token, base_url=facts["url"]) as client, Workbench() as workbench:
        ask = partial(workbench.query, client, application, sql)
        started = perf_counter()
        answer = await ask()
        cold = perf_counter() - started
        assert answer.exact
        assert sum(row[2] for row in answer.rows) == size
        warm = [await _seconds(ask) for _ in range(9)]
        [desk] = workbench._desks.values()
        [table] = desk.tables.values()
        message = {
            "op": "query",
            "sql": sql,
            "views": [{"name": facts[f"table{size}"], "table": table.table}],
            "seconds": 30,
            "rows": 100,
            "size": MIB,
        }
        engine = [await _seconds(partial(desk.child.call, message)) for _ in range(9)]
        found, _ = await desk.child.call({"op": "rest"})
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + found["peak"]) / MIB
        serving = await _serving(client, application, facts[f"table{size}"], size)
    return {
        "cold": cold,
        "warm": median(warm) * 1000,
        "engine": median(engine) * 1000,
        "memory": memory,
        "serving": serving,
    }


async def _seconds(call: Any) -> float:  # an async function without arguments
    started = perf_counter()
    await call()
    return perf_counter() - started


async def _serving(client: LosantClient, application: str, name: str, size: int) -> float:
    """The seconds of fetching all pages and doing nothing with them."""
    tables = await client.data_tables_get(applicationId=application)
    [table] = [table for table in tables.items if table.name == name]
    source = source_of(table, application, window=Window(1), query=None)
    limiter = anyio.CapacityLimiter(CONCURRENT)

    async def fetch(start: int) -> None:
        async with limiter:
            await source.read(client, start=start, size=source.page_size)

    started = perf_counter()
    async with anyio.create_task_group() as tasks:
        for start in range(0, size, source.page_size):
            tasks.start_soon(fetch, start)
    return perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(anyio.run(_measure, json.loads(sys.argv[1]), int(sys.argv[2]))))
