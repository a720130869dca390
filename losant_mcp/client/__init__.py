"""The API client: one typed method per operation of the catalogue, over one transport.

The methods know their operation and nothing else; all that every request shares is in
`transport`. This is the only layer that knows httpx.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self

import httpx
from pydantic import SecretStr

from losant_mcp.client.data import DataMethods
from losant_mcp.client.events import EventMethods
from losant_mcp.client.lookup import LookupMethods
from losant_mcp.client.raw import RawReads
from losant_mcp.client.tables import TableMethods
from losant_mcp.client.transport import Timeouts
from losant_mcp.observer import Observer
from losant_mcp.policy import Policy

__all__ = ["LosantClient", "Timeouts"]

_Message = MutableMapping[str, Any]  # as the ASGI specification has it
AsgiApp = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]],
    Awaitable[None],
]


class LosantClient(EventMethods, TableMethods, DataMethods, LookupMethods, RawReads):
    """A Losant API client; use it as an async context manager.

    Every method raises errors of ``losant_mcp.errors`` and no others.
    """

    @classmethod
    def in_process(
        cls,
        app: AsgiApp,
        token: SecretStr,
        *,
        policy: Policy | None = None,
        base_url: str = "http://sandbox.invalid",
        observer: Observer | None = None,
        label: str = "",
    ) -> Self:
        """A client of an ASGI app in this process, without a socket: the embedded sandbox.

        ``base_url`` is what the app believes it is reached by, for links in its answers.
        """
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return cls(
            token,
            base_url=base_url,
            policy=policy,
            transport=transport,
            observer=observer,
            label=label,
        )
