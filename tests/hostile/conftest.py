"""Fixtures: a demo in which every text from outside is hostile, and a guarded server of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from tests.calling import Mode
from tests.cli.conftest import logging_as_before as logging_as_before
from tests.cli.conftest import run as run
from tests.guard.guarding import Guarded, Meddler, guarded_server
from tests.hostile.planting import Planted, Wire, plant
from tests.http.conftest import browser as browser
from tests.http.conftest import served as served
from tests.http.conftest import settings as settings
from tests.served import Sandbox


@dataclass(frozen=True)
class HostileDemo:
    """A demo that was planted once, to be copied and never changed."""

    store: Store
    planted: Planted


@pytest.fixture(scope="session")
def hostile_demo(demo_store: Store) -> Iterator[HostileDemo]:
    """The demo with the corpus in every place."""
    store = demo_store.copy()
    yield HostileDemo(store, plant(store))
    store.close()


@pytest.fixture
def planted(hostile_demo: HostileDemo) -> Planted:
    """Where the corpus is."""
    return hostile_demo.planted


@pytest.fixture
def sandbox(sandbox_server: SandboxServer, hostile_demo: HostileDemo) -> Iterator[Sandbox]:
    """The hostile demo, served; it takes the place of the harmless one."""
    sandbox_server.use(hostile_demo.store.copy())
    served = Sandbox(sandbox_server)
    yield served
    served.close()


@pytest.fixture
async def guarded(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> AsyncIterator[Guarded]:
    """A guarded server over it, to which answers come as bytes that a hostile Losant would send."""
    async with AsyncExitStack() as stack:
        meddler = Meddler(network=Wire())
        yield await guarded_server(sandbox, mode, tmp_path / "state", stack, meddler=meddler)
