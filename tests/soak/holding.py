"""What a server holds, seen from outside: memory, files, sockets, threads, children, disk.

Read from ``/proc``, so on Linux only: what a process says of itself is no witness.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

MIB = 1024 * 1024
_GONE = (FileNotFoundError, ProcessLookupError)

TIDY_ALLOCATOR = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": str(MIB // 8)}
"""The environment of a server that is watched. glibc otherwise keeps an arena for each thread, and
what was freed in them for later: 30 MiB here, which says nothing about what the server keeps."""

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="what a process holds is read from /proc, which Linux has"
)


@dataclass(frozen=True)
class Held:
    """What a server, its children and its folders hold at one moment; sizes in MiB."""

    memory: float
    """The server's own resident memory."""
    whole_memory: float
    """With all its children's."""
    files: int
    """Open descriptors of the server, sockets and pipes included."""
    sockets: int
    threads: int
    children: int
    zombies: int
    temporary: int
    """Entries of the folder for temporary files."""
    state: float
    """The state folder."""


@dataclass(frozen=True)
class Watched:
    """A server to look at, and the folders that are its own."""

    pid: int
    temporary: Path
    state: Path

    def look(self) -> Held:
        """What it holds now."""
        children = [*descendants(self.pid)]
        own = memory_of(self.pid)
        kinds = Counter(_kinds(self.pid))
        return Held(
            memory=own,
            whole_memory=own + sum(map(memory_of, children)),
            files=kinds.total(),
            sockets=kinds["socket"],
            threads=len(_entries(Path(f"/proc/{self.pid}/task"))),
            children=len(children),
            zombies=sum(_is_zombie(child) for child in children),
            temporary=len(_entries(self.temporary)),
            state=sum(map(_size, self.state.rglob("*"))) / MIB if self.state.exists() else 0.0,
        )


def descendants(pid: int) -> Iterator[int]:
    """The children of a process, their children, and so on."""
    for task in _entries(Path(f"/proc/{pid}/task")):
        for child in _read(Path(f"/proc/{pid}/task/{task}/children")).split():
            yield int(child)
            yield from descendants(int(child))


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    return bool(_read(Path(f"/proc/{pid}/stat"))) and not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    # The name, in brackets, may hold anything.
    return _read(Path(f"/proc/{pid}/stat")).rpartition(") ")[2].startswith("Z")


def memory_of(pid: int) -> float:
    """Resident memory in MiB; 0 where the system does not tell."""
    pages = _read(Path(f"/proc/{pid}/statm")).split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") / MIB if pages else 0.0


def _kinds(pid: int) -> Iterator[str]:
    folder = Path(f"/proc/{pid}/fd")
    for name in _entries(folder):
        with suppress(*_GONE):
            yield str((folder / name).readlink()).partition(":")[0]


def _entries(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except _GONE:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except _GONE:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except _GONE:
        return 0
