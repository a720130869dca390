"""The data of a backup: JSON lines, compressed, perhaps encrypted, in one file.

Everything here blocks and never holds more than a small part of the data in memory. Reading
trusts nothing: a file that grows beyond what its manifest says is refused in the middle.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from losant_mcp.guard import durable
from losant_mcp.guard.backup_manifest import BackupDamaged, Manifest, WrongBackupKey
from losant_mcp.guard.backup_seal import CannotOpen, Sealer, opened

JsonObject = dict[str, Any]

MOST_BYTES = 16 * 1024**3
"""Of uncompressed data; more is neither written nor read."""
LONGEST_LINE = 64 * 1024**2
"""Bytes of one object; Losant's own answers end at 20 MB."""

_GZIP = 31
"""What makes zlib write and read gzip's format."""
_LEVEL = 6
_STEP = 1024 * 1024
"""Bytes that are read or uncompressed at a time."""


class TooLarge(OSError):
    """The data goes beyond what a backup may hold."""


class Output:
    """A backup's file on its way: written, not yet in its place."""

    def __init__(self, path: Path, backup_id: str, key: bytes | None) -> None:
        self.path = path
        self.count = 0
        self.size = 0
        self.stored_size = 0
        self.newest: str | None = None
        self._newest_at: datetime | None = None
        self._hash = sha256()
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._descriptor: int | None = durable.open_private(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL
        )
        try:
            self._sealer = Sealer(self._store, key, backup_id) if key is not None else None
        except BaseException:
            self.discard()
            raise

    @property
    def sha256(self) -> str:
        """Of what is stored so far."""
        return self._hash.hexdigest()

    def add_change(self, change: Mapping[str, Any]) -> None:
        """Write the line that says what is about to be written over the objects."""
        self._compress(self._line({"change": change}))

    def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Write a line for each object. Raises OSError, ValueError, TypeError."""
        lines = []
        for item in items:
            lines.append(self._line(item))
            self.count += 1
            self._note_date(item.get("updatedAt") or item.get("lastUpdated"))
        self._compress(b"".join(lines))

    def _line(self, item: Mapping[str, Any]) -> bytes:
        text = json.dumps(item, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # What Losant once sent is kept to the last character, lone surrogates included.
        line = text.encode("utf-8", "surrogatepass") + b"\n"
        self.size += len(line)
        if len(line) > LONGEST_LINE or self.size > MOST_BYTES:
            raise TooLarge("the data is larger than a backup can be")
        return line

    def _note_date(self, date: object) -> None:
        if not isinstance(date, str):
            return
        try:
            at = datetime.fromisoformat(date)
            newer = self._newest_at is None or at > self._newest_at
        except (ValueError, TypeError):
            return
        if newer:
            self.newest, self._newest_at = date, at

    def _compress(self, data: bytes) -> None:
        self._seal(self._compressor.compress(data))

    def _seal(self, data: bytes) -> None:
        if self._sealer is not None:
            self._sealer.write(data)
        else:
            self._store(data)

    def _store(self, data: bytes) -> None:
        if self._descriptor is None:
            raise OSError("the backup was given up")
        durable.write_all(self._descriptor, data)
        self._hash.update(data)
        self.stored_size += len(data)

    def finish(self) -> None:
        """Everything is on the disk, still under its temporary name."""
        self._seal(self._compressor.flush())
        if self._sealer is not None:
            self._sealer.close()
        if self._descriptor is not None:
            os.fsync(self._descriptor)
        self._close()

    def discard(self) -> None:
        """Nothing is left of it."""
        with suppress(OSError):
            self._close()
        durable.remove(self.path)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Input:
    """A backup's file, checked to its end before the first object is handed out.

    The file stays open from the check on, so that no other file can take its place meanwhile.
    Raises BackupDamaged, also where the file is gone or cannot be read, and WrongBackupKey.
    """

    def __init__(self, path: Path, manifest: Manifest, key: bytes | None) -> None:
        self._manifest = manifest
        self._key = key
        if manifest.encrypted and key is None:
            raise WrongBackupKey(
                f"The backup {manifest.id} is encrypted, and no key is set.",
                hint="A person can set the key that it was written with and restart.",
            )
        try:
            self._file: BinaryIO = os.fdopen(durable.open_private(path, os.O_RDONLY), "rb")
        except OSError as error:
            raise self._unreadable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def check(self) -> None:
        """Read all of it once: sizes, checksum, and that every line is an object."""
        manifest = self._manifest
        if manifest.size > MOST_BYTES:
            raise self._damaged("it claims to be larger than a backup can be")
        if os.fstat(self._file.fileno()).st_size != manifest.stored_size:
            raise self._damaged("its file has another size than it was written with")
        digest = sha256()
        for chunk in self._stored():
            digest.update(chunk)
        if digest.hexdigest() != manifest.sha256:
            raise self._damaged("its checksum is wrong")
        for _ in self._lines():
            pass

    def change(self) -> JsonObject:
        """What was about to be written over the objects; empty where that is not kept."""
        if not self._manifest.has_change:
            return {}
        change = next(self._lines())[0].get("change")
        return change if isinstance(change, dict) else {}

    def chunks(self, most: int, most_bytes: int) -> Iterator[list[JsonObject]]:
        """The objects from the first on, in lists that are bounded by number and size."""
        lines = self._lines()
        if self._manifest.has_change:
            next(lines)
        items: list[JsonObject] = []
        size = 0
        for item, length in lines:
            if items and (len(items) >= most or size + length > most_bytes):
                yield items
                items, size = [], 0
            items.append(item)
            size += length
        if items:
            yield items

    def _lines(self) -> Iterator[tuple[JsonObject, int]]:
        """Each line as an object, with its size; the last one only if all of them are right."""
        pending = b""
        number = total = 0
        for data in self._plain():
            total += len(data)
            if total > self._manifest.size:
                raise self._damaged("it holds more than its manifest says")
            *whole, pending = (pending + data).split(b"\n")
            if len(pending) > LONGEST_LINE:
                raise self._damaged("a line is longer than any object")
            for line in whole:
                number += 1
                yield self._parsed(line), len(line)
        if pending or total != self._manifest.size or number != self._manifest.lines:
            raise self._damaged("it holds less than its manifest says")

    def _parsed(self, line: bytes) -> JsonObject:
        try:
            item = json.loads(line)
        except (ValueError, RecursionError):
            item = None
        if not isinstance(item, dict):
            raise self._damaged("a line of it is no object")
        return item

    def _plain(self) -> Iterator[bytes]:
        """The data uncompressed, in small pieces."""
        inflater = zlib.decompressobj(_GZIP)
        try:
            for stored in self._opened():
                rest = stored
                while rest or inflater.unconsumed_tail:
                    if inflater.eof:
                        raise self._damaged("something follows its end")
                    data = inflater.decompress(rest, _STEP)
                    rest = inflater.unconsumed_tail
                    yield data
                    if inflater.unused_data:
                        raise self._damaged("something follows its end")
            while data := inflater.decompress(b"", _STEP):
                yield data
        except zlib.error:
            raise self._damaged("it cannot be uncompressed") from None
        if not inflater.eof:
            raise self._damaged("it ends too early")

    def _opened(self) -> Iterator[bytes]:
        manifest = self._manifest
        if not manifest.encrypted or self._key is None:
            yield from self._stored()
            return
        try:
            yield from opened(self._stored(), self._key, manifest.id)
        except CannotOpen:
            # The checksum was right, so the file is as it was written.
            raise WrongBackupKey(
                f"The key that is set does not open the backup {manifest.id}.",
                hint="It was written with another key; a person can set that one and restart.",
            ) from None

    def _stored(self) -> Iterator[bytes]:
        try:
            self._file.seek(0)
            while chunk := self._file.read(_STEP):
                yield chunk
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> BackupDamaged:
        return self._damaged(f"its file cannot be read ({error.strerror or error})")

    def _damaged(self, why: str) -> BackupDamaged:
        return BackupDamaged(
            f"The backup {self._manifest.id} is damaged: {why}.",
            hint="Look for another backup with list_backups.",
        )
