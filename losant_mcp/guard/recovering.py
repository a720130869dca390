"""After a crash: what became of the runs that were under way when their process ended.

Nothing is gone on with; going on is a new plan over what remains. What is told comes from the
backups (nothing is removed before its backup is complete) and, where this server may look and
Losant answers in time, from what is there now.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Sequence
from typing import Any

import anyio

from losant_mcp.client import LosantClient
from losant_mcp.errors import LosantMcpError, NotFound
from losant_mcp.guard import outcomes, run_events, run_rows
from losant_mcp.guard.audit_lines import Facts
from losant_mcp.guard.backup_manifest import BackupKind, Manifest
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.planning import read_extent
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.running import Run

LOOK_SECONDS = 10.0
"""How long the first guarded call after a crash may wait for Losant to tell what is left."""

_log = logging.getLogger(__name__)


async def tell_interrupted(
    plans: Sequence[Plan], client: LosantClient, ledger: Ledger, backups: Backups
) -> None:
    """Record in the store and in the audit how far each of these interrupted runs came."""
    for plan in plans:
        backup = await _backup_of(plan, backups)
        left = await _left(plan, client, ledger) if backup is not None else None
        outcome = outcomes.of_orphan(plan, backup, left)
        await ledger.store.finish(plan.id, "interrupted", outcome)
        facts = Facts(principal=plan.binding.principal, origin=plan.binding.origin)
        facts["counts"] = {"planned": plan.planned.count}
        if backup is not None:
            facts["backup"] = backup.id
            facts["counts"] = {**facts["counts"], "backed_up": backup.count}
        if left is not None:
            facts["counts"] = {**facts["counts"], "left": left}
        await ledger.note_plan("interrupted", plan, **facts)


async def _backup_of(plan: Plan, backups: Backups) -> Manifest | None:
    binding = plan.binding
    application = plan.operation.application_id
    found = await backups.list(binding.principal, binding.api_url, application)
    return next((manifest for manifest in found if manifest.plan_id == plan.id), None)


async def _left(plan: Plan, client: LosantClient, ledger: Ledger) -> int | None:
    """How many of the planned objects are at Losant; None where that cannot be told."""
    if plan.binding.principal != ledger.binding.principal or not plan.destroys:
        return None
    run = Run(client, plan, _keep_nothing, _tell_nobody)
    try:
        with anyio.move_on_after(LOOK_SECONDS):
            if plan.operation.action in ("delete_event", "delete_events"):
                return await run_events.count_left(run)
            if plan.planned.items:
                return await run_rows.count_left(run)
            if plan.operation.action != "remove_data_table_column":
                return (await read_extent(client, **run.table))[0]
    except NotFound:
        return 0
    except LosantMcpError as error:
        _log.info("what an interrupted run left cannot be counted: %s", error)
    return None


async def _keep_nothing(kind: BackupKind, chunks: AsyncIterable[Any], *, table: Any = None) -> str:
    raise AssertionError("looking keeps nothing")


async def _tell_nobody(done: float, total: float | None, words: str) -> None:
    pass
