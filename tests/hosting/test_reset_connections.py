"""What a client leaves behind that resets its connection: nothing, at once."""

from __future__ import annotations

import gc
import socket
import struct
import sys
from pathlib import Path

import anyio
import anyio.to_thread

from losant_mcp.hosting.listening import TimedProtocol
from tests.hosting.serving import served
from tests.served import Sandbox

_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def _ask_and_reset(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET /healthz HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        # A close that lingers for 0 seconds is a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _connections() -> int:
    gc.collect()
    return sum(type(found) is TimedProtocol for found in gc.get_objects())


async def test_a_reset_connection_is_forgotten(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its memory does not wait for the time that a connection may be idle."""
    async with served(sandbox, tmp_path) as host:
        for _ in range(5):
            await anyio.to_thread.run_sync(_ask_and_reset, host.server.address.port)
        with anyio.fail_after(15):
            while _connections():  # noqa: ASYNC110 - memory that is given back has no event
                await anyio.sleep(0.05)
