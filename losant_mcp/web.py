"""What every web server of this package shares: how it listens, and how uvicorn is to run it."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle: longer than those who connect keep one (our client 30, nginx
and the balancers of clouds 60). So they are the ones to close it, and never send into a connection
that is just ending, which would leave them with a write of which nobody knows what became.
"""


def listening(host: str, port: int, *, backlog: int = 128) -> socket.socket:
    """A socket that takes connections; port 0 picks a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Protocol TCP, named: with 0 asyncio leaves Nagle's algorithm on, 40 ms a request on Linux.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows lets a stranger share a port otherwise
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    elif port:  # a server that is started anew finds its old port in the state TIME_WAIT
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def uvicorn_config(app: ASGIApp, **own: Any) -> uvicorn.Config:
    """Options of uvicorn: no lifespan, no websockets, nothing printed; and a server's ``own``."""
    return uvicorn.Config(
        app,
        ws="none",
        interface="asgi3",
        lifespan="off",
        # A header that anybody may set must not change who asks, or for which host.
        proxy_headers=False,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        **own,
    )
