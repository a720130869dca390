"""Clocks that jump: they may end a yes early, and never let one live longer."""

from __future__ import annotations

import pytest

from losant_mcp.guard.plans import PLAN_SECONDS
from losant_mcp.guard.store import BudgetSpent, NotOpen, StateStore, TooManyQuestions
from tests.guard.stored import (
    APPLICATION,
    LIMITS,
    NOON,
    Clock,
    a_plan,
    approve,
    burn,
    decline,
)
from tests.guard.stores import OpenStore


async def test_a_moment_back_is_waited_for(store: StateStore, clock: Clock) -> None:
    """A clock that is corrected by less than a second stands still for that long."""
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    clock.wait(-0.9)
    assert await store.now() == NOON
    assert await store.plan(plan.id) == plan
    clock.wait(1.9)
    assert await store.now() == NOON + 1


@pytest.mark.parametrize("back", [1.5, 100.0, 3600.0, 1e9])
async def test_a_clock_that_goes_back_ends_what_could_be_used(
    store: StateStore, clock: Clock, back: float
) -> None:
    """Questions, yeses and facts with a time end; runs, ends and other facts stay."""
    running = await burn(store, await approve(store, await store.add_plan(a_plan("t1"), LIMITS)))
    done = await burn(store, await approve(store, await store.add_plan(a_plan("t2"), LIMITS)))
    done = await store.finish(done.id, "done", {})
    approved = await approve(store, await store.add_plan(a_plan("t3"), LIMITS))
    pending = await store.add_plan(a_plan("t4"), LIMITS)
    await store.remember("session", "hash", seconds=10)
    await store.remember("pin", "hash")
    clock.wait(-back)
    with pytest.raises(NotOpen) as refusal:
        await burn(store, approved)
    assert refusal.value.plan.status == "expired"
    assert refusal.value.plan.planned.items == ()
    with pytest.raises(NotOpen):
        await approve(store, pending)
    assert await store.pending_plans() == []
    assert await store.plan(running.id) == running
    assert await store.plan(done.id) == done
    assert await store.recall("session") is None
    assert await store.recall("pin") == "hash"
    assert await store.now() == NOON - back


async def test_a_clock_that_goes_back_frees_no_limit_early(store: StateStore, clock: Clock) -> None:
    """Budgets, noes and questions count in full from the new present on, and then end."""
    await store.spend("destroyed", "ann", APPLICATION, 100, 100)
    await decline(store, await store.add_plan(a_plan(), LIMITS))
    await store.note_change(APPLICATION, "table-1", "words")
    clock.wait(-7200)
    for seconds in (0, 599):
        clock.wait(seconds)
        with pytest.raises(TooManyQuestions):
            await store.add_plan(a_plan(), LIMITS)
    clock.wait(1)
    await store.add_plan(a_plan(), LIMITS)
    clock.wait(2999)
    with pytest.raises(BudgetSpent):
        await store.spend("destroyed", "ann", APPLICATION, 1, 100)
    clock.wait(1)
    assert await store.spend("destroyed", "ann", APPLICATION, 100, 100) == 100
    assert await store.changes(APPLICATION, "table-1") == ["words"]
    clock.wait(23 * 3600)
    assert await store.changes(APPLICATION, "table-1") == []


async def test_what_was_over_stays_over(store: StateStore, clock: Clock) -> None:
    """A clock that goes back a little does not bring back an hour that had passed."""
    await store.spend("destroyed", "ann", APPLICATION, 100, 100)
    clock.wait(3601)
    await store.remember("pin", "hash")
    clock.wait(-5)
    assert await store.spent("destroyed", "ann", APPLICATION) == 0


async def test_a_yes_from_a_clock_of_the_future_ends_when_the_clock_is_set_right(
    store: StateStore, clock: Clock
) -> None:
    """A year ahead by mistake is not a year of validity, and afterwards all works again."""
    clock.wait(365 * 24 * 3600)
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    clock.wait(-365 * 24 * 3600)
    with pytest.raises(NotOpen):
        await burn(store, plan)
    fresh = await store.add_plan(a_plan(), LIMITS)
    assert fresh.expires_at == NOON + PLAN_SECONDS
    await burn(store, await approve(store, fresh))


async def test_a_plan_that_ended_in_the_future_is_dropped_after_thirty_days(
    store: StateStore, clock: Clock
) -> None:
    """Its thirty days count from when the clock was set right."""
    clock.wait(365 * 24 * 3600)
    plan = await burn(store, await approve(store, await store.add_plan(a_plan(), LIMITS)))
    await store.finish(plan.id, "done", {})
    clock.wait(-365 * 24 * 3600)
    await store.interrupt_orphans([])
    clock.wait(30 * 24 * 3600)
    await store.interrupt_orphans([])
    assert await store.plan(plan.id) is not None
    clock.wait(1)
    await store.interrupt_orphans([])
    assert await store.plan(plan.id) is None


async def test_a_step_back_is_seen_by_another_process(
    store: StateStore, clock: Clock, memory: OpenStore
) -> None:
    """The latest time is in the memory, so a restart does not hide that the clock went back."""
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    earlier = memory(Clock(NOON - 60))
    with pytest.raises(NotOpen) as refusal:
        await burn(earlier, plan)
    assert refusal.value.plan.status == "expired"
    await earlier.aclose()


async def test_a_step_back_into_time_that_nobody_saw_is_noticed(memory: OpenStore) -> None:
    """A steady clock tells that more time passed than the clock on the wall admits."""
    clock, steady = Clock(), Clock(7.0)
    store = memory(clock, steady)
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    clock.wait(30)
    steady.wait(30)
    assert await store.plan(plan.id) == plan
    # 80 seconds pass, then the clock is put back by 80: it never showed an earlier time.
    steady.wait(80)
    with pytest.raises(NotOpen) as refusal:
        await burn(store, plan)
    assert refusal.value.plan.status == "expired"
    await store.aclose()


async def test_a_computer_that_slept_is_no_clock_that_went_back(memory: OpenStore) -> None:
    """A steady clock that stood still during sleep leaves the wall clock right."""
    clock, steady = Clock(), Clock(7.0)
    store = memory(clock, steady)
    plan = await store.add_plan(a_plan(), LIMITS)
    clock.wait(300)
    assert await store.plan(plan.id) == plan
    await approve(store, plan)
    await burn(store, plan)
    await store.aclose()
