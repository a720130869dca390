"""Restores that stop in the middle: killed, cut off, unanswered; none makes duplicates."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

from losant_mcp.api.tables import DataTable, DataTableColumn, DataTablePost, RowInsert
from losant_mcp.client import LosantClient
from losant_mcp.errors import NoAnswer
from losant_mcp.guard import restore_rows
from losant_mcp.guard.backups import BackupBusy
from losant_mcp.guard.restore import RestoreStopped
from tests.guard.backing_up import backups_in, contents
from tests.guard.restoring import Case, writing_nothing
from tests.served import Sandbox

NEW = ("id", "createdAt", "updatedAt")
POST = "dataTableRows.post"
BATCH = 100
ROWS = 350


@pytest.fixture
async def case(
    losant: LosantClient, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Case:
    """A backup folder beside the demo, and batches that make a few rows many."""
    monkeypatch.setattr(restore_rows, "BATCH", BATCH)
    return Case(losant, sandbox, backups_in(tmp_path))


@pytest.fixture(params=["unique", "without unique"])
async def table(case: Case, request: pytest.FixtureRequest) -> DataTable:
    """A table that was backed up and emptied; without a unique column, many rows are equal."""
    unique = request.param == "unique"
    columns = [
        DataTableColumn(name="n", dataType="number", constraint="unique" if unique else "optional"),
        DataTableColumn(name="text", dataType="string", constraint="optional"),
    ]
    made = await case.client.data_tables_post(
        **case.at, body=DataTablePost(name="readings", columns=columns)
    )
    rows: list[dict[str, Any]] = [
        {"n": n if unique else n % 7, "text": None if n % 3 else "x"} for n in range(ROWS)
    ]
    await case.client.data_table_rows_post(**case.at, dataTableId=made.id, body=RowInsert(rows))
    await case.back_up("rows", await case.rows(made), table=made)
    await case.client.data_table_rows_truncate(**case.at, dataTableId=made.id)
    return made


async def _whole(case: Case, table: DataTable) -> bool:
    """Whether the table has exactly the rows of the backup."""
    async with case.backups.open(case.manifest) as source:
        kept = [row async for chunk in source.chunks(1000) for row in chunk]
    return contents(await case.rows(table), without=NEW) == contents(kept, without=NEW)


def _journal(case: Case, folder: Path) -> Path:
    return folder / f"{case.manifest.id}.journal"


async def test_a_budget_that_ends_in_the_middle_says_how_far_it_came(
    case: Case, table: DataTable, tmp_path: Path
) -> None:
    """After two batches the restore stops, says so, and another one brings the rest."""
    case.fail_at = 2
    with pytest.raises(RestoreStopped) as caught:
        await case.restore()
    assert (caught.value.known.restored, caught.value.known.total) == (200, ROWS)
    assert len(await case.rows(table)) == 200
    case.fail_at = None
    await case.restarted(tmp_path)
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (150, 200)
    assert await _whole(case, table)


_KILLED = """
import os, signal, sys
from pathlib import Path
import anyio
from pydantic import SecretStr
from losant_mcp.client import LosantClient
from losant_mcp.guard import restore_rows
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.restore import restore

restore_rows.BATCH = 100

async def main():
    url, token, folder = sys.argv[1:]
    backups = Backups(Path(folder))
    [manifest] = backups.read_all()
    batches = []

    async def remember(batch):
        batches.append(batch)
        if len(batches) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    async with LosantClient(SecretStr(token), base_url=url) as client:
        await restore(client, backups, manifest, remember=remember)

anyio.run(main)
"""


async def test_a_killed_restore_goes_on(case: Case, table: DataTable, tmp_path: Path) -> None:
    """After SIGKILL between two batches, the next process brings the rest, and no row twice."""
    if not hasattr(signal, "SIGKILL"):
        pytest.skip("this platform cannot kill so")
    command = [sys.executable, "-c", _KILLED]
    command += [case.sandbox.url, case.sandbox.tokens["full"], str(tmp_path)]
    root = Path(__file__).parents[2]
    ended = await run_sync(partial(subprocess.run, command, cwd=root, check=False))
    assert ended.returncode == -signal.SIGKILL
    assert len(await case.rows(table)) == 200
    await case.restarted(tmp_path)
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (150, 200)
    assert await _whole(case, table)


def _without_last_answer(lines: Sequence[bytes]) -> list[bytes]:
    return list(lines[:-1])


def _cut_in_the_last_line(lines: Sequence[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][: len(lines[-1]) // 2]]


@pytest.mark.parametrize("crash", [_without_last_answer, _cut_in_the_last_line])
async def test_a_crash_before_an_answer_was_noted_makes_no_duplicates(
    case: Case, table: DataTable, tmp_path: Path, crash: Any
) -> None:
    """Rows that were sent, and of which the journal does not know more, are found again."""
    case.fail_at = 2
    with pytest.raises(RestoreStopped):
        await case.restore()
    path = _journal(case, tmp_path)
    path.write_bytes(b"".join(crash(path.read_bytes().splitlines(keepends=True))))
    case.fail_at = None
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (250, 100)
    assert await _whole(case, table)


async def test_a_crash_before_the_request_loses_nothing(
    case: Case, table: DataTable, tmp_path: Path
) -> None:
    """Rows that were about to be sent, and were not, are sent by the next restore."""
    case.fail_at = 1
    with pytest.raises(RestoreStopped):
        await case.restore()
    async with case.backups.open(case.manifest) as source:
        kept = [row["id"] async for chunk in source.chunks(1000) for row in chunk]
    with _journal(case, tmp_path).open("a") as file:
        line = {"begun": kept[100:200], "to": table.id, "at": case.time.store.clock()}
        file.write(f"{json.dumps(line)}\n")
    case.fail_at = None
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (250, 100)
    assert await _whole(case, table)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after"},
        {"kind": "drop_before"},
        {"kind": "reset"},
        {"kind": "truncated_json"},
        {"kind": "status", "status": 503},
        {"kind": "html", "status": 200},
    ],
    ids=lambda fault: str(fault["kind"]),
)
async def test_an_insert_without_an_answer_is_looked_up(
    case: Case, table: DataTable, fault: dict[str, Any]
) -> None:
    """Whether the rows arrived or not, they are there once in the end."""
    case.set_faults({"endpoint": POST, "times": 2, **fault})
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (ROWS, 0)
    assert await _whole(case, table)


async def test_where_nothing_can_be_looked_up_the_restore_stops(
    case: Case, table: DataTable, tmp_path: Path
) -> None:
    """Without an answer and without a way to look, nothing is sent twice; the next one looks."""
    case.set_faults(
        {"endpoint": POST, "times": 1, "kind": "drop_after"},
        {"endpoint": "dataTableRows.query", "kind": "status", "status": 500},
    )
    with pytest.raises(RestoreStopped) as caught:
        await case.restore()
    assert caught.value.known.restored == 0
    case.set_faults()
    await case.restarted(tmp_path)
    outcome = await case.restore()
    assert outcome.restored == ROWS
    assert await _whole(case, table)


async def test_a_losant_that_never_answers_is_given_up(case: Case, table: DataTable) -> None:
    """After a few tries the error is told, and how to go on."""
    case.set_faults({"endpoint": POST, "kind": "drop_before"})
    with pytest.raises(RestoreStopped) as caught:
        await case.restore()
    assert isinstance(caught.value.cause, NoAnswer)
    assert "restore_backup again" in caught.value.hint
    case.set_faults()
    await case.restore()
    assert await _whole(case, table)


async def test_too_many_requests_are_waited_for(case: Case, table: DataTable) -> None:
    """A 429 is no refusal: the wait that Losant asks for passes, and the rows come."""
    case.set_faults(
        {"endpoint": POST, "times": 2, "kind": "status", "status": 429, "retryAfter": 7}
    )
    outcome = await case.restore()
    assert (outcome.restored, case.time.seconds) == (ROWS, 14)


async def test_a_cancelled_restore_goes_on(case: Case, table: DataTable) -> None:
    """A cancellation between batches ends the restore at once, and another one goes on."""
    with anyio.CancelScope() as scope:

        async def progress(done: float, total: float | None, what: str) -> None:
            if done == 200:
                scope.cancel()

        await case.restore(progress=progress)
    assert scope.cancelled_caught
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (150, 200)
    assert await _whole(case, table)


async def test_two_restores_at_once_are_one(case: Case, table: DataTable) -> None:
    """While a restore runs, another one of the same backup is refused."""

    async def progress(done: float, total: float | None, what: str) -> None:
        with pytest.raises(BackupBusy):
            await case.restore()

    await case.restore(progress=progress)
    assert await _whole(case, table)


# ---- making the table ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_a_table_whose_creation_was_not_answered_is_made_once(
    case: Case, table: DataTable, tmp_path: Path, kind: str
) -> None:
    """The table that a lost answer made is taken; where it made none, the next call makes it."""
    async with case.backups.open(case.manifest) as source:
        kept = [row async for chunk in source.chunks(1000) for row in chunk]
    await case.backups.prune(max_bytes=0)
    await case.back_up("table", kept, table=table)
    await case.client.data_table_delete(**case.at, dataTableId=table.id)
    case.set_faults({"endpoint": "dataTables.post", "times": 1, "kind": kind})
    if kind == "drop_before":
        with pytest.raises(RestoreStopped):
            await case.restore()
        await case.restarted(tmp_path)
    outcome = await case.restore()
    assert outcome.target_name == "readings"
    assert await _whole(case, await case.table("readings"))


async def test_a_table_that_was_made_before_a_crash_is_taken(
    case: Case, table: DataTable, tmp_path: Path
) -> None:
    """A crash between the table and its first row leaves one table, not two."""
    async with case.backups.open(case.manifest) as source:
        kept = [row async for chunk in source.chunks(1000) for row in chunk]
    await case.backups.prune(max_bytes=0)
    await case.back_up("table", kept, table=table)
    await case.client.data_table_delete(**case.at, dataTableId=table.id)
    case.fail_at = 1
    with pytest.raises(RestoreStopped):
        await case.restore()
    path = _journal(case, tmp_path)
    path.write_bytes(b"".join(_without_last_answer(path.read_bytes().splitlines(keepends=True))))
    case.fail_at = None
    outcome = await case.restore()
    assert [batch.what for batch in case.written].count("table") == 1
    assert outcome.target_name == "readings"
    assert await _whole(case, await case.table("readings"))
    with writing_nothing(case):
        await case.restore()
