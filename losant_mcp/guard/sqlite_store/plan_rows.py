"""Plans as rows: each bears a proof over all of it, and each change is one atomic statement."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from losant_mcp.guard import lifecycle
from losant_mcp.guard.plans import Plan, digest, plan_from_json
from losant_mcp.guard.sqlite_store import facts
from losant_mcp.guard.sqlite_store.database import MOVE_AWAY, Transaction
from losant_mcp.guard.store import Limits, StateUnavailable, UnknownPlan

_COLUMNS = (
    "id",
    "status",
    "principal",
    "share",
    "ends_at",
    "finished_at",
    "forms",
    "refusal_seconds",
    "noes_in_a_row",
    "body",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)}, mac FROM plans"  # noqa: S608 -- no value from outside


@dataclass(frozen=True, slots=True)
class Entry:
    """A plan, and the rules under which it was asked for that are no part of it."""

    plan: Plan
    refusal_seconds: float
    noes_in_a_row: int
    forms: int = 0
    finished_at: float | None = None
    mac: str = ""
    """The proof of the row as it was read."""


def insert(tx: Transaction, plan: Plan, limits: Limits) -> None:
    """Store a new plan together with the limits in force."""
    entry = Entry(plan, float(limits.refusal_seconds), limits.noes_in_a_row)
    values = _values(entry)
    marks = ", ".join("?" * (len(values) + 1))
    tx.execute(
        f"INSERT INTO plans ({', '.join(_COLUMNS)}, mac) VALUES ({marks})",  # noqa: S608
        *values,
        tx.mac("plan", *values),
    )


def find(tx: Transaction, plan_id: str) -> Entry | None:
    """The plan of this id; one that is past its time is expired by this very look."""
    row = tx.row(f"{_SELECT} WHERE id = ?", plan_id) if lifecycle.is_id(plan_id) else None
    return None if row is None else _looked_at(tx, _entry(tx, row))


def get(tx: Transaction, plan_id: str) -> Entry:
    """The plan of this id, as ``find`` has it. Raises UnknownPlan where there is none."""
    entry = find(tx, plan_id)
    if entry is None:
        raise UnknownPlan
    return entry


def pending(tx: Transaction, principal: str | None = None) -> Sequence[Entry]:
    """The plans that wait for an answer now, oldest first."""
    if principal is None:
        rows = tx.rows(f"{_SELECT} WHERE status = 'pending' ORDER BY number")
    else:
        rows = tx.rows(
            f"{_SELECT} WHERE status = 'pending' AND principal = ? ORDER BY number",
            digest(principal),
        )
    looked_at = [_looked_at(tx, _entry(tx, row)) for row in rows]
    return [entry for entry in looked_at if entry.plan.status == "pending"]


def open_twin(tx: Transaction, plan: Plan) -> Plan | None:
    """The open plan that shares its question with this one."""
    for row in tx.rows(
        f"{_SELECT} WHERE status IN ('pending', 'approved') AND share = ?",
        lifecycle.share_key(plan),
    ):
        twin = _looked_at(tx, _entry(tx, row)).plan
        if twin.status in ("pending", "approved"):
            return twin
    return None


def change(tx: Transaction, before: Entry, after: Entry) -> Entry:
    """Store a changed plan, if its row still is what was read before."""
    if lifecycle.is_finished(after.plan) and after.finished_at is None:
        after = replace(after, finished_at=tx.now)
    values = _values(after)
    mac = tx.mac("plan", *values)
    changed = tx.execute(
        f"UPDATE plans SET {', '.join(f'{name} = ?' for name in _COLUMNS)}, mac = ?"  # noqa: S608
        " WHERE id = ? AND status = ? AND mac = ?",
        *values,
        mac,
        before.plan.id,
        before.plan.status,
        before.mac,
    )
    if changed != 1:
        raise StateUnavailable("The guard's memory changed under a transaction.", hint=MOVE_AWAY)
    return replace(after, mac=mac)


def interrupt(tx: Transaction, alive: Collection[str]) -> Sequence[Plan]:
    """Mark the running plans whose origin is gone; they are returned with their items."""
    orphans = []
    for row in tx.rows(f"{_SELECT} WHERE status = 'running' ORDER BY number"):
        entry = _entry(tx, row)
        if lifecycle.is_orphan(entry.plan, alive):
            ended = lifecycle.ended(entry.plan, "interrupted", None)
            change(tx, entry, replace(entry, plan=ended))
            orphans.append(replace(entry.plan, status="interrupted"))
    return orphans


def take_expired(tx: Transaction) -> Sequence[Plan]:
    """The plans that expired since the last call, in the order in which they were found to."""
    if ids := _expired(tx):
        facts.forget(tx, lifecycle.EXPIRED)
    entries = [find(tx, plan_id) for plan_id in ids]
    return [entry.plan for entry in entries if entry is not None]


def sweep(tx: Transaction) -> None:
    """Expire what is past its time, whoever planned it, and drop what is long finished."""
    for row in tx.rows(f"{_SELECT} WHERE ends_at <= ?", tx.now):
        _looked_at(tx, _entry(tx, row))
    tx.execute("DELETE FROM plans WHERE finished_at < ?", tx.now - lifecycle.KEPT_SECONDS)


def clock_went_back(tx: Transaction) -> None:
    """End every open plan, since nobody can tell how old its yes is."""
    for row in tx.rows(f"{_SELECT} WHERE status IN ('pending', 'approved')"):
        _expire(tx, _entry(tx, row))
    # A plan of the future, so to speak, is kept for its 30 days from now on.
    for row in tx.rows(f"{_SELECT} WHERE finished_at > ?", tx.now):
        entry = _entry(tx, row)
        change(tx, entry, replace(entry, finished_at=tx.now))


def _looked_at(tx: Transaction, entry: Entry) -> Entry:
    return _expire(tx, entry) if lifecycle.is_over(entry.plan, tx.now) else entry


def _expire(tx: Transaction, entry: Entry) -> Entry:
    untold = [*_expired(tx), entry.plan.id]
    facts.remember(tx, lifecycle.EXPIRED, json.dumps(untold), None)
    return change(tx, entry, replace(entry, plan=lifecycle.ended(entry.plan, "expired", None)))


def _expired(tx: Transaction) -> list[str]:
    ids: list[str] = json.loads(facts.recall(tx, lifecycle.EXPIRED) or "[]")
    return ids


def _values(entry: Entry) -> tuple[str | float | int | None, ...]:
    """The columns that the proof covers, in their order.

    The principal is hashed and the body is ASCII, so that no lone surrogate of a name can make
    the database refuse a plan.
    """
    plan = entry.plan
    return (
        plan.id,
        plan.status,
        digest(plan.binding.principal),
        lifecycle.share_key(plan),
        lifecycle.ends_at(plan),
        entry.finished_at,
        entry.forms,
        entry.refusal_seconds,
        entry.noes_in_a_row,
        json.dumps(plan.to_json(), separators=(",", ":")),
    )


def _entry(tx: Transaction, row: sqlite3.Row) -> Entry:
    tx.check(row["mac"], "plan", *(row[name] for name in _COLUMNS))
    return Entry(
        plan_from_json(json.loads(row["body"])),
        row["refusal_seconds"],
        row["noes_in_a_row"],
        row["forms"],
        row["finished_at"],
        row["mac"],
    )
