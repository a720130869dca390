"""The noes of every store in words: what is used up or locked, and exactly when or how it ends."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from losant_mcp.guard.store import BudgetSpent, Meter, TooManyQuestions

_WHAT: dict[Meter, str] = {
    "destroyed": "objects may be destroyed",
    "overwritten": "objects may be changed without asking",
    "created_rows": "rows may be created",
    "created_events": "events may be created",
    "questions": "questions may be asked",
    "logins": "logins may be tried",
}


def moment(at: float, now: float) -> str:
    """A coming time as a clock shows it and as a wait, both rounded up."""
    at = math.ceil(at)
    wait = max(1, math.ceil(at - now))
    short = f"{wait} s" if wait < 120 else f"{math.ceil(wait / 60)} min"
    return f"at {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}, in {short}"


def locked(noes: int) -> TooManyQuestions:
    """Too many noes in a row; only a person's terminal ends this."""
    return TooManyQuestions(
        f"{noes} questions in a row were answered with no, so destruction is locked.",
        hint="Ask the person what they want instead. A person can unlock it in a terminal: "
        "losant-mcp approve --unlock",
    )


def refused_target(until: float, now: float) -> TooManyQuestions:
    """A person's no to this very target still stands."""
    return TooManyQuestions(
        "A person said no to this on this target a short while ago.",
        hint=f"It may be asked about again {moment(until, now)}; do something else until then.",
    )


def too_many_pending(most: int, next_end: float, now: float) -> TooManyQuestions:
    """As many questions wait as may wait at once."""
    return TooManyQuestions(
        f"{most} questions wait for an answer already, the most that may.",
        hint=f"A person can answer them (losant-mcp approve); the next one ends "
        f"{moment(next_end, now)}.",
    )


def too_many_questions(most: int, again: float | None, now: float) -> TooManyQuestions:
    """As many questions were asked within the hour as may be asked."""
    if again is None:
        return TooManyQuestions("No questions may be asked here.")
    return TooManyQuestions(
        f"{most} questions were asked within an hour, the most that may.",
        hint=f"The next one may be asked {moment(again, now)}.",
    )


def too_many_forms(most: int, end: float, now: float) -> TooManyQuestions:
    """One question was put before a person again and again, without an answer."""
    return TooManyQuestions(
        f"This question was shown {most} times without an answer, the most that may.",
        hint=f"It ends {moment(end, now)}; a person can answer it in a terminal: "
        "losant-mcp approve",
    )


def budget_spent(
    meter: Meter, amount: int, used: int, limit: int, *, again: float | None, now: float
) -> BudgetSpent:
    """The hour's budget does not hold this."""
    if again is None:
        when = "That alone is more than an hour's budget: do less at once."
    else:
        when = f"There is room for this {moment(again, now)}."
    return BudgetSpent(
        f"At most {limit:,} {_WHAT[meter]} an hour: {used:,} are used up, and {amount:,} more "
        "do not fit.",
        hint=when,
    )
