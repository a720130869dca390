"""The rules of how often may be asked and how much may be done, as pure functions that every
store shares.

What a store keeps of a meter are entries: when and how much, within the last hour, oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence

from losant_mcp.guard import refusals
from losant_mcp.guard.lifecycle import HOUR
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.store import Limits, Meter

Entries = Sequence[tuple[float, int]]

MOST = 2**53
"""More than anything that is counted, and less than SQLite can add."""


def counted_for(meter: Meter, application_id: str) -> str:
    """The application on whose meter it counts, or none where the meter is over all of them."""
    # A person is tired by questions whatever they are about.
    return "" if meter == "questions" else application_id


def used(entries: Entries) -> int:
    """The meter's sum."""
    return sum(amount for _, amount in entries)


def used_with(meter: Meter, entries: Entries, amount: int, limit: int | None, now: float) -> int:
    """The meter's sum with so much on top. Raises BudgetSpent beyond the limit."""
    if not 0 <= amount <= MOST:
        raise ValueError("an amount is a number of things")
    before = used(entries)
    if amount and limit is not None and before + amount > limit:
        again = room_again(entries, amount, limit, now)
        raise refusals.budget_spent(meter, amount, before, limit, again=again, now=now)
    return before + amount


def check_question(waiting: Sequence[Plan], asked: Entries, limits: Limits, now: float) -> None:
    """Raise TooManyQuestions where no further question may be asked, since so many wait, or were
    asked within the hour.
    """
    if len(waiting) >= limits.pending:
        next_end = min((plan.expires_at for plan in waiting), default=now)
        raise refusals.too_many_pending(limits.pending, next_end, now)
    if used(asked) >= limits.questions:
        again = room_again(asked, 1, limits.questions, now)
        raise refusals.too_many_questions(limits.questions, again, now)


def room_again(entries: Entries, amount: int, limit: int, now: float) -> float | None:
    """When so much fits; None where it never does."""
    if amount > limit:
        return None
    left = used(entries)
    again = now
    for at, spent in entries:
        if left + amount <= limit:
            break
        left -= spent
        again = at + HOUR
    return again
