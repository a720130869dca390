"""A server over the sandbox, put together in one place as a real start does it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.guard.door import GuardDoor
from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.server import LosantServer, build_server, policy_of, resolve_denied
from tests.served import Sandbox


@dataclass(frozen=True)
class Assembled:
    """A server without clients, and what it is made of."""

    settings: Settings
    losant: LosantClient
    door: GuardDoor
    server: LosantServer


def network() -> httpx.AsyncHTTPTransport:
    """The way to the sandbox: there is no TLS there, and loading certificates takes a while."""
    return httpx.AsyncHTTPTransport(verify=False)


def settings_for(sandbox: Sandbox | SandboxServer, **settings: Any) -> Settings:
    """Bound to the sandbox's application, with the token that may do everything, but for these."""
    return Settings(
        **{
            "api_token": SecretStr(sandbox.tokens["full"]),
            "api_url": sandbox.url,
            "application_id": sandbox.application_id,
            **settings,
        }
    )


def losant_of(
    settings: Settings, transport: httpx.AsyncBaseTransport | None = None
) -> LosantClient:
    """A client that is held to the settings' policy and never waits before a retry; close it."""
    assert settings.api_token is not None
    return LosantClient(
        settings.api_token,
        base_url=settings.api_url,
        policy=policy_of(settings),
        transport=transport or network(),
        retry_wait_scale=0,
    )


async def assembled(
    settings: Settings,
    stack: AsyncExitStack,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.time,
    **options: Any,
) -> Assembled:
    """The server of these settings, which ends with ``stack``; ``options`` are build_server's.

    ``clock`` is the guard's.
    """
    losant = await stack.enter_async_context(losant_of(settings, transport))
    losant.policy = await resolve_denied(settings, losant)
    door = GuardDoor(settings, losant, clock=clock)
    stack.push_async_callback(door.aclose)
    server = build_server(settings, losant, guard=door, **options)
    stack.push_async_callback(server.workbench.aclose)
    return Assembled(settings, losant, door, server)
