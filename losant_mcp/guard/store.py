"""What the guard remembers, behind an interface: plans, budgets, fatigue, keys.

SQLite implements it for one machine (``sqlite_store``); replicas share another one. Every method
is atomic, also between processes; every time is the store's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from losant_mcp.errors import LosantMcpError
from losant_mcp.guard.plans import Binding, Plan, Status, Way, digest


class GuardError(LosantMcpError):
    """The guard says no; nothing was changed. ``hint`` says what a person can do."""


class StateUnavailable(GuardError):
    """The store cannot be read or written, so nothing destructive can happen."""


class TooManyQuestions(GuardError):
    """Too many plans wait, too many questions were asked, or a no still stands."""


class BudgetSpent(GuardError):
    """What may be destroyed, overwritten or created in an hour is used up."""


class UnknownPlan(GuardError):
    """No plan has this id, or it is so long finished that it was dropped."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such plan; finished ones are dropped after 30 days.",
            hint="Call the tool again without approvalId to plan anew.",
        )


class NotOpen(GuardError):
    """The plan is no longer (or not yet) in the state that this step needs.

    ``plan`` is the plan as it now is: its status and outcome are the answer.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(f"The plan is {plan.status}.")
        self.plan = plan


Meter = Literal["destroyed", "overwritten", "created_rows", "created_events", "questions", "logins"]
"""What is counted by the hour. Questions are counted over all applications of a principal, and
logins by the name that was given.
"""

Decision = Literal["approved", "declined", "cancelled"]
"""What a person can answer; a subset of ``Status``."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a principal may do in an application in an hour, and how often ask."""

    destroyed: int
    overwritten: int
    created_rows: int
    created_events: int
    pending: int = 5
    questions: int = 20
    plain_yeses: int = 10
    """More plain yeses an hour make the next one a typed phrase."""
    noes_in_a_row: int = 3
    """As many lock destruction until a person unlocks it."""
    refusal_seconds: int = 600
    """How long a no stands for the same target."""


@dataclass(frozen=True, slots=True)
class Fatigue:
    """How tired the person may be of being asked."""

    locked: bool
    """Whether too many noes in a row stopped destruction until somebody unlocks it."""
    plain_yeses: int
    """Approvals of the last hour that took no typed phrase."""
    refused_until: float | None
    """Until when this target may not be asked about again."""


def binding_digest(binding: Binding) -> str:
    """What ``burn`` compares with the binding of the stored plan."""
    return digest(asdict(binding))


class StateStore(Protocol):
    """The memory of the guard.

    Every method raises StateUnavailable where the store cannot be read and written, where a
    stored plan or fact was edited behind its back, or where a newer version wrote it. Those
    that take a plan's id raise UnknownPlan where there is none (``plan`` answers None).
    """

    async def now(self) -> float:
        """Seconds since the epoch by the store's clock."""

    async def aclose(self) -> None:
        """Let go of what is held open."""

    async def add_plan(self, plan: Plan, limits: Limits) -> Plan:
        """Store a new plan, or return the open one of the same binding, arguments and target.

        ``id``, ``created_at``, ``expires_at`` and everything about an answer are set by the
        store. A new plan counts as one question. Raises TooManyQuestions where the principal
        has too many pending plans or asked too much, where destruction is locked, or where a no
        to this target still stands; its text says when or how that ends.
        """

    async def plan(self, plan_id: str) -> Plan | None:
        """The plan; an open one that is past its time is expired by this very look."""

    async def pending_plans(self, principal: str | None = None) -> Sequence[Plan]:
        """The plans that wait for an answer, oldest first; those past their time are expired."""

    async def begin_question(self, plan_id: str, way: Way) -> str:
        """Mark the plan as being asked this way and return a fresh nonce for its form.

        An earlier nonce is void from now on. Every further form for the same plan counts as one
        more question, and the sixth raises TooManyQuestions; so does any where destruction was
        locked, or a no to this target came, after the plan was made. Raises NotOpen unless the
        plan is pending.
        """

    async def decide(
        self, plan_id: str, decision: Status, *, way: Way, by: str, nonce: str | None = None
    ) -> Plan:
        """Record a person's ``Decision``; the first one stands.

        With ``way`` form the plan must be the one being asked by form, and the nonce that of
        its latest question; the others need none. In ``preview`` nobody was asked, so that it
        counts neither as a yes nor as a no of a person. Raises NotOpen where the plan is not
        pending (any more), or the nonce is not the one (then the plan may still be pending),
        and ValueError where the decision is none.
        """

    async def burn(self, plan_id: str, binding_digest: str, limits: Limits) -> Plan:
        """Turn approved into running, once, and reserve its budget in the same transaction.

        Raises NotOpen where it is not approved, the yes is older than two minutes, the plan
        than ten, or the binding is another (see ``binding_digest``); TooManyQuestions where
        destruction was locked after the yes; BudgetSpent where the hour's budget does not hold
        it: the plan is then failed with that outcome.
        """

    async def finish(self, plan_id: str, status: Status, outcome: Mapping[str, Any]) -> Plan:
        """Record the end of a running plan and purge its samples and items.

        ``status`` is done, drifted, failed or interrupted. What became of an interrupted plan
        may be recorded once, later. Raises NotOpen where the plan is not running.
        """

    async def interrupt_orphans(self, alive: Sequence[str]) -> Sequence[Plan]:
        """Mark running plans whose origin is not among ``alive`` as interrupted.

        An origin ``a/b`` lives as long as ``a``. They are returned with the items that the
        store has now purged, so that somebody can find out how far each of them came.
        """

    async def take_expired(self) -> Sequence[Plan]:
        """The plans that expired and were in no such answer yet, whoever planned them."""

    async def fatigue(self, principal: str, target_key: str) -> Fatigue:
        """What the last hour's answers of this principal say about asking once more."""

    async def unlock(self) -> None:
        """Allow destruction again after too many noes; only a person's terminal calls this.

        Noes to single targets stand until their time is over.
        """

    async def spend(
        self, meter: Meter, principal: str, application_id: str, amount: int, limit: int
    ) -> int:
        """Add to an hourly meter and return its new sum. Raises BudgetSpent and adds nothing
        where the sum would exceed ``limit``.
        """

    async def spent(self, meter: Meter, principal: str, application_id: str) -> int:
        """The sum of the last hour."""

    async def remember(self, key: str, value: str, *, seconds: float | None = None) -> None:
        """Keep a small fact: the hash of a key, a session, a former name, the PIN's hash."""

    async def recall(self, key: str) -> str | None:
        """The fact, unless it was forgotten or is past its time."""

    async def forget(self, key: str) -> bool:
        """Drop a fact; True for the one caller that dropped it, so that a key works once."""

    async def swap(self, key: str, old: str | None, new: str) -> bool:
        """Keep ``new`` for good where the fact is ``old`` (None: where there is none); whether
        it was, so that one of many who saw the same fact decides what comes after it.
        """

    async def note_change(self, application_id: str, target_id: str, words: str) -> None:
        """Remember what this server did to a target, for the next question about it."""

    async def changes(self, application_id: str, target_id: str) -> Sequence[str]:
        """The last that this server did to a target in 24 hours, oldest first, at most 50."""
