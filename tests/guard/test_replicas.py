"""Two servers with folders of their own and one Redis: what one asks, the other may go on with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from pydantic import SecretStr

from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard import backup_volume
from losant_mcp.guard.plans import YES_SECONDS
from losant_mcp.guard.redis_store import RedisStore
from losant_mcp.guard.shared_state import shared_state
from losant_mcp.guard.store import StateUnavailable
from tests.calling import Mode, content, refusal, result, stored
from tests.guard.asking import ask, reply, yes_to
from tests.guard.guarding import Guarded, accept, guarded_server
from tests.guard.redis_server import ANOTHER_SECRET, SECRET, RedisServer, redis_server
from tests.served import Sandbox

TABLE = "parts"
ROWS = 300


async def replica(
    sandbox: Sandbox,
    mode: Mode,
    folder: Path,
    stack: AsyncExitStack,
    redis: RedisServer,
    secret: SecretStr = SECRET,
    **settings: Any,
) -> Guarded:
    """One server, as it would be on a machine of its own."""
    return await guarded_server(
        sandbox,
        mode,
        folder,
        stack,
        state_url=redis.url,
        state_key=secret,
        backup_dir=folder.parent / "backups",
        **settings,
    )


@pytest.fixture(autouse=True)
def _a_new_volume_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody objects to the first volume."""
    monkeypatch.setattr(backup_volume, "STANDING_SECONDS", 0.0)


@pytest.fixture
async def replicas(
    sandbox: Sandbox, mode: Mode, redis: RedisServer, tmp_path: Path
) -> AsyncIterator[tuple[Guarded, Guarded]]:
    """Two servers of one principal on two machines."""
    async with AsyncExitStack() as stack:
        yield (
            await replica(sandbox, mode, tmp_path / "one", stack, redis),
            await replica(sandbox, mode, tmp_path / "two", stack, redis),
        )


async def test_one_replica_asks_and_the_other_runs(replicas: tuple[Guarded, Guarded]) -> None:
    """After a person's yes the same call works anywhere, once, with its budget counted once."""
    one, two = replicas
    here, there = await one.connect(), await two.connect()
    asked = await result(here, "truncate_rows", dataTableId=TABLE)
    again = await result(there, "truncate_rows", dataTableId=TABLE)
    assert asked["status"] == again["status"] == "approval_required"
    assert asked["approvalId"] == again["approvalId"]
    store = (await two.guard()).ledger.store
    assert isinstance(store, RedisStore)
    await store.decide(asked["approvalId"], "approved", way="terminal", by="ann")
    call = {"dataTableId": TABLE, "approvalId": asked["approvalId"]}
    done = await result(there, "truncate_rows", **call)
    assert (done["status"], done["removed"]) == ("done", ROWS)
    assert one.rows(TABLE) == []
    told = await result(here, "truncate_rows", **call)
    assert (told["status"], told["removed"]) == ("done", ROWS)
    binding = (await one.guard()).ledger.binding
    assert await store.spent("destroyed", binding.principal, one.sandbox.application_id) == ROWS


@pytest.mark.parametrize("mode", ["auto"])
async def test_a_form_of_one_replica_is_answered_at_the_other(
    replicas: tuple[Guarded, Guarded],
) -> None:
    """The sealed state that comes with a question can be opened by both."""
    one, two = replicas
    here, there = await one.connect(accept("unused")), await two.connect(accept("unused"))
    question, state = await ask(here, "truncate_rows", dataTableId=TABLE)
    answer = await reply(there, "truncate_rows", state, yes_to(question), dataTableId=TABLE)
    assert content(answer)["status"] == "done"
    assert two.rows(TABLE) == []


@pytest.mark.parametrize("mode", ["auto"])
async def test_a_preview_that_is_allowed_no_more_is_worth_nothing(
    sandbox: Sandbox, mode: Mode, redis: RedisServer, tmp_path: Path
) -> None:
    """The operator takes a table off the list, and starts the replica anew."""
    async with AsyncExitStack() as stack:
        listed: dict[str, Any] = {
            "confirm": "preview",
            "preview_allow": ("truncate_rows", TABLE),
            "preview_max": ROWS,
        }
        one = await replica(sandbox, mode, tmp_path / "one", stack, redis, **listed)
        planned = await result(await one.connect(), "truncate_rows", dataTableId=TABLE)
        bare = listed | {"preview_allow": ("truncate_rows",)}
        two = await replica(sandbox, mode, tmp_path / "two", stack, redis, **bare)
        call = {"dataTableId": TABLE, "approvalId": planned["approvalId"]}
        told = await refusal(await two.connect(), "truncate_rows", **call)
        assert "belongs to no plan" in told
        assert len(two.rows(TABLE)) == ROWS


@pytest.mark.parametrize("mode", ["auto"])
async def test_a_replica_with_another_key_opens_nothing(
    sandbox: Sandbox, mode: Mode, redis: RedisServer, tmp_path: Path
) -> None:
    """Neither a question's state nor what lies in Redis; nothing is deleted."""
    async with AsyncExitStack() as stack:
        one = await replica(sandbox, mode, tmp_path / "one", stack, redis)
        two = await replica(sandbox, mode, tmp_path / "two", stack, redis, ANOTHER_SECRET)
        here, there = await one.connect(accept("unused")), await two.connect(accept("unused"))
        question, state = await ask(here, "truncate_rows", dataTableId=TABLE)
        before = stored(sandbox)
        with pytest.raises(MCPError, match="requestState"):
            await reply(there, "truncate_rows", state, yes_to(question), dataTableId=TABLE)
        told = await refusal(there, "truncate_rows", dataTableId=TABLE)
        assert "LOSANT_MCP_STATE_KEY" in told
        assert stored(sandbox) == before


async def test_without_redis_nothing_is_destroyed_and_reading_goes_on(
    sandbox: Sandbox, mode: Mode, tmp_path: Path
) -> None:
    """Whether it was there when the guard opened or not; afterwards everything works again."""
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        redis.stop()
        guarded = await replica(sandbox, mode, tmp_path / "one", stack, redis)
        client = await guarded.connect()
        before = stored(sandbox)
        for _ in range(2):
            told = await refusal(client, "truncate_rows", dataTableId=TABLE)
            assert "The guard's memory cannot be read and written: Redis" in told
            listed = await result(client, "query_rows", dataTableId=TABLE, query={}, limit=1)
            assert listed["rows"]
            assert stored(sandbox) == before
            redis.start_again()
            asked = await result(client, "truncate_rows", dataTableId=TABLE)
            assert asked["status"] == "approval_required"
            redis.stop()


async def test_shared_state_is_for_those_who_name_it(redis: RedisServer) -> None:
    """One store and one bus for a process, or none; a Redis that is unfit stops the start."""
    async with shared_state(Settings()) as nothing:
        assert nothing is None
    async with shared_state(Settings(state_key=SECRET, state_url=redis.url)) as shared:
        assert shared is not None
        await shared.store.remember("key", "value", seconds=YES_SECONDS)
        assert await shared.store.recall("key") == "value"
    with redis_server("--maxmemory", "9mb", "--maxmemory-policy", "allkeys-lfu") as evicting:
        with pytest.raises(ConfigurationError):
            async with shared_state(Settings(state_key=SECRET, state_url=evicting.url)):
                pass
        evicting.stop()
        async with shared_state(Settings(state_key=SECRET, state_url=evicting.url)) as away:
            assert away is not None
            with pytest.raises(StateUnavailable):
                await away.store.now()
