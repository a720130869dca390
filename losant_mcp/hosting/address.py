"""Where the server listens, and by which names it may be called."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from losant_mcp.errors import ConfigurationError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Address:
    """A host, without brackets, and a port; port 0 picks a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. A name other than localhost may be anything."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """Where it is served; no trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address of ``host:port``. Raises ConfigurationError where the port is none."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ConfigurationError(
            f"LOSANT_MCP_HTTP: {text[:80]!r} has no port.", hint="Write it like 127.0.0.1:8000."
        )
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


@dataclass(frozen=True, slots=True)
class Names:
    """The hosts and origins that a request may name.

    A page that was made to point here (DNS rebinding) comes with its own host; a page of another
    site comes with its own origin, which a browser does not let it forge.
    """

    hosts: frozenset[tuple[str, int | None]]
    origins: frozenset[str]

    def allows_host(self, header: str) -> bool:
        """Whether the value of a Host header is one of ours, at the port that was named, if any."""
        found = _host(header)
        return found is not None and (found in self.hosts or (found[0], None) in self.hosts)

    def allows_origin(self, header: str) -> bool:
        """Whether a page of this origin may call."""
        return header in self.origins


def names_of(address: Address, hosts: Iterable[str], origins: Iterable[str]) -> Names:
    """What may be named: what is set, and loopback itself. Raises ConfigurationError."""
    known: set[tuple[str, int | None]] = {(name, address.port) for name in LOOPBACK_NAMES}
    for text in hosts:
        found = _host(text)
        if found is None:
            raise ConfigurationError(
                f"LOSANT_MCP_ALLOWED_HOSTS: {text[:80]!r} is no host.",
                hint="Write it like mcp.example.com, or mcp.example.com:8443 for one port only.",
            )
        known.add(found)
    own = {f"http://{_bracketed(name)}:{address.port}" for name in LOOPBACK_NAMES}
    return Names(frozenset(known), frozenset({*own, *map(allowed_origin, origins)}))


def origin_of(url: str) -> str:
    """The address as a browser names it as an origin: lower case, without a usual port."""
    parts = urlsplit(url.rstrip("/").lower())
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def allowed_origin(text: str) -> str:
    """The origin that a setting names, as a browser names it. Raises ConfigurationError."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise ConfigurationError(
            f"LOSANT_MCP_ALLOWED_ORIGINS: {text[:80]!r} is no origin.",
            hint="Write it like https://app.example.com, without a slash at the end.",
        )
    return origin_of(text)


def _host(text: str) -> tuple[str, int | None] | None:
    """Host, in lower case and without brackets, and port; None where it is neither."""
    if not text or text != text.strip() or any(char in text for char in "/@?#,\\ "):
        return None
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname else None


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
