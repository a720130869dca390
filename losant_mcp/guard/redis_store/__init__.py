"""The guard's memory for several replicas: one Redis that all of them share.

What a Redis must be, and what can be lost with it:

- It evicts nothing (``maxmemory-policy noeviction``); one that may is refused.
- It is the only copy. Without AOF, a restart of Redis loses plans, noes, locks, budgets and
  the PIN: approvals have to be asked for anew, and an hour's budgets begin again. With
  ``appendfsync everysec`` that is at most the last second of them; with ``always`` nothing.
- A replica of Redis is behind its master by what was not copied yet. Redis says yes to a write
  before that (``WAIT`` would not undo it either), so after a failover the last writes may be
  gone; ``min-replicas-to-write`` bounds how many.

So that a lost write never lets a yes be used twice, every yes, question and session ends when
Redis turns out to be another process than before, or its clock has gone back. Everything has a
time after which Redis drops it, save what no time ends: locks and rows of noes, runs, facts
that were given none, the list of principals, and the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
from anyio import to_thread
from pydantic import SecretStr

from losant_mcp.guard import budgets, lifecycle, refusals
from losant_mcp.guard.plans import Plan, Status, Way, digest
from losant_mcp.guard.redis_store import facts, meters, people, plan_values, pulse
from losant_mcp.guard.redis_store.connection import connect, connect_blocking, explained, key_prefix
from losant_mcp.guard.redis_store.sealing import Sealer
from losant_mcp.guard.redis_store.transaction import Memory, Transaction
from losant_mcp.guard.state_keys import derived_key
from losant_mcp.guard.store import BudgetSpent, Fatigue, Limits, Meter

__all__ = ["RedisStore"]


class RedisStore:
    """A ``StateStore`` that replicas share; one of them may serve many principals.

    ``secret`` is the replicas' shared key. ``replica`` is this process's own name: plans that
    it runs are interrupted when it is gone. Left out, a run lives as long as its plan's origin.
    ``clock`` makes the store's time of Redis's; left out, they are the same. ``steady`` gives
    seconds that never jump; left out, it is ``time.monotonic`` beside Redis's own clock and
    nothing beside another one.
    """

    def __init__(
        self,
        url: SecretStr,
        secret: SecretStr,
        api_url: str,
        *,
        replica: str = "",
        clock: Callable[[float], float] | None = None,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._redis = connect(url)
        sealer = Sealer(derived_key(secret, "store"))
        if steady is None and clock is None:
            steady = time.monotonic
        self._memory = Memory(self._redis, key_prefix(api_url), sealer, clock, steady)
        self._run = self._memory.run
        self._replica = replica
        beat = self._memory.key(plan_values.beat_name(replica))
        self._pulse = pulse.Pulse(connect_blocking(url), beat)

    async def check(self) -> None:
        """Raise ConfigurationError unless this Redis is fit, StateUnavailable without it."""
        await self._memory.check()

    async def aclose(self) -> None:
        """Let go of the connections; runs of this replica can be called interrupted now."""
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._pulse.stop)
            with explained():
                await self._redis.aclose()

    async def now(self) -> float:
        """Seconds since the epoch by Redis's clock, which never goes back unnoticed."""

        async def now(tx: Transaction) -> float:
            return tx.now

        return await self._run(now)

    # ---- plans -----------------------------------------------------------------------------

    async def add_plan(self, plan: Plan, limits: Limits) -> Plan:
        """The stored new plan, or the open one that shares its question."""
        await self._run(plan_values.overdue)

        async def add(tx: Transaction) -> Plan:
            return await _add_plan(tx, plan, limits)

        return await self._run(add)

    async def plan(self, plan_id: str) -> Plan | None:
        """The plan, expired by this look if it is past its time."""

        async def look(tx: Transaction) -> Plan | None:
            entry = await plan_values.find(tx, plan_id)
            return entry.plan if entry else None

        return await self._run(look)

    async def pending_plans(self, principal: str | None = None) -> Sequence[Plan]:
        """The plans that wait for an answer, oldest first."""

        async def look(tx: Transaction) -> Sequence[Plan]:
            return [entry.plan for entry in await plan_values.pending(tx, principal)]

        return await self._run(look)

    async def begin_question(self, plan_id: str, way: Way) -> str:
        """A fresh nonce, under which the plan is now asked this way."""

        async def ask(tx: Transaction) -> str:
            return await _begin_question(tx, plan_id, way)

        return await self._run(ask)

    async def decide(
        self, plan_id: str, decision: Status, *, way: Way, by: str, nonce: str | None = None
    ) -> Plan:
        """The plan with a person's first and only answer."""

        async def decide(tx: Transaction) -> Plan:
            entry = await plan_values.get(tx, plan_id)
            decided = lifecycle.decided(entry.plan, decision, tx.now, way=way, by=by, nonce=nonce)
            await plan_values.change(tx, replace(entry, plan=decided))
            person = await people.load(tx, digest(decided.binding.principal))
            person.record(decided, tx.now, entry.refusal_seconds, entry.noes_in_a_row)
            people.save(tx, person)
            return decided

        return await self._run(decide)

    async def burn(self, plan_id: str, binding_digest: str, limits: Limits) -> Plan:
        """The plan, now running on this replica, with its budget reserved."""

        async def burn(tx: Transaction) -> Plan:
            return await _burn(tx, plan_id, binding_digest, limits, self._replica)

        if self._replica:
            self._pulse.start()
        return await self._run(burn)

    async def finish(self, plan_id: str, status: Status, outcome: Mapping[str, Any]) -> Plan:
        """The plan with the end of its run."""

        async def finish(tx: Transaction) -> Plan:
            entry = await plan_values.get(tx, plan_id)
            finished = lifecycle.finished(entry.plan, status, outcome)
            return (await plan_values.change(tx, replace(entry, plan=finished))).plan

        return await self._run(finish)

    async def interrupt_orphans(self, alive: Sequence[str]) -> Sequence[Plan]:
        """The plans whose replica is gone, now interrupted, with their items for the last time.

        Replicas are known by their pulse (``pulse``); ``alive`` counts where none is named.
        """

        async def interrupt(tx: Transaction) -> Sequence[Plan]:
            return await plan_values.interrupt(tx, alive, pulse.LIFE_SECONDS)

        await self._run(plan_values.overdue)
        return await self._run(interrupt)

    async def take_expired(self) -> Sequence[Plan]:
        """The plans that expired since the last such call of any replica."""
        return await self._run(plan_values.take_expired)

    # ---- limits ----------------------------------------------------------------------------

    async def fatigue(self, principal: str, target_key: str) -> Fatigue:
        """What the last answers of this principal say about asking once more."""

        async def look(tx: Transaction) -> Fatigue:
            return (await people.load(tx, digest(principal))).fatigue(target_key, tx.now)

        return await self._run(look)

    async def unlock(self) -> None:
        """Destruction is no longer locked, for any principal."""
        await self._run(people.unlock)

    async def spend(
        self, meter: Meter, principal: str, application_id: str, amount: int, limit: int
    ) -> int:
        """The meter's new sum."""

        async def spend(tx: Transaction) -> int:
            return await meters.spend(tx, meter, principal, application_id, amount, limit)

        return await self._run(spend)

    async def spent(self, meter: Meter, principal: str, application_id: str) -> int:
        """The meter's sum of the last hour."""

        async def look(tx: Transaction) -> int:
            return await meters.spent(tx, meter, principal, application_id)

        return await self._run(look)

    # ---- facts -----------------------------------------------------------------------------

    async def remember(self, key: str, value: str, *, seconds: float | None = None) -> None:
        """The fact is kept, for so many seconds where they are given."""

        async def remember(tx: Transaction) -> None:
            facts.remember(tx, key, value, seconds)

        await self._run(remember)

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


# ---- steps of more than one kind of value --------------------------------------------------


async def _add_plan(tx: Transaction, plan: Plan, limits: Limits) -> Plan:
    twin = await plan_values.open_twin(tx, plan)
    if twin is not None:
        return twin
    principal = plan.binding.principal
    person = await people.load(tx, digest(principal))
    person.check_lock(limits.noes_in_a_row)
    person.check_no(plan.operation.target_key, tx.now)
    waiting = await plan_values.pending(tx, principal)
    asked = await meters.entries(tx, "questions", principal, "")
    budgets.check_question([entry.plan for entry in waiting], asked, limits, tx.now)
    started = lifecycle.started(plan, tx.now)
    await plan_values.insert(tx, started, limits)
    await meters.spend(tx, "questions", principal, "", 1, None)
    return started


async def _begin_question(tx: Transaction, plan_id: str, way: Way) -> str:
    entry = await plan_values.get(tx, plan_id)
    asked = lifecycle.asked(entry.plan, way)
    # A no to the same target may have come meanwhile, by way of another plan.
    person = await people.load(tx, digest(asked.binding.principal))
    person.check_lock(entry.noes_in_a_row)
    person.check_no(asked.operation.target_key, tx.now)
    forms = entry.forms + (way == "form")
    if forms > lifecycle.FORMS_PER_PLAN:
        raise refusals.too_many_forms(lifecycle.FORMS_PER_PLAN, asked.expires_at, tx.now)
    if way == "form" and forms > 1:
        await meters.spend(tx, "questions", asked.binding.principal, "", 1, None)
    await plan_values.change(tx, replace(entry, plan=asked, forms=forms))
    return asked.nonce


async def _burn(
    tx: Transaction, plan_id: str, binding_digest: str, limits: Limits, replica: str
) -> Plan:
    entry = await plan_values.get(tx, plan_id)
    plan = entry.plan
    lifecycle.burnable(plan, binding_digest)
    principal, application_id = plan.binding.principal, plan.operation.application_id
    (await people.load(tx, digest(principal))).check_lock(limits.noes_in_a_row)
    try:
        await meters.spend(
            tx, "destroyed", principal, application_id, plan.destroys, limits.destroyed
        )
    except BudgetSpent as error:
        failed = lifecycle.unaffordable(plan, error)
        await plan_values.change(tx, replace(entry, plan=failed))
        raise
    if replica:
        tx.mark(plan_values.beat_name(replica), seconds=pulse.LIFE_SECONDS)
    running = replace(entry, plan=replace(plan, status="running"), runner=replica)
    return (await plan_values.change(tx, running)).plan
