"""Each store beside a model of a page: whatever happens in whatever order, they agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from losant_mcp.guard.plans import Status
from losant_mcp.guard.store import (
    BudgetSpent,
    GuardError,
    NotOpen,
    StateStore,
    TooManyQuestions,
    binding_digest,
)
from tests.guard.stored import APPLICATION, LIMITS, Clock, a_binding, a_plan
from tests.guard.stores import NewMemory

T = TypeVar("T")

BUDGET = 10
TIGHT = replace(LIMITS, destroyed=BUDGET, pending=3, questions=8, noes_in_a_row=2)
PRINCIPALS = ("ann", "bob")
TARGETS = ("t1", "t2", "t3", "t4")


@dataclass
class Asked:
    """A plan, as the model sees it."""

    principal: str
    target: str
    destroys: int
    created: float
    status: Status = "pending"
    yes_at: float = 0.0
    nonce: str = ""


@dataclass
class Person:
    """A principal's hour, as the model sees it: lists of times."""

    questions: list[float] = field(default_factory=list)
    noes: dict[str, float] = field(default_factory=dict)
    plain_yeses: list[float] = field(default_factory=list)
    in_a_row: int = 0
    locked: bool = False
    destroyed: list[tuple[float, int]] = field(default_factory=list)


class Memory(RuleBasedStateMachine):
    """Every step is done to both; what the store answers and remembers is the model's."""

    plans = Bundle("plans")

    def __init__(self, new_memory: NewMemory) -> None:
        super().__init__()
        self.held = ExitStack()
        self.memory = self.held.enter_context(new_memory())
        self.loop = asyncio.Runner()
        self.clock = Clock()
        self.asked: dict[str, Asked] = {}
        self.people = {name: Person() for name in PRINCIPALS}
        self.store: StateStore = self.memory(self.clock)

    def _run(self, call: Awaitable[T]) -> T:
        async def run() -> T:
            return await call

        return self.loop.run(run())

    def _refused(self, call: Awaitable[object], kind: type[GuardError] | None) -> None:
        """Do it; the store refuses it if and only if the model does, and in the same way."""
        refusal: type[GuardError] | None = None
        try:
            self._run(call)
        except GuardError as error:
            refusal = type(error)
        assert refusal is kind

    def _look(self, plan_id: str) -> Asked:
        plan = self.asked[plan_id]
        now = self.clock.now
        late = now >= plan.created + 600
        if (plan.status == "pending" and late) or (
            plan.status == "approved" and (late or now >= plan.yes_at + 120)
        ):
            plan.status = "expired"
        return plan

    # ---- what can happen -------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """The memory is there before the clock can turn."""
        self._run(self.store.now())

    @rule(
        target=plans,
        principal=st.sampled_from(PRINCIPALS),
        target_id=st.sampled_from(TARGETS),
        destroys=st.integers(1, 6),
        plain=st.booleans(),
    )
    def add(self, principal: str, target_id: str, destroys: int, plain: bool) -> object:
        """Plan something, or join the open question about it."""
        plan = a_plan(
            target_id,
            binding=a_binding(principal),
            destroys=destroys,
            phrase=None if plain else "x",
        )
        person, now = self.people[principal], self.clock.now
        mine = {i: self._look(i) for i, p in self.asked.items() if p.principal == principal}
        for plan_id, known in mine.items():
            if known.target == target_id and known.status in ("pending", "approved"):
                assert self._run(self.store.add_plan(plan, TIGHT)).id == plan_id
                return multiple()
        waiting = sum(known.status == "pending" for known in mine.values())
        if (
            person.locked
            or now < person.noes.get(target_id, 0.0)
            or waiting >= TIGHT.pending
            or sum(at > now - 3600 for at in person.questions) >= TIGHT.questions
        ):
            self._refused(self.store.add_plan(plan, TIGHT), TooManyQuestions)
            return multiple()
        added = self._run(self.store.add_plan(plan, TIGHT))
        assert added.id not in self.asked
        self.asked[added.id] = Asked(principal, target_id, destroys, now)
        person.questions.append(now)
        return added.id

    @rule(plan_id=plans)
    def ask(self, plan_id: str) -> None:
        """Put it before a person as a form, once."""
        plan = self._look(plan_id)
        if plan.nonce:
            return
        if plan.status != "pending":
            self._refused(self.store.begin_question(plan_id, "form"), NotOpen)
            return
        plan.nonce = self._run(self.store.begin_question(plan_id, "form"))

    @rule(
        plan_id=plans,
        decision=st.sampled_from(["approved", "approved", "declined", "cancelled"]),
        way=st.sampled_from(["form", "page"]),
        honest=st.booleans(),
    )
    def decide(self, plan_id: str, decision: Status, way: str, honest: bool) -> None:
        """Answer it, by a form with its nonce or with another one, or on the page."""
        plan = self._look(plan_id)
        fits = way == "page" or (honest and plan.nonce != "")
        taken = plan.status == "pending" and fits
        self._refused(
            self.store.decide(
                plan_id,
                decision,
                way="form" if way == "form" else "page",
                by="ann",
                nonce=plan.nonce if honest else "guess",
            ),
            None if taken else NotOpen,
        )
        if not taken:
            return
        person, now = self.people[plan.principal], self.clock.now
        plan.status = decision
        if decision == "approved":
            plan.yes_at = now
            person.in_a_row = 0
            stored = self._run(self.store.plan(plan_id))
            if stored and stored.phrase is None:
                person.plain_yeses.append(now)
        elif decision == "declined":
            person.noes[plan.target] = now + 600
            person.in_a_row += 1
            person.locked = person.locked or person.in_a_row >= TIGHT.noes_in_a_row

    @rule(plan_id=plans, honest=st.sampled_from([True, True, True, False]))
    def burn(self, plan_id: str, honest: bool) -> None:
        """Run it, or try to as somebody else."""
        plan = self._look(plan_id)
        person, now = self.people[plan.principal], self.clock.now
        mine = binding_digest(a_binding(plan.principal if honest else "eve"))
        used = sum(amount for at, amount in person.destroyed if at > now - 3600)
        call = self.store.burn(plan_id, mine, TIGHT)
        if plan.status != "approved" or not honest:
            self._refused(call, NotOpen)
        elif person.locked:
            self._refused(call, TooManyQuestions)
        elif used + plan.destroys > BUDGET:
            self._refused(call, BudgetSpent)
            plan.status = "failed"
        else:
            self._refused(call, None)
            plan.status = "running"
            person.destroyed.append((now, plan.destroys))

    @rule(plan_id=plans, end=st.sampled_from(["done", "drifted", "failed"]))
    def finish(self, plan_id: str, end: Status) -> None:
        """End its run."""
        plan = self._look(plan_id)
        running = plan.status == "running"
        self._refused(self.store.finish(plan_id, end, {}), None if running else NotOpen)
        if running:
            plan.status = end

    @rule(plan_id=consumes(plans))
    def forget_the_id(self, plan_id: str) -> None:
        """Nobody comes back to it; it is still looked at below."""

    @rule(principal=st.sampled_from(PRINCIPALS), amount=st.integers(0, 6))
    def spend(self, principal: str, amount: int) -> None:
        """Use the budget for something that is not asked."""
        person, now = self.people[principal], self.clock.now
        used = sum(spent for at, spent in person.destroyed if at > now - 3600)
        over = amount > 0 and used + amount > BUDGET
        call = self.store.spend("destroyed", principal, APPLICATION, amount, BUDGET)
        self._refused(call, BudgetSpent if over else None)
        if not over:
            person.destroyed.append((now, amount))

    @rule(seconds=st.sampled_from([0.5, 60, 119, 121, 599, 601, 1800, 3601]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.wait(seconds)

    @rule(seconds=st.sampled_from([2, 60, 600, 5000]))
    def turn_back(self, seconds: float) -> None:
        """The clock is set back, behind the store's latest time: the present is stored first."""
        for plan_id in self.asked:
            self._look(plan_id)
        self._run(self.store.remember("moment", str(self.clock.now)))
        hour_ago = self.clock.now - 3600
        self.clock.wait(-seconds)
        now = self.clock.now
        for plan in self.asked.values():
            if plan.status in ("pending", "approved"):
                plan.status = "expired"
        for person in self.people.values():
            person.questions = [min(at, now) for at in person.questions if at > hour_ago]
            person.noes = {
                target: min(end, now + 600)
                for target, end in person.noes.items()
                if end - 600 > hour_ago
            }
            person.plain_yeses = [min(at, now) for at in person.plain_yeses if at > hour_ago]
            person.destroyed = [(min(at, now), n) for at, n in person.destroyed if at > hour_ago]

    @rule()
    def unlock(self) -> None:
        """A person allows destruction again."""
        self._run(self.store.unlock())
        for person in self.people.values():
            person.locked, person.in_a_row = False, 0

    @rule()
    def restart(self) -> None:
        """The process ends and another one starts."""
        self._run(self.store.aclose())
        self.store = self.memory(self.clock)

    # ---- what holds ------------------------------------------------------------------------

    @invariant()
    def no_budget_is_exceeded(self) -> None:
        """What was destroyed within an hour is within the limit, and the sums agree."""
        for name, person in self.people.items():
            used = sum(at > self.clock.now - 3600 and n for at, n in person.destroyed)
            assert self._run(self.store.spent("destroyed", name, APPLICATION)) == used
            assert used <= BUDGET

    @rule()
    def compare(self) -> None:
        """Every plan, lock, no and yes is the model's."""
        for plan_id in self.asked:
            stored = self._run(self.store.plan(plan_id))
            assert stored is not None
            assert stored.status == self._look(plan_id).status
            kept = stored.status in ("pending", "approved", "running")
            assert bool(stored.planned.items) == kept
        now = self.clock.now
        for name, person in self.people.items():
            for target in TARGETS:
                key = a_plan(target).operation.target_key
                fatigue = self._run(self.store.fatigue(name, key))
                until = person.noes.get(target, 0.0)
                assert fatigue.refused_until == (until if until > now else None)
                assert fatigue.locked == person.locked
                assert fatigue.plain_yeses == sum(at > now - 3600 for at in person.plain_yeses)

    def teardown(self) -> None:
        """Compare once more, and leave nothing behind."""
        self.compare()
        self._run(self.store.aclose())
        self.loop.close()
        self.held.close()


def test_a_store_agrees_with_the_model(new_memory: NewMemory) -> None:
    """Whatever happens in whatever order."""

    class Fresh(Memory):
        """A model beside an empty memory."""

        def __init__(self) -> None:
            super().__init__(new_memory)

    run_state_machine_as_test(
        Fresh,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
