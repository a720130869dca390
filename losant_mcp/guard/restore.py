"""Restoring a backup: what it holds is there again, as far as Losant lets it be.

Nothing is ever deleted, and nothing of somebody else's is overwritten: what is there already is
left, and what clashes is told one by one. A restore goes on where an earlier one stopped.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

from losant_mcp.client import LosantClient
from losant_mcp.errors import LosantMcpError
from losant_mcp.guard.backup_manifest import BackupKind, Manifest
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.restore_events import restore_events
from losant_mcp.guard.restore_fields import restore_fields
from losant_mcp.guard.restore_journal import Journal
from losant_mcp.guard.restore_tables import restore_column, restore_into, restore_table
from losant_mcp.guard.restore_work import (
    Pace,
    Problem,
    Remember,
    RestoreOutcome,
    RestoreStopped,
    Work,
    WriteBatch,
)
from losant_mcp.guard.running import Progress
from losant_mcp.guard.store import GuardError

__all__ = [
    "Pace",
    "Problem",
    "Remember",
    "RestoreOutcome",
    "RestoreStopped",
    "WriteBatch",
    "restore",
    "restore_seconds",
]

_RESTORES: Mapping[BackupKind, Callable[[Work, str | None], Awaitable[None]]] = {
    "rows": restore_into,
    "table": restore_table,
    "column": restore_column,
    "events": restore_events,
    "before-image": restore_fields,
}


async def restore(
    client: LosantClient,
    backups: Backups,
    manifest: Manifest,
    *,
    target: str | None = None,
    progress: Progress | None = None,
    remember: Remember,
    pace: Pace | None = None,
) -> RestoreOutcome:
    """Put back what the backup holds; ``target`` is another table for its rows.

    ``remember`` is called before each batch that is written, and stops the restore by raising.

    Raises GuardError where the backup cannot be read or does not fit, with nothing written, and
    RestoreStopped where the restore ended in the middle. A cancellation may come at any point.
    """
    if client.base_url.rstrip("/") != manifest.api_url:
        raise GuardError("The backup is of another Losant than the one that is connected.")
    async with backups.restoring(manifest) as path, backups.open(manifest) as source:
        journal = await Journal.open(path, manifest)
        work = Work(client, manifest, source, journal, remember, progress, pace or Pace())
        try:
            await _RESTORES[manifest.kind](work, target)
        except LosantMcpError as error:
            if not work.wrote:
                raise
            raise RestoreStopped(error, work.outcome()) from error
        return work.outcome()


def restore_seconds(manifest: Manifest) -> int:
    """How long a restore takes at least, because of what Losant takes; 0 where that is no limit.

    To be said before it begins: 5,000 events take more than two hours.
    """
    return math.ceil(manifest.count * Pace().interval) if manifest.kind == "events" else 0
