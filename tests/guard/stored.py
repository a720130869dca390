"""Plans to store, a clock to turn, and a store in a fresh file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio import to_thread

from losant_mcp.guard.plans import (
    Action,
    Binding,
    Operation,
    Plan,
    PlannedSet,
    Shown,
    Target,
)
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.store import Limits, StateStore, binding_digest

KEY = b"k" * 32
NOON = 1_790_000_000.0
APPLICATION = "5c8f00000000000000000001"

LIMITS = Limits(destroyed=100, overwritten=200, created_rows=100, created_events=100)
ROOMY = Limits(
    destroyed=10**6,
    overwritten=10**6,
    created_rows=10**6,
    created_events=10**6,
    pending=10**6,
    questions=10**6,
    noes_in_a_row=10**6,
)


@dataclass
class Clock:
    """Tells the time that it is told."""

    now: float = NOON

    def __call__(self) -> float:
        """The time."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass, or turn the clock back."""
        self.now += seconds


def a_binding(principal: str = "ann", origin: str = "1-a", policy: str = "p") -> Binding:
    """Who plans."""
    return Binding("https://api.losant.com", principal, origin, policy)


def a_plan(
    target: str = "table-1",
    *,
    action: Action = "delete_rows",
    binding: Binding | None = None,
    arguments: str = "arguments",
    application: str = APPLICATION,
    phrase: str | None = "Tank levels",
    destroys: int = 2,
    name: str = "Tank levels",
    selection: Mapping[str, Any] | None = None,
) -> Plan:
    """A plan as the planner hands it to a store."""
    return Plan(
        id="",
        operation=Operation(action, application, target, selection=selection or {"query": {}}),
        binding=binding or a_binding(),
        arguments=arguments,
        target=Target("data table", target, name, "2026-01-01T00:00:00.000Z", "shape"),
        planned=PlannedSet(2, "2026-02-01", (("row-1", "2026-02-01"), ("row-2", None))),
        shown=Shown("Production, application Water", samples=({"level": 3.5, "note": "secret"},)),
        verb=f"DELETE {destroys} rows",
        phrase=phrase,
        destroys=destroys,
        created_at=0.0,
        expires_at=0.0,
    )


def a_store(path: Path, clock: Clock | None = None) -> SqliteStore:
    """A store in this file; close it."""
    return SqliteStore(path, key=KEY, clock=clock or Clock())


async def approve(store: StateStore, plan: Plan) -> Plan:
    """A person's yes on the terminal."""
    return await store.decide(plan.id, "approved", way="terminal", by="ann")


async def decline(store: StateStore, plan: Plan) -> Plan:
    """A person's no on the terminal."""
    return await store.decide(plan.id, "declined", way="terminal", by="ann")


async def burn(store: StateStore, plan: Plan, limits: Limits = LIMITS) -> Plan:
    """The plan, running."""
    return await store.burn(plan.id, binding_digest(plan.binding), limits)


# ---- its file ------------------------------------------------------------------------------


async def whole_database(folder: Path) -> bytes:
    """A database as the store leaves it, with an approved plan and a fact in it."""
    path = folder / "whole.sqlite"
    store = a_store(path)
    await approve(store, await store.add_plan(a_plan(), LIMITS))
    await store.remember("pin", "hash")
    await store.aclose()
    return await to_thread.run_sync(path.read_bytes)


def write_database(path: Path, content: bytes) -> None:
    """The file, private as the store wants it."""
    path.write_bytes(content)
    path.chmod(0o600)


@contextmanager
def edited(path: Path, content: bytes = b"") -> Iterator[sqlite3.Connection]:
    """The connection of somebody else, committed and closed at the end."""
    if content:
        write_database(path, content)
    connection = sqlite3.connect(path)
    yield connection
    connection.commit()
    connection.close()
    path.chmod(0o600)
