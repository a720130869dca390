"""Which processes are alive: each holds a lock on a file of its own, which dies with it.

A plan that runs names the process that runs it. After SIGKILL or a power cut the lock is gone,
so the next start knows that nobody is running that plan any more. A process number alone would
not tell: the system gives it to another process sooner or later.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Lock = Literal["got", "taken", "unsupported"]

_NAME = re.compile(r"(\d{1,10})-[0-9a-f]{16}")

_held: dict[Path, int] = {}
"""The files that this process holds. They are never opened a second time: where flock is made
of record locks (NFS), closing any descriptor of the file would give the lock up."""


@dataclass(frozen=True, slots=True)
class Origin:
    """This process's name, alive until ``close`` or until the process is gone."""

    name: str
    path: Path

    def close(self) -> None:
        """Give the name up; a second call does nothing."""
        fd = _held.pop(self.path, None)
        if fd is not None:
            os.close(fd)
            self.path.unlink(missing_ok=True)


def claim_origin(folder: Path) -> Origin:
    """A fresh name whose file in the folder this process holds from now on."""
    while True:
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        path = folder / name
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        lock = _try_lock(fd, shared=False)
        # Whoever looks for the dead may have looked between the two lines above, and have
        # taken this file for one of them: then try the next name.
        if lock != "taken" and _is_still_there(path, fd):
            _held[path] = fd
            return Origin(name, path)
        os.close(fd)
        path.unlink(missing_ok=True)


def alive_origins(folder: Path) -> tuple[str, ...]:
    """The names that are held now; the files of the dead are removed on the way."""
    return tuple(
        path.name
        for path in sorted(folder.iterdir())
        if _NAME.fullmatch(path.name) and _is_alive(path)
    )


def _is_alive(path: Path) -> bool:
    if path in _held:
        return True
    try:
        fd = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return False
    except OSError:
        # On Windows a file that is going away cannot be opened. Whoever cannot be asked
        # counts as alive: a plan is never called interrupted while it may be running.
        return True
    try:
        # Shared, so that two who look at the same time do not see each other.
        lock = _try_lock(fd, shared=True)
        if lock == "got":
            with contextlib.suppress(OSError):  # Windows removes no open file
                path.unlink()
    finally:
        os.close(fd)
    return lock == "taken" or (lock == "unsupported" and process_may_live(path.name))


def process_may_live(name: str) -> bool:
    """Whether the process of an origin's name may be alive, where no lock can tell."""
    if os.name == "nt":
        return True  # os.kill would end it there, and locks work there anyway
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_still_there(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _try_lock(fd: int, *, shared: bool) -> Lock:
    """Lock the file without waiting; Windows has no shared locks here."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        taken = {errno.EAGAIN, errno.EACCES, errno.EDEADLK, errno.EWOULDBLOCK}
        return "taken" if error.errno in taken else "unsupported"
    return "got"


def _forget_in_child() -> None:
    """Let a forked child drop what it inherited, or the lock would outlive its holder."""
    for fd in _held.values():
        os.close(fd)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
