"""Who is asking, as the headers say: one bearer in one place, and nothing that could be another.

A proxy, a log or a library may read a second token, or one in an unexpected place, otherwise than
this server does. So a request that has one is refused, and not half understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST_BEARER = 8 * 1024

ONCE = frozenset(
    {"host", "origin", "content-type", "content-length", "mcp-session-id", "mcp-protocol-version"}
)
ELSEWHERE = frozenset(
    {
        *("proxy-authorization", "x-authorization", "x-access-token", "x-auth-token"),
        *("x-api-key", "x-api-token", "api-key", "apikey", "x-losant-token", "losant-token"),
        *("x-losant-api-token", "losant-api-token", "x-losant-authorization"),
    }
)
"""Where a token might be put by somebody who hopes that it counts as well."""

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

_bearer = re.compile(r"(?i:bearer) +([\x21-\x7e]+)")
_request_id = re.compile(r"[A-Za-z0-9._-]{8,64}")

RawHeaders = Sequence[tuple[bytes, bytes]]


class Ambiguous(Exception):
    """The request cannot be read in one way only; the text says why, and quotes nothing of it."""


class Headers:
    """The headers of a request, checked. Raises Ambiguous."""

    def __init__(self, raw: RawHeaders, query: bytes) -> None:
        found: dict[str, str] = {}
        for name, value in raw:
            key = name.decode("latin-1").lower()
            if key in found and (key in ONCE or key == "authorization"):
                raise Ambiguous(f"The header {key} is there twice.")
            if key in ELSEWHERE:
                raise Ambiguous("A token belongs into the header Authorization and nowhere else.")
            text = value.decode("latin-1").strip()
            if key != "authorization" and text[:7].lower() == "bearer ":
                raise Ambiguous("A token belongs into the header Authorization and nowhere else.")
            found[key] = text
        if "content-length" in found and "transfer-encoding" in found:
            raise Ambiguous("The length of the body is told in two ways.")
        if query:
            raise Ambiguous("This address takes no query string, and never a token in one.")
        self._found = found

    def get(self, name: str) -> str:
        """The value of a header; empty where it is not there."""
        return self._found.get(name, "")

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy has passed the request on, and said so."""
        return any(name in self._found for name in FORWARDED)

    @property
    def bearer(self) -> str | None:
        """The token; None where there is none, or another scheme."""
        match = _bearer.fullmatch(self.get("authorization"))
        return match[1] if match and len(match[1]) <= MOST_BEARER else None

    @property
    def request_id(self) -> str | None:
        """The id that a proxy gave the request, if it is one word."""
        given = self.get("x-request-id")
        return given if _request_id.fullmatch(given) else None
