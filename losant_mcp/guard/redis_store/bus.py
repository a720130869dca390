"""Events for subscribers on every replica, by Redis's pub/sub.

What is published is told to this process's listeners at once and to the other replicas by a
sealed message, so a Redis that is away takes only the others' events; who may hear what is
decided above (``PrincipalBus``). Nothing is repeated: what is missed while Redis is away is
found by the next look at what is watched.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import anyio
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from pydantic import SecretStr
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from losant_mcp.guard.redis_store.connection import connect, key_prefix
from losant_mcp.guard.redis_store.sealing import Sealer
from losant_mcp.guard.state_keys import derived_key
from losant_mcp.guard.store import StateUnavailable

AGAIN_SECONDS = 1.0
"""How long to wait before the next attempt to hear."""

PING_SECONDS = 15.0
"""How long nothing may be heard before it is asked whether anybody is there."""

_KINDS: dict[str, type[ServerEvent]] = {
    kind.__name__: kind
    for kind in (ToolsListChanged, PromptsListChanged, ResourcesListChanged, ResourceUpdated)
}

log = logging.getLogger(__name__)


class RedisBus:
    """A ``SubscriptionBus`` across replicas; open it with ``redis_bus``."""

    def __init__(self, url: SecretStr, secret: SecretStr, api_url: str) -> None:
        self._redis = connect(url)
        self._sealer = Sealer(derived_key(secret, "subscriptions"))
        self._channel = f"{key_prefix(api_url)}:events"
        self._local = InMemorySubscriptionBus()
        self._me = secrets.token_hex(8)
        self._hears = True
        self.tried = anyio.Event()
        """Set once the other replicas are heard, or could not be at first."""

    async def publish(self, event: ServerEvent) -> None:
        """Deliver the event here, and to the other replicas where Redis can be reached."""
        await self._local.publish(event)
        told = [self._me, type(event).__name__, asdict(event)]
        try:
            await self._redis.publish(self._channel, self._sealer.seal(self._channel, told))
        except (RedisError, OSError) as error:
            log.warning("other replicas are not told of a change: %s", type(error).__name__)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Register a listener; what is returned ends it."""
        return self._local.subscribe(listener)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()

    async def listen(self) -> None:
        """Hear what other replicas publish, for ever."""
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(self._channel)
                    await self._hear(pubsub)
            except (RedisError, OSError) as error:
                if self._hears:
                    log.warning("other replicas are not heard: %s", type(error).__name__)
                self._hears = False
            self.tried.set()
            await anyio.sleep(AGAIN_SECONDS)

    async def _hear(self, pubsub: PubSub) -> None:
        asked = False
        while True:
            message = await pubsub.get_message(timeout=PING_SECONDS)
            if message is None and asked:
                raise RedisConnectionError("nobody is there")
            asked = message is None
            if message is None:
                await pubsub.ping()
            elif message["type"] == "subscribe":
                self._hears = True
                self.tried.set()
            elif message["type"] == "message":
                await self._deliver(message["data"])

    async def _deliver(self, sealed: bytes) -> None:
        try:
            sender, kind, fields = self._sealer.open(self._channel, sealed)
        except StateUnavailable:
            log.warning("a message of somebody else on the replicas' channel was ignored")
            return
        if sender != self._me and kind in _KINDS:
            await self._local.publish(_KINDS[kind](**fields))


@asynccontextmanager
async def redis_bus(url: SecretStr, secret: SecretStr, api_url: str) -> AsyncIterator[RedisBus]:
    """A bus that hears the other replicas during the block, whenever Redis is there."""
    bus = RedisBus(url, secret, api_url)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bus.listen)
            await bus.tried.wait()
            yield bus
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await bus.aclose()
