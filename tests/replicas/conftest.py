"""One fleet for all tests that leave it as it was: starting a server takes two seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from tests.guard.conftest import redis as redis
from tests.guard.conftest import worker_redis as worker_redis
from tests.guard.redis_server import RedisServer
from tests.replicas.proxy import RoundRobin, round_robin
from tests.replicas.serving import COMMAND, HURRIED, Fleet, running_fleet, settle_volume
from tests.served import Sandbox


@pytest.fixture(scope="module")
def demo_store(sandbox_server: SandboxServer, demo_store: Store) -> Iterator[Store]:
    """The demo, with the same tokens for every test of a file, as its fleet keeps them."""
    store = demo_store.copy()
    sandbox_server.use(store)
    yield store
    store.close()


def _fleet(
    command: list[str],
    server: SandboxServer,
    redis: RedisServer,
    folder: Path,
    **settings: str,
) -> Iterator[Fleet]:
    sandbox = Sandbox(server)
    redis.empty()
    anyio.run(settle_volume, sandbox, redis, folder)
    with running_fleet(sandbox, redis, folder, command, **settings) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def long_fleet(
    request: pytest.FixtureRequest,
    worker_redis: RedisServer,
    demo_store: Store,
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
    redis: RedisServer, demo_store: Store, sandbox_server: SandboxServer, tmp_path: Path
) -> Iterator[Fleet]:
    """Two replicas of a test's own, which are soon taken for dead."""
    yield from _fleet(HURRIED, sandbox_server, redis, tmp_path)


@pytest.fixture
async def proxied(fleet: Fleet) -> AsyncIterator[tuple[str, RoundRobin]]:
    """The address of a load balancer before the fleet, and what it did."""
    async with round_robin([replica.port for replica in fleet.replicas]) as found:
        yield found
