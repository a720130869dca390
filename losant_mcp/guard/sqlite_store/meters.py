"""Hourly meters: what a principal did in an application within the last 3,600 seconds."""

from __future__ import annotations

from collections.abc import Sequence

from losant_mcp.guard import budgets
from losant_mcp.guard.lifecycle import HOUR
from losant_mcp.guard.plans import digest
from losant_mcp.guard.sqlite_store.database import Transaction
from losant_mcp.guard.store import Meter


def spent(tx: Transaction, meter: Meter, principal: str, application_id: str) -> int:
    """The sum of the last hour."""
    return budgets.used(entries(tx, meter, principal, application_id))


def spend(
    tx: Transaction,
    meter: Meter,
    principal: str,
    application_id: str,
    amount: int,
    limit: int | None,
) -> int:
    """Add to the meter, whose sum is returned. Raises BudgetSpent beyond the limit."""
    found = entries(tx, meter, principal, application_id)
    used = budgets.used_with(meter, found, amount, limit, tx.now)
    if amount:
        tx.execute(
            "INSERT INTO meters VALUES (?, ?, ?, ?, ?)",
            *_owner(meter, principal, application_id),
            tx.now,
            amount,
        )
        sweep(tx)
    return used


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
    application = budgets.counted_for(meter, application_id)
    return digest(principal), digest(application), meter
