"""One fleet for all tests that leave it as it was: starting a server takes two seconds."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from tests.guard.redis_server import RedisServer, redis_server
from tests.replicas.proxy import RoundRobin, round_robin
from tests.replicas.serving import COMMAND, HURRIED, Fleet, running_fleet, settle_volume
from tests.served import Sandbox


@pytest.fixture(scope="module")
def worker_redis() -> Iterator[RedisServer]:
    """One Redis for the tests of a file; without one, they are skipped."""
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(worker_redis: RedisServer) -> RedisServer:
    """A Redis with nothing in it."""
    empty(worker_redis)
    return worker_redis


@pytest.fixture(scope="module")
def minted(
    worker_redis: RedisServer, sandbox_server: SandboxServer, demo_store: Store
) -> Iterator[Store]:
    """A demo whose tokens are those of the fleet, to be copied and never changed."""
    store = demo_store.copy()
    sandbox_server.use(store)
    yield store
    store.close()


@pytest.fixture
def sandbox(sandbox_server: SandboxServer, minted: Store) -> Iterator[Sandbox]:
    """The demo, served under the same tokens to every test of a file."""
    sandbox_server.use(minted.copy())
    served = Sandbox(sandbox_server)
    yield served
    served.close()


def _fleet(
    command: list[str],
    server: SandboxServer,
    redis: RedisServer,
    folder: Path,
    **settings: str,
) -> Iterator[Fleet]:
    sandbox = Sandbox(server)
    empty(redis)
    anyio.run(settle_volume, sandbox, redis, folder)
    with running_fleet(sandbox, redis, folder, command, **settings) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def long_fleet(
    request: pytest.FixtureRequest,
    worker_redis: RedisServer,
    minted: Store,
    sandbox_server: SandboxServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    """Two replicas for all tests of a file, which may have ``SETTINGS`` by variable."""
    settings: dict[str, str] = getattr(request.module, "SETTINGS", {})
    folder = tmp_path_factory.mktemp("fleet")
    yield from _fleet(COMMAND, sandbox_server, worker_redis, folder, **settings)


@pytest.fixture
def fleet(long_fleet: Fleet, redis: RedisServer, sandbox: Sandbox) -> Fleet:
    """The same two, with nothing left in Redis, over a fresh demo."""
    return long_fleet


@pytest.fixture
def hurried_fleet(
    redis: RedisServer, minted: Store, sandbox_server: SandboxServer, tmp_path: Path
) -> Iterator[Fleet]:
    """Two replicas of a test's own, which are soon taken for dead."""
    yield from _fleet(HURRIED, sandbox_server, redis, tmp_path)


@pytest.fixture
async def proxied(fleet: Fleet) -> AsyncIterator[tuple[str, RoundRobin]]:
    """The address of a load balancer before the fleet, and what it did."""
    async with round_robin([replica.port for replica in fleet.replicas]) as found:
        yield found


def empty(server: RedisServer) -> None:
    """Let a Redis forget everything."""
    with contextlib.closing(server.client) as client:
        client.flushall()
