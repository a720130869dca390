"""A load balancer on loopback that sends each request to the next replica, streams included."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import anyio
import anyio.abc
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

_HEAD_END = b"\r\n\r\n"
_MOST_HEAD = 64 * 1024
_ENDS = (
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    ConnectionError,
)


class RoundRobin:
    """Where requests are sent on to, by turns; a replica that takes no connection is left out.

    Every request has a connection of its own on both sides, so that no client stays with one.
    ``served`` tells for each request, in their order, the number of its replica and its method by
    the header of the later protocol.
    """

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.served: list[tuple[int, str]] = []
        self._turn = count()

    async def handle(self, client: anyio.abc.SocketStream) -> None:
        """Send one request on, and its answer back as it comes."""
        with contextlib.suppress(*_ENDS):
            async with client:
                reader = BufferedByteReceiveStream(client)
                head = await reader.receive_until(_HEAD_END, _MOST_HEAD)
                number, upstream = await self._connect()
                self.served.append((number, _method(head)))
                async with upstream, anyio.create_task_group() as tasks:
                    await upstream.send(_closing(head))
                    tasks.start_soon(_pump, reader, upstream)
                    await _pump(upstream, client)
                    tasks.cancel_scope.cancel()

    async def _connect(self) -> tuple[int, anyio.abc.SocketStream]:
        first = next(self._turn)
        for turn in range(first, first + len(self.ports)):
            number = turn % len(self.ports)
            with contextlib.suppress(OSError):
                return number, await anyio.connect_tcp("127.0.0.1", self.ports[number])
        raise ConnectionError("no replica is there")


async def _pump(source: anyio.abc.ByteReceiveStream, sink: anyio.abc.ByteSendStream) -> None:
    """Everything that comes, until nothing more does."""
    with contextlib.suppress(*_ENDS):
        while True:
            await sink.send(await source.receive())


def _closing(head: bytes) -> bytes:
    """The head of a request after whose answer the connection ends."""
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*kept, b"Connection: close", b"", b""])


def _method(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"mcp-method":
            return value.strip().decode("latin-1")
    return ""


@asynccontextmanager
async def round_robin(ports: list[int]) -> AsyncIterator[tuple[str, RoundRobin]]:
    """A proxy that runs during the block, and its URL."""
    proxy = RoundRobin(ports)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, proxy.handle)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - not Django's
        yield f"http://127.0.0.1:{port}", proxy
        tasks.cancel_scope.cancel()
