"""Restoring a backup through the gate: what a person is asked, and what then happens."""

from __future__ import annotations

from collections.abc import Mapping

from losant_mcp.client import LosantClient
from losant_mcp.guard.backup_manifest import BackupKind, Manifest
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.planning import Draft
from losant_mcp.guard.plans import PlannedSet, Target
from losant_mcp.guard.restore import Remember, RestoreStopped, restore, restore_seconds
from losant_mcp.guard.running import Ran, Run, Stopped
from losant_mcp.guard.wording import counted, phrase_for

SHOWN_PROBLEMS = 20

NOUNS: Mapping[BackupKind, str] = {
    "rows": "row",
    "table": "row",
    "column": "value",
    "events": "event",
    "before-image": "object",
}
"""What a backup of each kind counts."""


async def restore_draft(client: LosantClient, manifest: Manifest) -> Draft:
    """What restoring the backup would do. A table's rows ask for the table's name, too."""
    table = manifest.table
    if table is not None:
        target = Target("data table", table.id, table.name, table.creationDate)
    else:
        found = await client.application_get(applicationId=manifest.application_id)
        target = Target("events", found.id, found.name, found.creationDate)
    single = manifest.is_of_one_object
    minutes = round(restore_seconds(manifest) / 60)
    return Draft(
        target=target,
        planned=PlannedSet(max(manifest.count, 1), manifest.newest),
        verb=f"RESTORE {counted(manifest.count, NOUNS[manifest.kind])}",
        phrase=None if single else phrase_for(target, ambiguous=False, word="restore"),
        breakdown={},
        side_effects=(
            "Workflows may be started by what is restored.",
            *((f"It takes about {minutes} minutes.",) if minutes else ()),
        ),
        not_restorable=tuple(manifest.notes),
        place=target.name,
    )


async def restore_backup(run: Run, backups: Backups, *, remember: Remember) -> Ran:
    """Restore the backup that the plan names; ``remember`` is told of each batch before it."""
    plan = run.plan
    manifest = await backups.get(
        plan.operation.target_id,
        principal=plan.binding.principal,
        api_url=plan.binding.api_url,
        application_id=plan.operation.application_id,
    )
    try:
        outcome = await restore(
            run.client, backups, manifest, progress=run.progress, remember=remember
        )
    except RestoreStopped as stop:
        known = Ran(changed=stop.known.restored, note=stop.hint)
        raise Stopped(stop.cause, known) from stop
    problems = [[problem.id, problem.why, problem.text] for problem in outcome.problems]
    result = {
        "target": outcome.target_id,
        "restored": outcome.restored,
        "already": outcome.already,
        "failed": outcome.problem_count,
        "problems": problems[:SHOWN_PROBLEMS],
        "differences": list(outcome.notes),
    }
    note = f"{outcome.already:,} were there already; {outcome.problem_count:,} could not be."
    return Ran(changed=outcome.restored, note=note, result=result)
