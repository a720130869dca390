"""The sandbox's database: one SQLite file, or memory, behind one connection and one lock.

Times are integers, ms since the epoch. Level and state are stored as ranks (0 is the least
severe, and "new"), so that their order is SQL's. Rows of a data table live in an SQL table of
their own, ``rows_<dataTableId>``, with a column ``c<n>`` per data table column (names are kept in
``data_table_columns``: SQL folds case, Losant does not).
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE applications (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT,
  creationDate INTEGER NOT NULL, lastUpdated INTEGER NOT NULL
);
CREATE TABLE devices (
  id TEXT PRIMARY KEY, applicationId TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
  deviceClass TEXT NOT NULL, gatewayId TEXT, parentId TEXT,
  creationDate INTEGER NOT NULL, lastUpdated INTEGER NOT NULL, deletedAt INTEGER,
  connected INTEGER, connectedAt INTEGER, disconnectedAt INTEGER
);
CREATE INDEX devices_by_name ON devices (applicationId, name);
CREATE TABLE device_tags (deviceId TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL);
CREATE INDEX device_tags_by_device ON device_tags (deviceId, key);
CREATE TABLE device_attributes (
  deviceId TEXT NOT NULL, name TEXT NOT NULL, dataType TEXT NOT NULL,
  PRIMARY KEY (deviceId, name)
) WITHOUT ROWID;
CREATE TABLE points (
  deviceId TEXT NOT NULL, attribute TEXT NOT NULL, time INTEGER NOT NULL, value,
  PRIMARY KEY (deviceId, attribute, time)
) WITHOUT ROWID;
CREATE TABLE events (
  id TEXT PRIMARY KEY, applicationId TEXT NOT NULL,
  creationDate INTEGER NOT NULL, lastUpdated INTEGER NOT NULL,
  sourceType TEXT, sourceId TEXT, sourceName TEXT,
  level INTEGER NOT NULL, state INTEGER NOT NULL, subject TEXT NOT NULL, message TEXT,
  data TEXT, deviceId TEXT, experienceUserId TEXT, experienceGroupId TEXT,
  trackTags INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE event_posts (applicationId TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX events_by_date ON events (applicationId, creationDate);
CREATE INDEX events_by_state ON events (applicationId, state, level, creationDate);
CREATE TABLE event_tags (
  eventId TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (eventId, key)
) WITHOUT ROWID;
CREATE TABLE event_updates (
  eventId TEXT NOT NULL, position INTEGER NOT NULL, entry TEXT NOT NULL,
  PRIMARY KEY (eventId, position)
) WITHOUT ROWID;
CREATE TABLE data_tables (
  id TEXT PRIMARY KEY, applicationId TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
  creationDate INTEGER NOT NULL, lastUpdated INTEGER NOT NULL, rowCount INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE data_table_columns (
  dataTableId TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,
  dataType TEXT NOT NULL, "constraint" TEXT NOT NULL, defaultValue TEXT,
  PRIMARY KEY (dataTableId, position)
) WITHOUT ROWID;
CREATE TABLE jobs (
  id TEXT PRIMARY KEY, jobId TEXT NOT NULL, applicationId TEXT NOT NULL, name TEXT NOT NULL,
  status TEXT NOT NULL, resourceType TEXT, resourceId TEXT,
  runQueuedAt INTEGER NOT NULL, runStartedAt INTEGER, runCompletedAt INTEGER,
  requestedByType TEXT, requestedById TEXT,
  progress TEXT, error TEXT, input TEXT, output TEXT
);
CREATE TABLE files (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, contentType TEXT NOT NULL, content BLOB NOT NULL
);
"""


def system_clock() -> int:
    """Now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


class Store:
    """The database. ``clock`` returns ms since the epoch; a test may hand in its own."""

    def __init__(
        self, path: Path | None = None, *, clock: Callable[[], int] = system_clock
    ) -> None:
        self.clock = clock
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA synchronous = NORMAL")
        # SQLite folds ASCII only.
        self._connection.create_function("casefold", 1, _casefold, deterministic=True)
        if not self._connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            self._connection.executescript(SCHEMA)
        # Far from its end: ids made in one second sort by age until the counter starts over.
        self._counter = secrets.randbits(20)
        self._process = secrets.token_hex(5)

    def new_id(self, at: int | None = None) -> str:
        """A new id of 24 hexadecimal characters that sorts by time (ms; now if left out)."""
        with self._lock:
            self._counter = (self._counter + 1) & 0xFFFFFF
            seconds = (self.clock() if at is None else at) // 1000
            return f"{seconds & 0xFFFFFFFF:08x}{self._process}{self._counter:06x}"

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """A transaction, alone on the database; rolled back if the block raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """The rows of a SELECT: for tests, which look at what is really stored."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def copy(self) -> Store:
        """The same content in memory, in a database of its own."""
        copy = Store(clock=self.clock)
        with self._lock:
            self._connection.backup(copy._connection)
        return copy

    def close(self) -> None:
        """Close the database; the store cannot be used any more."""
        with self._lock:
            self._connection.close()
