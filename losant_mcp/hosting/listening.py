"""The HTTP server itself: uvicorn, with a clock for headers and an end that lets writes finish."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Any

import anyio
import anyio.abc
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from losant_mcp.errors import ConfigurationError
from losant_mcp.hosting.address import Address
from losant_mcp.web import listening, uvicorn_config

HEADER_SECONDS = 10.0
MOST_CONNECTIONS = 4096
BACKLOG = 1024
_END_SECONDS = 2


class TimedProtocol(H11Protocol):
    """HTTP/1.1 whose headers have to come in time: uvicorn itself waits for ever."""

    header_seconds = HEADER_SECONDS
    _deadline: asyncio.TimerHandle | None = None

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

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._forget()
        super().connection_lost(exc)
        # Where it was reset, uvicorn lets this run on, which would keep all of it for so long.
        self._unset_keepalive_if_required()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self.header_seconds, self._give_up)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

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
        self._server = _Server(_config(app), task_status.started)
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()

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
        limit_concurrency=MOST_CONNECTIONS,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=32 * 1024,
        timeout_graceful_shutdown=_END_SECONDS,
    )


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
