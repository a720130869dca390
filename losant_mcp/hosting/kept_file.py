"""A small file of an operator's, of which a command writes and a running server reads.

It is its owner's alone, written whole or not at all, and read anew when it has changed: who was
taken out of it is unknown at the next request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.durable import exposure, locked, read_whole, write_whole

_MOST_BYTES = 1_000_000
_LOCK_SECONDS = 10.0

Content = TypeVar("Content", bound=BaseModel)


class KeptFile(Generic[Content]):
    """A file of ``content``, which is ``what`` in words and is made by the command ``made_by``.

    Every method blocks, for a moment, and raises ConfigurationError.
    """

    def __init__(self, path: Path, content: type[Content], what: str, made_by: str) -> None:
        self._path = path
        self._model = content
        self._what = what
        self._made_by = made_by
        self._stamp: tuple[int, int, int] | None = None
        self._content: Content | None = None

    def read(self) -> Content:
        """What is in it now."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if self._content is None or stamp != self._stamp:
                self._content = None
                # Not of the descriptor: a link is refused by the reading.
                if problem := exposure(self._path.lstat()):
                    raise ConfigurationError(
                        f"{self._path} {problem}.",
                        hint=f"Give it to the server's user alone: chmod 600 {self._path}",
                    )
                data = read_whole(self._path, _MOST_BYTES)
                self._content, self._stamp = self._model.model_validate_json(data), stamp
        except OSError as error:
            self._content = None
            raise ConfigurationError(
                f"The file of {self._what} cannot be read: {self._path}:"
                f" {error.strerror or error}.",
                hint=f"Make it with: {self._made_by}",
            ) from None
        except ValidationError:
            raise ConfigurationError(
                f"{self._path} is no file of {self._what}.", hint="Put it back from a copy."
            ) from None
        return self._content

    def change(self, change: Callable[[Content], Content], fresh: Callable[[], Content]) -> None:
        """Write what ``change`` makes of the content; ``fresh`` is that of a file not yet there."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._path.with_name(f".{self._path.name}.lock"), _LOCK_SECONDS):
                before = self.read() if self._path.exists() else fresh()
                after = change(before).model_dump(mode="json")
                write_whole(self._path, json.dumps(after, indent=2).encode() + b"\n")
        except OSError as error:
            raise ConfigurationError(
                f"The file of {self._what} cannot be written: {self._path}:"
                f" {error.strerror or error}.",
                hint="Name a file in a folder of your own.",
            ) from None
