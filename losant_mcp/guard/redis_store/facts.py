"""Small facts with a time of their own, and what this server did to its targets of late."""

from __future__ import annotations

from collections.abc import Sequence

from losant_mcp.guard.lifecycle import CHANGES_TOLD, DAY
from losant_mcp.guard.plans import digest
from losant_mcp.guard.redis_store.transaction import Transaction


def remember(tx: Transaction, key: str, value: str, seconds: float | None) -> None:
    """Keep a fact, in place of an earlier one."""
    ends_at = None if seconds is None else tx.now + seconds
    tx.put(_fact(key), [value, ends_at], seconds=seconds)


async def recall(tx: Transaction, key: str) -> str | None:
    """The fact, unless it was forgotten or is past its time.

    One that has a time ends at a turn, since nobody can tell how old it is.
    """
    found = await tx.get(_fact(key))
    if found is None:
        return None
    value, ends_at = found.value
    over = ends_at is not None and (tx.now >= ends_at or bool(found.turns))
    return None if over else str(value)


async def forget(tx: Transaction, key: str) -> bool:
    """Drop the fact; whether it was there and within its time."""
    known = await recall(tx, key) is not None
    tx.drop(_fact(key))
    return known


async def swap(tx: Transaction, key: str, old: str | None, new: str) -> bool:
    """Put the new fact in the old one's place; whether the old one was there."""
    if await recall(tx, key) != old:
        return False
    remember(tx, key, new, None)
    return True


async def note_change(tx: Transaction, application_id: str, target_id: str, words: str) -> None:
    """Remember what was done to a target."""
    noted = [*await _changes(tx, application_id, target_id), (tx.now, words)]
    tx.put(_target(application_id, target_id), noted[-CHANGES_TOLD:], seconds=DAY)


async def changes(tx: Transaction, application_id: str, target_id: str) -> Sequence[str]:
    """The last of what was done to a target within a day, oldest first."""
    return [words for _, words in await _changes(tx, application_id, target_id)]


async def _changes(tx: Transaction, application_id: str, target_id: str) -> list[tuple[float, str]]:
    found = await tx.get(_target(application_id, target_id))
    if found is None:
        return []
    noted = [(at, words) for at, words in found.value]
    for turn in found.turns:
        noted = turn.carried(noted, DAY)
    return [one for one in noted if one[0] > tx.now - DAY]


def _fact(key: str) -> str:
    return f"fact:{digest(key)}"


def _target(application_id: str, target_id: str) -> str:
    return f"changes:{digest([application_id, target_id])}"
