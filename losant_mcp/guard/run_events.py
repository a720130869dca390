"""Deleting and changing events that were named one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Any

from losant_mcp.api.endpoints import EVENT_DELETE, EVENTS_DELETE
from losant_mcp.api.events import EventPatch, EventsDeleted
from losant_mcp.api.lookup import JobLog
from losant_mcp.api.types import JobEnqueued
from losant_mcp.client.jobs import UnclearJob, follow_job
from losant_mcp.client.paging import by_number
from losant_mcp.errors import JobFailed, LosantMcpError, NotFound
from losant_mcp.guard.plans import canonical
from losant_mcp.guard.run_set import NamedSet
from losant_mcp.guard.running import (
    IDS_IN_A_QUERY,
    IDS_IN_A_SET,
    Chunks,
    Drifted,
    JsonObject,
    Ran,
    Run,
    Stopped,
    exactly,
    in_groups,
    one_of,
)
from losant_mcp.policy import Permit

JOB_SECONDS = 600.0
LONGEST_QUERY = 1500
"""Characters of a query that fit into a URL beside a hundred ids."""


async def delete_event(run: Run) -> Ran:
    """Delete the one event, unless it changed since the person saw it."""
    [(event_id, seen)] = run.plan.planned.items
    try:
        event = await run.client.event_get(**run.at, eventId=event_id)
    except NotFound:
        return Ran(gone=1, note="The event was already gone.")
    if event.lastUpdated != seen:
        raise Drifted("the event was changed since")

    async def chunks() -> Chunks:
        yield [event.to_json()]

    backup_id = await run.keep("events", chunks())
    path = {**run.at, "eventId": event_id}
    try:
        again = await run.client.event_get(**path)
    except NotFound:
        return Ran(gone=1, backup_id=backup_id)
    if again.lastUpdated != seen:
        raise Drifted("the event was changed since")
    try:
        await run.client.event_delete(**path, permit=Permit(EVENT_DELETE.id, path))
    except LosantMcpError as error:
        raise Stopped(error, await _Events(run).known(error, 0, backup_id, [event_id])) from error
    return Ran(removed=1, backup_id=backup_id)


async def delete_events(run: Run) -> Ran:
    """Delete the events of the set that are still as the person saw them."""
    events = _Events(run)
    backup_id = await run.keep("events", events.present())
    if not events.same:
        return Ran(kept=events.changed, gone=events.gone, backup_id=backup_id)
    return await events.delete_same(backup_id)


async def update_events(run: Run) -> Ran:
    """Change the events of the set that are still as they were planned; keep how they were."""
    events = _Events(run)
    backup_id = await run.keep("before-image", events.present())
    patch = EventPatch.model_validate(dict(run.plan.operation.change or {}))
    changed = kept = 0
    try:
        for group in in_groups(events.same, IDS_IN_A_SET):
            reached = await events.patch(group, patch)
            changed += reached
            kept += len(group) - reached
            await run.progress(changed, len(events.same), "events changed")
    except LosantMcpError as error:
        if not changed and events.under_way is None:
            raise  # no change was sent yet
        raise Stopped(error, await events.known_changed(error, changed, backup_id)) from error
    kept += events.changed
    return Ran(changed=changed, kept=kept, gone=events.gone, backup_id=backup_id)


async def count_left(run: Run) -> int:
    """How many events of the plan are at Losant now."""
    return len(await _Events(run).there(run.plan.planned.ids))


class _Events(NamedSet):
    """The events of one run, and how they are reached."""

    what = "events"
    in_a_step = IDS_IN_A_QUERY

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.under_way: tuple[JsonObject, int] | None = None
        """Which events the change under way is for, and how many they were."""

    async def present(self) -> Chunks:
        """The events, whole, that are still as the person saw them; the others are counted."""
        found: set[str] = set()
        fetch = partial(
            self.run.client.events_get,
            **self.run.at,
            sortField="id",
            sortDirection="asc",
            **self.run.plan.operation.selection,
        )
        async with by_number(fetch) as pages:
            async for page in pages:
                here = [e for e in page.items if e.id in self.seen and e.id not in found]
                found |= {e.id for e in here}
                same = [e for e in here if e.lastUpdated == self.seen[e.id]]
                self.same += [e.id for e in same]
                self.note_newest(e.lastUpdated for e in same)
                await self.run.progress(len(self.same), len(self.seen), "events backed up")
                yield [e.to_json() for e in same]
        # What left the selection was changed, unless it is gone altogether.
        missing = [event_id for event_id in self.seen if event_id not in found]
        still = await self.there(missing)
        self.gone = len(missing) - len(still)
        self.changed = len(self.seen) - len(self.same) - self.gone

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete these events unless they changed meanwhile; how many were removed."""
        operation = self.run.plan.operation
        began = monotonic()
        answer = await self.run.client.events_delete(
            **self.run.at,
            body=exactly(ids, operation.selection.get("query"), "lastUpdated", self.newest),
            **operation.notify,
            permit=Permit(EVENTS_DELETE.id, self.run.at, operation.notify),
        )
        self.deleted = True
        if isinstance(answer, EventsDeleted):
            return answer.removed
        return await self._follow(answer, began, ids)

    async def patch(self, ids: Sequence[str], patch: EventPatch) -> int:
        """Change these events unless they changed meanwhile; how many were reached."""
        operation = self.run.plan.operation
        began = monotonic()
        query = operation.selection.get("query")
        if query is not None and len(canonical(query)) > LONGEST_QUERY:
            # The ids and their unchanged dates say the same; both would not fit into a URL.
            query = None
        notify: dict[str, Any] = dict(operation.notify)
        meant = exactly(ids, query, "lastUpdated", self.newest)
        # Losant does not tell how many it changed, and afterwards nobody can.
        reached = await self.run.client.events_get(**self.run.at, query=meant, perPage=1)
        self.under_way = (meant, reached.totalCount)
        answer = await self.run.client.events_patch(
            **self.run.at, body=patch, query=meant, **notify
        )
        if isinstance(answer, JobEnqueued):
            await self._end(answer, began)
        self.under_way = None
        return reached.totalCount

    async def known_changed(self, error: LosantMcpError, changed: int, backup_id: str) -> Ran:
        """How far a change came that was stopped: counted at Losant where that is not certain."""
        refused = error.writes and error.changed == "nothing"
        if self.under_way is None or refused:
            return Ran(changed=changed, backup_id=backup_id)
        meant, number = self.under_way
        try:
            # What was changed is newer than the backup, so it is not meant any more.
            left = await self.run.client.events_get(**self.run.at, query=meant, perPage=1)
        except LosantMcpError:
            note = (
                f"{changed:,} events were changed for certain; a further {number:,} may be. "
                "Losant cannot be asked now."
            )
            return Ran(changed=changed, backup_id=backup_id, note=note, unclear=True)
        changed += max(0, number - left.totalCount)
        note = f"Losant shows {changed:,} of them changed so far."
        return Ran(changed=changed, backup_id=backup_id, note=note)

    async def _follow(self, job: JobEnqueued, began: float, ids: Sequence[str]) -> int:
        """Wait for the job's end; how many it removed. Raises JobFailed."""
        log = await self._end(job, began)
        removed = (log.output or {}).get("removed") if log else None
        if isinstance(removed, (int, float)):
            return int(removed)
        return len(ids) - len(await self.there(ids))

    async def _end(self, job: JobEnqueued, began: float) -> JobLog | None:
        """The log of the job at its end; None where several fit, and all of them completed.

        Raises JobFailed, also where it cannot be told how the job ended.
        """
        log = await follow_job(
            self.run.client,
            self.run.plan.operation.application_id,
            job,
            resourceType="event",
            began=began,
            timeout=JOB_SECONDS,
        )
        if isinstance(log, UnclearJob):
            if log.status != "completed":
                unclear = f"It cannot be told how Losant's job ended: {log.why}."
                raise JobFailed(unclear, status=log.status, hint="Look with list_jobs.")
            return None
        return log

    async def there(self, ids: Sequence[str]) -> list[str]:
        """Which of these events exist."""
        there: list[str] = []
        for group in in_groups(ids, IDS_IN_A_SET):
            page = await self.run.client.events_get(
                **self.run.at, query=one_of(group), perPage=IDS_IN_A_SET
            )
            there += [event.id for event in page.items]
        return there
