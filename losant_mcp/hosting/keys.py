"""The file of client keys: their names, what each may do, and hashes of them.

A key is 256 random bits, so nobody finds one by trying, and a fast hash is enough; the salt is
the file's own, so that the same hash in two files tells nothing. The file is its owner's alone,
and a running server reads it anew when it changes: a key that is removed is worth nothing at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from losant_mcp.api.types import ObjectId
from losant_mcp.config import Access, Toolset
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.durable import locked, open_private, read_whole, write_whole

PREFIX = "lmk_"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")

MOST_KEYS = 1000
_MOST_BYTES = 1_000_000
_LOCK_SECONDS = 10.0

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


_Stamp = tuple[int, int, int]


class KeyFile:
    """A file of client keys. Every method blocks, for a moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._content: _Content | None = None

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

        self._change(added)
        return key

    def remove(self, name: str) -> None:
        """The key of this name is worth nothing any more. Raises ConfigurationError."""

        def removed(content: _Content) -> _Content:
            left = tuple(known for known in content.keys if known.name != name)
            if len(left) == len(content.keys):
                raise ConfigurationError(f"There is no key called {name[:60]!r}.")
            return content.model_copy(update={"keys": left})

        self._change(removed)

    def entries(self) -> tuple[ClientKey, ...]:
        """All keys, read anew if the file has changed. Raises ConfigurationError."""
        return self._read().keys

    def find(self, given: str) -> ClientKey | None:
        """The key that this text is, if it is one. Raises ConfigurationError."""
        content = self._read()
        if not _key.fullmatch(given):
            return None
        digest = _digest(content.salt, given)
        # All of them are compared, each in constant time: how long it takes tells nothing.
        matching = [k for k in content.keys if hmac.compare_digest(k.digest, digest)]
        return matching[0] if matching else None

    # ---- the file --------------------------------------------------------------------------

    def _read(self) -> _Content:
        try:
            stamp = _stamp_of(self._path)
            if self._content is None or stamp != self._stamp:
                _refuse_strangers(self._path)
                data = read_whole(self._path, _MOST_BYTES)
                self._content, self._stamp = _Content.model_validate_json(data), stamp
        except OSError as error:
            self._content = None
            raise ConfigurationError(
                f"The file of client keys cannot be read: {self._path}: {error.strerror or error}.",
                hint="Make it with: losant-mcp keys add NAME --keys-file FILE",
            ) from None
        except ValidationError:
            self._content = None
            raise ConfigurationError(
                f"{self._path} is no file of client keys.", hint="Put it back from a copy."
            ) from None
        return self._content

    def _change(self, change: Callable[[_Content], _Content]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._path.with_name(f".{self._path.name}.lock"), _LOCK_SECONDS):
                is_new = not self._path.exists()
                before = _Content(salt=secrets.token_hex(32)) if is_new else self._read()
                write_whole(self._path, _to_bytes(change(before)))
        except OSError as error:
            raise ConfigurationError(
                f"The file of client keys cannot be written: {self._path}:"
                f" {error.strerror or error}.",
                hint="Name a file in a folder of your own.",
            ) from None


def _to_bytes(content: _Content) -> bytes:
    return json.dumps(content.model_dump(mode="json"), indent=2).encode() + b"\n"


def _digest(salt: str, key: str) -> str:
    return hmac.new(bytes.fromhex(salt), key.encode(), hashlib.sha256).hexdigest()


def _stamp_of(path: Path) -> _Stamp:
    found = path.stat()
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _refuse_strangers(path: Path) -> None:
    """Refuse a file that others may read or that is another's; Windows inherits access rights."""
    if not hasattr(os, "geteuid"):
        return
    descriptor = open_private(path, os.O_RDONLY)
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if found.st_uid != os.geteuid():
        raise ConfigurationError(
            f"{path} belongs to another user.", hint="Run the server as that user."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigurationError(f"{path} is open to other users.", hint=f"Run: chmod 600 {path}")
