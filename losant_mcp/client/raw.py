"""Answers as bytes: for a reader that parses them in another process.

A page of a thousand rows takes milliseconds to parse, during which nobody else is served. The
workbench reads pages by the hundred, so it takes them as they came and has its child parse them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.client import problems
from losant_mcp.client.transport import Body, Params, Transport

_KEY = secrets.token_bytes(32)


class RawReads(Transport):
    """Reads whose answers are not parsed; policy, retries and errors are those of every request."""

    async def read_raw(
        self,
        endpoint: Endpoint,
        path: Mapping[str, str],
        params: Params | None = None,
        body: Body | None = None,
    ) -> bytes:
        """The body of a 200, as it came: nobody has looked whether it is JSON."""
        assert endpoint.effect is Effect.READ, f"{endpoint.id} does not only read"
        response = await self._fetch(endpoint, path, params, body)
        if response.status_code not in endpoint.responses:
            raise problems.unexpected_status(endpoint, response)
        return response.content

    @property
    def principal(self) -> str:
        """Whose answers these are: equal for equal tokens at one Losant under one label, in this
        process only.

        What is kept of answers is kept under it, so that nobody sees what another token may see.
        """
        whose = f"{self.base_url} {self._token.get_secret_value()} {self.label}".encode()
        return hashlib.blake2b(whose, key=_KEY, digest_size=16).hexdigest()
