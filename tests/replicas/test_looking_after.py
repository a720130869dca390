"""What a server for many does by itself: tell of dead replicas' runs, keep its volume's place.

No fleet runs beside these tests: it would put its own volume into an emptied Redis.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from losant_mcp.guard import backup_volume
from losant_mcp.guard.backup_volume import BackupVolume
from losant_mcp.guard.redis_store import RedisStore, pulse
from losant_mcp.hosting import tenants
from tests.calling import Mode, cells, refusal, result, stored
from tests.guard.redis_server import SECRET, RedisServer
from tests.guard.stored import LIMITS, a_plan, approve, burn
from tests.hosting.serving import served
from tests.replicas.serving import a_part, client_of, rows_of, settle_volume, until
from tests.served import Sandbox

pytestmark = pytest.mark.xdist_group("replicas")

TABLE = "parts"
ROWS = 300
SOME: dict[str, Any] = {"dataTableId": TABLE, "query": {"stock": {"$gt": 0}}}


async def test_runs_of_a_dead_replica_are_told_though_nobody_asks(
    sandbox: Sandbox, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By any replica on which somebody has written, and whoever's they were."""
    monkeypatch.setattr(tenants, "SWEEP_SECONDS", 0.1)
    monkeypatch.setattr(tenants, "ORPHANS_SECONDS", 0.0)
    monkeypatch.setattr(pulse, "LIFE_SECONDS", 1.0)
    await settle_volume(sandbox, redis, tmp_path)
    dead = RedisStore(redis.url, SECRET, sandbox.url, replica="dead")
    plan = await burn(dead, await approve(dead, await dead.add_plan(a_plan(), LIMITS)))
    assert plan.status == "running"
    async with (
        served(
            sandbox,
            tmp_path,
            auth="keys",
            state_url=redis.url,
            state_key=SECRET,
            backup_dir=tmp_path / "volume",
        ) as host,
        client_of(host.url, host.keys.add("bob", "full")) as client,
    ):
        event = cells(await result(client, "list_events", perPage=1), "id")[0]
        await result(client, "update_event", eventId=event, comment="seen to")

        async def is_told() -> bool:
            found = await dead.plan(plan.id)
            return found is not None and found.outcome is not None

        await until(is_told)
    told = await dead.plan(plan.id)
    assert told is not None
    assert told.status == "interrupted"
    await dead.aclose()


async def test_an_emptied_redis_is_told_of_the_volume_though_nobody_calls(
    sandbox: Sandbox, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a replica that comes with another volume meanwhile is never accepted."""
    monkeypatch.setattr(backup_volume, "LOOK_SECONDS", 0.1)
    await settle_volume(sandbox, redis, tmp_path)
    store = RedisStore(redis.url, SECRET, sandbox.url)
    another = BackupVolume(tmp_path / "another", store, SECRET)
    another.prepare()
    async with served(
        sandbox,
        tmp_path,
        auth="keys",
        state_url=redis.url,
        state_key=SECRET,
        backup_dir=tmp_path / "volume",
    ):
        redis.empty()

        async def is_refused() -> bool:
            return await another.look() == "another"

        await until(is_refused)
    await store.aclose()


async def test_a_replica_with_another_volume_only_reads_and_creates(
    sandbox: Sandbox, redis: RedisServer, tmp_path: Path, mode: Mode
) -> None:
    """It is not ready, and its refusals say what a person has to do."""
    await settle_volume(sandbox, redis, tmp_path)
    async with (
        served(
            sandbox,
            tmp_path,
            auth="keys",
            ask="form",
            state_url=redis.url,
            state_key=SECRET,
            backup_dir=tmp_path / "another",
        ) as host,
        client_of(host.url, host.keys.add("ann", "full"), mode) as client,
    ):
        event = (await result(client, "list_events", perPage=1))["rows"][0][0]
        before = stored(sandbox)
        changes: list[tuple[str, dict[str, Any]]] = [
            ("update_event", {"eventId": event, "comment": "x"}),
            ("update_events", {"all": True, "comment": "x"}),
        ]
        if mode == "auto":  # the earlier version has nobody who could be asked
            changes += [("truncate_rows", {"dataTableId": TABLE}), ("delete_rows", SOME)]
        for tool, arguments in changes:
            told = await refusal(client, tool, **arguments)
            assert "lie on another volume" in told
            assert "LOSANT_MCP_BACKUP_DIR" in told
        assert stored(sandbox) == before
        status = await result(client, "get_server_status")
        assert "lie on another volume" in status["guard"]
        assert status["pendingApprovals"] == []
        await result(client, "insert_rows", dataTableId=TABLE, rows=[a_part("new")])
        assert rows_of(sandbox) == ROWS + 1
        assert (await result(client, "list_backups"))["rows"] == []
        async with host.http() as http:
            ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["backup_volume"]) == (503, "failed")
