"""How people answered: noes that still stand, noes in a row, plain yeses of the last hour."""

from __future__ import annotations

from losant_mcp.guard import lifecycle, refusals
from losant_mcp.guard.lifecycle import HOUR
from losant_mcp.guard.plans import digest
from losant_mcp.guard.sqlite_store.database import Transaction
from losant_mcp.guard.sqlite_store.plan_rows import Entry
from losant_mcp.guard.store import Fatigue


def record(tx: Transaction, entry: Entry) -> None:
    """Remember a person's answer, if the plan has one."""
    plan = entry.plan
    if not lifecycle.is_answered(plan):
        return
    principal = digest(plan.binding.principal)
    tx.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
        principal,
        digest(plan.operation.target_key),
        tx.now,
        plan.status,
        plan.phrase is None,
        entry.refusal_seconds,
    )
    row = tx.row("SELECT noes, locked FROM streaks WHERE principal = ?", principal)
    noes, locked = (row["noes"], bool(row["locked"])) if row else (0, False)
    noes, locked = lifecycle.streak(plan, noes, entry.noes_in_a_row, locked=locked)
    tx.execute("INSERT OR REPLACE INTO streaks VALUES (?, ?, ?)", principal, noes, locked)


def look(tx: Transaction, principal: str, target_key: str) -> Fatigue:
    """What the answers of this principal say about asking once more."""
    key = digest(principal)
    plain = tx.row(
        "SELECT count(*) FROM answers"
        " WHERE principal = ? AND at > ? AND decision = 'approved' AND plain",
        key,
        tx.now - HOUR,
    )
    no = tx.row(
        "SELECT max(at + refusal_seconds) FROM answers"
        " WHERE principal = ? AND target = ? AND decision = 'declined'",
        key,
        digest(target_key),
    )
    until = no[0] if no else None
    return Fatigue(
        locked=_is_locked(tx, key),
        plain_yeses=plain[0] if plain else 0,
        refused_until=until if until is not None and until > tx.now else None,
    )


def check_lock(tx: Transaction, principal: str, noes_in_a_row: int) -> None:
    """Raise TooManyQuestions where destruction is locked."""
    if _is_locked(tx, digest(principal)):
        raise refusals.locked(noes_in_a_row)


def check_no(tx: Transaction, principal: str, target_key: str) -> None:
    """Raise TooManyQuestions where a no to this target still stands."""
    until = look(tx, principal, target_key).refused_until
    if until is not None:
        raise refusals.refused_target(until, tx.now)


def unlock(tx: Transaction) -> None:
    """Forget every row of noes and its lock."""
    tx.execute("DELETE FROM streaks")


def sweep(tx: Transaction) -> None:
    """Drop the answers that say nothing any more."""
    tx.execute(
        "DELETE FROM answers WHERE at <= ? AND at + refusal_seconds <= ?", tx.now - HOUR, tx.now
    )


def clock_went_back(tx: Transaction) -> None:
    """Count every answer from now on, so that none says less than it did."""
    tx.execute("UPDATE answers SET at = ? WHERE at > ?", tx.now, tx.now)


def _is_locked(tx: Transaction, principal_digest: str) -> bool:
    return bool(tx.row("SELECT 1 FROM streaks WHERE principal = ? AND locked", principal_digest))
