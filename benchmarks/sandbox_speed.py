"""How fast the sandbox is: bulk inserts, and pages of 1,000 rows sorted by id.

Over HTTP by a plain client, so that only the sandbox's own work is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import perf_counter

import httpx

from benchmarks.figure import Figure
from benchmarks.processes import sandbox

BATCH = 25_000
BATCHES = 4
PAGE = 1_000

COLUMNS = [
    {"name": "tag", "dataType": "string", "constraint": "required"},
    {"name": "reading", "dataType": "number", "constraint": "optional"},
    {"name": "good", "dataType": "boolean", "constraint": "optional"},
    {"name": "note", "dataType": "string", "constraint": "optional"},
]


def figures() -> Iterator[Figure]:
    """Rows a second that the sandbox takes and gives, in a table of 100,000 rows."""
    with sandbox("--empty") as facts:
        headers = {"Authorization": f"Bearer {facts['tokens']['full']}"}
        tables = f"/applications/{facts['applicationId']}/data-tables"
        with httpx.Client(base_url=facts["url"], headers=headers, timeout=60) as http:
            made = http.post(tables, json={"name": "readings", "columns": COLUMNS})
            rows = f"{tables}/{made.raise_for_status().json()['id']}/rows"
            took = [_insert(http, rows, number) for number in range(BATCHES)]
            yield Figure("sandbox: bulk insert", "rows/s", BATCH / median(took))
            pages = [_page(http, rows, offset) for offset in range(0, BATCH * BATCHES, PAGE)]
            yield Figure("sandbox: pages of 1,000 rows", "rows/s", PAGE / median(pages))
            yield Figure(
                "sandbox: the last page of 100,000 rows",
                "ms",
                median(pages[-9:]) * 1000,
                median(pages[:9]) * 1000,
                "the first page",
            )


def _insert(http: httpx.Client, path: str, number: int) -> float:
    body = [
        {"tag": f"P-{number}-{i}", "reading": i / 7, "good": i % 3 > 0, "note": f"note {i}"}
        for i in range(BATCH)
    ]
    started = perf_counter()
    http.post(path, json=body).raise_for_status()
    return perf_counter() - started


def _page(http: httpx.Client, path: str, offset: int) -> float:
    started = perf_counter()
    answer = http.get(path, params={"sortColumn": "id", "limit": PAGE, "offset": offset})
    assert len(answer.raise_for_status().json()["items"]) == PAGE
    return perf_counter() - started
