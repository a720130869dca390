"""What safety costs in time and room: backing up and restoring a table of 100,000 rows.

The sandbox runs in a process of its own; the backup is on this disk, flushed and read back, and
the restore keeps its journal there, too. Beside each, the same rows without the guard: read and
forgotten, or inserted. An append to the audit trail is what every step of the guard waits for.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import anyio
from pydantic import SecretStr

from benchmarks.figure import Figure
from benchmarks.processes import sandbox
from losant_mcp.api.tables import DataTable, DataTableColumn, DataTablePost, RowInsert
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import by_offset
from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.backup_manifest import Draft
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.restore import WriteBatch, restore
from losant_mcp.policy import Policy

ROWS = 100_000
BATCH = 1000
APPENDS = 200
KEY = secrets.token_bytes(32)

COLUMNS = (
    DataTableColumn(name="tag", dataType="string", constraint="unique"),
    DataTableColumn(name="reading", dataType="number", constraint="optional"),
    DataTableColumn(name="good", dataType="boolean", constraint="optional"),
    DataTableColumn(name="note", dataType="string", constraint="optional"),
)

Rows = list[dict[str, Any]]


def figures() -> Iterator[Figure]:
    """Rows a second there and back, bytes a row, and what an audit line takes."""
    with sandbox("--empty") as facts, TemporaryDirectory() as folder:
        found = anyio.run(_measure, facts, Path(folder))
    yield Figure("backup of 100,000 rows", "rows/s", found.kept, found.read, "reading them")
    yield Figure("backup of 100,000 rows, encrypted", "rows/s", found.sealed)
    yield Figure("restore of 100,000 rows", "rows/s", found.restored, found.inserted, "inserting")
    yield Figure("restored again: nothing to do", "rows/s", found.again)
    yield Figure("backup size per 1,000 rows", "kB", found.size, found.raw, "as JSON")
    yield Figure("audit line, on the disk, p50", "ms", found.audit)


@dataclass(frozen=True)
class _Found:
    read: float
    kept: float
    sealed: float
    inserted: float
    restored: float
    again: float
    size: float
    raw: float
    audit: float


async def _measure(facts: dict[str, Any], folder: Path) -> _Found:
    token, application = SecretStr(facts["tokens"]["full"]), facts["applicationId"]
    policy = Policy(destroy="open")
    async with LosantClient(token, base_url=facts["url"], policy=policy) as client:
        at = {"applicationId": application}
        body = DataTablePost(name="readings", columns=list(COLUMNS))
        table = await client.data_tables_post(**at, body=body)
        inserting = await _timed(_insert(client, at, table))
        reading = await _timed(_forget(_pages(client, at, table)))

        backups = Backups(folder / "backups")
        backups.prepare()
        draft = Draft(
            kind="rows",
            action="truncate_rows",
            plan_id="benchmark",
            application_id=application,
            api_url=facts["url"],
            principal="benchmark",
            table=table,
        )
        started = perf_counter()
        manifest = await backups.keep(draft, _pages(client, at, table))
        keeping = perf_counter() - started
        sealed = Backups(folder / "backups", key=KEY)
        sealing = await _timed(_ignore(sealed.keep(draft, _pages(client, at, table))))

        await client.data_table_rows_truncate(**at, dataTableId=table.id)

        async def put_back() -> None:
            outcome = await restore(client, backups, manifest, remember=_agree)
            assert outcome.restored + outcome.already == ROWS, outcome

        restoring = await _timed(put_back())
        again = await _timed(put_back())
    audit = await _audit(folder)
    return _Found(
        read=ROWS / reading,
        kept=ROWS / keeping,
        sealed=ROWS / sealing,
        inserted=ROWS / inserting,
        restored=ROWS / restoring,
        again=ROWS / again,
        size=manifest.stored_size / ROWS,
        raw=manifest.size / ROWS,
        audit=audit,
    )


async def _insert(client: LosantClient, at: dict[str, Any], table: DataTable) -> None:
    for start in range(0, ROWS, BATCH):
        rows: Rows = [
            {"tag": f"P-{i}", "reading": i / 7, "good": i % 3 > 0, "note": f"note {i % 900}"}
            for i in range(start, start + BATCH)
        ]
        await client.data_table_rows_post(**at, dataTableId=table.id, body=RowInsert(rows))


async def _pages(
    client: LosantClient, at: dict[str, Any], table: DataTable
) -> AsyncIterator[Sequence[dict[str, Any]]]:
    fetch = partial(client.data_table_rows_get, **at, dataTableId=table.id, sortColumn="id")
    async with by_offset(fetch) as pages:
        async for page in pages:
            yield page.items


async def _forget(chunks: AsyncIterator[Sequence[dict[str, Any]]]) -> None:
    count = sum([len(chunk) async for chunk in chunks])
    assert count == ROWS


async def _ignore(work: Any) -> None:
    await work


async def _agree(batch: WriteBatch) -> None:
    """Let every batch be written."""


async def _timed(work: Any) -> float:
    started = perf_counter()
    await work
    return perf_counter() - started


async def _audit(folder: Path) -> float:
    log = AuditLog(folder / "audit.jsonl", key=KEY, head_path=folder / "audit.head")
    times = [await _timed(log.append("wrote", plan="benchmark", ms=n)) for n in range(APPENDS)]
    return median(times) * 1000
