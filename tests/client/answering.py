"""Another server than the sandbox: it answers whatever a test wants, in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from losant_mcp.client import AsgiApp


def answering(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> AsgiApp:
    """An ASGI app that gives every request the same answer: bytes as they are, else JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {"content-type": "application/json", **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]

    async def app(scope: Any, receive: Any, send: Any) -> None:  # as ASGI has it
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    return app
