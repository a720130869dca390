"""Watching over HTTP, where several callers share a process and hear nothing of each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import INVALID_PARAMS

from tests.calling import Mode, Serve, result
from tests.hosting.serving import Served, served, until
from tests.resources.listening import Heard, connected, subscribed
from tests.served import Sandbox

NEW = "losant://events/new"

# What the earlier version has is deprecated, and still what its clients use.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")


@asynccontextmanager
async def watching(
    host: Served, key: str, mode: Mode, *, polite: bool = True
) -> AsyncIterator[tuple[Client, Heard]]:
    """A caller who watches the new events, and in the end goes; where not polite without a word."""
    async with host.http(key) as http:
        transport = streamable_http_client(
            f"{host.url}/mcp", http_client=http, terminate_on_close=polite
        )
        async with (
            connected(transport, mode) as (client, heard),
            subscribed(client, mode, heard, NEW) as told,
        ):
            yield client, told


async def test_callers_share_no_poller_and_no_notification(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """Whose own write it was hears of it at once; the other's poller waits for its next look."""
    async with served(sandbox, tmp_path, auth="keys", poll_seconds=3600) as host:
        alice, bob = host.keys.add("alice", "full"), host.keys.add("bob", "read")
        async with (
            watching(host, alice, mode) as (client, to_alice),
            watching(host, bob, mode) as (_, to_bob),
        ):
            watched = [tenant.server.resources.watching for tenant in host.hosting.tenants.all]
            assert [it.watched for it in watched] == [[NEW], [NEW]]
            pollers = [poller for it in watched for poller in it._pollers.values()]
            # Whoever is still reading what he compares with is rightly told of a change meanwhile.
            await until(lambda: not any(poller.begins for poller in pollers))
            heard = False
            with anyio.fail_after(30):
                # A notification outside of a request is lost while its stream is being opened.
                while not heard:
                    await result(client, "create_event", level="error", subject="It leaks")
                    with anyio.move_on_after(2):
                        heard = await to_alice.next() == NEW
            assert to_bob.more() == []
        await until(lambda: not any(it.watched for it in watched))


async def test_who_vanishes_without_a_word_is_forgotten_with_the_session(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """On 2025-11-25 a caller might come back, so the poller ends when the session was idle long."""
    async with served(sandbox, tmp_path, auth="keys", poll_seconds=3600) as host:
        tenants = host.hosting.tenants
        # Seconds rather than minutes, and still longer than a busy machine is between two requests.
        tenants._settings = tenants._settings.model_copy(update={"session_minutes": 0.05})
        alice = host.keys.add("alice", "read")
        async with watching(host, alice, "legacy", polite=False):
            [tenant] = tenants.all
            assert tenant.server.resources.watching.watched == [NEW]
        assert tenant.server.resources.watching.watched == [NEW]
        await until(lambda: not tenant.server.resources.watching.watched)


async def test_who_cannot_be_told_cannot_watch(sandbox: Sandbox, serve: Serve) -> None:
    """Without sessions, the earlier version has no way to reach a client between its requests."""
    server = await serve()
    app = server.streamable_http_app(stateless_http=True)
    url = "http://127.0.0.1:8000"
    async with (
        server.session_manager.run(),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=url) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode="legacy") as client,
    ):
        with pytest.raises(MCPError) as caught:
            await client.subscribe_resource(NEW)
        assert caught.value.error.code == INVALID_PARAMS
        assert caught.value.error.data == {"uri": NEW}
        assert server.resources.watching.watched == []
