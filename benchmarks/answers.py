"""What a model pays for canonical answers, beside the API's own JSON as it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from benchmarks.assistants import Ours, Plain, assistants
from benchmarks.counting import compact, count
from benchmarks.figure import Figure
from benchmarks.processes import sandbox

BY_SITE = "SELECT siteCode, category, count(*) AS n FROM shift_notes GROUP BY ALL ORDER BY ALL"


def figures() -> Iterator[Figure]:
    """A hundred events, a page of a table, the night of a storm, an aggregate of 5,000 rows."""
    with sandbox() as facts, TemporaryDirectory() as folder:
        found = anyio.run(_answers, facts, Path(folder))
    for what, (ours, plain) in found.items():
        yield Figure(f"answer: {what}", "tokens", ours, plain, "API JSON as sent")


async def _answers(facts: dict[str, Any], folder: Path) -> dict[str, tuple[int, int]]:
    async with assistants(facts, folder, result_tokens=100_000) as (ours, plain):
        night = round((datetime.now(UTC) - timedelta(hours=24)).timestamp() * 1000)
        tables = (await plain.get("data-tables"))["items"]
        ids = {table["name"]: table["id"] for table in tables}
        return {
            "100 events": (
                await _size(ours, "list_events", perPage=100),
                await _sent(plain, "events", perPage=100),
            ),
            "100 rows of a table": (
                await _size(ours, "list_rows", dataTableId="assets", limit=100),
                await _sent(plain, f"data-tables/{ids['assets']}/rows", limit=100),
            ),
            "the night of a storm, 502 events": (
                await _size(ours, "summarize_events", start="-24h"),
                await _sent(plain, "events", query={"creationDate": {"$gte": night}}, perPage=1000),
            ),
            "an aggregate over 5,000 rows": (
                await _size(ours, "query_sql", sql=BY_SITE),
                await _sent(plain, f"data-tables/{ids['shift_notes']}/rows", limit=10_000),
            ),
        }


async def _size(ours: Ours, name: str, **arguments: Any) -> int:
    return count(compact(await ours.do(name, **arguments)))


async def _sent(plain: Plain, path: str, **params: Any) -> int:
    before = plain.tokens
    await plain.get(path, **params)
    asked = {"name": f"GET {path}", "arguments": {**params, "body": None}}
    return plain.tokens - before - count(compact(asked))
