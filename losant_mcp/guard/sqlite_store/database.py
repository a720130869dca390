"""The database file: opened with care, one transaction at a time, one clock, one kind of failure.

Every step runs in a ``BEGIN IMMEDIATE`` transaction, also one that only reads, so that a
database that cannot be written lets nothing happen. A step that ends with a no (a GuardError)
is committed: what was learned on the way, such as an expiry, is kept. Anything else that is
raised undoes the step.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from losant_mcp.guard.plans import canonical
from losant_mcp.guard.sqlite_store.schema import migrate
from losant_mcp.guard.store import GuardError, StateUnavailable

T = TypeVar("T")

BUSY_SECONDS = 10.0
"""How long to wait for another process's transaction; ours take milliseconds."""

STEP_SECONDS = 1.0
"""A clock that goes back by no more than this is waited for: time stands still meanwhile."""

_DRIFT = 0.001
_PRAGMAS = (
    # Like FULL, and without WAL the removal of the journal is made durable, too.
    "synchronous = EXTRA",
    "fullfsync = ON",  # macOS: what fsync means everywhere else
    "checkpoint_fullfsync = ON",
    "secure_delete = ON",  # purged samples are overwritten
    "temp_store = MEMORY",
    "trusted_schema = OFF",
    "cell_size_check = ON",
)
_TEMPORARY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

MOVE_AWAY = (
    "Nothing destructive can happen until a person has moved state.sqlite out of the state "
    "folder and restarted the server; open plans, limits and the PIN start afresh then."
)


class Transaction:
    """One atomic step at one moment of the store's clock."""

    def __init__(self, connection: sqlite3.Connection, key: bytes, now: float) -> None:
        self._connection = connection
        self._key = key
        self.now = now

    def execute(self, sql: str, *values: Any) -> int:  # what sqlite3 can bind
        """Run a statement and return how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def rows(self, sql: str, *values: Any) -> Sequence[sqlite3.Row]:
        """The rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query."""
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def mac(self, *parts: Any) -> str:  # JSON scalars
        """A proof that these parts were written by a holder of the key."""
        text = canonical(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def check(self, mac: Any, *parts: Any) -> None:  # whatever the column holds
        """Raise StateUnavailable unless the proof is that of these parts."""
        known = isinstance(mac, str) and not any(isinstance(part, bytes) for part in parts)
        if not known or not hmac.compare_digest(
            mac.encode("utf-8", "replace"), self.mac(*parts).encode()
        ):
            raise StateUnavailable(
                "The guard's memory was edited from outside (tampering), or its key was replaced.",
                hint=MOVE_AWAY,
            )


class Database:
    """The file, opened at the first step. Safe in several threads and processes."""

    def __init__(
        self,
        path: Path,
        *,
        key: bytes,
        clock: Callable[[], float],
        steady: Callable[[], float] | None,
        clock_went_back: Callable[[Transaction, Transaction], None],
    ) -> None:
        self._path = path
        self._key = key
        self._clock = clock
        self._steady = steady
        self._clock_went_back = clock_went_back
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._seen: tuple[float, float] | None = None
        """The clock and the steady clock at the last committed step."""

    def run(self, step: Callable[[Transaction], T]) -> T:
        """The step's result, once its transaction is on the disk."""
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise _busy()
        try:
            return self._run(step)
        except sqlite3.Error as error:
            # Whatever state the connection is in, the next step starts with a new one.
            self._disconnect()
            raise _explain(error) from error
        except OSError as error:
            self._disconnect()
            raise _unavailable(error.strerror or type(error).__name__) from error
        finally:
            self._lock.release()

    def close(self) -> None:
        """Let go of the file; the next step would open it again."""
        with self._lock:
            self._disconnect()

    def _run(self, step: Callable[[Transaction], T]) -> T:
        connection = self._connection or self._connect()
        self._check_file()
        connection.execute("BEGIN IMMEDIATE")
        before = connection.total_changes
        no: GuardError | None = None
        result: list[T] = []
        try:
            migrate(connection)
            wall, steady = self._clock(), self._steady() if self._steady else 0.0
            transaction = self._begin(connection, float(wall), steady)
            try:
                result.append(step(transaction))
            except StateUnavailable:
                raise
            except GuardError as error:
                no = error
            if connection.total_changes != before:
                transaction.execute("UPDATE clock SET latest = ?", transaction.now)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        self._seen = float(wall), steady
        if no is not None:
            raise no
        return result[0]

    # ---- time ------------------------------------------------------------------------------

    def _begin(self, connection: sqlite3.Connection, wall: float, steady: float) -> Transaction:
        """The transaction at the store's present moment, which never lies before a stored one.

        A clock that went back cannot tell how old a yes is. So everything that could be used
        ends, limits count from now on, and time goes on from the new present.
        """
        latest = connection.execute("SELECT max(latest) FROM clock").fetchone()[0]
        if not isinstance(latest, float):
            raise sqlite3.DatabaseError("the clock is missing")
        at_least = latest - STEP_SECONDS
        if self._seen is not None and self._steady is not None:
            passed = steady - self._seen[1]
            at_least = max(at_least, self._seen[0] + passed - STEP_SECONDS - abs(passed) * _DRIFT)
        if wall >= at_least:
            return Transaction(connection, self._key, max(wall, latest))
        transaction = Transaction(connection, self._key, wall)
        self._clock_went_back(Transaction(connection, self._key, latest), transaction)
        transaction.execute("UPDATE clock SET latest = ?", wall)
        return transaction

    # ---- the file --------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        fresh = self._make_file()
        try:
            connection = self._open(fresh=fresh)
        except sqlite3.Error as error:
            if _code(error) in _TEMPORARY | _DAMAGED or not self._left_wal():
                raise
            connection = self._open()
        info = self._path.stat()
        self._file = info.st_dev, info.st_ino
        self._connection = connection
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _open(self, *, fresh: bool = False) -> sqlite3.Connection:
        connection = self._bare()
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            if fresh:
                # The mode is chosen once, by whoever made the file, and stays in it.
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("PRAGMA journal_mode = WAL")
            _try_out(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bare(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _left_wal(self) -> bool:
        """Whether the file was marked for WAL, and has a rollback journal from now on.

        Where a file system has no shared memory, ``PRAGMA journal_mode = WAL`` answers "wal"
        all the same (SQLite 3.40), marks the file, and only later statements fail. A
        connection that holds the file alone needs no shared memory; it cannot get it alone
        while others use it, so a log that works for them is never taken away.
        """
        with contextlib.closing(self._bare()) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                return False
            answer = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
            return bool(answer == "delete")

    def _make_file(self) -> bool:
        """Whether the file is new and empty; raises where it is not private."""
        with contextlib.suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            os.close(os.open(self._path, flags, 0o600))
        # Looked at, never opened: closing a second descriptor of the file would take away
        # the locks that SQLite holds on it in this process.
        info = self._path.lstat()
        if not stat.S_ISREG(info.st_mode):
            raise _unavailable("state.sqlite is not a regular file")
        if hasattr(os, "geteuid") and (
            info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) & 0o077
        ):
            raise _unavailable("state.sqlite is open to other users or belongs to one")
        return info.st_size == 0

    def _check_file(self) -> None:
        """Raise StateUnavailable where the open file is no longer the one of that name.

        Going on with a file that others no longer see would split the budgets and the locks.
        """
        try:
            info = self._path.stat()
            same = self._file == (info.st_dev, info.st_ino)
        except FileNotFoundError:
            same = False
        if not same:
            raise StateUnavailable(
                "The guard's memory was moved or replaced while the server ran.",
                hint="Restart the server.",
            )


def default_steady(clock: Callable[[], float]) -> Callable[[], float] | None:
    """The clock that never jumps, beside the system's own; none beside any other."""
    return time.monotonic if clock is time.time else None


def _try_out(connection: sqlite3.Connection) -> None:
    """Raise unless the database is whole, can be written, and has this version's tables."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError("the check of its pages failed")
        migrate(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


# ---- failures ------------------------------------------------------------------------------


def _code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _explain(error: sqlite3.Error) -> StateUnavailable:
    if _code(error) in _TEMPORARY:
        return _busy()
    if _code(error) in _DAMAGED or type(error) is sqlite3.DatabaseError:
        return StateUnavailable("The guard's memory is damaged.", hint=MOVE_AWAY)
    return _unavailable(str(error))


def _busy() -> StateUnavailable:
    error = StateUnavailable("The guard's memory is busy: another process holds it.")
    error.retry = True
    return error


def _unavailable(why: str) -> StateUnavailable:
    return StateUnavailable(
        f"The guard's memory cannot be read and written: {why}.",
        hint="Nothing destructive can happen until a person has looked at the state folder: "
        "its rights, its disk and the space on it.",
    )
