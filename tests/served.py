"""A sandbox as tests see it: where it is, who may call, what it stored, what it was asked."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx

from losant_mcp.sandbox.app import Logged
from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from tests import published


@dataclass
class Sandbox:
    """One test's database, behind the worker's server."""

    server: SandboxServer
    _open: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        """Where it is served; no trailing slash."""
        return self.server.url

    @property
    def application_id(self) -> str:
        """The demo application."""
        return self.server.application_id

    @property
    def application_url(self) -> str:
        """The path of the demo application."""
        return f"/applications/{self.application_id}"

    @property
    def tokens(self) -> dict[str, str]:
        """By name: full, read, application, device, expired."""
        return self.server.tokens

    @property
    def store(self) -> Store:
        """The database itself."""
        return self.server.store

    @property
    def requests(self) -> list[Logged]:
        """What was asked so far, oldest first."""
        return list(self.server.app.state.requests)

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Replace the fault rules; with none, behave again."""
        answer = self.http().put("/sandbox/faults", json=rules)
        assert answer.status_code == 200, answer.text

    def http(self, token: str | None = "full", *, checked: bool = True) -> httpx.Client:  # noqa: S107 - a token's name
        """A plain HTTP client with one of the tokens, closed when the test ends.

        Every answer is held against the published schemas unless ``checked`` is off.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {self.tokens[token]}"}
        client = httpx.Client(
            base_url=self.url,
            headers=headers,
            verify=False,  # noqa: S501 - no TLS here, and loading certificates takes a while
            timeout=30,
            event_hooks={"response": [_check] if checked else []},
        )
        return self._open.enter_context(client)

    def close(self) -> None:
        """Close the clients and the database."""
        self._open.close()
        self.store.close()


def _check(response: httpx.Response) -> None:
    path = response.request.url.path
    if not path.startswith("/sandbox/"):
        published.check(
            response.request.method, path, response.status_code, json.loads(response.read())
        )
