"""What lies in Redis is sealed: unreadable and unchangeable without the replicas' shared key.

Redis is reached over a network and may keep what it holds in files and in other machines. So
each value is encrypted and authenticated together with the name of its key (AES-256-GCM): one
that was edited, or moved to another name, cannot be opened.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from losant_mcp.guard.store import StateUnavailable

FORMAT = 1
"""The version of what is sealed; a newer one is refused."""

VERSION_BYTES = 12
"""A sealed value begins with its nonce, which is another one at each writing: its version."""

CLEAR = (
    "Nothing destructive can happen until a person has found out who writes to this Redis, or "
    "has named another one in LOSANT_MCP_STATE_URL; open plans, limits and the PIN start afresh."
)


class Sealer:
    """Seals JSON values under names."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, name: str, value: Any) -> bytes:  # any JSON value
        """The value, for this name only. Each call makes other bytes."""
        nonce = secrets.token_bytes(VERSION_BYTES)
        # ASCII, so that a lone surrogate in a name of Losant's can be sealed as well.
        text = json.dumps([FORMAT, value], separators=(",", ":")).encode()
        return nonce + self._cipher.encrypt(nonce, text, name.encode())

    def open(self, name: str, sealed: bytes) -> Any:  # any JSON value
        """The value. Raises StateUnavailable unless it was sealed with this key for this name."""
        nonce, rest = sealed[:VERSION_BYTES], sealed[VERSION_BYTES:]
        try:
            version, value = json.loads(self._cipher.decrypt(nonce, rest, name.encode()))
        except (InvalidTag, ValueError):
            raise StateUnavailable(
                "The guard's memory was edited from outside (tampering), or LOSANT_MCP_STATE_KEY "
                "is not the one that it was written with.",
                hint=CLEAR,
            ) from None
        if version != FORMAT:
            raise StateUnavailable(
                "The guard's memory was written by a newer version of losant-mcp "
                f"(format {version}; this one knows {FORMAT}).",
                hint="Run the same version on every replica, or name another Redis.",
            )
        return value
