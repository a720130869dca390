"""The file of client keys: their names, what each may do, and hashes of them.

A key is 256 random bits, so nobody finds one by trying, and a fast hash is enough; the salt is
the file's own, so that the same hash in two files tells nothing. The file is its owner's alone,
and a running server reads it anew when it changes: a key that is removed is worth nothing at once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from losant_mcp.api.types import ObjectId
from losant_mcp.config import Access, Toolset
from losant_mcp.errors import ConfigurationError
from losant_mcp.hosting.kept_file import KeptFile

PREFIX = "lmk_"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")

MOST_KEYS = 1000

_key = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class ClientKey(BaseModel):
    """One key: whose it is and what it may do; never more than the server may."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
    access: Access = "read"
    applications: tuple[ObjectId, ...] = ()
    """The only ones that it reaches; empty where it reaches what the server does."""
    toolsets: tuple[Toolset, ...] = ()
    """The only ones that it sees; empty where it sees what the server has."""
    created: datetime
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    keys: Annotated[tuple[ClientKey, ...], Field(max_length=MOST_KEYS)] = ()


class KeyFile:
    """A file of client keys. Every method blocks, for a moment."""

    def __init__(self, path: Path) -> None:
        made_by = "losant-mcp keys add NAME --keys-file FILE"
        self._file = KeptFile(path, _Content, "client keys", made_by)

    def add(
        self,
        name: str,
        access: Access,
        applications: Sequence[str] = (),
        toolsets: Sequence[Toolset] = (),
    ) -> str:
        """A fresh key, which is shown now and never again. Raises ConfigurationError."""
        if not NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name[:60]!r} is no name for a key.",
                hint="Use up to 40 lower-case letters, digits, dots, dashes and underscores.",
            )
        key = PREFIX + secrets.token_urlsafe(32)

        def added(content: _Content) -> _Content:
            if any(known.name == name for known in content.keys):
                raise ConfigurationError(
                    f"There is a key called {name} already.",
                    hint=f"Replace it: losant-mcp keys remove {name}, and then add it again.",
                )
            if len(content.keys) >= MOST_KEYS:
                raise ConfigurationError(f"The file holds {MOST_KEYS:,} keys, which is the most.")
            entry = ClientKey(
                name=name,
                access=access,
                applications=tuple(applications),
                toolsets=tuple(toolsets),
                created=datetime.now(UTC).replace(microsecond=0),
                digest=_digest(content.salt, key),
            )
            return content.model_copy(update={"keys": (*content.keys, entry)})

        self._file.change(added, _fresh)
        return key

    def remove(self, name: str) -> None:
        """The key of this name is worth nothing any more. Raises ConfigurationError."""

        def removed(content: _Content) -> _Content:
            left = tuple(known for known in content.keys if known.name != name)
            if len(left) == len(content.keys):
                raise ConfigurationError(f"There is no key called {name[:60]!r}.")
            return content.model_copy(update={"keys": left})

        self._file.change(removed, _fresh)

    def entries(self) -> tuple[ClientKey, ...]:
        """All keys, read anew if the file has changed. Raises ConfigurationError."""
        return self._file.read().keys

    def find(self, given: str) -> ClientKey | None:
        """The key that this text is, if it is one. Raises ConfigurationError."""
        content = self._file.read()
        if not _key.fullmatch(given):
            return None
        digest = _digest(content.salt, given)
        # All of them are compared, each in constant time: how long it takes tells nothing.
        matching = [k for k in content.keys if hmac.compare_digest(k.digest, digest)]
        return matching[0] if matching else None


def _fresh() -> _Content:
    return _Content(salt=secrets.token_hex(32))


def _digest(salt: str, key: str) -> str:
    return hmac.new(bytes.fromhex(salt), key.encode(), hashlib.sha256).hexdigest()
