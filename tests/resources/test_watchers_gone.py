"""Watchers that end, politely or not, leave nothing behind: no task, no poller, no listener."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest
from mcp import Client

from losant_mcp.errors import InvalidRequest
from losant_mcp.resources.watching import Watching
from losant_mcp.server import LosantServer
from tests.calling import Mode, Serve
from tests.resources.listening import SECONDS, Looks, connected, subscribed, watching
from tests.served import Sandbox

NEW = "losant://events/new"
TABLES = "losant://data-tables"
CLIENTS = 100

# What the earlier version has is deprecated, and still what its clients use.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")

JOINING, BEGINNING = 900, 100
"""Together a thousand subscriptions: to what is polled already, and to what nobody watches."""


async def nothing_is_left(server: LosantServer, tasks: set[asyncio.Task[object]]) -> None:
    """Nothing is polled, and every task that came since has ended, if after a moment."""
    with anyio.fail_after(SECONDS):
        while server.resources.watching.watched or asyncio.all_tasks() - tasks:
            await anyio.lowlevel.checkpoint()


async def test_a_thousand_subscriptions_leave_nothing_behind(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """One client subscribes and unsubscribes a thousand times; then it can still watch."""
    looks = Looks()
    server = await serve(pause=looks)

    async def cycle(client: Client) -> None:
        if mode == "legacy":
            await client.subscribe_resource(TABLES)
            await client.unsubscribe_resource(TABLES)
        else:
            async with client.listen(resource_subscriptions=[TABLES]):
                pass

    async with connected(server, mode) as (client, heard):
        before = asyncio.all_tasks()
        release = await server.resources.watching.watch(TABLES)
        for _ in range(JOINING):
            await cycle(client)
        release()
        for _ in range(BEGINNING):
            await cycle(client)
        await nothing_is_left(server, before)
        assert looks.waiting == 0
        async with subscribed(client, mode, heard, TABLES):
            assert server.resources.watching.watched == [TABLES]


async def test_a_hundred_clients_that_vanish_leave_nothing_behind(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """Nobody unsubscribes: each is torn from its connection in the middle of watching."""
    looks = Looks()
    server = await serve(pause=looks)
    before = asyncio.all_tasks()
    connections = 0
    async with anyio.create_task_group() as clients:

        async def watch() -> None:
            nonlocal connections
            async with watching(server, mode, NEW):
                connections += 1
                await anyio.sleep_forever()

        for _ in range(CLIENTS):
            clients.start_soon(watch)
        with anyio.fail_after(SECONDS * 3):
            while connections < CLIENTS:
                await anyio.lowlevel.checkpoint()
        await looks.settle()
        assert server.resources.watching.watched == [NEW]
        clients.cancel_scope.cancel()
    await nothing_is_left(server, before)
    assert looks.waiting == 0


async def test_subscribing_twice_is_one_watcher(sandbox: Sandbox, serve: Serve, mode: Mode) -> None:
    """On 2025-11-25 the second request changes nothing; on 2026-07-28 a URI counts once."""
    server = await serve(pause=Looks())
    async with connected(server, mode) as (client, heard):
        before = asyncio.all_tasks()
        async with subscribed(client, mode, heard, NEW, NEW):
            [poller] = server.resources.watching._pollers.values()
            assert poller.watchers == 1
        if mode == "legacy":
            for _ in range(2):  # the second has nothing to give up
                await client.unsubscribe_resource(NEW)
        await nothing_is_left(server, before)


async def test_the_end_of_the_server_ends_its_pollers(sandbox: Sandbox, serve: Serve) -> None:
    """Also while somebody watches; afterwards nobody can."""
    server = await serve()
    before = asyncio.all_tasks()
    watched = Watching(server.resources._services, server.resources.bus.publish_update)
    async with watched:
        await watched.watch(NEW)
        assert asyncio.all_tasks() - before
    assert not asyncio.all_tasks() - before
    with pytest.raises(InvalidRequest):
        await watched.watch(TABLES)
