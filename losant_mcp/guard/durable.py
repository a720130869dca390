"""Files that survive a crash: private, written whole or not at all, and locked between processes.

What the audit trail, the backups and the restore journals share. Every function blocks; callers
on the event loop hand them to a thread. All of them raise OSError, which the caller names.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

# Where the platform lacks a flag (Windows has no O_NOFOLLOW, POSIX no O_BINARY), it is 0. Without
# O_NONBLOCK a pipe in a file's place would hold up whoever opens it; files do not know it.
_FLAGS = ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NONBLOCK")
_ALWAYS = reduce(or_, (getattr(os, name, 0) for name in _FLAGS))

Exposure = Literal["", "belongs to another user", "is open to other users"]


class Busy(OSError):
    """Another process or task holds the lock."""


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a regular file that only its owner may read; a link is refused."""
    descriptor = os.open(path, flags | _ALWAYS, PRIVATE_FILE)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path.name} is not a regular file")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_all(descriptor: int, data: bytes) -> None:
    """Every byte is handed to the system."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """The folder's entries are on the disk, where the platform can promise that."""
    if os.name == "nt":
        # Windows opens no folders; its file system journals renames.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot, and their servers do it by themselves.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """The file holds exactly these bytes, or what it held before, whatever happens meanwhile."""
    temporary = path.with_name(f"{path.name}.part")
    try:
        descriptor = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError:
        remove(temporary)
        raise
    sync_folder(path.parent)


def create_whole(path: Path, data: bytes) -> None:
    """The file is there, whole; where another process was faster, it is that one's.

    It is written under a name of its own and then linked to its final one, which fails if that
    name is taken.
    """
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    _write_new(draft, data)
    try:
        _take_name(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def _take_name(draft: Path, path: Path) -> None:
    """Give the draft its final name, or raise FileExistsError where that name is taken."""
    if os.name == "nt":
        draft.rename(path)  # never replaces there
        return
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except (AttributeError, OSError):
        # A file system without hard links. A crash in the next few microseconds leaves a short
        # file, which is then refused: nobody's data is at risk, a person removes it.
        _write_new(path, draft.read_bytes())


def _write_new(path: Path, data: bytes) -> None:
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_whole(path: Path, most: int) -> bytes:
    """The bytes of a small file. Raises OSError where it has more than ``most``."""
    descriptor = open_private(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(f"{path.name} is larger than it can be")
    return data


def exposure(info: os.stat_result) -> Exposure:
    """Why others may read or replace a file, in words; empty where they may not.

    On Windows access rights are inherited, and the modes say nothing about them.
    """
    if not hasattr(os, "geteuid"):
        return ""
    if info.st_uid != os.geteuid():
        return "belongs to another user"
    return "is open to other users" if stat.S_IMODE(info.st_mode) & 0o077 else ""


def remove(path: Path) -> None:
    """The file is gone, as far as the system lets it go."""
    with suppress(OSError):
        path.unlink()


def make_folder(folder: Path) -> None:
    """The folder exists; one that is made here is for its owner alone."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def lock(path: Path, seconds: float = 0.0) -> FileLock:
    """A lock between processes, held until it is released, or until this process has ended.

    Raises Busy after so many seconds of waiting.
    """
    held = FileLock(path, mode=PRIVATE_FILE, thread_local=False)
    try:
        held.acquire(timeout=seconds, poll_interval=0.005)
    except Timeout:
        raise Busy(f"{path.name} is held by another process") from None
    except NotImplementedError as error:  # how filelock says that this file system has no locks
        raise OSError(f"{path.name} cannot be locked here") from error
    return held


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Nobody else is in here. Raises Busy after so many seconds of waiting."""
    if not path.parent.is_dir():
        # The lock would make the folder, and hide that it is gone.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    held = lock(path, seconds)
    try:
        yield
    finally:
        held.release()
