"""A run in the store: burned once under its own binding and budget, ended once, never lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losant_mcp.guard.plans import PLAN_SECONDS, YES_SECONDS, Status
from losant_mcp.guard.store import BudgetSpent, NotOpen, StateStore, binding_digest
from tests.guard.stored import (
    APPLICATION,
    LIMITS,
    ROOMY,
    Clock,
    a_binding,
    a_plan,
    approve,
    burn,
)
from tests.guard.stores import OpenStore


async def test_a_yes_can_be_used_for_two_minutes(store: StateStore, clock: Clock) -> None:
    """A yes that nobody used in time is expired and can no longer be burned."""
    in_time = await approve(store, await store.add_plan(a_plan(), LIMITS))
    late = await approve(store, await store.add_plan(a_plan("table-2"), LIMITS))
    clock.wait(YES_SECONDS - 0.001)
    assert (await burn(store, in_time)).status == "running"
    clock.wait(0.001)
    with pytest.raises(NotOpen) as refusal:
        await burn(store, late)
    assert refusal.value.plan.status == "expired"
    assert await store.spent("destroyed", "ann", APPLICATION) == 2


async def test_a_late_yes_does_not_make_a_plan_older_than_ten_minutes(
    store: StateStore, clock: Clock
) -> None:
    """A yes in the last second is worth that second."""
    plan = await store.add_plan(a_plan(), LIMITS)
    clock.wait(PLAN_SECONDS - 1)
    await approve(store, plan)
    clock.wait(1)
    with pytest.raises(NotOpen) as refusal:
        await burn(store, plan)
    assert refusal.value.plan.status == "expired"


async def test_a_plan_is_burned_once(store: StateStore) -> None:
    """The second burning finds a running plan and reserves nothing."""
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    running = await burn(store, plan)
    assert running == replace(plan, status="running")
    with pytest.raises(NotOpen) as refusal:
        await burn(store, plan)
    assert refusal.value.plan == running
    assert await store.spent("destroyed", "ann", APPLICATION) == 2


async def test_what_nobody_approved_is_not_burned(store: StateStore) -> None:
    """A pending, declined or cancelled plan does not run."""
    plans = [await store.add_plan(a_plan(f"table-{n}"), LIMITS) for n in range(3)]
    await store.decide(plans[1].id, "declined", way="page", by="ann")
    await store.decide(plans[2].id, "cancelled", way="page", by="ann")
    for plan, status in zip(plans, ("pending", "declined", "cancelled"), strict=True):
        with pytest.raises(NotOpen) as refusal:
            await burn(store, plan)
        assert refusal.value.plan.status == status
    assert await store.spent("destroyed", "ann", APPLICATION) == 0


async def test_a_yes_is_worth_nothing_under_another_binding(store: StateStore) -> None:
    """Another principal, origin, policy or API URL burns nothing, and the yes stays."""
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    others = [
        binding_digest(a_binding(principal="bob")),
        binding_digest(a_binding(origin="2-b")),
        binding_digest(a_binding(policy="q")),
        binding_digest(replace(a_binding(), api_url="https://example.org")),
        "",
        "\ud800",
    ]
    for other in others:
        with pytest.raises(NotOpen):
            await store.burn(plan.id, other, LIMITS)
    assert await store.plan(plan.id) == plan


async def test_a_plan_beyond_the_budget_fails_with_the_reason(store: StateStore) -> None:
    """Nothing is reserved for it, its yes is used up, and a smaller one still fits."""
    big = await approve(store, await store.add_plan(a_plan(destroys=99), LIMITS))
    small = await approve(store, await store.add_plan(a_plan("table-2", destroys=2), LIMITS))
    fitting = await approve(store, await store.add_plan(a_plan("table-3", destroys=1), LIMITS))
    await burn(store, big)
    with pytest.raises(BudgetSpent) as refusal:
        await burn(store, small)
    assert str(refusal.value) == (
        "At most 100 objects may be destroyed an hour: 99 are used up, and 2 more do not fit."
    )
    assert refusal.value.hint == "There is room for this at 2026-09-21T15:13:20Z, in 60 min."
    failed = await store.plan(small.id)
    assert failed is not None
    assert failed.status == "failed"
    assert failed.outcome == {
        "status": "refused",
        "message": f"{refusal.value} {refusal.value.hint}",
    }
    await burn(store, fitting)
    assert await store.spent("destroyed", "ann", APPLICATION) == 100


@pytest.mark.parametrize("status", ["done", "drifted", "failed", "interrupted"])
async def test_a_run_ends_with_its_outcome_and_without_its_rows(
    store: StateStore, status: Status
) -> None:
    """Operation, counts and outcome stay; samples and items are gone."""
    plan = await store.add_plan(a_plan(), LIMITS)
    await burn(store, await approve(store, plan))
    ended = await store.finish(plan.id, status, {"removed": 2})
    assert (ended.status, ended.outcome) == (status, {"removed": 2})
    assert ended.operation == plan.operation
    assert (ended.planned.count, ended.planned.newest) == (2, "2026-02-01")
    assert (ended.planned.items, ended.shown.samples) == ((), ())
    assert await store.plan(plan.id) == ended
    with pytest.raises(NotOpen):
        await store.finish(plan.id, "done", {"removed": 3})
    assert await store.plan(plan.id) == ended


@pytest.mark.parametrize("status", ["approved", "pending", "expired", "declined"])
async def test_a_run_cannot_end_as_something_else(store: StateStore, status: Status) -> None:
    """Finishing never gives a yes back."""
    plan = await burn(store, await approve(store, await store.add_plan(a_plan(), LIMITS)))
    with pytest.raises(ValueError):
        await store.finish(plan.id, status, {})
    assert await store.plan(plan.id) == plan


async def test_what_does_not_run_cannot_be_finished(store: StateStore) -> None:
    """A pending or approved plan has no end to record."""
    plan = await store.add_plan(a_plan(), LIMITS)
    for step in (store.plan, lambda _: approve(store, plan)):
        await step(plan.id)
        with pytest.raises(NotOpen):
            await store.finish(plan.id, "done", {})


async def test_running_plans_of_the_dead_are_interrupted(store: StateStore) -> None:
    """Those of living processes and of their sessions go on; open plans stay as they are."""
    plans = {
        origin: await store.add_plan(a_plan(origin, binding=a_binding(origin=origin)), ROOMY)
        for origin in ("1-a", "1-a/session", "2-b", "2-b/session", "1-ab", "9-z")
    }
    for origin, plan in plans.items():
        if origin != "9-z":
            await burn(store, await approve(store, plan))
    orphans = await store.interrupt_orphans(["1-a", "3-c"])
    assert [plan.binding.origin for plan in orphans] == ["2-b", "2-b/session", "1-ab"]
    assert all(plan.status == "interrupted" and plan.planned.items for plan in orphans)
    found = {origin: await store.plan(plan.id) for origin, plan in plans.items()}
    assert {origin: plan.status for origin, plan in found.items() if plan} == {
        "1-a": "running",
        "1-a/session": "running",
        "2-b": "interrupted",
        "2-b/session": "interrupted",
        "1-ab": "interrupted",
        "9-z": "pending",
    }
    interrupted = found["2-b"]
    assert interrupted is not None
    assert interrupted.planned.items == ()
    assert await store.interrupt_orphans(["1-a"]) == []


async def test_what_became_of_an_interrupted_plan_is_recorded_once(store: StateStore) -> None:
    """Somebody who found out how far it came may say so; the plan never runs again."""
    plan = await burn(store, await approve(store, await store.add_plan(a_plan(), LIMITS)))
    await store.interrupt_orphans([])
    with pytest.raises(NotOpen):
        await store.finish(plan.id, "done", {"removed": 2})
    told = await store.finish(plan.id, "interrupted", {"removed": 1})
    assert (told.status, told.outcome) == ("interrupted", {"removed": 1})
    with pytest.raises(NotOpen):
        await store.finish(plan.id, "interrupted", {"removed": 2})
    with pytest.raises(NotOpen):
        await burn(store, plan)


async def test_the_store_remembers_after_a_restart(memory: OpenStore, clock: Clock) -> None:
    """Everything is in the memory, not in the process."""
    first = memory(clock)
    plan = await approve(first, await first.add_plan(a_plan(), LIMITS))
    await first.aclose()
    second = memory(clock)
    assert await second.plan(plan.id) == plan
    assert (await burn(second, plan)).status == "running"
    await second.aclose()
