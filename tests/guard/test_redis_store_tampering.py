"""A Redis that somebody else writes to: nothing in it says yes to anything."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from pydantic import SecretStr
from redis import Redis

from losant_mcp.guard.redis_store import RedisStore
from losant_mcp.guard.redis_store.sealing import Sealer
from losant_mcp.guard.state_keys import derived_key
from losant_mcp.guard.store import NotOpen, StateUnavailable, binding_digest
from tests.guard.redis_server import ANOTHER_SECRET, SECRET, RedisServer
from tests.guard.stored import APPLICATION, LIMITS, Clock, a_binding, a_plan, approve, burn
from tests.guard.stores import API_URL, a_redis_store


@pytest.fixture
def somebody(redis: RedisServer) -> Iterator[Redis]:
    """Somebody else who may write there."""
    with contextlib.closing(redis.client) as client:
        yield client


@pytest.fixture
async def store(redis: RedisServer, clock: Clock) -> AsyncIterator[RedisStore]:
    """An empty store."""
    async with contextlib.aclosing(a_redis_store(redis, clock)) as opened:
        yield opened


def key_of(somebody: Redis, end: str) -> bytes:
    """The one key that ends so."""
    [key] = somebody.keys(f"*{end}")
    assert isinstance(key, bytes)
    return key


def value_of(somebody: Redis, key: bytes) -> bytes:
    """What lies there."""
    value = somebody.get(key)
    assert isinstance(value, bytes)
    return value


@pytest.mark.parametrize("place", [0, 12, 100, -1], ids=["version", "first", "inside", "proof"])
async def test_a_plan_that_was_edited_is_refused(
    store: RedisStore, somebody: Redis, place: int
) -> None:
    """Whichever byte is changed, the plan cannot be read, decided, burned or finished."""
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    key = key_of(somebody, plan.id)
    value = bytearray(value_of(somebody, key))
    value[place] ^= 1
    somebody.set(key, bytes(value))
    for call in (
        store.plan(plan.id),
        store.decide(plan.id, "approved", way="page", by="eve"),
        store.burn(plan.id, binding_digest(a_binding()), LIMITS),
        store.finish(plan.id, "done", {}),
    ):
        with pytest.raises(StateUnavailable) as refusal:
            await call
        assert "tampering" in str(refusal.value)
    assert await store.spent("destroyed", "ann", APPLICATION) == 0


@pytest.mark.parametrize(
    "value", [b"", b"x", b"{}", b"\xff" * 64], ids=["empty", "x", "JSON", "bytes"]
)
async def test_what_was_never_sealed_is_refused(
    store: RedisStore, somebody: Redis, value: bytes
) -> None:
    """Nobody sets a PIN, a budget, a lock or a clock's turn by writing it there."""
    await store.remember("pin", "hash")
    await store.note_change(APPLICATION, "table-1", "words")
    await store.spend("destroyed", "ann", APPLICATION, 1, 9)
    await store.add_plan(a_plan(), LIMITS)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "fact": lambda: store.recall("pin"),
        "changes": lambda: store.changes(APPLICATION, "table-1"),
        "meter": lambda: store.spent("destroyed", "ann", APPLICATION),
        "person": lambda: store.fatigue("ann", ""),
        "turns": store.now,
    }
    for kind, call in calls.items():
        for key in somebody.keys(f"*:{kind}*"):
            somebody.set(key, value)
        with pytest.raises(StateUnavailable):
            await call()


async def test_a_yes_is_not_moved_to_another_plan(store: RedisStore, somebody: Redis) -> None:
    """An approved value under another plan's name proves nothing."""
    wanted = await store.add_plan(a_plan("production"), LIMITS)
    approved = await approve(store, await store.add_plan(a_plan("test"), LIMITS))
    value = value_of(somebody, key_of(somebody, approved.id))
    somebody.set(key_of(somebody, wanted.id), value)
    with pytest.raises(StateUnavailable):
        await burn(store, wanted)


async def test_an_old_yes_that_is_put_back_has_run_out(
    store: RedisStore, somebody: Redis, clock: Clock
) -> None:
    """A value from before the burning is worth no more than its two minutes."""
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    key = key_of(somebody, plan.id)
    old = value_of(somebody, key)
    await burn(store, plan)
    somebody.set(key, old)
    clock.wait(120)
    with pytest.raises(NotOpen) as refusal:
        await burn(store, plan)
    assert refusal.value.plan.status == "expired"


async def test_another_secret_opens_nothing(store: RedisStore, redis: RedisServer) -> None:
    """A replica with a key of its own neither reads nor overwrites what the others share."""
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    async with contextlib.aclosing(RedisStore(redis.url, ANOTHER_SECRET, API_URL)) as stranger:
        with pytest.raises(StateUnavailable) as refusal:
            await burn(stranger, plan)
        assert "LOSANT_MCP_STATE_KEY" in str(refusal.value)
    assert await store.plan(plan.id) == plan


async def test_a_clock_that_was_edited_is_damage(store: RedisStore, somebody: Redis) -> None:
    """A time that is none stops everything; one of the future ends what is open."""
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    key = key_of(somebody, ":clock")
    somebody.set(key, "soon")
    with pytest.raises(StateUnavailable) as refusal:
        await store.now()
    assert str(refusal.value) == "The guard's memory is damaged."
    somebody.set(key, "9e9")
    with pytest.raises(NotOpen):
        await burn(store, plan)


async def test_a_newer_version_is_told_as_such(store: RedisStore, somebody: Redis) -> None:
    """What another version wrote is neither guessed at nor written over."""
    await store.remember("pin", "hash")
    key = key_of(somebody, ":turns")
    sealer = Sealer(derived_key(SECRET, "store"))
    cipher, nonce = sealer._cipher, b"n" * 12
    newer = nonce + cipher.encrypt(nonce, b'[2,{"anything":1}]', key)
    somebody.set(key, newer)
    with pytest.raises(StateUnavailable) as refusal:
        await store.recall("pin")
    assert "newer version of losant-mcp (format 2; this one knows 1)" in str(refusal.value)
    assert value_of(somebody, key) == newer


def test_every_purpose_has_a_key_of_its_own() -> None:
    """The same on every replica, and none of them tells another."""
    keys = [derived_key(SECRET, purpose) for purpose in ("store", "subscriptions", "request state")]
    assert len({*keys}) == 3
    assert keys[0] == derived_key(SecretStr(SECRET.get_secret_value()), "store")
