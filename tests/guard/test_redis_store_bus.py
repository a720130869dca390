"""Events between replicas: heard once on each, by their own principal, and never invented."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest
from mcp.server.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    SubscriptionBus,
    ToolsListChanged,
)
from pydantic import SecretStr

from losant_mcp.guard.redis_store import bus as redis_bus_module
from losant_mcp.guard.redis_store.bus import RedisBus, redis_bus
from losant_mcp.resources.buses import PrincipalBus
from tests.guard.redis_server import ANOTHER_SECRET, SECRET, RedisServer, redis_server
from tests.guard.stores import API_URL

ROW = ResourceUpdated("losant://tables/one")
LONG = 20.0


class Ear:
    """What a listener on a bus has heard."""

    def __init__(self, bus: SubscriptionBus) -> None:
        self.heard: list[ServerEvent] = []
        self._rings = anyio.Event()
        self.deafen = bus.subscribe(self._hear)

    def _hear(self, event: ServerEvent) -> None:
        self.heard.append(event)
        self._rings.set()
        self._rings = anyio.Event()

    async def until(self, *events: ServerEvent) -> None:
        """Wait until these were heard, and nothing else."""
        with anyio.fail_after(LONG):
            while len(self.heard) < len(events):
                await self._rings.wait()
        assert self.heard == [*events]


@asynccontextmanager
async def two_replicas(
    server: RedisServer, *secrets: SecretStr
) -> AsyncIterator[tuple[RedisBus, RedisBus]]:
    """A bus of each, on one Redis."""
    one, two = secrets or (SECRET, SECRET)
    async with (
        redis_bus(server.url, one, API_URL) as here,
        redis_bus(server.url, two, API_URL) as there,
    ):
        yield here, there


async def test_every_event_is_heard_once_on_each_replica(redis: RedisServer) -> None:
    """Of every kind, in their order, also by whoever published it."""
    events: list[ServerEvent] = [
        ToolsListChanged(),
        ROW,
        PromptsListChanged(),
        ResourcesListChanged(),
        ROW,
    ]
    async with two_replicas(redis) as (here, there):
        ears = Ear(here), Ear(there)
        for event in events:
            await here.publish(event)
        for ear in ears:
            await ear.until(*events)
        await there.publish(ToolsListChanged())
        for ear in ears:
            await ear.until(*events, ToolsListChanged())
        ears[1].deafen()
        ears[1].deafen()
        await here.publish(ROW)
        await ears[0].until(*events, ToolsListChanged(), ROW)
        assert len(ears[1].heard) == 6


async def test_an_update_is_heard_by_its_own_principal(redis: RedisServer) -> None:
    """The same principal's on the other replica, and nobody else's on either."""
    async with two_replicas(redis) as (here, there):
        anns = PrincipalBus(lambda: "ann", here)
        ann_here, ann_there = Ear(anns), Ear(PrincipalBus(lambda: "ann", there))
        bob_there = Ear(PrincipalBus(lambda: "bob", there))
        await anns.publish(ROW)
        await anns.publish(ToolsListChanged())
        for ear in (ann_here, ann_there):
            await ear.until(ROW, ToolsListChanged())
        await bob_there.until(ToolsListChanged())


async def test_what_somebody_else_says_is_not_heard(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither what was never sealed nor what was sealed with another secret."""
    async with two_replicas(redis, SECRET, ANOTHER_SECRET) as (here, there):
        ear = Ear(here)
        with contextlib.closing(redis.client) as client:
            client.publish(here._channel, "hear me")
        await there.publish(ROW)
        await here.publish(ToolsListChanged())
        async with redis_bus(redis.url, SECRET, API_URL) as friend:
            await friend.publish(PromptsListChanged())
            await ear.until(ToolsListChanged(), PromptsListChanged())
    assert "of somebody else on the replicas' channel was ignored" in caplog.text


async def test_a_redis_that_is_away_takes_only_the_others_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This process's own listeners hear all the time, and the others as soon as it is back."""
    monkeypatch.setattr(redis_bus_module, "AGAIN_SECONDS", 0.02)
    async with AsyncExitStack() as stack:
        server = stack.enter_context(redis_server())
        server.stop()
        here, there = await stack.enter_async_context(two_replicas(server))
        near, far = Ear(here), Ear(there)
        await here.publish(ROW)
        await near.until(ROW)
        assert far.heard == []
        server.start_again()
        with anyio.fail_after(LONG):
            while not far.heard:
                await here.publish(ToolsListChanged())
                await anyio.sleep(0.01)
        assert far.heard[0] == ToolsListChanged()
