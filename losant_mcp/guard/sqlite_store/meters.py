"""Hourly meters: what a principal did in an application within the last 3,600 seconds."""

from __future__ import annotations

from collections.abc import Sequence

from losant_mcp.guard import refusals
from losant_mcp.guard.lifecycle import HOUR
from losant_mcp.guard.plans import digest
from losant_mcp.guard.sqlite_store.database import Transaction
from losant_mcp.guard.store import Meter

MOST = 2**53
"""More than anything that is counted, and less than SQLite can add."""


def spent(tx: Transaction, meter: Meter, principal: str, application_id: str) -> int:
    """The sum of the last hour."""
    return sum(amount for _, amount in entries(tx, meter, principal, application_id))


def spend(
    tx: Transaction,
    meter: Meter,
    principal: str,
    application_id: str,
    amount: int,
    limit: int | None,
) -> int:
    """Add to the meter, whose sum is returned. Raises BudgetSpent beyond the limit."""
    if not 0 <= amount <= MOST:
        raise ValueError("an amount is a number of things")
    found = entries(tx, meter, principal, application_id)
    used = sum(entry[1] for entry in found)
    if amount and limit is not None and used + amount > limit:
        again = refusals.room_again(found, amount, limit, tx.now)
        raise refusals.budget_spent(meter, amount, used, limit, again=again, now=tx.now)
    if amount:
        tx.execute(
            "INSERT INTO meters VALUES (?, ?, ?, ?, ?)",
            *_owner(meter, principal, application_id),
            tx.now,
            amount,
        )
        sweep(tx)
    return used + amount


def entries(
    tx: Transaction, meter: Meter, principal: str, application_id: str
) -> Sequence[tuple[float, int]]:
    """When and how much, within the last hour, oldest first."""
    rows = tx.rows(
        "SELECT at, amount FROM meters"
        " WHERE principal = ? AND application = ? AND meter = ? AND at > ? ORDER BY at",
        *_owner(meter, principal, application_id),
        tx.now - HOUR,
    )
    return [(row["at"], row["amount"]) for row in rows]


def sweep(tx: Transaction) -> None:
    """Drop what is older than an hour."""
    tx.execute("DELETE FROM meters WHERE at <= ?", tx.now - HOUR)


def clock_went_back(tx: Transaction) -> None:
    """Count everything from now on, so that no budget is given back early."""
    tx.execute("UPDATE meters SET at = ? WHERE at > ?", tx.now, tx.now)


def _owner(meter: Meter, principal: str, application_id: str) -> tuple[str, str, str]:
    # A person is tired by questions whatever they are about.
    application = "" if meter == "questions" else application_id
    return digest(principal), digest(application), meter
