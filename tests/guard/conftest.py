"""A guarded server per test, and the memories on which a guard can be built."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from losant_mcp.guard.store import StateStore
from tests.calling import Mode
from tests.guard.guarding import Guarded, guarded_server
from tests.guard.redis_server import RedisServer, redis_server
from tests.guard.stored import Clock
from tests.guard.stores import KINDS, NewMemory, OpenStore, redis_memory, sqlite_memory
from tests.served import Sandbox


@pytest.fixture
async def guarded(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> AsyncIterator[Guarded]:
    """A server over the demo whose state lies in a folder of its own."""
    async with AsyncExitStack() as stack:
        yield await guarded_server(sandbox, mode, tmp_path / "state", stack)


@pytest.fixture(scope="session")
def worker_redis() -> Iterator[RedisServer]:
    """The worker's one Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(worker_redis: RedisServer) -> RedisServer:
    """A Redis with nothing in it."""
    worker_redis.empty()
    return worker_redis


@pytest.fixture(params=KINDS)
def new_memory(request: pytest.FixtureRequest) -> NewMemory:
    """Makes empty memories of either kind."""
    if request.param == "sqlite":
        return sqlite_memory
    return partial(redis_memory, request.getfixturevalue("worker_redis"))


@pytest.fixture
def memory(new_memory: NewMemory) -> Iterator[OpenStore]:
    """One empty memory of either kind."""
    with new_memory() as opening:
        yield opening


@pytest.fixture
def clock() -> Clock:
    """A clock that a test turns; it begins at ``NOON``."""
    return Clock()


@pytest.fixture
async def store(memory: OpenStore, clock: Clock) -> AsyncIterator[StateStore]:
    """An empty store of either kind."""
    async with contextlib.aclosing(memory(clock)) as opened:
        yield opened
