"""Fields set back to what they were before a change, where they still have what it wrote.

Whatever was changed since by someone else is left alone and reported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from losant_mcp.api.body import parse_body
from losant_mcp.api.events import EventPatch
from losant_mcp.api.tables import DataTablePatch, RowUpdate
from losant_mcp.errors import BadRequest, Conflict, InvalidRequest, NotFound
from losant_mcp.guard.backup_manifest import BackupDamaged
from losant_mcp.guard.restore_events import existing
from losant_mcp.guard.restore_work import JsonObject, Work, each, reason
from losant_mcp.guard.running import IDS_IN_A_SET
from losant_mcp.guard.store import GuardError

Read = Callable[[str], Awaitable[JsonObject]]
Write = Callable[[str, JsonObject], Awaitable[object]]

_ALWAYS_KEPT = ("comment",)
"""Entries of an event's history, which stay whatever is set back."""


@dataclass(slots=True)
class _Back:
    """What setting back one object takes, and which fields somebody else has changed."""

    patch: JsonObject = field(default_factory=dict)
    changed_since: list[str] = field(default_factory=list)


async def restore_fields(work: Work, target: str | None) -> None:
    """The objects have what they had before the change, in the fields that nobody touched since."""
    if target is not None:
        raise GuardError("What was changed can only be set back where it is.")
    read, write = _access(work)
    change = {n: v for n, v in work.source.change.items() if n not in _ALWAYS_KEPT}
    async for chunk in work.source.chunks(IDS_IN_A_SET):
        before = {str(item["id"]): item for item in chunk}
        now = await _read_all(work, list(before), read)
        due: dict[str, _Back] = {}
        for object_id, item in before.items():
            if object_id not in now:
                work.fail(object_id, "gone", "it is gone")
                continue
            back = _back(item, change, now[object_id])
            if back.patch:
                due[object_id] = back
            elif back.changed_since:
                _tell_conflict(work, object_id, back)
            else:
                work.already += 1
        await _write_all(work, due, write)
        await work.tell()


def _access(work: Work) -> tuple[Read, Write]:
    """How the objects of this backup are read and written one by one."""
    client, manifest = work.client, work.manifest
    table = manifest.table
    if manifest.action in ("update_event", "update_events"):
        work.target_id, work.target_name = manifest.application_id, "events"

        async def read_event(event_id: str) -> JsonObject:
            return (await client.event_get(**work.at, eventId=event_id)).to_json()

        async def write_event(event_id: str, patch: JsonObject) -> object:
            body = parse_body(EventPatch, patch)
            return await client.event_patch(**work.at, eventId=event_id, body=body)

        return read_event, write_event
    if table is None:
        raise BackupDamaged(f"The backup {manifest.id} does not say which table it is of.")
    work.target_id, work.target_name = table.id, table.name
    at = work.table(table.id)
    if manifest.action == "update_row":

        async def read_row(row_id: str) -> JsonObject:
            return (await client.data_table_row_get(**at, rowId=row_id)).to_json()

        async def write_row(row_id: str, patch: JsonObject) -> object:
            body = parse_body(RowUpdate, patch)
            return await client.data_table_row_patch(**at, rowId=row_id, body=body)

        return read_row, write_row
    if manifest.action != "update_data_table":
        raise BackupDamaged(f"The backup {manifest.id} does not say what was changed.")

    async def read_table(table_id: str) -> JsonObject:
        return (await client.data_table_get(**work.table(table_id))).to_json()

    async def write_table(table_id: str, patch: JsonObject) -> object:
        body = parse_body(DataTablePatch, patch)
        return await client.data_table_patch(**work.table(table_id), body=body)

    return read_table, write_table


async def _read_all(work: Work, ids: list[str], read: Read) -> dict[str, JsonObject]:
    """The objects as they are now; those that are gone are missing."""
    found: dict[str, JsonObject] = {}
    if work.manifest.action == "update_events":
        found = await existing(work, ids)
    # Before an event counts as gone, it is asked for by itself.
    for object_id in ids:
        if object_id not in found:
            try:
                found[object_id] = await read(object_id)
            except NotFound:
                continue
    return found


def _back(before: Mapping[str, Any], change: Mapping[str, Any], now: Mapping[str, Any]) -> _Back:
    back = _Back()
    for name, wrote in change.items():
        old, current = before.get(name), now.get(name)
        if name == "description":
            # A table without one has none or an empty one, and takes no null.
            old, current = old or "", current or ""
        if name == "eventTags":
            _back_tags(back, old or {}, wrote or {}, current or {})
        elif _same(current, old):
            continue
        elif not _same(current, wrote):
            back.changed_since.append(name)
        elif name == "data" and old is None:
            # Data can be replaced, but not taken away again.
            back.changed_since.append(name)
        else:
            back.patch[name] = old
    return back


def _back_tags(
    back: _Back, old: Mapping[str, str], wrote: Mapping[str, str], current: Mapping[str, str]
) -> None:
    """Tags one by one, since Losant merges them; one that was added cannot be taken away."""
    tags = {}
    for key, value in wrote.items():
        if current.get(key) == old.get(key):
            continue
        if key in old and current.get(key) == value:
            tags[key] = old[key]
        else:
            back.changed_since.append(f"tag {key}")
    if tags:
        back.patch["eventTags"] = tags


async def _write_all(work: Work, due: Mapping[str, _Back], write: Write) -> None:
    if not due:
        return
    await work.announce("fields", work.target_id, len(due))

    async def patch(item: tuple[str, _Back]) -> None:
        object_id, back = item
        try:
            await work.insist(partial(write, object_id, back.patch))
        except NotFound:
            work.fail(object_id, "gone", "it is gone")
        except (BadRequest, Conflict, InvalidRequest) as error:
            work.fail(object_id, "refused", reason(error))
        else:
            if back.changed_since:
                _tell_conflict(work, object_id, back)
            else:
                work.restored += 1

    await each(due.items(), patch)


def _tell_conflict(work: Work, object_id: str, back: _Back) -> None:
    kept = ", ".join(back.changed_since)
    also = "; the other fields were set back" if back.patch else ""
    work.fail(object_id, "conflict", f"not set back, since it is something else now: {kept}{also}")


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one: 1 and 1.0 are, true and 1 are not."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
