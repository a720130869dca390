"""A steady clock beside the system's, which tells of a step back that nobody saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.store import NotOpen
from tests.guard.stored import KEY, LIMITS, Clock, a_plan, approve, burn


async def test_a_step_back_into_time_that_nobody_saw_is_noticed(tmp_path: Path) -> None:
    """A steady clock tells that more time passed than the clock on the wall admits."""
    clock, steady = Clock(), Clock(7.0)
    store = SqliteStore(tmp_path / "state.sqlite", key=KEY, clock=clock, steady=steady)
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


async def test_a_computer_that_slept_is_no_clock_that_went_back(tmp_path: Path) -> None:
    """A steady clock that stood still during sleep leaves the wall clock right."""
    clock, steady = Clock(), Clock(7.0)
    store = SqliteStore(tmp_path / "state.sqlite", key=KEY, clock=clock, steady=steady)
    plan = await store.add_plan(a_plan(), LIMITS)
    clock.wait(300)
    assert await store.plan(plan.id) == plan
    await approve(store, plan)
    await burn(store, plan)
    await store.aclose()
