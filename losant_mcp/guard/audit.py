"""The audit trail: who was asked what, what they answered, and what was then done.

An append-only file of JSON lines. Each line carries an HMAC over the line before it and itself,
so that no line can be changed, removed, moved or added without the key. What the file cannot say
of itself, how long it must be, stands in a second small file, the head, under the same key.

A line holds ids, counts and one cleaned name; never a cell, a subject or a value of a query.
What it protects against is a change after the fact by someone without the key. Someone who can
put back an old copy of file and head together, or who has the key, is not found out.
"""

from __future__ import annotations

import hmac
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Unpack

from anyio.to_thread import run_sync

from losant_mcp.guard import durable
from losant_mcp.guard.audit_lines import (
    LONGEST_LINE,
    AuditLine,
    Facts,
    Kind,
    iso,
    parsed,
    shown,
    told,
)
from losant_mcp.guard.plans import canonical
from losant_mcp.guard.store import GuardError
from losant_mcp.text import one_line

LOCK_SECONDS = 10.0
"""How long an append waits for another process to finish its own."""

START = "0" * 64
"""What the first line follows."""


class AuditUnavailable(GuardError):
    """The audit trail cannot be written, so nothing may be written to Losant."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the trail is whole. ``line`` is the first one that is wrong, counted from 1."""

    ok: bool
    lines: int
    line: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Head:
    """How far the trail goes: its last line's number and MAC, and the file's length in bytes."""

    sequence: int = 0
    mac: str = START
    length: int = 0


class _Broken(Exception):
    """The trail is not what it was left as; ``line`` is where that shows."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AuditLog:
    """The trail in ``path``; its head is kept in ``head_path``, best in another folder.

    Safe between tasks, threads and processes of one machine.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: bytes,
        head_path: Path,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        if len(key) < 16:
            raise ValueError("the audit key is too short to protect anything")
        self._path = path
        self._head_path = head_path
        self._lock_path = head_path.with_name(f"{head_path.name}.lock")
        self._key = key
        self._clock = clock
        self._mutex = threading.Lock()

    # ---- writing ---------------------------------------------------------------------------

    async def append(self, kind: Kind, **facts: Unpack[Facts]) -> None:
        """The line is on the disk. Raises AuditUnavailable, and then it counts as never written.

        A cancellation waits for the line.
        """
        await run_sync(self._append, kind, told(facts))

    def _append(self, kind: str, facts: Mapping[str, Any]) -> None:
        try:
            with self._mutex, durable.locked(self._lock_path, LOCK_SECONDS):
                self._write(kind, facts)
        except _Broken as error:
            raise AuditUnavailable(
                f"The audit trail is not as it was left: {error}.",
                hint="A person should look at `losant-mcp audit verify`. To begin a new trail, "
                "move the audit file and its head away together.",
            ) from None
        except OSError as error:
            raise AuditUnavailable(
                f"The audit trail cannot be written: {error.strerror or error}.",
                hint="A person should check the state folder and the space on its disk.",
            ) from error

    def _write(self, kind: str, facts: Mapping[str, Any]) -> None:
        head = self._read_head()
        flags = os.O_RDWR | os.O_APPEND
        # A trail that has lines must have its file: making a new one would hide that it is gone.
        descriptor = durable.open_private(
            self._path, flags if head is not None and head.sequence else flags | os.O_CREAT
        )
        try:
            size = os.fstat(descriptor).st_size
            if head is None:
                if size:
                    raise _Broken("it has lines, but its head is gone")
                head = _Head()
                self._write_head(head)
                durable.sync_folder(self._path.parent)
            elif size != head.length:
                head = self._healed(descriptor, head, size)
            line = {**facts, "seq": head.sequence + 1, "at": iso(self._clock()), "kind": kind}
            mac = self._mac(head.mac, line)
            data = f"{canonical({**line, 'mac': mac})}\n".encode()
            try:
                durable.write_all(descriptor, data)
                os.fsync(descriptor)
                self._write_head(_Head(head.sequence + 1, mac, head.length + len(data)))
            except OSError:
                self._take_back(descriptor, head)
                raise
        finally:
            os.close(descriptor)

    def _take_back(self, descriptor: int, head: _Head) -> None:
        """Drop a line of which the caller is told that it was not written, if its head did not
        get through; else it stays, since a file shorter than its head would look cut.
        """
        with suppress(OSError, _Broken):
            if self._read_head() == head:
                os.ftruncate(descriptor, head.length)
                os.fsync(descriptor)

    def _healed(self, descriptor: int, head: _Head, size: int) -> _Head:
        """The head after a crash between a line and its head. Raises _Broken for all else."""
        if size < head.length:
            raise _Broken(f"its file is shorter than its {head.sequence} lines")
        extra = size - head.length
        if extra > LONGEST_LINE:
            raise _Broken("its file is longer than it was left", head.sequence + 1)
        os.lseek(descriptor, head.length, os.SEEK_SET)
        raw = os.read(descriptor, extra)
        mac = self._follows(raw, head.sequence + 1, head.mac)
        return _Head(head.sequence + 1, mac, size)

    # ---- the head --------------------------------------------------------------------------

    def _write_head(self, head: _Head) -> None:
        body = {"sequence": head.sequence, "mac": head.mac, "length": head.length}
        signed = {**body, "check": self._sign("head", canonical(body))}
        durable.write_whole(self._head_path, f"{canonical(signed)}\n".encode())

    def _read_head(self) -> _Head | None:
        """The head, or None where there is none yet. Raises _Broken, OSError."""
        try:
            raw = durable.read_whole(self._head_path, 1024)
        except FileNotFoundError:
            return None
        try:
            signed = json.loads(raw)
            check = signed.pop("check")
            genuine = hmac.compare_digest(check, self._sign("head", canonical(signed)))
            head = _Head(**signed)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            genuine, head = False, _Head()
        if not genuine:
            raise _Broken("its head was changed, or the key is another")
        return head

    def _sign(self, before: str, text: str) -> str:
        # "head" is no hexadecimal digest, so that a head never passes for a line.
        return hmac.new(self._key, (before + text).encode(), sha256).hexdigest()

    def _mac(self, previous: str, line: Mapping[str, Any]) -> str:
        return self._sign(previous, canonical(line))

    # ---- reading ---------------------------------------------------------------------------

    def verify(self) -> Verdict:
        """Whether every line is there, unchanged and in its place; blocks while it reads.

        Raises AuditUnavailable where the files cannot be read at all.
        """
        lines = 0
        try:
            head, file = self._opened()
            if file is None:
                if head is not None and head.sequence:
                    raise _Broken("its file is gone", 1)
                return Verdict(ok=True, lines=0)
            with file:
                size = os.fstat(file.fileno()).st_size
                for lines in self._verified(file, size, head):  # noqa: B007 - told at the end
                    pass
        except _Broken as error:
            return Verdict(ok=False, lines=lines, line=error.line, problem=str(error))
        except OSError as error:
            raise AuditUnavailable(
                f"The audit trail cannot be read: {error.strerror or error}."
            ) from error
        return Verdict(ok=True, lines=lines)

    def _verified(self, file: BinaryIO, size: int, head: _Head | None) -> Iterator[int]:
        """The numbers of the genuine lines, one by one. Raises _Broken."""
        if head is None:
            if size:
                raise _Broken("it has lines, but its head is gone")
            return
        previous, number, end = START, 0, 0
        while end < size:
            raw = file.readline(LONGEST_LINE)
            previous = self._follows(raw, number + 1, previous)
            number, end = number + 1, end + len(raw)
            if number == head.sequence and (previous, end) != (head.mac, head.length):
                raise _Broken("the line is not the one that its head names", number)
            if number > head.sequence + 1:
                raise _Broken("there are more lines than its head knows of", number)
            yield number
        if number < head.sequence:
            raise _Broken(f"the file was cut: it had {head.sequence} lines", number + 1)

    def _follows(self, raw: bytes, number: int, previous: str) -> str:
        """The MAC of a line that follows from the one before. Raises _Broken."""
        line = parsed(raw)
        if line is None:
            raise _Broken("the line is not as it was written", number)
        mac = str(line.pop("mac", ""))
        if line.get("seq") != number:
            raise _Broken(
                f"the line says that it is number {one_line(str(line.get('seq')), 20)}: "
                "lines were removed, moved or added",
                number,
            )
        if not hmac.compare_digest(mac.encode(), self._mac(previous, line).encode()):
            raise _Broken(
                "the line was changed, or it does not follow from the one before it", number
            )
        return mac

    def read(self, limit: int, plan_id: str | None = None) -> Sequence[AuditLine]:
        """The newest lines, of one plan or of all, oldest first; blocks while it reads.

        Raises AuditUnavailable where the file cannot be read.
        """
        try:
            file = self._open()
            if file is None:
                return ()
            with file:
                found = deque(shown(file, plan_id), maxlen=limit)
        except OSError as error:
            raise AuditUnavailable(
                f"The audit trail cannot be read: {error.strerror or error}."
            ) from error
        return tuple(found)

    def _opened(self) -> tuple[_Head | None, BinaryIO | None]:
        """Head and file as they belong together; an append may come after that."""
        try:
            with durable.locked(self._lock_path, LOCK_SECONDS):
                return self._read_head(), self._open()
        except FileNotFoundError:
            # The head's folder is not there: either nothing is yet, or someone took it away.
            return None, self._open()

    def _open(self) -> BinaryIO | None:
        try:
            return os.fdopen(durable.open_private(self._path, os.O_RDONLY), "rb")
        except FileNotFoundError:
            return None
