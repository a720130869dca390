"""Watching a resource as a client does, on either version of the protocol."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp import Client
from mcp.client._transport import Transport
from mcp.server.subscriptions import ResourceUpdated
from mcp.types import ResourceUpdatedNotification

from losant_mcp.resources.watching import BETWEEN_WRITES
from losant_mcp.server import LosantServer
from tests.calling import Mode

SECONDS = 10.0
"""How long a test waits for what must come."""


@dataclass
class Looks:
    """The waits between looks, which end when the test says so: no test waits for a clock."""

    waits: list[float] = field(default_factory=list)
    waiting: int = 0
    _again: anyio.Event = field(default_factory=anyio.Event)
    _moved: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, seconds: float, woken: anyio.Event) -> None:
        """Wait for the test, or for the event."""
        if seconds in (0.0, BETWEEN_WRITES):
            await anyio.lowlevel.checkpoint()
            return
        self.waits.append(seconds)
        self._move(+1)
        try:
            async with anyio.create_task_group() as tasks:
                for event in (self._again, woken):
                    tasks.start_soon(self._end_with, event, tasks.cancel_scope)
        finally:
            self._move(-1)

    async def settle(self, pollers: int = 1) -> None:
        """Return when so many pollers wait for their next look."""
        await self._until(lambda: self.waiting == pollers)

    async def again(self, pollers: int = 1) -> None:
        """Have every poller look, and return when all wait again."""
        await self.settle(pollers)
        before, event = len(self.waits), self._again
        self._again = anyio.Event()
        event.set()
        await self._until(lambda: len(self.waits) >= before + pollers and self.waiting == pollers)

    async def waited(self, times: int, pollers: int = 1) -> None:
        """Return when so many waits have begun, and the last of each poller lasts."""
        await self._until(lambda: len(self.waits) >= times and self.waiting == pollers)

    async def _until(self, reached: Callable[[], bool]) -> None:
        with anyio.fail_after(SECONDS):
            while not reached():
                await self._moved.wait()

    def _move(self, by: int) -> None:
        self.waiting += by
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    @staticmethod
    async def _end_with(event: anyio.Event, scope: anyio.CancelScope) -> None:
        await event.wait()
        scope.cancel()


class Heard:
    """What a watcher was told."""

    def __init__(self, received: MemoryObjectReceiveStream[str]) -> None:
        self._received = received

    async def next(self) -> str:
        """The URI of the next notification, which must come."""
        with anyio.fail_after(SECONDS):
            return await self._received.receive()

    def more(self) -> list[str]:
        """What else has come."""
        found = []
        try:
            while True:
                found.append(self._received.receive_nowait())
        except anyio.WouldBlock:
            return found


@asynccontextmanager
async def connected(
    server: LosantServer | Transport, mode: Mode
) -> AsyncIterator[tuple[Client, Heard]]:
    """A client, and what the earlier version of the protocol tells it outside of requests."""
    send, receive = anyio.create_memory_object_stream[str](math.inf)

    async def hear(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            send.send_nowait(str(message.params.uri))

    with send, receive:
        async with Client(server, mode=mode, message_handler=hear) as client:
            yield client, Heard(receive)


@asynccontextmanager
async def watching(server: LosantServer, mode: Mode, *uris: str) -> AsyncIterator[Heard]:
    """A client of its own that watches, and ends by closing its connection without a word."""
    async with (
        connected(server, mode) as (client, heard),
        subscribed(client, mode, heard, *uris) as h,
    ):
        yield h


@asynccontextmanager
async def subscribed(client: Client, mode: Mode, heard: Heard, *uris: str) -> AsyncIterator[Heard]:
    """The client's subscription, on 2025-11-25 given up only with the connection."""
    if mode == "legacy":
        for uri in uris:
            await client.subscribe_resource(uri)
        yield heard
        return
    send, receive = anyio.create_memory_object_stream[str](math.inf)
    with send, receive:
        async with (
            client.listen(resource_subscriptions=list(uris)) as events,
            anyio.create_task_group() as tasks,
        ):

            async def pump() -> None:
                async for event in events:
                    if isinstance(event, ResourceUpdated):
                        send.send_nowait(event.uri)

            tasks.start_soon(pump)
            yield Heard(receive)
            tasks.cancel_scope.cancel()
