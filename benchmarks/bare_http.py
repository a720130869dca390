"""The least that a server on the SDK costs over HTTP: one trivial tool. Prints its address."""

from __future__ import annotations

import importlib.util
import socket

import anyio
import uvicorn
from mcp.server.mcpserver import MCPServer


async def _serve() -> None:
    server = MCPServer("bare", log_level="ERROR")

    @server.tool()
    async def add(a: int, b: int) -> dict[str, int]:
        """Add two numbers."""
        return {"sum": a + b}

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    app = server.streamable_http_app()
    config = uvicorn.Config(app, log_level="error", access_log=False)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    anyio.run(_serve, backend_options={"use_uvloop": has_uvloop})
