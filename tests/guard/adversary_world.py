"""The servers and clients that an adversary may use, over one small sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from mcp import Client
from pydantic import SecretStr

from tests.calling import JsonObject, Mode
from tests.guard.adversary import Person
from tests.guard.guarding import Guarded, Meddler, guarded_server
from tests.guard.stored import Clock
from tests.served import Sandbox

CONFIRM_ABOVE = 2

ALONE, FORMED, OTHER_ORIGIN, OTHER_PRINCIPAL = range(4)
"""The clients, by their place in ``World.clients``."""


@dataclass
class Seen:
    """A question of a 2026 call, as its state lets it be answered."""

    signature: str
    state: str
    question: str
    schema: JsonObject
    answered: bool = False


@dataclass
class World:
    """Three servers with four clients."""

    sandbox: Sandbox
    main: Guarded
    clients: list[Client]
    person: Person
    clock: Clock
    ids: list[str] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)
    states: list[Seen] = field(default_factory=list)


@asynccontextmanager
async def adversary_world(sandbox: Sandbox, mode: Mode, folder: Path) -> AsyncIterator[World]:
    """A server, another process of it, and one with another token: all on one state folder."""
    person, clock = Person(), Clock()
    async with AsyncExitStack() as stack:

        async def server(token: str) -> Guarded:
            return await guarded_server(
                sandbox,
                mode,
                folder,
                stack,
                meddler=Meddler(network=httpx.ASGITransport(sandbox.server.app)),
                clock=clock,
                api_token=SecretStr(sandbox.tokens[token]),
                application_id=None,
                confirm_above=CONFIRM_ABOVE,
            )

        main, origin, principal = [await server(t) for t in ("full", "full", "application")]
        clients = [
            await main.connect(),
            await main.connect(person.answer),
            await origin.connect(),
            await principal.connect(person.answer),
        ]
        yield World(sandbox, main, clients, person, clock)
