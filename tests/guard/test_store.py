"""A question in the store: shared by equal calls, answered once, expired by a look, forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losant_mcp.guard.plans import PLAN_SECONDS, Status
from losant_mcp.guard.store import NotOpen, StateStore, UnknownPlan, binding_digest
from tests.guard.stored import (
    LIMITS,
    NOON,
    ROOMY,
    Clock,
    a_binding,
    a_plan,
    approve,
    burn,
    decline,
)
from tests.guard.stores import CALLS, UNKNOWN


def test_every_method_of_the_interface_is_tried() -> None:
    """A new method of the store must fail closed as well."""
    methods = {name for name in vars(StateStore) if not name.startswith("_")}
    assert set(CALLS) == methods - {"aclose"}


async def test_a_new_plan_gets_its_id_and_times_from_the_store(store: StateStore) -> None:
    """What the planner claims about an answer is replaced by a fresh pending question."""
    forged = replace(
        a_plan(), id="apr_mine", status="approved", decided_at=NOON, decided_by="me", nonce="n"
    )
    plan = await store.add_plan(forged, LIMITS)
    assert plan == replace(
        a_plan(), id=plan.id, created_at=NOON, expires_at=NOON + PLAN_SECONDS, status="pending"
    )
    assert plan.id.startswith("apr_")
    assert len(plan.id) == 30
    assert await store.plan(plan.id) == plan
    assert await store.pending_plans() == [plan]


async def test_a_plan_comes_back_as_it_was_whatever_its_names_hold(store: StateStore) -> None:
    """Lone surrogates, NUL and every other character of a name survive the database."""
    odd = "Pümpe \ud800 \x00 ' \u202e 🚰"
    plan = await store.add_plan(
        a_plan(name=odd, phrase=odd, binding=a_binding(odd), selection={"query": {odd: [1.5]}}),
        LIMITS,
    )
    assert await store.plan(plan.id) == plan
    assert await store.pending_plans(odd) == [plan]
    decided = await store.decide(plan.id, "approved", way="terminal", by=odd)
    assert decided.decided_by == odd


@pytest.mark.parametrize("status", ["pending", "approved"])
async def test_equal_calls_share_one_open_question(store: StateStore, status: Status) -> None:
    """The open plan of the same binding, arguments, action and target is returned."""
    first = await store.add_plan(a_plan(), LIMITS)
    if status == "approved":
        first = await approve(store, first)
    assert await store.add_plan(a_plan(), LIMITS) == first


async def test_anything_different_is_a_question_of_its_own(store: StateStore) -> None:
    """Another target, action, argument, principal, origin or policy shares nothing."""
    plans = [
        a_plan(),
        a_plan("table-2"),
        a_plan(action="truncate_rows"),
        a_plan(arguments="others"),
        a_plan(binding=a_binding(principal="bob")),
        a_plan(binding=a_binding(origin="2-b")),
        a_plan(binding=a_binding(policy="q")),
    ]
    ids = {(await store.add_plan(plan, ROOMY)).id for plan in plans}
    assert len(ids) == len(plans)


async def test_a_finished_plan_is_not_shared(store: StateStore) -> None:
    """After a plan ran, the same call is a new question."""
    first = await store.add_plan(a_plan(), LIMITS)
    await burn(store, await approve(store, first))
    await store.finish(first.id, "done", {"status": "done"})
    assert (await store.add_plan(a_plan(), LIMITS)).id != first.id


@pytest.mark.parametrize("decision", ["approved", "declined", "cancelled"])
async def test_the_first_answer_stands(store: StateStore, clock: Clock, decision: Status) -> None:
    """A second answer changes nothing and is told what the first one was."""
    plan = await store.add_plan(a_plan(), LIMITS)
    clock.wait(5)
    first = await store.decide(plan.id, decision, way="page", by="ann")
    assert (first.status, first.way, first.decided_by) == (decision, "page", "ann")
    assert first.decided_at == NOON + 5
    for second in ("approved", "declined", "cancelled"):
        with pytest.raises(NotOpen) as refusal:
            await store.decide(plan.id, second, way="terminal", by="eve")
        assert refusal.value.plan == first
    assert await store.plan(plan.id) == first


@pytest.mark.parametrize("decision", ["pending", "expired", "running", "done", "yes"])
async def test_only_an_answer_is_an_answer(store: StateStore, decision: Status) -> None:
    """No status but approved, declined and cancelled can be decided."""
    plan = await store.add_plan(a_plan(), LIMITS)
    with pytest.raises(ValueError):
        await store.decide(plan.id, decision, way="page", by="ann")
    assert await store.plan(plan.id) == plan


async def test_a_form_is_answered_under_its_latest_nonce_only(store: StateStore) -> None:
    """A missing, wrong, older or foreign nonce decides nothing; the right one does."""
    plan = await store.add_plan(a_plan(), LIMITS)
    other = await store.add_plan(a_plan("table-2"), LIMITS)
    foreign = await store.begin_question(other.id, "form")
    older = await store.begin_question(plan.id, "form")
    latest = await store.begin_question(plan.id, "form")
    assert len({foreign, older, latest}) == 3
    for nonce in (None, "", "wrong", "\ud800", older, foreign):
        with pytest.raises(NotOpen) as refusal:
            await store.decide(plan.id, "approved", way="form", by="client", nonce=nonce)
        assert refusal.value.plan.status == "pending"
    decided = await store.decide(plan.id, "approved", way="form", by="client", nonce=latest)
    assert (decided.status, decided.way) == ("approved", "form")


async def test_a_form_answers_no_question_that_is_asked_on_the_page(store: StateStore) -> None:
    """A nonce is void as soon as the plan is asked another way, or if it was never a form's."""
    plan = await store.add_plan(a_plan(), LIMITS)
    with pytest.raises(NotOpen):
        await store.decide(plan.id, "approved", way="form", by="client", nonce="")
    of_form = await store.begin_question(plan.id, "form")
    of_page = await store.begin_question(plan.id, "page")
    for nonce in (of_form, of_page):
        with pytest.raises(NotOpen):
            await store.decide(plan.id, "approved", way="form", by="client", nonce=nonce)
    stored = await store.plan(plan.id)
    assert stored is not None
    assert (stored.status, stored.way) == ("pending", "page")


async def test_a_decided_plan_is_not_asked_again(store: StateStore) -> None:
    """Only a pending plan can be put before a person."""
    plan = await decline(store, await store.add_plan(a_plan(), LIMITS))
    with pytest.raises(NotOpen) as refusal:
        await store.begin_question(plan.id, "form")
    assert refusal.value.plan == plan


async def test_a_question_expires_by_a_look_at_it(store: StateStore, clock: Clock) -> None:
    """A question stands for ten minutes, not for a moment more, and nobody can answer it then."""
    plan = await store.add_plan(a_plan(), LIMITS)
    clock.wait(PLAN_SECONDS - 0.001)
    assert await store.plan(plan.id) == plan
    clock.wait(0.001)
    expired = await store.plan(plan.id)
    assert expired is not None
    assert expired.status == "expired"
    assert await store.pending_plans() == []
    with pytest.raises(NotOpen) as refusal:
        await approve(store, plan)
    assert refusal.value.plan == expired


async def test_a_late_answer_finds_an_expired_plan(store: StateStore, clock: Clock) -> None:
    """Answering is a look as well, and the expiry that it found is kept."""
    plan = await store.add_plan(a_plan(), LIMITS)
    clock.wait(PLAN_SECONDS)
    with pytest.raises(NotOpen) as refusal:
        await approve(store, plan)
    assert refusal.value.plan.status == "expired"
    assert await store.plan(plan.id) == refusal.value.plan


async def test_what_expired_is_told_of_once(store: StateStore, clock: Clock) -> None:
    """Whoever finds it out: a look, an answer, or a sweep at the next question."""
    looked_at, answered, swept, yes, used, declined = [
        await store.add_plan(a_plan(target=f"table-{number}"), replace(LIMITS, pending=9))
        for number in range(6)
    ]
    await approve(store, yes)
    await burn(store, await approve(store, used))
    await decline(store, declined)
    assert await store.take_expired() == []
    clock.wait(PLAN_SECONDS)
    await store.plan(looked_at.id)
    with pytest.raises(NotOpen):
        await approve(store, answered)
    [first, second, *others] = await store.take_expired()
    assert [first.id, second.id] == [looked_at.id, answered.id]
    await store.add_plan(a_plan(target="table-9"), LIMITS)
    others += await store.take_expired()
    assert {plan.id for plan in others} == {swept.id, yes.id}
    assert {plan.status for plan in (first, second, *others)} == {"expired"}
    assert await store.take_expired() == []


@pytest.mark.parametrize("end", ["declined", "cancelled", "expired"])
async def test_a_question_that_ended_keeps_no_samples(
    store: StateStore, clock: Clock, end: Status
) -> None:
    """Samples and items are there for the question only."""
    plan = await store.add_plan(a_plan(), LIMITS)
    if end == "expired":
        clock.wait(PLAN_SECONDS)
    else:
        await store.decide(plan.id, end, way="page", by="ann")
    stored = await store.plan(plan.id)
    assert stored is not None
    assert (stored.status, stored.planned.items, stored.shown.samples) == (end, (), ())


async def test_finished_plans_are_forgotten_after_thirty_days(
    store: StateStore, clock: Clock
) -> None:
    """Until then, whoever asks again gets the outcome."""
    plan = await burn(store, await approve(store, await store.add_plan(a_plan(), LIMITS)))
    await store.finish(plan.id, "done", {"removed": 2})
    clock.wait(30 * 24 * 3600)
    await store.interrupt_orphans([])
    stored = await store.plan(plan.id)
    assert stored is not None
    assert stored.outcome == {"removed": 2}
    clock.wait(1)
    await store.interrupt_orphans([])
    assert await store.plan(plan.id) is None


@pytest.mark.parametrize("plan_id", [UNKNOWN, "", "apr_", "'; DROP TABLE plans; --", "\ud800"])
async def test_a_guessed_id_finds_nothing(store: StateStore, plan_id: str) -> None:
    """An id that was never given out is unknown to every method."""
    await store.add_plan(a_plan(), LIMITS)
    assert await store.plan(plan_id) is None
    with pytest.raises(UnknownPlan):
        await store.begin_question(plan_id, "form")
    with pytest.raises(UnknownPlan):
        await store.decide(plan_id, "approved", way="page", by="ann")
    with pytest.raises(UnknownPlan):
        await store.burn(plan_id, binding_digest(a_binding()), LIMITS)
    with pytest.raises(UnknownPlan):
        await store.finish(plan_id, "done", {})
    assert len(await store.pending_plans()) == 1


async def test_one_of_those_who_saw_the_same_fact_replaces_it(store: StateStore) -> None:
    """Whoever saw another one, or none where there is one, changes nothing."""
    assert not await store.swap("volume", "nothing", "one")
    assert [await store.swap("volume", None, name) for name in ("one", "two")] == [True, False]
    assert [await store.swap("volume", "one", name) for name in ("two", "three")] == [True, False]
    assert await store.recall("volume") == "two"


async def test_pending_plans_come_oldest_first_and_by_principal(store: StateStore) -> None:
    """Everybody's plans, or those of one principal."""
    added = [
        await store.add_plan(a_plan(f"table-{n}", binding=a_binding(who)), LIMITS)
        for n, who in enumerate(["ann", "bob", "ann"])
    ]
    await store.decide(added[2].id, "cancelled", way="page", by="ann")
    assert await store.pending_plans() == added[:2]
    assert await store.pending_plans("bob") == [added[1]]
    assert await store.pending_plans("eve") == []
