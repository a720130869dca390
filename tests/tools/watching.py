"""A transport that notes what leaves, at the last place before the network."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx

from losant_mcp.api.endpoint import Endpoint
from losant_mcp.api.endpoints import ENDPOINTS
from tests.assembling import network


def endpoint_of(method: str, path: str) -> Endpoint:
    """The operation of a request."""
    [found] = [
        endpoint
        for endpoint in ENDPOINTS.values()
        if endpoint.method == method
        and re.fullmatch(re.sub(r"\{\w+\}", "[0-9A-Fa-f]{24}", endpoint.path), path)
    ]
    return found


@dataclass
class Watch(httpx.AsyncBaseTransport):
    """Passes every request on to the network, and keeps which operation it was."""

    sent: list[Endpoint] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    network: httpx.AsyncBaseTransport = field(default_factory=network)

    @property
    def sent_ids(self) -> list[str]:
        """The operations by id, in their order."""
        return [endpoint.id for endpoint in self.sent]

    def carried(self, text: str) -> bool:
        """Whether some request had this text in its parameters or its body."""
        return any(quote(text, safe="") in query for query in self.queries) or any(
            text.encode() in body for body in self.bodies
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the request and send it."""
        self.sent.append(endpoint_of(request.method, request.url.path))
        self.queries.append(request.url.query.decode())
        self.bodies.append(await request.aread())
        return await self.network.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.network.aclose()
