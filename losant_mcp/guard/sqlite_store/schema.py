"""The tables, and how a database of an earlier version becomes one of this version."""

from __future__ import annotations

import sqlite3

from losant_mcp.guard.store import StateUnavailable

_FIRST = (
    "CREATE TABLE clock (latest REAL NOT NULL)",
    "INSERT INTO clock VALUES (0)",
    # `body` is the plan as JSON; the columns beside it are for finding it and for rules that
    # are no part of it. `mac` covers all of them.
    """
    CREATE TABLE plans (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL,
        principal TEXT NOT NULL,
        share TEXT NOT NULL,
        ends_at REAL,
        finished_at REAL,
        forms INTEGER NOT NULL,
        refusal_seconds REAL NOT NULL,
        noes_in_a_row INTEGER NOT NULL,
        body TEXT NOT NULL,
        mac TEXT NOT NULL
    )
    """,
    "CREATE INDEX plans_by_status ON plans (status)",
    "CREATE INDEX plans_by_end ON plans (finished_at)",
    # Answers, streaks and meters can only refuse something. They bear no proof, since whoever
    # could edit them could as well remove them; but they are of the type that sums need.
    """
    CREATE TABLE answers (
        principal TEXT NOT NULL,
        target TEXT NOT NULL,
        at REAL NOT NULL CHECK (typeof(at) = 'real'),
        decision TEXT NOT NULL,
        plain INTEGER NOT NULL,
        refusal_seconds REAL NOT NULL CHECK (typeof(refusal_seconds) = 'real')
    )
    """,
    "CREATE INDEX answers_by_principal ON answers (principal, at)",
    """
    CREATE TABLE streaks (
        principal TEXT PRIMARY KEY,
        noes INTEGER NOT NULL CHECK (typeof(noes) = 'integer'),
        locked INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE meters (
        principal TEXT NOT NULL,
        application TEXT NOT NULL,
        meter TEXT NOT NULL,
        at REAL NOT NULL CHECK (typeof(at) = 'real'),
        amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer')
    )
    """,
    "CREATE INDEX meters_by_owner ON meters (principal, application, meter, at)",
    "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL, ends_at REAL, mac TEXT)",
    """
    CREATE TABLE changes (
        number INTEGER PRIMARY KEY,
        application TEXT NOT NULL,
        target TEXT NOT NULL,
        at REAL NOT NULL CHECK (typeof(at) = 'real'),
        words TEXT NOT NULL,
        mac TEXT NOT NULL
    )
    """,
    "CREATE INDEX changes_by_target ON changes (application, target, at)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
"""What leads from each version to the next; a published one is never edited."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to this version, inside the caller's transaction.

    Raises StateUnavailable where a newer version of this program wrote them.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StateUnavailable(
            "The guard's memory was written by a newer version of losant-mcp "
            f"(format {version}; this one knows {VERSION}).",
            hint="Run that version, or name another folder with LOSANT_MCP_STATE_DIR.",
        )
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    if version != VERSION:
        connection.execute(f"PRAGMA user_version = {VERSION}")
