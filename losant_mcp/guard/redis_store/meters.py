"""Hourly meters: what a principal did in an application within the last 3,600 seconds."""

from __future__ import annotations

from collections.abc import Sequence

from losant_mcp.guard import budgets
from losant_mcp.guard.lifecycle import HOUR
from losant_mcp.guard.plans import digest
from losant_mcp.guard.redis_store.transaction import Transaction
from losant_mcp.guard.store import Meter

FINE = 500
"""How many entries a meter has one by one; a busy one is rewritten as a whole at each call."""

COARSE_SECONDS = 10.0
"""The entries of a busier meter within so long count as one, from the last of them on."""


async def spent(tx: Transaction, meter: Meter, principal: str, application_id: str) -> int:
    """The sum of the last hour."""
    return budgets.used(await entries(tx, meter, principal, application_id))


async def spend(
    tx: Transaction,
    meter: Meter,
    principal: str,
    application_id: str,
    amount: int,
    limit: int | None,
) -> int:
    """Add to the meter, whose sum is returned. Raises BudgetSpent beyond the limit."""
    found = await entries(tx, meter, principal, application_id)
    used = budgets.used_with(meter, found, amount, limit, tx.now)
    if amount:
        name = _name(meter, principal, application_id)
        tx.put(name, merged([*found, (tx.now, amount)]), seconds=HOUR)
    return used


async def entries(
    tx: Transaction, meter: Meter, principal: str, application_id: str
) -> list[tuple[float, int]]:
    """When and how much, within the last hour, oldest first."""
    found = await tx.get(_name(meter, principal, application_id))
    if found is None:
        return []
    stored = [(at, amount) for at, amount in found.value]
    for turn in found.turns:
        stored = turn.carried(stored, HOUR)
    return sorted(entry for entry in stored if entry[0] > tx.now - HOUR)


def merged(found: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """The entries, or fewer of them that count a little longer; never less, and none shorter."""
    if len(found) <= FINE:
        return list(found)
    kept: list[tuple[float, int]] = []
    begun = 0.0
    for at, amount in found:
        if kept and at - begun < COARSE_SECONDS:
            kept[-1] = at, kept[-1][1] + amount
        else:
            kept.append((at, amount))
            begun = at
    return kept


def _name(meter: Meter, principal: str, application_id: str) -> str:
    application = budgets.counted_for(meter, application_id)
    return f"meter:{digest([meter, principal, application])}"
