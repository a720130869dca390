"""Fixtures: a fresh sandbox per test over real HTTP, and an environment without settings.

The demo is seeded once per worker and copied per test (a few ms); the server is started once
per worker, too, and changes its database, since stopping uvicorn takes a quarter of a second.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from pydantic import SecretStr

from losant_mcp.client import LosantClient
from losant_mcp.policy import Policy
from losant_mcp.resources.watching import Pause, pause
from losant_mcp.sandbox.demo import seed
from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from losant_mcp.server import LosantServer
from losant_mcp.tools.times import utc_now
from tests.assembling import assembled, settings_for
from tests.calling import Connect, Mode, Serve
from tests.served import Sandbox

THOROUGH = (
    *("conformance/", "faults/", "fuzz/", "hostile/", "packaging/", "replicas/", "soak/"),
    # Each of these starts a program at a terminal of its own.
    *("cli/test_approve.py", "cli/test_backups_command.py", "cli/test_restore_command.py"),
)
"""What takes minutes: `make thorough`, and so `.ci/run`, runs it."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what takes minutes, unless somebody asks for some of the tests by name."""
    if [Path(argument).name for argument in config.args] != ["tests"]:
        return
    for item in items:
        if item.path.relative_to(Path(__file__).parent).as_posix().startswith(THOROUGH):
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in os.environ:
        if name.startswith("LOSANT"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio: what the servers run on."""
    return "asyncio"


@pytest.fixture(scope="session")
def demo_store() -> Iterator[Store]:
    """The demo, to be copied and never changed."""
    store = Store()
    seed(store)
    yield store
    store.close()


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """The worker's one server."""
    store = Store()
    with SandboxServer(store, empty=True) as server:
        store.close()
        yield server


@pytest.fixture
def store(demo_store: Store) -> Iterator[Store]:
    """A copy of the demo, not served."""
    copy = demo_store.copy()
    yield copy
    copy.close()


@pytest.fixture
def sandbox(sandbox_server: SandboxServer, demo_store: Store) -> Iterator[Sandbox]:
    """The demo, served."""
    sandbox_server.use(demo_store.copy())
    served = Sandbox(sandbox_server)
    yield served
    served.close()


@pytest.fixture
def empty_sandbox(sandbox_server: SandboxServer) -> Iterator[Sandbox]:
    """The application and the tokens without data, served."""
    sandbox_server.use(Store(), empty=True)
    served = Sandbox(sandbox_server)
    yield served
    served.close()


@pytest.fixture
async def losant(sandbox: Sandbox) -> AsyncIterator[LosantClient]:
    """A client of the sandbox that may do everything and never waits before a retry."""
    async with LosantClient(
        SecretStr(sandbox.tokens["full"]),
        base_url=sandbox.url,
        policy=Policy(destroy="open"),
        retry_wait_scale=0,
    ) as client:
        yield client


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Both protocol versions: 2026-07-28, and 2025-11-25 with its handshake."""
    chosen: Mode = request.param
    return chosen


@pytest.fixture
async def opened(sandbox: Sandbox) -> AsyncIterator[AsyncExitStack]:
    """What a test has open: servers and clients end in the opposite order of their beginning."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def serve(sandbox: Sandbox, tmp_path: Path, opened: AsyncExitStack) -> Serve:
    """Makes real servers over the sandbox's real HTTP, for clients in memory."""

    async def serve(
        *,
        token: str = "full",  # noqa: S107 - the name of one
        bound: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = utc_now,
        job_seconds: float = 20.0,
        pause: Pause = pause,
        **settings: Any,
    ) -> LosantServer:
        made = settings_for(
            sandbox,
            **{
                "api_token": SecretStr(sandbox.tokens[token]),
                "application_id": sandbox.application_id if bound else None,
                "state_dir": tmp_path / "state",
                **settings,
            },
        )
        options: dict[str, Any] = {"now": now, "job_seconds": job_seconds, "pause": pause}
        server = (await assembled(made, opened, transport=transport, **options)).server
        await opened.enter_async_context(server.resources.watching)
        return server

    return serve


@pytest.fixture
def connect(serve: Serve, mode: Mode, opened: AsyncExitStack) -> Connect:
    """Makes real MCP clients of such servers, in memory."""

    async def connect(**settings: Any) -> Client:
        server = await serve(**settings)
        return await opened.enter_async_context(Client(server, mode=mode))

    return connect
