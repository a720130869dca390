"""The guard's memory on one machine: SQLite, safe between threads, processes and crashes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread

from losant_mcp.guard import budgets, lifecycle, refusals
from losant_mcp.guard.plans import Plan, Status, Way
from losant_mcp.guard.sqlite_store import facts, fatigue, meters, plan_rows
from losant_mcp.guard.sqlite_store.database import Database, Transaction, default_steady
from losant_mcp.guard.store import BudgetSpent, Fatigue, Limits, Meter

T = TypeVar("T")

__all__ = ["SqliteStore"]


class SqliteStore:
    """A ``StateStore`` in one file, which is made at the first use.

    ``key`` proves what was written by this program. ``clock`` gives seconds since the epoch,
    ``steady`` seconds that never jump; left out, it is ``time.monotonic`` beside the system's
    clock and nothing beside another one.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: bytes,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._database = Database(
            path,
            key=key,
            clock=clock,
            steady=steady or default_steady(clock),
            clock_went_back=_clock_went_back,
        )

    async def _run(self, step: Callable[[Transaction], T]) -> T:
        return await to_thread.run_sync(self._database.run, step)

    async def aclose(self) -> None:
        """Let go of the file; a later call would open it again."""
        await to_thread.run_sync(self._database.close)

    async def now(self) -> float:
        """Seconds since the epoch by the store's clock, which never goes back unnoticed."""
        return await self._run(lambda tx: tx.now)

    # ---- plans -----------------------------------------------------------------------------

    async def add_plan(self, plan: Plan, limits: Limits) -> Plan:
        """The stored new plan, or the open one that shares its question."""
        return await self._run(lambda tx: _add_plan(tx, plan, limits))

    async def plan(self, plan_id: str) -> Plan | None:
        """The plan, expired by this look if it is past its time."""

        def look(tx: Transaction) -> Plan | None:
            entry = plan_rows.find(tx, plan_id)
            return entry.plan if entry else None

        return await self._run(look)

    async def pending_plans(self, principal: str | None = None) -> Sequence[Plan]:
        """The plans that wait for an answer, oldest first."""
        return await self._run(
            lambda tx: [entry.plan for entry in plan_rows.pending(tx, principal)]
        )

    async def begin_question(self, plan_id: str, way: Way) -> str:
        """A fresh nonce, under which the plan is now asked this way."""
        return await self._run(lambda tx: _begin_question(tx, plan_id, way))

    async def decide(
        self, plan_id: str, decision: Status, *, way: Way, by: str, nonce: str | None = None
    ) -> Plan:
        """The plan with a person's first and only answer."""

        def decide(tx: Transaction) -> Plan:
            entry = plan_rows.get(tx, plan_id)
            decided = lifecycle.decided(entry.plan, decision, tx.now, way=way, by=by, nonce=nonce)
            plan_rows.change(tx, entry, replace(entry, plan=decided))
            fatigue.record(tx, replace(entry, plan=decided))
            return decided

        return await self._run(decide)

    async def burn(self, plan_id: str, binding_digest: str, limits: Limits) -> Plan:
        """The plan, now running, with its budget reserved."""
        return await self._run(lambda tx: _burn(tx, plan_id, binding_digest, limits))

    async def finish(self, plan_id: str, status: Status, outcome: Mapping[str, Any]) -> Plan:
        """The plan with the end of its run."""

        def finish(tx: Transaction) -> Plan:
            entry = plan_rows.get(tx, plan_id)
            finished = lifecycle.finished(entry.plan, status, outcome)
            return plan_rows.change(tx, entry, replace(entry, plan=finished)).plan

        return await self._run(finish)

    async def interrupt_orphans(self, alive: Sequence[str]) -> Sequence[Plan]:
        """The plans whose process is gone, now interrupted, with their items for the last time."""

        def interrupt(tx: Transaction) -> Sequence[Plan]:
            _sweep(tx)
            return plan_rows.interrupt(tx, alive)

        return await self._run(interrupt)

    async def take_expired(self) -> Sequence[Plan]:
        """The plans that expired since the last such call."""
        return await self._run(plan_rows.take_expired)

    # ---- limits ----------------------------------------------------------------------------

    async def fatigue(self, principal: str, target_key: str) -> Fatigue:
        """What the last answers of this principal say about asking once more."""
        return await self._run(lambda tx: fatigue.look(tx, principal, target_key))

    async def unlock(self) -> None:
        """Destruction is no longer locked, for any principal."""
        await self._run(fatigue.unlock)

    async def spend(
        self, meter: Meter, principal: str, application_id: str, amount: int, limit: int
    ) -> int:
        """The meter's new sum."""
        return await self._run(
            lambda tx: meters.spend(tx, meter, principal, application_id, amount, limit)
        )

    async def spent(self, meter: Meter, principal: str, application_id: str) -> int:
        """The meter's sum of the last hour."""
        return await self._run(lambda tx: meters.spent(tx, meter, principal, application_id))

    # ---- facts -----------------------------------------------------------------------------

    async def remember(self, key: str, value: str, *, seconds: float | None = None) -> None:
        """The fact is kept, for so many seconds where they are given."""
        await self._run(lambda tx: facts.remember(tx, key, value, seconds))

    async def recall(self, key: str) -> str | None:
        """The fact, unless it was forgotten or is past its time."""
        return await self._run(lambda tx: facts.recall(tx, key))

    async def forget(self, key: str) -> bool:
        """The fact is gone; True for the one caller that found it."""
        return await self._run(lambda tx: facts.forget(tx, key))

    async def swap(self, key: str, old: str | None, new: str) -> bool:
        """The fact is the new one, where it was the old one."""
        return await self._run(lambda tx: facts.swap(tx, key, old, new))

    async def note_change(self, application_id: str, target_id: str, words: str) -> None:
        """The words are kept for a day."""
        await self._run(lambda tx: facts.note_change(tx, application_id, target_id, words))

    async def changes(self, application_id: str, target_id: str) -> Sequence[str]:
        """What this server did to a target in the last 24 hours, oldest first."""
        return await self._run(lambda tx: facts.changes(tx, application_id, target_id))


# ---- steps of more than one table ----------------------------------------------------------


def _add_plan(tx: Transaction, plan: Plan, limits: Limits) -> Plan:
    _sweep(tx)
    twin = plan_rows.open_twin(tx, plan)
    if twin is not None:
        return twin
    principal = plan.binding.principal
    fatigue.check_lock(tx, principal, limits.noes_in_a_row)
    fatigue.check_no(tx, principal, plan.operation.target_key)
    waiting = plan_rows.pending(tx, principal)
    asked = meters.entries(tx, "questions", principal, "")
    budgets.check_question([entry.plan for entry in waiting], asked, limits, tx.now)
    started = lifecycle.started(plan, tx.now)
    plan_rows.insert(tx, started, limits)
    meters.spend(tx, "questions", principal, "", 1, None)
    return started


def _begin_question(tx: Transaction, plan_id: str, way: Way) -> str:
    entry = plan_rows.get(tx, plan_id)
    asked = lifecycle.asked(entry.plan, way)
    # A no to the same target may have come meanwhile, by way of another plan.
    fatigue.check_lock(tx, asked.binding.principal, entry.noes_in_a_row)
    fatigue.check_no(tx, asked.binding.principal, asked.operation.target_key)
    forms = entry.forms + (way == "form")
    if forms > lifecycle.FORMS_PER_PLAN:
        raise refusals.too_many_forms(lifecycle.FORMS_PER_PLAN, asked.expires_at, tx.now)
    if way == "form" and forms > 1:
        meters.spend(tx, "questions", asked.binding.principal, "", 1, None)
    plan_rows.change(tx, entry, replace(entry, plan=asked, forms=forms))
    return asked.nonce


def _burn(tx: Transaction, plan_id: str, binding_digest: str, limits: Limits) -> Plan:
    entry = plan_rows.get(tx, plan_id)
    plan = entry.plan
    lifecycle.burnable(plan, binding_digest)
    principal, application_id = plan.binding.principal, plan.operation.application_id
    fatigue.check_lock(tx, principal, limits.noes_in_a_row)
    try:
        meters.spend(tx, "destroyed", principal, application_id, plan.destroys, limits.destroyed)
    except BudgetSpent as error:
        plan_rows.change(tx, entry, replace(entry, plan=lifecycle.unaffordable(plan, error)))
        raise
    running = replace(plan, status="running")
    return plan_rows.change(tx, entry, replace(entry, plan=running)).plan


def _sweep(tx: Transaction) -> None:
    for part in (plan_rows, fatigue, meters, facts):
        part.sweep(tx)


def _clock_went_back(before: Transaction, now: Transaction) -> None:
    _sweep(before)  # what was over stays over
    for part in (plan_rows, fatigue, meters, facts):
        part.clock_went_back(now)
