"""A web server inside the process that serves MCP: on this machine only, quiet, quickly gone."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator

import anyio
import uvicorn
from starlette.types import Receive, Scope, Send

from losant_mcp.http.approvals import Approvals
from losant_mcp.web import listening, uvicorn_config

HOST = "127.0.0.1"

_PATIENCE = 0.45
"""Seconds for answers that are on their way when the server ends; then they are cut off."""

log = logging.getLogger(__name__)


class LoopbackServer:
    """Listens on a free port from the beginning; what comes before ``serve`` waits."""

    def __init__(self) -> None:
        self._socket = listening(HOST, 0)
        self.host = f"{HOST}:{self._socket.getsockname()[1]}"
        self._app: Approvals | None = None
        self._stopped = anyio.Event()
        self._server = _Server(
            uvicorn_config(
                self._dispatch,
                loop="asyncio",
                http="h11",
                # Without a date, two misses are the same to the byte.
                date_header=False,
                limit_concurrency=100,
                h11_max_incomplete_event_size=16 * 1024,
                timeout_graceful_shutdown=1,
            )
        )

    async def serve(self, app: Approvals) -> None:
        """Serve until ``stop``. A server that cannot go on ends alone: MCP goes on."""
        self._app = app
        try:
            await self._server.serve(sockets=[self._socket])
        except OSError as error:
            log.warning("the approval page is gone: %s", error.strerror)
        finally:
            self._socket.close()
            self._stopped.set()

    async def stop(self) -> None:
        """End ``serve``, within a second even where requests hang."""
        self._server.over.set()
        with anyio.move_on_after(_PATIENCE):
            await self._stopped.wait()
            return
        self._server.force_exit = True
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        with anyio.move_on_after(_PATIENCE):
            await self._stopped.wait()

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None, "serve() sets it before a request is read"
        await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the command it runs in, and sleeps while nobody asks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.over = anyio.Event()

    async def main_loop(self) -> None:
        # uvicorn's own wakes ten times a second, all day long, beside a person's client.
        await self.over.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
