"""The way to Losant, with one operation on it that fares badly before the sandbox can see it."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import anyio
import httpx

from tests.assembling import network
from tests.tools.watching import endpoint_of

_LINGER = "hh" if sys.platform == "win32" else "ii"


@dataclass
class Line(httpx.AsyncBaseTransport):
    """The network. The requests of ``endpoint`` go to another ``port``, or get little time."""

    endpoint: str = ""
    port: int | None = None
    """Where the requests of the endpoint arrive instead, if not at the sandbox."""
    lost_from: int = sys.maxsize
    """From which request on, counted from 1, all of them arrive at that port."""
    times: int = sys.maxsize
    """How many of the requests of the endpoint fare so; those that come after are spared."""
    read_seconds: float | None = None
    """How long the client waits for a byte of their answers, where that may be too short."""
    worked: Callable[[], Awaitable[None]] | None = None
    """Returns once the work is done, where the client's patience ends only then."""
    requests: int = 0
    """How many requests were begun."""
    attempts: int = 0
    """How many of those were of the endpoint."""
    network: httpx.AsyncBaseTransport = field(default_factory=network)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request where it goes, with the time that it gets."""
        self.requests += 1
        meant = endpoint_of(request.method, request.url.path).id == self.endpoint
        self.attempts += meant
        meant = meant and self.attempts <= self.times
        times = dict(request.extensions["timeout"])
        if self.port is not None and (meant or self.requests >= self.lost_from):
            request.url = request.url.copy_with(port=self.port)
            # Windows tries a refused connection for two seconds.
            times["connect"] = 0.5
        request.extensions["timeout"] = times
        if meant and self.read_seconds is not None:
            if self.worked is None:
                times["read"] = self.read_seconds
            else:
                return await self._given_up(request, self.worked)
        return await self.network.handle_async_request(request)

    async def _given_up(
        self, request: httpx.Request, worked: Callable[[], Awaitable[None]]
    ) -> httpx.Response:
        """The head of an answer whose rest does not come; a timeout where not even that comes."""
        async with anyio.create_task_group() as tasks:
            answers: list[httpx.Response] = []

            async def send() -> None:
                answers.append(await self.network.handle_async_request(request))

            tasks.start_soon(send)
            await worked()
            await anyio.sleep(self.read_seconds or 0)
            tasks.cancel_scope.cancel()
        for answer in answers:
            request.extensions["timeout"]["read"] = self.read_seconds
            return answer
        raise httpx.ReadTimeout("the answer did not come", request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.network.aclose()


@contextmanager
def shut_door() -> Iterator[int]:
    """A port at which every connection is refused, since nobody else can listen there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def slammed_door() -> Iterator[int]:
    """A port at which every connection is reset once it is used, without a byte being read."""
    closing = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        def slam() -> None:
            while not closing.is_set():
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    # Before the first byte, some clients would not even learn that it was made.
                    connection.recv(1, socket.MSG_PEEK)
                    # A close that lingers for 0 seconds is a reset.
                    linger = struct.pack(_LINGER, 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

        thread = threading.Thread(target=slam, name="slammed door", daemon=True)
        thread.start()
        try:
            yield address[1]
        finally:
            closing.set()
            # One more connection, since nothing else ends a wait for one on every system.
            socket.create_connection(address).close()
            thread.join()
