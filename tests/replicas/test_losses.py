"""A replica, Redis or the volume goes: nothing that was told is lost, and nothing happens twice."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio import to_thread
from mcp import Client, MCPError
from mcp.types import CallToolResult

from tests.calling import asked, content, refusal, result, stored, text_of
from tests.guard.asking import ask, reply, yes_to
from tests.replicas.proxy import RoundRobin
from tests.replicas.serving import Fleet, a_part, client_of, rows_of, until
from tests.served import Sandbox

pytestmark = pytest.mark.xdist_group("replicas")

TABLE = "parts"
ROWS = 300
DELETE = "dataTableRows.delete"
GOING_ON = "It is being carried out"
SOME: dict[str, Any] = {"dataTableId": TABLE, "query": {"stock": {"$gt": 0}}}


async def test_a_run_whose_replica_is_killed_is_told_and_never_repeated(
    hurried_fleet: Fleet, sandbox: Sandbox, tmp_path: Path
) -> None:
    """While its replica lives, it is only told to go on, however long that takes."""
    one, two = hurried_fleet.replicas
    key = hurried_fleet.keys["ann"]
    # Losant deletes, and its answer never comes: the worst moment there is.
    sandbox.set_faults({"kind": "hang", "endpoint": DELETE, "work": "before", "times": 1})
    async with two.client(key) as there, anyio.create_task_group() as tasks:
        async with one.client(key) as here:
            question, state = await ask(here, "delete_rows", **SOME)
        yes = yes_to(question)

        async def answered() -> CallToolResult:
            return await reply(there, "delete_rows", state, yes, **SOME)

        async def agree() -> None:
            with pytest.raises((MCPError, ExceptionGroup, httpx2.HTTPError)):
                async with one.client(key) as client:
                    await reply(client, "delete_rows", state, yes, **SOME)

        tasks.start_soon(agree)

        async def is_deleting() -> bool:
            return DELETE in asked(sandbox)

        await until(is_deleting)
        with contextlib.closing(hurried_fleet.redis.client) as redis:
            began = redis.time()[0]
            while redis.time()[0] - began < 6:  # three times the life of a pulse
                assert GOING_ON in text_of(await answered())
        assert one.process is not None
        await to_thread.run_sync(one.end, signal.SIGKILL)

        async def is_told() -> bool:
            return GOING_ON not in text_of(await answered())

        await until(is_told)
        told = content(await answered())
    assert told["status"] == "interrupted"
    assert told["backupId"].startswith("bak_")
    assert 0 < rows_of(sandbox) < ROWS
    assert asked(sandbox).count(DELETE) == 1
    await to_thread.run_sync(one.begin)
    await to_thread.run_sync(one.wait)
    async with one.client(key) as again:
        assert content(await reply(again, "delete_rows", state, yes, **SOME)) == told
        assert asked(sandbox).count(DELETE) == 1
        back = await result(again, "restore_backup", backupId=told["backupId"])
        assert (back["status"], rows_of(sandbox)) == ("done", ROWS)
    [audit] = (tmp_path / "two").glob("*/audit.jsonl")
    kinds = [json.loads(line)["kind"] for line in audit.read_text().splitlines()]
    assert kinds == ["interrupted"]


async def test_without_redis_nothing_is_destroyed_and_reading_goes_on(
    fleet: Fleet, sandbox: Sandbox, proxied: tuple[str, RoundRobin]
) -> None:
    """Everybody is told within seconds, and afterwards everything works again but for old yeses."""
    url, _ = proxied
    key = fleet.keys["ann"]
    async with (
        client_of(url, key, "auto") as modern,
        client_of(url, key, "legacy") as legacy,
        fleet.replicas[0].client(key) as one,
    ):
        question, state = await ask(one, "truncate_rows", dataTableId=TABLE)
        before = stored(sandbox)
        await to_thread.run_sync(fleet.redis.stop)
        with anyio.fail_after(20):
            for client in (modern, modern, legacy, legacy):
                await _is_closed(client)
                rows = await result(client, "query_rows", dataTableId=TABLE, query={}, limit=1)
                assert rows["total"] == ROWS
            answer = await reply(one, "truncate_rows", state, yes_to(question), dataTableId=TABLE)
            assert answer.is_error
        assert stored(sandbox) == before
        for replica in fleet.replicas:
            await until(_readiness(replica, 503, "failed"))
            assert "losant_mcp_pending_approvals NaN" in await replica.metrics()
        await to_thread.run_sync(fleet.redis.start_again)
        for replica in fleet.replicas:
            await until(_readiness(replica, 200, "ok"))
        late = await reply(one, "truncate_rows", state, yes_to(question), dataTableId=TABLE)
        assert "belongs to no question" in text_of(late)
        assert stored(sandbox) == before
        done = await result(modern, "truncate_rows", dataTableId=TABLE)
        assert (done["status"], rows_of(sandbox)) == ("done", 0)


async def _is_closed(client: Client) -> None:
    told = await refusal(client, "delete_data_table", dataTableId=TABLE)
    legacy = "nobody can be asked"
    assert "The guard's memory cannot be read and written: Redis" in told or legacy in told
    event = (await result(client, "list_events", perPage=1))["rows"][0][0]
    told = await refusal(client, "update_event", eventId=event, comment="x")
    assert "The guard's memory cannot be read and written: Redis" in told


def _readiness(replica: Any, status: int, state: str) -> Any:
    async def is_so() -> bool:
        code, told = await replica.ready()
        return bool(code == status and told["state"] == state)

    return is_so


async def test_a_rolling_restart_loses_no_call(
    fleet: Fleet, sandbox: Sandbox, proxied: tuple[str, RoundRobin]
) -> None:
    """What was said to be inserted is there once, and what was refused is not."""
    url, proxy = proxied
    inserted: list[str] = []
    refused: list[str] = []
    ends = anyio.Event()
    # Calls take a moment, so that some are under way whenever a replica is told to end.
    sandbox.set_faults({"kind": "latency", "endpoint": "dataTableRows.post", "ms": 150})

    async def insert(client: Client, name: str) -> None:
        number = 0
        while not ends.is_set():
            number += 1
            part = f"{name}-{number}"
            try:
                await result(client, "insert_rows", dataTableId=TABLE, rows=[a_part(part)])
            except MCPError:
                refused.append(part)
            else:
                inserted.append(part)

    async with (
        client_of(url, fleet.keys["ann"], "auto") as modern,
        client_of(url, fleet.keys["ann"], "legacy") as legacy,
        anyio.create_task_group() as tasks,
    ):
        for number in range(2):
            tasks.start_soon(insert, modern, f"modern-{number}")
            tasks.start_soon(insert, legacy, f"legacy-{number}")
        codes = []
        for number in range(2):
            before = len(inserted)
            codes.append(await fleet.restart(number))

            async def goes_on(before: int = before) -> bool:
                return len(inserted) > before + 8

            await until(goes_on)
        ends.set()
    assert codes == [0, 0]
    found = sandbox.store.rows("SELECT id FROM data_tables WHERE name = ?", TABLE)[0]["id"]
    rows = sandbox.store.rows(f'SELECT * FROM "rows_{found}"')
    numbers = [value for row in rows for value in tuple(row) if "-" in str(value)]
    assert sorted(set(inserted) & set(numbers)) == sorted(inserted)
    assert rows_of(sandbox) == ROWS + len(inserted)
    # What had come to a replica in the very moment of its end: one for each caller and restart.
    assert len(refused) <= 8
    assert {number for number, _ in proxy.served} == {0, 1}
