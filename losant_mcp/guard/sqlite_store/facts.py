"""Small facts with a time of their own, and what this server did to its targets of late.

Facts hold what proves a person (the hash of a page's key, a session, the PIN's hash), and
changes are what a person is told before a yes, so each bears a proof like a plan's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from losant_mcp.guard.lifecycle import CHANGES_TOLD, DAY
from losant_mcp.guard.plans import digest
from losant_mcp.guard.sqlite_store.database import Transaction


def remember(tx: Transaction, key: str, value: str, seconds: float | None) -> None:
    """Keep a fact, in place of an earlier one."""
    ends_at = None if seconds is None else tx.now + seconds
    parts = (digest(key), json.dumps(value), ends_at)
    tx.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", *parts, tx.mac("fact", *parts))
    tx.execute("DELETE FROM facts WHERE ends_at <= ?", tx.now)


def recall(tx: Transaction, key: str) -> str | None:
    """The fact, unless it was forgotten or is past its time."""
    row = tx.row("SELECT key, value, ends_at, mac FROM facts WHERE key = ?", digest(key))
    if row is None:
        return None
    tx.check(row["mac"], "fact", row["key"], row["value"], row["ends_at"])
    if row["ends_at"] is not None and tx.now >= row["ends_at"]:
        return None
    return str(json.loads(row["value"]))


def forget(tx: Transaction, key: str) -> bool:
    """Drop the fact; whether it was there and within its time."""
    known = recall(tx, key) is not None
    tx.execute("DELETE FROM facts WHERE key = ?", digest(key))
    return known


def swap(tx: Transaction, key: str, old: str | None, new: str) -> bool:
    """Put the new fact in the old one's place; whether the old one was there."""
    if recall(tx, key) != old:
        return False
    remember(tx, key, new, None)
    return True


def note_change(tx: Transaction, application_id: str, target_id: str, words: str) -> None:
    """Remember what was done to a target."""
    parts = (digest(application_id), digest(target_id), json.dumps(words))
    tx.execute(
        "INSERT INTO changes (application, target, words, at, mac) VALUES (?, ?, ?, ?, ?)",
        *parts,
        tx.now,
        tx.mac("change", *parts),
    )
    target = parts[:2]
    tx.execute(
        "DELETE FROM changes WHERE application = ? AND target = ? AND number <= (SELECT number"
        " FROM changes WHERE application = ? AND target = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
        *target,
        *target,
        CHANGES_TOLD,
    )
    sweep(tx)


def changes(tx: Transaction, application_id: str, target_id: str) -> Sequence[str]:
    """The last of what was done to a target within a day, oldest first."""
    target = digest(application_id), digest(target_id)
    rows = tx.rows(
        "SELECT words, mac FROM changes"
        " WHERE application = ? AND target = ? AND at > ? ORDER BY at, number",
        *target,
        tx.now - DAY,
    )
    for row in rows:
        tx.check(row["mac"], "change", *target, row["words"])
    return [json.loads(row["words"]) for row in rows]


def sweep(tx: Transaction) -> None:
    """Drop what is past its time."""
    tx.execute("DELETE FROM facts WHERE ends_at <= ?", tx.now)
    tx.execute("DELETE FROM changes WHERE at <= ?", tx.now - DAY)


def clock_went_back(tx: Transaction) -> None:
    """End every fact that has a time, since nobody can tell how old it is."""
    tx.execute("DELETE FROM facts WHERE ends_at IS NOT NULL")
    tx.execute("UPDATE changes SET at = ? WHERE at > ?", tx.now, tx.now)
