"""Running a plan that was burned: back up, re-check, run exactly the set, tell what happened.

A set that was named one by one runs on what is still as the person saw it: what vanished is
fine, what changed since is kept, what arrived since is not in it. A whole table cannot be named:
there, anything but equality stops the run before the one request that cannot be taken back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from losant_mcp.api.tables import DataTable
from losant_mcp.client import LosantClient
from losant_mcp.errors import LosantMcpError, NotFound
from losant_mcp.guard.backup_manifest import BackupKind
from losant_mcp.guard.planning import shape_of
from losant_mcp.guard.plans import Plan, PlannedSet

IDS_IN_A_SET = 100
"""What ``$in`` takes."""
IDS_IN_A_QUERY = 10_000
"""A hundred sets of a hundred in one ``$or``: a body of about 280 kB."""
ROWS_IN_A_STEP = 1000
"""What rows.delete removes by default; more was never documented."""

JsonObject = dict[str, Any]
Chunks = AsyncGenerator[Sequence[JsonObject], None]
Progress = Callable[[float, float | None, str], Awaitable[None]]


class Keep(Protocol):
    """Writes a backup to the disk before anything goes, and returns its id."""

    async def __call__(
        self, kind: BackupKind, chunks: Chunks, *, table: DataTable | None = None
    ) -> str:
        """Keep the objects. Raises GuardError where they could not be kept to the last one."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run works with."""

    client: LosantClient
    plan: Plan
    keep: Keep
    progress: Progress

    @property
    def at(self) -> dict[str, Any]:
        """The application, for the client's methods."""
        return {"applicationId": self.plan.operation.application_id}

    @property
    def table(self) -> dict[str, Any]:
        """The application and the table, for the client's methods."""
        operation = self.plan.operation
        return {**self.at, "dataTableId": operation.parent_id or operation.target_id}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended. ``kept`` are those that changed since the plan, ``gone`` had vanished."""

    removed: int = 0
    changed: int = 0
    kept: int = 0
    gone: int = 0
    backup_id: str | None = None
    note: str = ""
    unclear: bool = False
    """Whether more may have been reached than is counted, since Losant cannot be asked."""
    result: Mapping[str, Any] | None = None
    """The object after a change."""


class Drifted(Exception):
    """The target is not what the person saw; nothing was deleted.

    ``again`` is what may be asked anew: for a table to which rows were only added, the rows
    that were agreed to, one by one.
    """

    def __init__(self, why: str, again: PlannedSet | None = None) -> None:
        super().__init__(why)
        self.again = again


class Stopped(Exception):
    """The run ended in the middle. ``known`` says how far it came, as far as that is known."""

    def __init__(self, cause: LosantMcpError, known: Ran) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.known = known


async def same_table(run: Run) -> DataTable:
    """The table of the plan. Raises Drifted where it is not the one that the person saw."""
    target = run.plan.target
    try:
        table = await run.client.data_table_get(**run.table)
    except NotFound:
        raise Drifted("the table is gone") from None
    # A row has a date of its own, and a column a name.
    if target.kind != "row" and table.creationDate != target.created:
        raise Drifted("the table was made anew")
    if target.kind != "column" and table.name != target.name:
        raise Drifted("the table was renamed")
    if shape_of(table) != target.shape:
        raise Drifted("the table's columns were changed")
    return table


def in_groups(ids: Sequence[str], size: int) -> list[list[str]]:
    """The ids in lists of at most ``size``."""
    return [list(ids[i : i + size]) for i in range(0, len(ids), size)]


def one_of(ids: Sequence[str]) -> JsonObject:
    """The query that matches exactly these ids; at most 10,000."""
    groups: list[JsonObject] = [{"id": {"$in": group}} for group in in_groups(ids, IDS_IN_A_SET)]
    return groups[0] if len(groups) == 1 else {"$or": groups}


def exactly(
    ids: Sequence[str], query: Mapping[str, Any] | None, field: str, newest: str | None
) -> JsonObject:
    """The approved query AND these ids AND not changed after the newest of the backup."""
    parts: list[JsonObject] = [one_of(ids)]
    if query:
        parts.append(dict(query))
    if newest is not None:
        parts.append({field: {"$lte": milliseconds(newest)}})
    return parts[0] if len(parts) == 1 else {"$and": parts}


def milliseconds(date: str) -> int:
    """Losant's date in ms since the epoch."""
    return round(datetime.fromisoformat(date).timestamp() * 1000)
