"""What of a backup was restored already: a file beside it, one line per step.

A line says what is about to be sent before it is sent, and what came of it afterwards, each on
the disk before the next step. So a restore that was interrupted goes on where it was, what may
or may not have arrived is known as such, and a second restore makes no duplicates. It holds ids
and names of tables, never a cell.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from anyio.to_thread import run_sync

from losant_mcp.guard import durable
from losant_mcp.guard.backup_manifest import BackupDamaged, Manifest
from losant_mcp.guard.store import GuardError


@dataclass(slots=True)
class Place:
    """What became of the objects in one place: a table, or the application's events."""

    restored: dict[str, str] = field(default_factory=dict)
    """New ids by old ones; an empty new id is one that Losant did not tell."""
    begun: dict[str, int] = field(default_factory=dict)
    """Old ids that were sent and of which no answer is known, with the time in ms before that."""


@dataclass(frozen=True, slots=True)
class Creation:
    """A table that was about to be made: its name, and the time in ms before that."""

    name: str
    at: int


class Journal:
    """The journal of one backup; ``open`` reads what is there."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._path = path
        self._manifest = manifest
        self._places: defaultdict[str, Place] = defaultdict(Place)
        self.creating: Creation | None = None
        self.created: str | None = None
        self.added_columns: set[str] = set()
        """Tables to which this backup's column was added again by a restore."""

    @classmethod
    async def open(cls, path: Path, manifest: Manifest) -> Self:
        """The journal as an earlier restore left it, or a new one.

        Raises BackupDamaged where it cannot be told what was restored already.
        """
        journal = cls(path, manifest)
        try:
            await run_sync(journal._load)
        except OSError as error:
            raise _unwritable(error) from error
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            raise BackupDamaged(
                f"The restore journal of backup {manifest.id} is damaged, so it cannot be told "
                "what was restored already.",
                hint="A person can move it away; a restore may then make duplicates.",
            ) from None
        return journal

    def at(self, place: str) -> Place:
        """What became of the objects there so far."""
        return self._places[place]

    # ---- writing ---------------------------------------------------------------------------

    async def note_begun(self, place: str, old_ids: Iterable[str], at: int) -> None:
        """These objects are about to be sent."""
        await self._note({"begun": list(old_ids), "to": place, "at": at})

    async def note_restored(self, place: str, pairs: Mapping[str, str]) -> None:
        """These objects are there, under their new ids."""
        if pairs:
            await self._note({"restored": dict(pairs), "to": place})

    async def note_refused(self, place: str, old_ids: Iterable[str]) -> None:
        """These objects are certainly not there."""
        await self._note({"refused": list(old_ids), "to": place})

    async def note_creating(self, name: str, at: int) -> None:
        """A table of this name is about to be made."""
        await self._note({"creating": name, "at": at})

    async def note_created(self, table_id: str) -> None:
        """The table was made."""
        await self._note({"created": table_id})

    async def note_added(self, table_id: str) -> None:
        """The column is about to be added to this table, or was."""
        await self._note({"added": table_id})

    async def _note(self, line: Mapping[str, Any]) -> None:
        try:
            await run_sync(self._append, [line])
        except OSError as error:
            raise _unwritable(error) from error
        self._take(line)

    def _append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = durable.open_private(self._path, flags)
        try:
            durable.write_all(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # ---- reading ---------------------------------------------------------------------------

    def _load(self) -> None:
        head = {"backup": self._manifest.id, "sha256": self._manifest.sha256}
        data = self._read()
        # A line that a crash cut off was never acted upon; what it would have said stays open.
        whole = data[: data.rfind(b"\n") + 1]
        if not whole:
            durable.write_whole(self._path, f"{json.dumps(head)}\n".encode())
            return
        if len(whole) < len(data):
            os.truncate(self._path, len(whole))
        first, *lines = [json.loads(line) for line in whole.splitlines()]
        if first != head:
            raise ValueError
        for line in lines:
            self._take(line)

    def _read(self) -> bytes:
        try:
            descriptor = durable.open_private(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def _take(self, line: Mapping[str, Any]) -> None:
        match line:
            case {"begun": list(ids), "to": str(place), "at": int(at)}:
                begun = self.at(place).begun
                for old in ids:
                    # The earlier time stays: what was sent then may have arrived, too.
                    begun.setdefault(old, at)
            case {"restored": dict(pairs), "to": str(place)}:
                found = self.at(place)
                found.restored.update(pairs)
                for old in pairs:
                    found.begun.pop(old, None)
            case {"refused": list(ids), "to": str(place)}:
                for old in ids:
                    self.at(place).begun.pop(old, None)
            case {"creating": str(name), "at": int(at)}:
                self.creating, self.created = Creation(name, at), None
            case {"created": str(table_id)}:
                self.created = table_id
            case {"added": str(table_id)}:
                self.added_columns.add(table_id)
            case _:
                raise ValueError


def _unwritable(error: OSError) -> GuardError:
    return GuardError(
        "The restore journal cannot be written, so nothing more is restored: "
        f"{error.strerror or error}.",
        hint="A person should check the backup folder and the space on its disk.",
    )
