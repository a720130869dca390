"""Changing one object, with an image of how it was before kept in the backups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from losant_mcp.api.events import EventPatch
from losant_mcp.api.tables import DataTable, DataTableColumn, DataTablePatch, RowUpdate
from losant_mcp.errors import LosantMcpError
from losant_mcp.guard.running import Chunks, Drifted, JsonObject, Ran, Run, Stopped


async def update_event(run: Run) -> Ran:
    """Change one event."""
    before = await run.client.event_get(**run.at, eventId=run.plan.operation.target_id)
    _check_seen(run, before.lastUpdated)
    backup_id = await _keep(run, before.to_json())
    patch = EventPatch.model_validate(_change(run))
    try:
        after = await run.client.event_patch(**run.at, eventId=before.id, body=patch)
    except LosantMcpError as error:

        async def changed() -> bool:
            now = await run.client.event_get(**run.at, eventId=before.id)
            return now.lastUpdated != before.lastUpdated and _is_as_wanted(run, now.to_json())

        raise await _stopped(error, Ran(backup_id=backup_id), changed) from error
    return Ran(changed=1, backup_id=backup_id, result=after.to_json())


async def update_row(run: Run) -> Ran:
    """Change one row."""
    row_id = run.plan.operation.target_id
    table = await run.client.data_table_get(**run.table)
    before = (await run.client.data_table_row_get(**run.table, rowId=row_id)).to_json()
    _check_seen(run, before.get("updatedAt"))
    backup_id = await _keep(run, before, table)
    body = RowUpdate.model_validate(_change(run))
    try:
        after = await run.client.data_table_row_patch(**run.table, rowId=row_id, body=body)
    except LosantMcpError as error:

        async def changed() -> bool:
            now = (await run.client.data_table_row_get(**run.table, rowId=row_id)).to_json()
            return now.get("updatedAt") != before.get("updatedAt") and _is_as_wanted(run, now)

        raise await _stopped(error, Ran(backup_id=backup_id), changed) from error
    return Ran(changed=1, backup_id=backup_id, result=after.to_json())


async def update_data_table(run: Run) -> Ran:
    """Rename or describe a table."""
    table = await _same_table(run)
    backup_id = await _keep(run, table.to_json(), table)
    body = DataTablePatch.model_validate(_change(run))
    try:
        after = await run.client.data_table_patch(**run.table, body=body)
    except LosantMcpError as error:

        async def changed() -> bool:
            now = await run.client.data_table_get(**run.table)
            return now.lastUpdated != table.lastUpdated and _is_as_wanted(run, now.to_json())

        raise await _stopped(error, Ran(backup_id=backup_id), changed) from error
    return Ran(changed=1, backup_id=backup_id, result=after.to_json())


async def add_data_table_column(run: Run) -> Ran:
    """Add a column; there is nothing before it to keep."""
    await _same_table(run)
    column = DataTableColumn.model_validate(_change(run))
    try:
        after = await run.client.data_table_add_column(**run.table, body=column)
    except LosantMcpError as error:

        async def changed() -> bool:
            now = await run.client.data_table_get(**run.table)
            return column.name in [there.name for there in now.columns]

        raise await _stopped(error, Ran(), changed) from error
    return Ran(changed=1, result=after.to_json())


async def _same_table(run: Run) -> DataTable:
    """The table. Raises Drifted where it is not the one that a person saw."""
    table = await run.client.data_table_get(**run.table)
    target = run.plan.target
    if target.shape and (table.name, table.creationDate) != (target.name, target.created):
        raise Drifted("the table was renamed or made anew")
    return table


def _check_seen(run: Run, changed: str | None) -> None:
    """Raise Drifted where a person was asked and the object is not as they saw it."""
    if run.plan.planned.items and changed != run.plan.planned.newest:
        raise Drifted("the object was changed since")


async def _keep(run: Run, before: JsonObject, table: DataTable | None = None) -> str:
    async def chunks() -> Chunks:
        yield [before]

    return await run.keep("before-image", chunks(), table=table)


async def _stopped(
    error: LosantMcpError, known: Ran, changed: Callable[[], Awaitable[bool]]
) -> Stopped:
    """How a change ended that failed; where that is not certain, Losant is asked."""
    if error.changed == "nothing":
        return Stopped(error, known)
    try:
        happened = await changed()
    except LosantMcpError:
        note = "Losant cannot be asked now how it stands."
        return Stopped(error, replace(known, note=note, unclear=True))
    if happened:
        return Stopped(error, replace(known, changed=1, note="Losant shows the change."))
    return Stopped(error, replace(known, note="Losant does not show the change so far."))


def _is_as_wanted(run: Run, now: JsonObject) -> bool:
    """Whether what an object shows of the change is there. Tags are merged, and comments hidden."""
    return all(
        now[name] == value
        for name, value in _change(run).items()
        if name in now and not isinstance(value, dict)
    )


def _change(run: Run) -> dict[str, Any]:
    return dict(run.plan.operation.change or {})
