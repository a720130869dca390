"""A server that a fault befalls, and what is different in the sandbox afterwards."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client

from losant_mcp.sandbox.store import Store
from tests.calling import Mode, asked
from tests.faults.line import Line
from tests.faults.table import PATIENCE, Fault, Write
from tests.guard.guarding import Guarded, Meddler, guarded_server
from tests.guard.meddling import agree
from tests.served import Sandbox
from tests.tools.plausible import arguments, ids_in

_UNCOMPARED = {"points", "meta", "event_posts"}
"""What no tool writes, or only the sandbox itself."""

Stored = dict[str, Counter[tuple[Any, ...]]]


@dataclass
class Served:
    """One server, its client, and the line between it and the sandbox."""

    guarded: Guarded
    client: Client
    line: Line

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox behind it."""
        return self.guarded.sandbox

    def requests(self, endpoint: str) -> int:
        """How many requests of an endpoint reached the sandbox."""
        return asked(self.sandbox).count(endpoint)

    def befall(
        self,
        endpoint: str,
        fault: Fault,
        doors: dict[str, int],
        *,
        times: int | None = None,
        worked: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Let the fault befall every request of the endpoint, or the next ones.

        Where it is every one, a request that is repeated shows. ``worked`` returns once the work
        is done, so that a fault that comes after it does, on a busy machine, too.
        """
        self.line.endpoint, self.line.attempts = endpoint, 0
        self.line.times = times or sys.maxsize
        self.line.port = doors[fault.door] if fault.door else None
        self.line.read_seconds = PATIENCE if fault.impatient else None
        self.line.worked = worked if fault.happens and not fault.late else None
        if fault.rule is not None:
            self.sandbox.set_faults({"endpoint": endpoint, "times": times, **fault.rule})

    def lose(self, number: int, port: int) -> None:
        """From the request of this number on, the network leads to another port."""
        self.line.lost_from, self.line.port = number, port

    def recover(self) -> None:
        """All is well again."""
        self.line.endpoint, self.line.port = "", None
        self.sandbox.set_faults()


Serve = Callable[[Write], Awaitable[Served]]


def serving(sandbox: Sandbox, mode: Mode, folder: Path, stack: AsyncExitStack) -> Serve:
    """Makes a server; a write that is to be asked about is, whatever it changes."""

    async def serve(write: Write) -> Served:
        line = Line()
        above: dict[str, Any] = {"confirm_above": 0} if write.asked else {}
        meddler = Meddler(network=line)
        guarded = await guarded_server(sandbox, mode, folder, stack, meddler=meddler, **above)
        return Served(guarded, await guarded.connect(agree), line)

    return serve


def given(write: Write, store: Store) -> dict[str, Any]:
    """The arguments of a call."""
    return {**arguments(ids_in(store))[write.tool], **write.arguments}


def stored(sandbox: Sandbox) -> Stored:
    """All that is stored, row by row; the rows of data tables by the table's name."""
    store = sandbox.store
    names = [r["name"] for r in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: Counter(tuple(row) for row in store.rows(f"SELECT * FROM {name}"))
        for name in names
        if name not in _UNCOMPARED
    }


def change(before: Stored, sandbox: Sandbox) -> dict[str, tuple[int, int]]:
    """By table: how many rows went, and how many came. All data tables count as ``rows``."""
    after, found = stored(sandbox), dict[str, tuple[int, int]]()
    for name in before | after:
        old, new = before.get(name, Counter()), after.get(name, Counter())
        if old != new:
            kind = "rows" if name.startswith("rows_") else name
            gone, come = found.get(kind, (0, 0))
            found[kind] = (gone + (old - new).total(), come + (new - old).total())
    return found
