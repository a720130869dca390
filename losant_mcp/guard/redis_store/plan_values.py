"""Plans as values in Redis: each change is one of the plan and of its principal."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from losant_mcp.guard import lifecycle
from losant_mcp.guard.plans import OPEN, PLAN_SECONDS, Plan, digest, plan_from_json
from losant_mcp.guard.redis_store import facts, people
from losant_mcp.guard.redis_store.people import Person
from losant_mcp.guard.redis_store.transaction import Found, Transaction
from losant_mcp.guard.store import Limits, UnknownPlan


@dataclass(frozen=True, slots=True)
class Entry:
    """A plan, and the rules under which it was asked for that are no part of it."""

    plan: Plan
    order: float
    refusal_seconds: float
    noes_in_a_row: int
    forms: int = 0
    finished_at: float | None = None
    runner: str = ""
    """The replica that runs it."""


async def insert(tx: Transaction, plan: Plan, limits: Limits) -> None:
    """Store a new plan together with the limits in force."""
    # Two plans of one moment keep their order.
    order = tx.moment.clock
    await change(tx, Entry(plan, order, float(limits.refusal_seconds), limits.noes_in_a_row))


async def find(tx: Transaction, plan_id: str) -> Entry | None:
    """The plan of this id; one that is past its time is expired by this very look."""
    if not lifecycle.is_id(plan_id):
        return None
    return await _looked_at(tx, await tx.get(_name(plan_id)))


async def get(tx: Transaction, plan_id: str) -> Entry:
    """The plan of this id, as ``find`` has it. Raises UnknownPlan where there is none."""
    entry = await find(tx, plan_id)
    if entry is None:
        raise UnknownPlan
    return entry


async def living(tx: Transaction, persons: Sequence[Person]) -> list[Entry]:
    """The plans of these principals that are pending, approved or running, oldest first."""
    names = [_name(one.id) for person in persons for one in person.live]
    entries = [await _looked_at(tx, found) for found in await tx.get_all(names)]
    alive = [entry for entry in entries if entry and not lifecycle.is_finished(entry.plan)]
    return sorted(alive, key=lambda entry: entry.order)


async def pending(tx: Transaction, principal: str | None = None) -> list[Entry]:
    """The plans that wait for an answer now, oldest first."""
    whos = await tx.people() if principal is None else [digest(principal)]
    entries = await living(tx, await people.load_all(tx, whos))
    return [entry for entry in entries if entry.plan.status == "pending"]


async def open_twin(tx: Transaction, plan: Plan) -> Plan | None:
    """The open plan that shares its question with this one."""
    person, share = await people.load(tx, digest(plan.binding.principal)), lifecycle.share_key(plan)
    for one in person.live:
        entry = await find(tx, one.id) if one.share == share else None
        if entry is not None and entry.plan.status in OPEN:
            return entry.plan
    return None


async def change(tx: Transaction, entry: Entry) -> Entry:
    """Store a changed plan, and what of it concerns its principal."""
    plan = entry.plan
    if lifecycle.is_finished(plan) and entry.finished_at is None:
        entry = replace(entry, finished_at=tx.now)
    person = await people.load(tx, digest(plan.binding.principal))
    person.follow(plan)
    people.save(tx, person)
    value = {name: getattr(entry, name) for name in Entry.__slots__} | {"plan": plan.to_json()}
    seconds = None if plan.status == "running" else people.LIFE_SECONDS
    tx.put(_name(plan.id), value, seconds=seconds)
    return entry


async def interrupt(tx: Transaction, alive: Collection[str], life: float) -> list[Plan]:
    """Mark the running plans whose replica is gone; they are returned with their items.

    One whose replica is not known goes by its origin. Right after Redis was started nobody is
    taken for dead, since nobody could tell it that they live.
    """
    entries = await living(tx, await people.load_all(tx, await tx.people()))
    running = [entry for entry in entries if entry.plan.status == "running"]
    beats = await tx.marked([beat_name(entry.runner) for entry in running if entry.runner])
    orphans = []
    for entry in running:
        if entry.runner:
            gone = tx.moment.uptime > life and beat_name(entry.runner) not in beats
        else:
            gone = lifecycle.is_orphan(entry.plan, alive)
        if gone:
            ended = lifecycle.ended(entry.plan, "interrupted", None)
            await change(tx, replace(entry, plan=ended))
            orphans.append(replace(entry.plan, status="interrupted"))
    return orphans


def beat_name(replica: str) -> str:
    """Under which name a replica says that it lives."""
    return f"beat:{replica}"


async def overdue(tx: Transaction) -> None:
    """Expire what is past its time, or of a time to come, whoever planned it."""
    persons = await people.load_all(tx, await tx.people())
    late = [
        one.id
        for person in persons
        for one in person.live
        if one.ends_at is not None and not 0 < one.ends_at - tx.now <= PLAN_SECONDS
    ]
    for plan_id in late:
        await find(tx, plan_id)


async def take_expired(tx: Transaction) -> list[Plan]:
    """The plans that expired since the last call, in the order in which they were found to."""
    if ids := await _expired(tx):
        await facts.forget(tx, lifecycle.EXPIRED)
    entries = [await find(tx, plan_id) for plan_id in ids]
    return [entry.plan for entry in entries if entry is not None]


async def _expired(tx: Transaction) -> list[str]:
    ids: list[str] = json.loads(await facts.recall(tx, lifecycle.EXPIRED) or "[]")
    return ids


async def _looked_at(tx: Transaction, found: Found | None) -> Entry | None:
    if found is None:
        return None
    entry = Entry(**found.value | {"plan": plan_from_json(found.value["plan"])})
    for turn in found.turns:
        if entry.finished_at is not None:
            entry = replace(entry, finished_at=min(entry.finished_at, turn.now))
    if entry.finished_at is not None and entry.finished_at < tx.now - lifecycle.KEPT_SECONDS:
        return None
    unsure = bool(found.turns) and entry.plan.status in OPEN
    if unsure or lifecycle.is_over(entry.plan, tx.now):
        ended = lifecycle.ended(entry.plan, "expired", None)
        untold = [*await _expired(tx), ended.id]
        facts.remember(tx, lifecycle.EXPIRED, json.dumps(untold), None)
        entry = await change(tx, replace(entry, plan=ended))
    return entry


def _name(plan_id: str) -> str:
    return f"plan:{plan_id}"
