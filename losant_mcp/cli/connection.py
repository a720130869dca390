"""A server and its client, from a command's settings: on Losant, or on the embedded sandbox."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

from anyio.to_thread import run_sync
from pydantic import SecretStr

from losant_mcp.cli import logs
from losant_mcp.cli.approving import approval_pages
from losant_mcp.cli.options import Source
from losant_mcp.client import AsgiApp, LosantClient
from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.door import GuardDoor
from losant_mcp.observer import Observer
from losant_mcp.policy import Policy
from losant_mcp.server import LosantServer, build_server, policy_of, resolve_denied

if TYPE_CHECKING:
    from losant_mcp.sandbox.store import Store

SANDBOX_URL = "http://sandbox.invalid"
"""What the embedded sandbox is called; nothing is ever sent there."""


@dataclass(frozen=True)
class Connection:
    """A server, the client below it, and the settings of both."""

    settings: Settings
    client: LosantClient
    server: LosantServer
    guard: GuardDoor


class Dial(Protocol):
    """Makes clients of one Losant."""

    def __call__(
        self, token: SecretStr, policy: Policy, label: str = "", *, observer: Observer | None = None
    ) -> LosantClient:
        """A client of this token under this policy; ``label`` tells apart users of one token."""
        ...


@dataclass(frozen=True)
class Reached:
    """A client under the settings' policy, the settings, and what makes more clients."""

    settings: Settings
    client: LosantClient
    dial: Dial


@asynccontextmanager
async def connect(source: Source, *, quiet: bool = False) -> AsyncIterator[Connection]:
    """A server over ``reach``, with its approval page."""
    async with (
        reach(source, quiet=quiet) as reached,
        approval_pages(reached.settings) as pages,
    ):
        settings, client = reached.settings, reached.client
        door = GuardDoor(settings, client, page=pages)
        server = build_server(settings, client, guard=door)
        try:
            async with server.resources.watching:
                yield Connection(settings, client, server, door)
        finally:
            await server.workbench.aclose()
            await door.aclose()


@asynccontextmanager
async def reach(source: Source, *, quiet: bool = False) -> AsyncIterator[Reached]:
    """Set logging up and make the client; closes it and the sandbox at the end.

    ``quiet`` logs warnings and worse, unless a log level is set. Raises ConfigurationError where a
    setting is wrong or the token is missing.
    """
    is_quiet = quiet and source.origins()["log_level"] == "default"
    least = logging.WARNING if is_quiet else logging.DEBUG
    if source.sandbox:
        async with _reach_sandbox(source, least) as reached:
            yield reached
        return
    settings = source.settings()
    logs.configure(settings, least=least)
    if settings.api_token is None:
        raise ConfigurationError(
            "There is no Losant API token.",
            hint="Set LOSANT_API_TOKEN, or try `losant-mcp serve --sandbox`: it needs no account.",
        )
    dial = dial_of(settings)
    async with dial(settings.api_token, policy_of(settings)) as client:
        client.policy = await resolve_denied(settings, client)
        yield Reached(settings, client, dial)


def dial_of(settings: Settings) -> Dial:
    """What makes clients of the Losant of these settings."""

    def dial(
        token: SecretStr, policy: Policy, label: str = "", *, observer: Observer | None = None
    ) -> LosantClient:
        return LosantClient(
            token, base_url=settings.api_url, policy=policy, observer=observer, label=label
        )

    return dial


@asynccontextmanager
async def _reach_sandbox(source: Source, least: int) -> AsyncIterator[Reached]:
    # Loaded here, since a server of a real Losant never needs it.
    from losant_mcp.sandbox.app import create_app
    from losant_mcp.sandbox.demo import seed

    source.settings()  # a wrong setting is told before a database is made
    store = open_store(source.database)
    seeding = Thread(target=seed, args=(store,), name="seed", daemon=True)
    stack = ExitStack()
    try:
        state: dict[str, Path] = {}
        if source.database is None and source.settings().state_dir is None:
            # What is only in memory has backups and plans that are gone with it, too.
            folder = stack.enter_context(TemporaryDirectory(prefix="losant-mcp-"))
            state["state_dir"] = Path(folder) / "state"
        settings = sandbox_settings(source, store, **state)
        assert settings.api_token is not None
        logs.configure(settings, least=least)
        # A client sees the tools while the demo is still being written; its first call waits.
        seeding.start()
        app = _after(seeding, create_app(store, base_url=SANDBOX_URL))

        def dial(
            token: SecretStr, policy: Policy, label: str = "", *, observer: Observer | None = None
        ) -> LosantClient:
            return LosantClient.in_process(
                app, token, policy=policy, base_url=SANDBOX_URL, observer=observer, label=label
            )

        async with dial(settings.api_token, policy_of(settings)) as client:
            client.policy = await resolve_denied(settings, client)
            yield Reached(settings, client, dial)
    finally:
        if seeding.ident is not None:
            seeding.join()
        store.close()
        stack.close()


def _after(thread: Thread, app: AsgiApp) -> AsgiApp:
    async def wait(scope: Any, receive: Any, send: Any) -> None:  # as the ASGI specification has it
        if thread.is_alive():
            await run_sync(thread.join)
        await app(scope, receive, send)

    return wait


def sandbox_settings(source: Source, store: Store, **fixed: object) -> Settings:
    """The settings of a server on this sandbox; its token is the same until it expires."""
    from losant_mcp.sandbox.demo import APPLICATION_ID
    from losant_mcp.sandbox.demo.ids import demo_id
    from losant_mcp.sandbox.tokens import mint

    token = SecretStr(mint(store, APPLICATION_ID, demo_id("device", 1))["full"])
    return source.settings(
        api_token=token, api_url=SANDBOX_URL, application_id=APPLICATION_ID, **fixed
    )


def open_store(path: Path | None) -> Store:
    """The sandbox's database. Raises ConfigurationError where the file cannot be one."""
    from losant_mcp.sandbox.store import Store

    try:
        return Store(path)
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"{path} cannot be used as the sandbox's database: {error}.",
            hint="Name a file that is not there yet, or one that a sandbox made.",
        ) from None
