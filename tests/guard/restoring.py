"""What the tests of restores share: one backup of the sandbox's demo, and time that is not real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio.lowlevel import checkpoint

from losant_mcp.api.endpoint import Effect
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.tables import DataTable
from losant_mcp.client import LosantClient
from losant_mcp.guard.backup_manifest import BackupKind, Manifest
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.restore import Pace, RestoreOutcome, WriteBatch, restore
from losant_mcp.guard.store import BudgetSpent
from losant_mcp.sandbox.store import Store
from tests.guard.backing_up import Items, backups_in, chunks_of, draft, rows_of, tables_of
from tests.served import Sandbox

_READS = {endpoint.id for endpoint in ENDPOINTS.values() if endpoint.effect is Effect.READ}


@dataclass
class VirtualTime:
    """Time that passes when someone sleeps, for the sandbox and for the one who paces."""

    store: Store
    seconds: float = 0.0
    _right: Callable[[], int] = field(init=False)

    def __post_init__(self) -> None:
        self._right = self.store.clock
        self.install()

    def install(self) -> None:
        """Make it the sandbox's time; new fault rules put the right one back."""
        self.store.clock = lambda: self._right() + round(self.seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.seconds += seconds
        await checkpoint()

    def pace(self) -> Pace:
        """A pace by this time."""
        return Pace(sleep=self.sleep, clock=lambda: self.seconds)


@dataclass
class Case:
    """One backup of the demo application, and how it is restored."""

    client: LosantClient
    sandbox: Sandbox
    backups: Backups
    manifest: Manifest = field(init=False)
    written: list[WriteBatch] = field(default_factory=list)
    fail_at: int | None = None
    """Which announced write fails, counted from 0."""

    def __post_init__(self) -> None:
        self.time = VirtualTime(self.sandbox.store)

    @property
    def at(self) -> dict[str, Any]:
        """The application, for the client's methods."""
        return {"applicationId": self.sandbox.application_id}

    async def back_up(self, kind: BackupKind, items: Items, **given: Any) -> Manifest:
        """Keep the items, as a run would before it deletes or changes them."""
        where = {"application_id": self.sandbox.application_id, "api_url": self.sandbox.url}
        self.manifest = await self.backups.keep(draft(kind, **{**where, **given}), chunks_of(items))
        return self.manifest

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Let the sandbox misbehave."""
        self.sandbox.set_faults(*rules)
        self.time.install()

    async def table(self, name: str) -> DataTable:
        """The table of this name."""
        [table] = [t for t in await tables_of(self.client, **self._app) if t.name == name]
        return table

    async def rows(self, table: DataTable) -> list[dict[str, Any]]:
        """The rows of the table."""
        return await rows_of(self.client, **self._app, table_id=table.id)

    @property
    def _app(self) -> dict[str, Any]:
        return {"application_id": self.sandbox.application_id}

    async def restarted(self, folder: Path) -> None:
        """Forget all that a process knows; the backup is what is on the disk."""
        self.backups = backups_in(folder)
        [self.manifest] = self.backups.read_all()

    async def remember(self, batch: WriteBatch) -> None:
        """Note what is about to be written, or stop it."""
        if self.fail_at is not None and len(self.written) >= self.fail_at:
            raise BudgetSpent("the budget of this hour is used up")
        self.written.append(batch)

    async def restore(self, **given: Any) -> RestoreOutcome:
        """Restore the backup."""
        return await restore(
            self.client,
            self.backups,
            self.manifest,
            **{"remember": self.remember, "pace": self.time.pace(), **given},
        )


def thin_out_events(sandbox: Sandbox) -> None:
    """Leave every tenth event of the demo, so that they are read in a moment."""
    with sandbox.store.transaction(write=True) as db:
        db.execute(
            "DELETE FROM events WHERE id NOT IN (SELECT id FROM"
            " (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place FROM events)"
            " WHERE place % 10 = 0)"
        )


def stored(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All that the sandbox stores, but for time series, which no restore touches."""
    names = [
        row["name"]
        for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        if row["name"] not in ("points", "meta")
    ]
    return {name: [tuple(row) for row in store.rows(f"SELECT * FROM {name}")] for name in names}


@contextmanager
def writing_nothing(case: Case) -> Iterator[None]:
    """Within, only reads reach the sandbox, and what it stores stays as it is."""
    before, asked = stored(case.sandbox.store), len(case.sandbox.requests)
    yield
    assert {str(request.endpoint_id) for request in case.sandbox.requests[asked:]} <= _READS
    assert stored(case.sandbox.store) == before
