"""How often people may be asked, how much may be done in an hour, and small facts with a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losant_mcp.guard.lifecycle import CHANGES_TOLD, FORMS_PER_PLAN
from losant_mcp.guard.plans import PLAN_SECONDS, Plan, Status, Way
from losant_mcp.guard.refusals import moment
from losant_mcp.guard.store import BudgetSpent, Fatigue, Meter, StateStore, TooManyQuestions
from tests.guard.stored import (
    APPLICATION,
    LIMITS,
    NOON,
    Clock,
    a_binding,
    a_plan,
    approve,
    burn,
    decline,
)
from tests.guard.stores import OpenStore

RESTED = Fatigue(locked=False, plain_yeses=0, refused_until=None)


async def refusal_of(store: StateStore, plan: Plan) -> tuple[str, str]:
    """What and how a plan is refused; nothing is stored by that."""
    before = await store.pending_plans()
    asked = await store.spent("questions", plan.binding.principal, "")
    with pytest.raises(TooManyQuestions) as refusal:
        await store.add_plan(plan, LIMITS)
    assert await store.pending_plans() == before
    assert await store.spent("questions", plan.binding.principal, "") == asked
    return str(refusal.value), refusal.value.hint


# ---- noes ----------------------------------------------------------------------------------


async def test_a_no_stands_for_ten_minutes(store: StateStore, clock: Clock) -> None:
    """The same action on the same target is refused, whatever its arguments, until it ends."""
    await decline(store, await store.add_plan(a_plan(), LIMITS))
    clock.wait(1.5)
    assert await refusal_of(store, a_plan(arguments="others")) == (
        "A person said no to this on this target a short while ago.",
        (
            "It may be asked about again at 2026-09-21T14:23:20Z, in 10 min; "
            "do something else until then."
        ),
    )
    key = a_plan().operation.target_key
    fatigue = await store.fatigue("ann", key)
    assert fatigue.refused_until == clock.now - 1.5 + 600
    clock.wait(598.4)
    assert (await refusal_of(store, a_plan()))[1] == (
        "It may be asked about again at 2026-09-21T14:23:20Z, in 1 s; do something else until then."
    )
    clock.wait(0.1)
    assert await store.fatigue("ann", key) == RESTED
    await store.add_plan(a_plan(), LIMITS)


async def test_a_no_is_about_one_target_and_one_principal(store: StateStore) -> None:
    """Another target, another action, and somebody else may be asked about."""
    await decline(store, await store.add_plan(a_plan(), LIMITS))
    await store.add_plan(a_plan("table-2"), LIMITS)
    await store.add_plan(a_plan(action="delete_data_table"), LIMITS)
    await store.add_plan(a_plan(binding=a_binding("bob")), LIMITS)


@pytest.mark.parametrize("end", ["cancelled", "expired"])
async def test_only_a_person_says_no(store: StateStore, clock: Clock, end: Status) -> None:
    """A question that was closed or that ran out may be asked again at once."""
    for _ in range(4):
        plan = await store.add_plan(a_plan(), LIMITS)
        if end == "expired":
            clock.wait(PLAN_SECONDS)
        else:
            await store.decide(plan.id, "cancelled", way="form", by="x", nonce=await _form(store))
    assert await store.fatigue("ann", a_plan().operation.target_key) == RESTED


async def _form(store: StateStore) -> str:
    [plan] = await store.pending_plans()
    return await store.begin_question(plan.id, "form")


async def test_three_noes_in_a_row_lock_until_somebody_unlocks(
    store: StateStore, clock: Clock, memory: OpenStore
) -> None:
    """No time, no restart and no other target ends the lock; only ``unlock`` does."""
    for n in range(3):
        await decline(store, await store.add_plan(a_plan(f"table-{n}"), LIMITS))
    clock.wait(40 * 24 * 3600)
    await store.aclose()
    second = memory(clock)
    assert await refusal_of(second, a_plan("table-9")) == (
        "3 questions in a row were answered with no, so destruction is locked.",
        (
            "Ask the person what they want instead. A person can unlock it in a terminal: "
            "losant-mcp approve --unlock"
        ),
    )
    assert (await second.fatigue("ann", "")).locked
    assert not (await second.fatigue("bob", "")).locked
    await second.unlock()
    assert not (await second.fatigue("ann", "")).locked
    for n in range(2):
        await decline(second, await second.add_plan(a_plan(f"table-{n}"), LIMITS))
    await second.add_plan(a_plan("table-9"), LIMITS)
    await second.aclose()


async def test_a_yes_between_noes_starts_the_row_again(store: StateStore) -> None:
    """Two noes, a yes, and two noes lock nothing; a cancel ends no row."""
    answers: list[Status] = [
        "declined",
        "declined",
        "approved",
        "declined",
        "cancelled",
        "declined",
    ]
    for n, answer in enumerate(answers):
        plan = await store.add_plan(a_plan(f"table-{n}"), LIMITS)
        await store.decide(plan.id, answer, way="page", by="ann")
    assert not (await store.fatigue("ann", "")).locked
    await decline(store, await store.add_plan(a_plan("table-9"), LIMITS))
    assert (await store.fatigue("ann", "")).locked


async def test_a_lock_stops_what_was_approved_and_a_later_yes_does_not_end_it(
    store: StateStore,
) -> None:
    """While it is locked nothing is burned; unlocked, an approved plan still can be."""
    plans = [await store.add_plan(a_plan(f"table-{n}"), LIMITS) for n in range(5)]
    await approve(store, plans[0])
    for plan in plans[1:4]:
        await decline(store, plan)
    await approve(store, plans[4])
    for plan in (plans[0], plans[4]):
        with pytest.raises(TooManyQuestions):
            await burn(store, plan)
        stored = await store.plan(plan.id)
        assert stored is not None
        assert stored.status == "approved"
    assert await store.spent("destroyed", "ann", APPLICATION) == 0
    await store.unlock()
    await burn(store, plans[0])


async def test_the_limits_of_the_planning_count(store: StateStore) -> None:
    """How long a no stands and how many lock is settled when the question is asked."""
    strict = replace(LIMITS, refusal_seconds=7, noes_in_a_row=1)
    await decline(store, await store.add_plan(a_plan(), strict))
    fatigue = await store.fatigue("ann", a_plan().operation.target_key)
    assert fatigue == Fatigue(locked=True, plain_yeses=0, refused_until=await store.now() + 7)


# ---- questions -----------------------------------------------------------------------------


async def test_five_questions_may_wait(store: StateStore, clock: Clock) -> None:
    """The sixth is refused until one is answered or ends, and the text says when."""
    plans = []
    for n in range(5):
        plans.append(await store.add_plan(a_plan(f"table-{n}"), LIMITS))
        clock.wait(60)
    assert await refusal_of(store, a_plan("table-9")) == (
        "5 questions wait for an answer already, the most that may.",
        (
            "A person can answer them (losant-mcp approve); the next one ends "
            "at 2026-09-21T14:23:20Z, in 5 min."
        ),
    )
    assert await store.add_plan(a_plan("table-1"), LIMITS) == plans[1]
    await store.add_plan(a_plan("table-9", binding=a_binding("bob")), LIMITS)
    await approve(store, plans[4])
    await store.add_plan(a_plan("table-9"), LIMITS)
    await refusal_of(store, a_plan("table-10"))
    clock.wait(300)
    await store.add_plan(a_plan("table-10"), LIMITS)


async def test_twenty_questions_may_be_asked_in_an_hour(store: StateStore, clock: Clock) -> None:
    """The next one is refused until the first of them is an hour old."""
    for n in range(20):
        plan = await store.add_plan(a_plan(f"table-{n}"), LIMITS)
        await store.decide(plan.id, "cancelled", way="page", by="ann")
        clock.wait(60)
    assert await refusal_of(store, a_plan("table-20")) == (
        "20 questions were asked within an hour, the most that may.",
        "The next one may be asked at 2026-09-21T15:13:20Z, in 40 min.",
    )
    await store.add_plan(a_plan(binding=a_binding("bob")), LIMITS)
    clock.wait(40 * 60)
    await store.add_plan(a_plan("table-20", application="another"), LIMITS)
    await refusal_of(store, a_plan("table-21", application="a third"))
    assert await store.spent("questions", "ann", "whichever") == 20


async def test_a_form_that_nobody_answers_is_not_shown_forever(store: StateStore) -> None:
    """Each further form counts as a question, and after the fifth there is none for this plan."""
    plan = await store.add_plan(a_plan(), LIMITS)
    for _ in range(FORMS_PER_PLAN):
        await store.begin_question(plan.id, "form")
    assert await store.spent("questions", "ann", APPLICATION) == FORMS_PER_PLAN
    before = await store.plan(plan.id)
    with pytest.raises(TooManyQuestions) as refusal:
        await store.begin_question(plan.id, "form")
    assert str(refusal.value) == (
        "This question was shown 5 times without an answer, the most that may."
    )
    assert refusal.value.hint == (
        "It ends at 2026-09-21T14:23:20Z, in 10 min; a person can answer it in a terminal: "
        "losant-mcp approve"
    )
    assert await store.plan(plan.id) == before
    for _ in range(9):
        await store.begin_question(plan.id, "page")
    assert await store.spent("questions", "ann", APPLICATION) == FORMS_PER_PLAN


async def test_no_questions_at_all_may_be_a_limit(store: StateStore) -> None:
    """Where an operator allows none, the refusal names no time at which it would end."""
    for limits in (replace(LIMITS, questions=0), replace(LIMITS, pending=0)):
        with pytest.raises(TooManyQuestions):
            await store.add_plan(a_plan(), limits)
    assert await store.pending_plans() == []


async def test_plain_yeses_of_the_last_hour_are_counted(store: StateStore, clock: Clock) -> None:
    """Neither typed phrases nor noes nor previews, which nobody saw, are among them."""
    answers: list[tuple[str | None, Status, Way]] = [
        (None, "approved", "page"),
        ("Tank levels", "approved", "page"),
        (None, "declined", "page"),
        (None, "approved", "preview"),
        (None, "approved", "terminal"),
    ]
    for n, (phrase, decision, way) in enumerate(answers):
        plan = await store.add_plan(a_plan(f"table-{n}", phrase=phrase), LIMITS)
        await store.decide(plan.id, decision, way=way, by="ann")
        clock.wait(60)
    assert (await store.fatigue("ann", "")).plain_yeses == 2
    assert (await store.fatigue("bob", "")).plain_yeses == 0
    clock.wait(3600 - 300)
    assert (await store.fatigue("ann", "")).plain_yeses == 1


async def test_a_preview_neither_ends_a_row_of_noes_nor_makes_one(store: StateStore) -> None:
    """Where nobody was asked, nobody answered."""
    answers: list[tuple[Status, Way]] = [
        ("declined", "page"),
        ("declined", "page"),
        ("approved", "preview"),
        ("declined", "preview"),
    ]
    for n, (decision, way) in enumerate(answers):
        plan = await store.add_plan(a_plan(f"table-{n}"), LIMITS)
        await store.decide(plan.id, decision, way=way, by="ann")
    assert not (await store.fatigue("ann", "")).locked
    await decline(store, await store.add_plan(a_plan("table-9"), LIMITS))
    assert (await store.fatigue("ann", "")).locked


def test_a_coming_time_is_rounded_up() -> None:
    """Whoever comes back at the time that was told is never too early."""
    assert moment(NOON + 59.2, NOON + 0.1) == "at 2026-09-21T14:14:20Z, in 60 s"
    assert moment(NOON + 150.5, NOON) == "at 2026-09-21T14:15:51Z, in 3 min"


# ---- meters --------------------------------------------------------------------------------


async def test_a_meter_counts_the_last_hour(store: StateStore, clock: Clock) -> None:
    """What exceeds the limit is not added; what is an hour old no longer counts."""
    args: tuple[Meter, str, str] = ("created_rows", "ann", APPLICATION)
    assert await store.spend(*args, 60, 100) == 60
    clock.wait(1800)
    assert await store.spend(*args, 40, 100) == 100
    with pytest.raises(BudgetSpent) as refusal:
        await store.spend(*args, 1, 100)
    assert str(refusal.value) == (
        "At most 100 rows may be created an hour: 100 are used up, and 1 more do not fit."
    )
    assert refusal.value.hint == "There is room for this at 2026-09-21T15:13:20Z, in 30 min."
    with pytest.raises(BudgetSpent) as refusal:
        await store.spend(*args, 61, 100)
    assert refusal.value.hint == "There is room for this at 2026-09-21T15:43:20Z, in 60 min."
    with pytest.raises(BudgetSpent) as refusal:
        await store.spend(*args, 101, 100)
    assert refusal.value.hint == "That alone is more than an hour's budget: do less at once."
    assert await store.spent(*args) == 100
    clock.wait(1799.9)
    assert await store.spent(*args) == 100
    clock.wait(0.1)
    assert await store.spend(*args, 60, 100) == 100


async def test_meters_do_not_touch_each_other(store: StateStore) -> None:
    """Each principal, application and kind has its own."""
    await store.spend("overwritten", "ann", APPLICATION, 7, 10)
    assert await store.spent("overwritten", "ann", APPLICATION) == 7
    assert await store.spent("overwritten", "bob", APPLICATION) == 0
    assert await store.spent("overwritten", "ann", "another") == 0
    assert await store.spent("created_rows", "ann", APPLICATION) == 0


async def test_nothing_costs_nothing_and_no_amount_gives_back(store: StateStore) -> None:
    """Zero fits even where the budget is used up; less than nothing is refused."""
    assert await store.spend("destroyed", "ann", APPLICATION, 5, 5) == 5
    assert await store.spend("destroyed", "ann", APPLICATION, 0, 5) == 5
    assert await store.spend("destroyed", "ann", APPLICATION, 0, 1) == 5
    for amount in (-1, 2**70):
        with pytest.raises(ValueError):
            await store.spend("destroyed", "ann", APPLICATION, amount, 10)
    assert await store.spent("destroyed", "ann", APPLICATION) == 5


# ---- facts ---------------------------------------------------------------------------------


async def test_a_fact_is_kept_until_its_time_or_its_forgetting(
    store: StateStore, clock: Clock
) -> None:
    """A later fact of the same name replaces the earlier one and its time."""
    await store.remember("pin", "hash \ud800", seconds=None)
    await store.remember("session", "one", seconds=10)
    clock.wait(9)
    await store.remember("session", "two", seconds=10)
    clock.wait(9.9)
    assert await store.recall("session") == "two"
    clock.wait(0.1)
    assert await store.recall("session") is None
    assert await store.recall("pin") == "hash \ud800"
    assert await store.recall("nothing") is None


async def test_a_fact_is_forgotten_once(store: StateStore, clock: Clock) -> None:
    """True for the first who drops it, False for the next, for the late, and for a guess."""
    await store.remember("key", "hash")
    await store.remember("late", "hash", seconds=10)
    clock.wait(10)
    assert [await store.forget("key") for _ in range(2)] == [True, False]
    assert not await store.forget("late")
    assert not await store.forget("guess")
    assert await store.recall("key") is None


async def test_changes_are_told_for_a_day(store: StateStore, clock: Clock) -> None:
    """Oldest first, those of this target in this application only."""
    await store.note_change(APPLICATION, "table-1", "3 rows were deleted")
    clock.wait(3600)
    await store.note_change(APPLICATION, "table-1", "a column was added \ud800")
    await store.note_change(APPLICATION, "table-2", "another table")
    await store.note_change("another", "table-1", "another application")
    assert await store.changes(APPLICATION, "table-1") == [
        "3 rows were deleted",
        "a column was added \ud800",
    ]
    clock.wait(23 * 3600)
    assert await store.changes(APPLICATION, "table-1") == ["a column was added \ud800"]


async def test_the_last_changes_are_told(store: StateStore) -> None:
    """So that a question is never longer than anybody reads, nor the store's value of it."""
    for number in range(CHANGES_TOLD + 3):
        await store.note_change(APPLICATION, "table-1", str(number))
    await store.note_change(APPLICATION, "table-2", "another table")
    told = await store.changes(APPLICATION, "table-1")
    assert told == [str(number) for number in range(3, CHANGES_TOLD + 3)]
    assert await store.changes(APPLICATION, "table-2") == ["another table"]
