"""The sandbox as a server on this machine: uvicorn in a thread.

It listens on the loopback address only, and prints nothing.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from functools import partial
from types import TracebackType
from typing import Any, Self

import uvicorn
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from losant_mcp.sandbox import tokens
from losant_mcp.sandbox.app import create_app
from losant_mcp.sandbox.demo import seed
from losant_mcp.sandbox.store import Store
from losant_mcp.web import listening, uvicorn_config

HOST = "127.0.0.1"
_GRACE = 2
"""Seconds that open requests get at the end; a slow one is then cancelled."""


class SandboxServer:
    """A sandbox on ``url``. Its database is seeded with the demo, unless ``empty`` or seeded.

    It listens from the beginning: what comes before it serves waits in the system's queue.
    """

    def __init__(self, store: Store, *, port: int = 0, empty: bool = False) -> None:
        self._socket = listening(HOST, port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self.use(store, empty=empty)
        config = uvicorn_config(
            self._dispatch,
            loop="asyncio",
            http=_Protocol,
            # The app dates answers by its own clock.
            date_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def use(self, store: Store, *, empty: bool = False) -> None:
        """Serve another database from now on; tests give each its own without a new server."""
        self.store = store
        self.application_id = seed(store, empty=empty)
        self.tokens = tokens.mint(store, self.application_id, _first_device(store))
        self.app: Starlette = create_app(store, base_url=self.url)

    def start(self) -> None:
        """Serve in a background thread."""
        run = partial(self._server.run, sockets=[self._socket])
        self._thread = threading.Thread(target=run, name="sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background thread, within a few seconds even where requests hang."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await run_sync(self.stop)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def _first_device(store: Store) -> str:
    found = store.rows("SELECT id FROM devices ORDER BY id LIMIT 1")
    return str(found[0]["id"]) if found else "0" * 24


_LINGER = "hh" if sys.platform == "win32" else "ii"


class _Protocol(H11Protocol):
    """Gives the app a way to break the connection, which ASGI lacks: ``state["disconnect"]``."""

    def connection_made(self, transport: Any) -> None:  # asyncio's type; uvicorn narrows it
        super().connection_made(transport)
        self.app_state = {**self.app_state, "disconnect": self._disconnect}

    def _disconnect(self, reset: bool) -> None:
        if reset:
            # A close that lingers for 0 seconds is a reset.
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
            self.transport.abort()
        else:
            self.transport.close()
