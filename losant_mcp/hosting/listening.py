"""The HTTP server itself: uvicorn, with clocks for who sends or reads slowly, a limit of
connections that is told like every other one, and an end that lets writes finish.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Any

import anyio
import anyio.abc
import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from losant_mcp.errors import ConfigurationError
from losant_mcp.hosting.address import Address
from losant_mcp.hosting.limits import RETRY_SECONDS
from losant_mcp.web import listening, uvicorn_config

HEADER_SECONDS = 10.0
READING_SECONDS = 30.0
"""How long a client may leave unread what does not fit into the buffers between."""
MOST_CONNECTIONS = 4096
BACKLOG = 1024
_END_SECONDS = 2
_LENGTHS = {b"content-length", b"transfer-encoding"}
_CLOSE = (b"connection", b"close")


class TimedProtocol(H11Protocol):
    """HTTP/1.1 whose headers have to come, and whose answers have to be read, in time: uvicorn
    itself waits for ever.
    """

    header_seconds = HEADER_SECONDS
    reading_seconds = READING_SECONDS
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is there: its first request has to come."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Something came: part of a request whose headers are not whole, or more."""
        super().data_received(data)
        if self._is_answering():
            self._forget()
        elif self._deadline is None:
            self._expect()

    def handle_events(self) -> None:
        """Something can be read: where a request tells its length in two ways, nothing that comes
        after it. What one side takes for its body is another request to the other side.
        """
        super().handle_events()
        names = {name for name, _ in self.headers or ()}
        if names >= _LENGTHS and _CLOSE not in self.headers:
            self.headers.append(_CLOSE)

    def pause_writing(self) -> None:
        """The client does not read what it is sent."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.reading_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        self._cancel_unread()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._forget()
        self._cancel_unread()
        super().connection_lost(exc)
        # Where it was reset, uvicorn lets this run on, which would keep all of it for so long.
        self._unset_keepalive_if_required()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self.header_seconds, self._give_up)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self._is_answering():
            self.transport.close()

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever its annotation says
        return cycle is not None and not cycle.response_complete


class HttpServer:
    """Listens from the beginning; what comes before ``serve`` waits. Raises ConfigurationError."""

    def __init__(self, address: Address) -> None:
        self._socket = _listen(address)
        self.address = Address(address.host, self._socket.getsockname()[1])
        """Where it listens, with the port that was picked."""
        self._server: _Server | None = None

    async def serve(
        self, app: ASGIApp, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve the app until ``end``; started once it accepts requests."""
        self._server = _Server(_config(self._bounded(app)), task_status.started)
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()

    def _bounded(self, app: ASGIApp) -> ASGIApp:
        """The app, for as many connections as there may be; uvicorn's own no names no time."""

        async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
            server = self._server
            crowded = server and len(server.server_state.connections) > MOST_CONNECTIONS
            await (_crowded() if crowded else app)(scope, receive, send)

        return bounded

    def refuse_new(self) -> None:
        """Take no new connections; those that are there go on."""
        for server in self._server.servers if self._server else ():
            server.close()

    def end(self) -> None:
        """End ``serve``: answers that are on their way are finished, for a moment."""
        if self._server is not None:
            self._server.should_exit = True


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn_config(
        app,
        http=TimedProtocol,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=32 * 1024,
        timeout_graceful_shutdown=_END_SECONDS,
    )


def _crowded() -> ASGIApp:
    error = {"code": -32600, "message": "Too many connections at a time."}
    headers = {"Retry-After": str(RETRY_SECONDS), "Connection": "close"}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 503, headers)


def _listen(address: Address) -> socket.socket:
    try:
        return listening(address.host, address.port, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"LOSANT_MCP_HTTP: cannot listen at {address.host}:{address.port}:"
            f" {error.strerror or error}.",
        ) from None


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the command it runs in, and says when it has begun."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._begun()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
