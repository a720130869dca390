"""Events, created anew: slowly, so that real alarms still get through, and each only once.

Losant takes 15 new events of an application in 15 seconds, whoever raises them. A restore uses
two thirds of that, and waits whenever Losant says that it is too much.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from losant_mcp.api.body import parse_body
from losant_mcp.api.events import EventPost
from losant_mcp.errors import (
    BadRequest,
    Conflict,
    InvalidRequest,
    LosantMcpError,
    NotFound,
    PayloadTooLarge,
    RateLimited,
)
from losant_mcp.guard.restore_work import (
    EVENTS_PER_WINDOW,
    LONGEST_REQUEST,
    MOST_REPEATS,
    SETTLING,
    JsonObject,
    Work,
    reason,
)
from losant_mcp.guard.running import IDS_IN_A_SET, in_groups, milliseconds, one_of
from losant_mcp.guard.store import GuardError

_KEPT = (
    "level",
    "subject",
    "state",
    "message",
    "data",
    "deviceId",
    "eventTags",
    "creationDate",
    "disableTagChangeTracking",
)
"""What a new event can be told; its history, source and dates are Losant's own."""


async def restore_events(work: Work, target: str | None) -> None:
    """The events are there, but for those that the outcome names."""
    if target is not None:
        raise GuardError("Events have no table to be restored into.")
    place = work.journal.at(work.manifest.application_id)
    work.target_id, work.target_name = work.manifest.application_id, "events"
    creator = _Creator(work)
    await work.tell()
    async for chunk in work.source.chunks(IDS_IN_A_SET):
        olds = [str(event["id"]) for event in chunk]
        news = [place.restored[old] for old in olds if place.restored.get(old)]
        present = set(await existing(work, [*olds, *news]))
        missing = [
            event
            for event in chunk
            if event["id"] not in present and place.restored.get(event["id"]) not in present
        ]
        work.already += len(chunk) - len(missing)
        for start in range(0, len(missing), EVENTS_PER_WINDOW):
            await creator.create(missing[start : start + EVENTS_PER_WINDOW], present)
            await work.tell()


async def existing(work: Work, ids: Collection[str]) -> dict[str, JsonObject]:
    """The events of these ids that are there now, by id."""
    found: dict[str, JsonObject] = {}
    for group in in_groups(list(ids), IDS_IN_A_SET):
        page = await work.client.events_get(**work.at, query=one_of(group), perPage=IDS_IN_A_SET)
        found |= {event.id: event.to_json() for event in page.items}
    return found


class _Creator:
    """Creates events, and looks for those of which no answer came."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._place_id = work.manifest.application_id
        self._place = work.journal.at(self._place_id)
        self._ours = set(self._place.restored.values())
        self._gone_devices: set[str] = set()

    async def create(self, events: list[JsonObject], present: Collection[str]) -> None:
        """The events are there, or told to be refused."""
        await self._work.announce("events", self._place_id, len(events))
        for event in events:
            await self._create(event, present)

    async def _create(self, event: JsonObject, present: Collection[str]) -> None:
        old = str(event["id"])
        begun = self._place.begun.get(old)
        if begun is not None and await self._arrived(event, begun, present):
            return
        since = self._work.now()
        await self._work.journal.note_begun(self._place_id, [old], since)
        waits = unanswered = 0
        while True:
            try:
                body = self._body(event)
                await self._work.pace.turn()
                created = await self._work.client.events_post(**self._work.at, body=body)
            except RateLimited as error:
                await self._work.wait(error, waits)
                waits += 1
            except (BadRequest, Conflict, PayloadTooLarge, InvalidRequest) as error:
                if await self._without_device(event):
                    continue
                await self._work.journal.note_refused(self._place_id, [old])
                self._work.fail(old, "refused", reason(error))
                return
            except LosantMcpError as error:
                if error.changed != "unknown" or unanswered >= MOST_REPEATS:
                    raise
                unanswered += 1
                if await self._arrived(event, since, present):
                    return
            else:
                await self._landed(old, created.id)
                return

    def _body(self, event: JsonObject) -> EventPost:
        given = {name: event[name] for name in _KEPT if event.get(name) not in (None, {})}
        if given.get("deviceId") in self._gone_devices:
            del given["deviceId"]
        return parse_body(EventPost, given)

    async def _without_device(self, event: JsonObject) -> bool:
        """Whether a refusal may be due to a device that is gone; it is then left out."""
        device = event.get("deviceId")
        if not isinstance(device, str) or device in self._gone_devices:
            return False
        try:
            found = await self._work.client.device_get(**self._work.at, deviceId=device)
        except (NotFound, InvalidRequest):
            found = None
        if found is not None and not (found.model_extra or {}).get("deletedAt"):
            return False
        self._gone_devices.add(device)
        self._work.note("events of devices that are gone were restored without their device")
        return True

    async def _landed(self, old: str, new: str) -> None:
        await self._work.journal.note_restored(self._place_id, {old: new})
        self._ours.add(new)
        self._work.restored += 1

    async def _arrived(self, event: JsonObject, since: int, present: Collection[str]) -> bool:
        """Whether the event is there after all; looked for until Losant is surely done with it."""
        for seconds in (*SETTLING, None):
            new = await self._look(event, since, present)
            if new is not None:
                await self._landed(str(event["id"]), new)
                return True
            if seconds is None or self._work.now() - since > LONGEST_REQUEST:
                break
            await self._work.pace.sleep(seconds)
        return False

    async def _look(self, event: JsonObject, since: int, present: Collection[str]) -> str | None:
        """The id of an event that is the same in all that we sent, and that we know nothing of."""
        body = self._body(event).to_json()
        dates: list[JsonObject] = [{"lastUpdated": {"$gte": since}}]
        if isinstance(event.get("creationDate"), str):
            dates.append({"creationDate": {"$eq": milliseconds(event["creationDate"])}})
        page = await self._work.client.events_get(
            **self._work.at,
            query={"subject": {"$eq": event["subject"]}, "$or": dates},
            sortField="id",
            sortDirection="desc",
            perPage=IDS_IN_A_SET,
        )
        for found in page.items:
            if found.id in self._ours or found.id in present or found.id == event["id"]:
                continue
            given: JsonObject = found.to_json()
            if given.get("deviceId") is None:
                # It may have been sent without its device, which is gone.
                given["deviceId"] = body.get("deviceId")
            if all(_same(name, given.get(name), value) for name, value in body.items()):
                return found.id
        return None


def _same(name: str, found: Any, sent: Any) -> bool:
    if name == "creationDate" and isinstance(found, str) and isinstance(sent, str):
        return milliseconds(found) == milliseconds(sent)
    return bool(found == sent)
