"""What is kept of a principal: the plans that live, and how its people answered.

One value per principal, so that one principal's steps exclude each other and nobody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from losant_mcp.guard import lifecycle, refusals
from losant_mcp.guard.lifecycle import HOUR
from losant_mcp.guard.plans import PLAN_SECONDS, Plan, digest
from losant_mcp.guard.redis_store.transaction import Transaction
from losant_mcp.guard.store import Fatigue

LIFE_SECONDS = lifecycle.KEPT_SECONDS + PLAN_SECONDS
"""How long Redis keeps what nobody looks at, where nothing must outlast all time."""


class Live(NamedTuple):
    """A plan that is pending, approved or running; one that runs has no end."""

    id: str
    share: str
    ends_at: float | None


class Answer(NamedTuple):
    """A person's yes or no."""

    target: str
    approved: bool
    plain: bool
    refusal_seconds: float

    @property
    def life(self) -> float:
        """For how long it says something."""
        return max(HOUR, self.refusal_seconds)


@dataclass
class Person:
    """A principal, by the digest of its name."""

    who: str
    live: list[Live] = field(default_factory=list)
    answers: list[tuple[float, Answer]] = field(default_factory=list)
    noes: int = 0
    """How many of the last answers in a row were a no."""
    locked: bool = False

    # ---- plans -----------------------------------------------------------------------------

    def follow(self, plan: Plan) -> None:
        """Keep the plan in view as long as something can happen to it, in the same place."""
        entry = Live(plan.id, lifecycle.share_key(plan), lifecycle.ends_at(plan))
        places = [place for place, one in enumerate(self.live) if one.id == plan.id]
        if lifecycle.is_finished(plan):
            self.live = [one for one in self.live if one.id != plan.id]
        elif places:
            self.live[places[0]] = entry
        else:
            self.live.append(entry)

    # ---- answers ---------------------------------------------------------------------------

    def record(self, plan: Plan, now: float, refusal_seconds: float, noes_in_a_row: int) -> None:
        """Remember a person's answer, if the plan has one."""
        if not lifecycle.is_answered(plan):
            return
        approved = plan.status == "approved"
        target = digest(plan.operation.target_key)
        answer = Answer(target, approved, plan.phrase is None, refusal_seconds)
        self.answers = [one for one in self.answers if one[0] > now - one[1].life]
        self.answers.append((now, answer))
        self.noes, self.locked = lifecycle.streak(
            plan, self.noes, noes_in_a_row, locked=self.locked
        )

    def fatigue(self, target_key: str, now: float) -> Fatigue:
        """What the answers say about asking once more."""
        target = digest(target_key)
        ends = [
            at + answer.refusal_seconds
            for at, answer in self.answers
            if answer.target == target and not answer.approved
        ]
        until = max(ends, default=0.0)
        plain = sum(
            answer.approved and answer.plain and at > now - HOUR for at, answer in self.answers
        )
        return Fatigue(self.locked, plain, until if until > now else None)

    def check_lock(self, noes_in_a_row: int) -> None:
        """Raise TooManyQuestions where destruction is locked."""
        if self.locked:
            raise refusals.locked(noes_in_a_row)

    def check_no(self, target_key: str, now: float) -> None:
        """Raise TooManyQuestions where a no to this target still stands."""
        until = self.fatigue(target_key, now).refused_until
        if until is not None:
            raise refusals.refused_target(until, now)


async def load(tx: Transaction, who: str) -> Person:
    """The principal of this digest."""
    return (await load_all(tx, [who]))[0]


async def load_all(tx: Transaction, whos: Sequence[str]) -> list[Person]:
    """The principals of these digests."""
    found = await tx.get_all([f"person:{who}" for who in whos])
    people = []
    for who, one in zip(whos, found, strict=True):
        person = Person(who)
        if one is not None:
            person.live = [Live(*live) for live in one.value["live"]]
            person.noes, person.locked = one.value["noes"], one.value["locked"]
            answers = [(at, Answer(*answer)) for at, answer in one.value["answers"]]
            for turn in one.turns:
                answers = [
                    (min(at, turn.now), answer)
                    for at, answer in answers
                    if at > turn.latest - answer.life
                ]
            person.answers = answers
        people.append(person)
    return people


def save(tx: Transaction, person: Person) -> None:
    """Keep the principal; for good while there is a lock, a row of noes or a run."""
    running = any(one.ends_at is None for one in person.live)
    streak = person.locked or person.noes > 0
    tx.list_person(person.who, listed=streak or bool(person.live))
    value = {
        "live": person.live,
        "answers": person.answers,
        "noes": person.noes,
        "locked": person.locked,
    }
    tx.put(f"person:{person.who}", value, seconds=None if running or streak else LIFE_SECONDS)


async def unlock(tx: Transaction) -> None:
    """Forget every row of noes and its lock."""
    for person in await load_all(tx, await tx.people()):
        if person.locked or person.noes:
            person.noes, person.locked = 0, False
            save(tx, person)
