"""Several replicas on one Redis: each thing happens once, and each knows who is alive."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import anyio
import pytest
from anyio import to_thread

from losant_mcp.guard.plans import Plan
from losant_mcp.guard.redis_store import RedisStore, plan_values, pulse
from losant_mcp.guard.store import GuardError
from tests.guard.children import race
from tests.guard.redis_server import RedisServer
from tests.guard.stored import APPLICATION, LIMITS, ROOMY, a_plan, approve, burn
from tests.guard.stores import a_redis_store

T = TypeVar("T")


@pytest.fixture
async def store(redis: RedisServer) -> AsyncIterator[RedisStore]:
    """The store of one replica, by Redis's own clock."""
    async with contextlib.aclosing(a_redis_store(redis, replica="one")) as opened:
        await warm(opened)
        yield opened


@pytest.fixture
async def other(redis: RedisServer) -> AsyncIterator[RedisStore]:
    """The store of another one."""
    async with contextlib.aclosing(a_redis_store(redis, replica="two")) as opened:
        await warm(opened)
        yield opened


async def warm(store: RedisStore) -> None:
    """Open connections enough for a race: whoever has to make one first comes too late for it."""
    await all_at_once(*[store.now] * 20)


async def all_at_once(*calls: Callable[[], Awaitable[object]]) -> Counter[object]:
    """What became of the calls, by result or by the kind of refusal."""
    results: list[object] = []

    async def attempt(call: Callable[[], Awaitable[object]]) -> None:
        try:
            result = await call()
            results.append(result.status if isinstance(result, Plan) else result)
        except GuardError as error:
            results.append(type(error).__name__)

    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(attempt, call)
    return Counter(results)


async def approved(store: RedisStore, target: str, destroys: int = 2) -> Plan:
    """A plan that somebody said yes to."""
    return await approve(store, await store.add_plan(a_plan(target, destroys=destroys), ROOMY))


async def test_fifty_burnings_of_one_plan_are_one_run(store: RedisStore, other: RedisStore) -> None:
    """Whichever task of whichever replica wins, the others find a running plan."""
    plan = await approved(store, "table-1")
    results = await all_at_once(
        *[lambda at=at: burn(at, plan) for at in (store, other) for _ in range(25)]
    )
    assert results == {"running": 1, "NotOpen": 49}
    assert await store.spent("destroyed", "ann", APPLICATION) == 2


async def test_racing_burnings_keep_within_the_budget(store: RedisStore, other: RedisStore) -> None:
    """Of ten plans over 30 objects each, three fit into a hundred; the others have failed."""
    plans = [await approved(store, f"table-{n}", destroys=30) for n in range(10)]
    results = await all_at_once(
        *[lambda plan=plan: burn(other if plan in plans[5:] else store, plan) for plan in plans]
    )
    assert results == {"running": 3, "BudgetSpent": 7}
    assert await store.spent("destroyed", "ann", APPLICATION) == 90
    stored = [await store.plan(plan.id) for plan in plans]
    assert Counter(plan.status for plan in stored if plan) == {"running": 3, "failed": 7}


async def test_racing_answers_are_one(store: RedisStore, other: RedisStore) -> None:
    """Of yes and no at once one stands, and only that one counts."""
    plan = await store.add_plan(a_plan(), LIMITS)
    results = await all_at_once(
        *[lambda: store.decide(plan.id, "approved", way="page", by="ann") for _ in range(9)],
        *[lambda: other.decide(plan.id, "declined", way="page", by="bob") for _ in range(9)],
    )
    stored = await store.plan(plan.id)
    assert stored is not None
    assert results == {stored.status: 1, "NotOpen": 17}
    refused = (await store.fatigue("ann", plan.operation.target_key)).refused_until
    assert (refused is not None) == (stored.status == "declined")


async def test_equal_calls_at_once_share_one_question(store: RedisStore, other: RedisStore) -> None:
    """All of them, on whichever replica."""
    ids = [lambda at=at: _id_of(at) for at in (store, other) for _ in range(10)]
    results = await all_at_once(*ids)
    assert list(results.values()) == [20]
    assert [plan.id for plan in await store.pending_plans()] == list(results)


async def _id_of(store: RedisStore) -> str:
    return (await store.add_plan(a_plan(), LIMITS)).id


async def test_two_processes_spend_one_budget_and_burn_one_plan(
    store: RedisStore, redis: RedisServer
) -> None:
    """Of twenty times 7, fourteen fit into a hundred; of ten burnings, one."""
    url = redis.url.get_secret_value()
    results = await to_thread.run_sync(lambda: race(*[("spend", url, "10")] * 2))
    assert Counter(results[0] + results[1]) == {"spent": 14, "BudgetSpent": 6}
    assert await store.spent("destroyed", "ann", "application") == 98
    plan = await approved(store, "table-1")
    results = await to_thread.run_sync(lambda: race(*[("burn", url, "5", plan.id)] * 2))
    assert Counter(results[0] + results[1]) == {"running": 1, "NotOpen": 9}


async def test_a_key_works_for_one_replica(store: RedisStore, other: RedisStore) -> None:
    """Of many who drop a fact at once, one is told that it was there."""
    await store.remember("key", "hash")
    calls = [lambda at=at: at.forget("key") for at in (store, other) for _ in range(10)]
    assert await all_at_once(*calls) == {True: 1, False: 19}


# ---- who is alive --------------------------------------------------------------------------


async def test_a_living_replica_is_not_taken_for_dead(
    store: RedisStore, other: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run goes on whatever others know of its origin, and is an orphan once it has ended."""
    plan = await burn(store, await approved(store, "table-1"))
    # As if Redis had been up for longer than a mark lasts.
    monkeypatch.setattr(pulse, "LIFE_SECONDS", -1.0)
    assert await other.interrupt_orphans([]) == []
    await store.aclose()
    [orphan] = await other.interrupt_orphans([])
    assert (orphan.id, orphan.status) == (plan.id, "interrupted")
    assert orphan.planned.items
    assert await other.interrupt_orphans([]) == []


async def test_right_after_redis_was_started_nobody_is_taken_for_dead(
    store: RedisStore, other: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark that Redis does not have may be one that nobody could put there."""
    # The worker's Redis may have been up for longer than a mark really lasts.
    monkeypatch.setattr(pulse, "LIFE_SECONDS", 1e6)
    await burn(store, await approved(store, "table-1"))
    await store.aclose()
    assert await other.interrupt_orphans([]) == []


async def test_the_pulse_renews_its_mark(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the event loop, until the replica ends; then the mark is gone."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.01)
    with contextlib.closing(redis.client) as client:
        async with contextlib.aclosing(a_redis_store(redis, replica="one")) as store:
            await burn(store, await approved(store, "table-1"))
            key = store._memory.key(plan_values.beat_name("one"))
            client.delete(key)
            with anyio.fail_after(10):
                while not client.exists(key):  # noqa: ASYNC110 -- a thread puts it there
                    await anyio.sleep(0.01)
            assert 0 < client.pttl(key) <= 120_000
        assert not client.exists(key)
