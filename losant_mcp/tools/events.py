"""Tools for events: find, read, raise, acknowledge, resolve, export and delete them."""

from __future__ import annotations

from time import monotonic
from typing import Annotated, Any

from pydantic import Field

from losant_mcp.analysis import clauses
from losant_mcp.api.endpoints import (
    APPLICATION_GET,
    APPLICATION_JOB_LOG_GET,
    APPLICATION_JOB_LOGS_GET,
    EVENT_DELETE,
    EVENT_GET,
    EVENT_PATCH,
    EVENTS_DELETE,
    EVENTS_EXPORT,
    EVENTS_GET,
    EVENTS_MOST_RECENT_BY_SEVERITY,
    EVENTS_PATCH,
    EVENTS_POST,
)
from losant_mcp.api.events import (
    Event,
    EventExportFormat,
    EventPatch,
    EventPost,
    EventsExport,
    EventSortField,
    Level,
    State,
)
from losant_mcp.api.query import EVENTS
from losant_mcp.api.query_values import nearest
from losant_mcp.api.types import SortDirection
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import one_line
from losant_mcp.tools import results
from losant_mcp.tools.arguments import AnyJson, ApplicationId, DeviceId, EventId, Time, query_over
from losant_mcp.tools.call import Call
from losant_mcp.tools.egress import CallbackUrl, Email, notified
from losant_mcp.tools.guarded import ApprovalId, Outcome, destroy, overwrite, recorded, resumes
from losant_mcp.tools.jobs import started
from losant_mcp.tools.spec import LISTING, OUTCOME, tool

COLUMNS = ["id", "level", "state", "subject", "deviceName", "deviceId", "creationDate"]
FIELDS = list(Event.model_fields)

EventQuery = Annotated[dict[str, Any], query_over(EVENTS)]
Filter = Annotated[str, Field(description="Subject glob: *pump*")]
Fields = Annotated[
    list[str],
    Field(description=f"Default {' '.join(COLUMNS)}; also message data eventTags updates"),
]
Tags = Annotated[dict[str, str], Field(description="Tag key to value")]
Page = Annotated[int, Field(ge=0)]
PerPage = Annotated[int, Field(ge=1, le=1000)]


def selection(
    call: Call,
    *,
    filter: str | None,
    state: State | None,
    query: dict[str, Any] | None,
) -> dict[str, Any]:
    """The parameters that select events; state beside a query becomes part of it.

    Raises InvalidRequest for ``filter`` beside ``query``: Losant would silently drop the filter.
    """
    checked = call.query(query, EVENTS)
    if checked is None:
        chosen: dict[str, Any] = {"state": state} if state else {}
        if filter:
            chosen |= {"filterField": "subject", "filter": filter}
        return chosen
    if filter:
        raise InvalidRequest(
            "filter beside query: Losant ignores the filter then.",
            hint='Put it into the query: {"subject": {"$contains": "pump", "$ci": true}}.',
        )
    return {"query": {"$and": [checked, {"state": state}]} if state else checked}


@tool("events", EVENTS_GET, title="List events", output=LISTING)
async def list_events(
    call: Call,
    *,
    applicationId: ApplicationId,
    state: State | None = None,
    filter: Filter | None = None,
    query: EventQuery | None = None,
    sortField: EventSortField = "creationDate",
    sortDirection: SortDirection = "desc",
    page: Page = 0,
    perPage: PerPage = 100,
    fields: Fields | None = None,
) -> dict[str, Any]:
    """List events, newest first."""
    columns = list(dict.fromkeys(fields or COLUMNS))
    for name in columns:
        if name not in FIELDS:
            raise InvalidRequest(
                f"fields: there is no field {one_line(name, 40)!r}{nearest(name, FIELDS)}",
                hint=f"Fields: {', '.join(FIELDS)}.",
            )
    chosen = selection(call, filter=filter, state=state, query=query)
    found = await call.client.events_get(
        applicationId=applicationId,
        sortField=sortField,
        sortDirection=sortDirection,
        page=page,
        perPage=perPage,
        **chosen,
    )
    hint = ""
    if not found.items:
        hint = await _why_none(call, applicationId, chosen, page, found.totalCount)
    items = [event.to_json() for event in found.items]
    return call.page(
        columns, items, found, page=page, perPage=perPage, whole="get_event", hint=hint
    )


async def _why_none(
    call: Call, applicationId: str, chosen: dict[str, Any], page: int, total: int
) -> str:
    if total:
        return f"Page {page} is past the end: {total} events match."
    everything = await call.client.events_get(applicationId=applicationId, perPage=1)
    if not chosen or not everything.totalCount:
        return "The application has no events."
    conditions = results.compact({k: v for k, v in chosen.items() if k != "filterField"})
    query = chosen.get("query") or ({"state": chosen["state"]} if "state" in chosen else {})
    count = clauses.count_events(call.client, applicationId)
    why = await clauses.why_nothing(query, count)
    return (
        f"None of the application's {everything.totalCount} events matches"
        f" {one_line(conditions, 200)}. {why or 'Loosen one condition at a time.'}"
    )


@tool("events", EVENTS_MOST_RECENT_BY_SEVERITY, title="Get the most severe new event")
async def get_most_severe_event(
    call: Call,
    *,
    applicationId: ApplicationId,
    filter: Filter | None = None,
    query: EventQuery | None = None,
) -> dict[str, Any]:
    """Get the most severe event in state new (the newest of its level), and how many are new."""
    chosen = selection(call, filter=filter, state=None, query=query)
    narrowed = bool(chosen)
    chosen.pop("filterField", None)
    found = await call.client.events_most_recent_by_severity(applicationId=applicationId, **chosen)
    if found.event is None:
        hint = "No new event fits filter or query." if narrowed else "No event is new."
        return call.single("event", None, newCount=found.newCount, hint=hint)
    return call.single("event", shown(found.event), newCount=found.newCount)


def shown(event: Event) -> dict[str, Any]:
    """An event for a result: what only repeats is left out."""
    return results.api_object(event.to_json(), "eventId")


@tool("events", EVENT_GET, title="Get an event")
async def get_event(
    call: Call, *, applicationId: ApplicationId, eventId: EventId
) -> dict[str, Any]:
    """Get one event whole, with message, data and history."""
    event = await call.client.event_get(applicationId=applicationId, eventId=eventId)
    return call.single("event", shown(event))


@tool("events", EVENTS_POST, title="Create an event")
async def create_event(
    call: Call,
    *,
    applicationId: ApplicationId,
    level: Level,
    subject: Annotated[str, Field(min_length=1, max_length=255)],
    message: Annotated[str, Field(max_length=32767)] | None = None,
    state: State = "new",
    data: AnyJson | None = None,
    deviceId: DeviceId | None = None,
    eventTags: Tags | None = None,
    creationDate: Annotated[Time, Field(description="Default now")] | None = None,
    disableTagChangeTracking: bool | None = None,
) -> dict[str, Any]:
    """Raise an event. It may notify people and start workflows."""
    body = call.body(EventPost)
    async with await recorded(call, "create_event", applicationId, meter="created_events"):
        event = await call.client.events_post(applicationId=applicationId, body=body)
    return call.single("event", shown(event))


@tool("events", EVENT_GET, EVENT_PATCH, title="Update an event")
async def update_event(
    call: Call,
    *,
    applicationId: ApplicationId,
    eventId: EventId,
    state: State | None = None,
    level: Level | None = None,
    subject: Annotated[str, Field(min_length=1, max_length=255)] | None = None,
    deviceId: DeviceId | None = None,
    detachDevice: Annotated[bool, Field(description="Remove the device")] = False,
    comment: Annotated[str, Field(max_length=32767)] | None = None,
    data: AnyJson | None = None,
    eventTags: Tags | None = None,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Acknowledge, resolve, comment on or change one event."""
    change = _patch(call, detachDevice).to_json()
    outcome = await overwrite(call, "update_event", applicationId, eventId, change=change)
    if isinstance(outcome, dict) and "result" in outcome:
        event = Event.model_validate(outcome["result"])
        return call.single("event", shown(event), backupId=outcome["backupId"])
    return outcome


@tool(
    "events",
    EVENTS_GET,
    EVENTS_PATCH,
    APPLICATION_GET,
    APPLICATION_JOB_LOGS_GET,
    APPLICATION_JOB_LOG_GET,
    title="Update many events",
    output=OUTCOME,
)
async def update_events(
    call: Call,
    *,
    applicationId: ApplicationId,
    filter: Filter | None = None,
    fromState: Annotated[State, Field(description="Only events now in this state")] | None = None,
    query: EventQuery | None = None,
    all: Annotated[bool, Field(description="Every event")] = False,
    state: Annotated[State, Field(description="New state")] | None = None,
    level: Level | None = None,
    subject: Annotated[str, Field(min_length=1, max_length=255)] | None = None,
    deviceId: DeviceId | None = None,
    detachDevice: Annotated[bool, Field(description="Remove the device")] = False,
    comment: Annotated[str, Field(max_length=32767)] | None = None,
    data: AnyJson | None = None,
    eventTags: Tags | None = None,
    email: Email | None = None,
    callbackUrl: CallbackUrl | None = None,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Change all events that filter, fromState or query selects. Many need a person's yes."""
    change = _patch(call, detachDevice).to_json()
    chosen = selection(call, filter=filter, state=fromState, query=query)
    if not chosen and not all:
        raise InvalidRequest(
            "Nothing selects the events.", hint="Give filter, fromState or query, or all: true."
        )
    count, ask = 1, True
    if not resumes(call):
        reached = await call.client.events_get(applicationId=applicationId, perPage=1, **chosen)
        everything = await call.client.events_get(applicationId=applicationId, perPage=1)
        count = reached.totalCount
        ask = count >= everything.totalCount or count > call.settings.confirm_above
    if not count:
        return {"status": "done", "message": "No event matches; nothing was changed.", "changed": 0}
    return await overwrite(
        call,
        "update_events",
        applicationId,
        applicationId,
        count=count,
        ask=ask,
        selection=chosen,
        everything=all,
        change=change,
        notify=notified(call, applicationId, email, callbackUrl),
    )


@tool(
    "events",
    EVENTS_GET,
    EVENTS_DELETE,
    APPLICATION_GET,
    APPLICATION_JOB_LOGS_GET,
    APPLICATION_JOB_LOG_GET,
    title="Delete many events",
    output=OUTCOME,
)
async def delete_events(
    call: Call,
    *,
    applicationId: ApplicationId,
    query: EventQuery,
    all: Annotated[bool, Field(description="Every event; query {}")] = False,
    email: Email | None = None,
    callbackUrl: CallbackUrl | None = None,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Delete the events that the query selects, after a person's yes; backed up first."""
    checked = call.query(query, EVENTS)
    if not query and not all:
        raise InvalidRequest("An empty query selects every event.", hint="Say all: true if so.")
    return await destroy(
        call,
        "delete_events",
        applicationId,
        applicationId,
        selection={"query": checked},
        everything=all,
        notify=notified(call, applicationId, email, callbackUrl),
    )


@tool("events", EVENT_GET, EVENT_DELETE, title="Delete an event", output=OUTCOME)
async def delete_event(
    call: Call,
    *,
    applicationId: ApplicationId,
    eventId: EventId,
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Delete one event, after a person's yes; backed up first."""
    return await destroy(call, "delete_event", applicationId, eventId)


@tool(
    "events",
    EVENTS_EXPORT,
    APPLICATION_JOB_LOGS_GET,
    APPLICATION_JOB_LOG_GET,
    title="Export events",
    output=OUTCOME,
)
async def export_events(
    call: Call,
    *,
    applicationId: ApplicationId,
    query: EventQuery | None = None,
    format: EventExportFormat = "csv",
    excludeUpdates: bool = False,
    email: Email | None = None,
    callbackUrl: CallbackUrl | None = None,
) -> dict[str, Any]:
    """Export events to a file; Losant mails a link to the token's owner, or to email."""
    selected: dict[str, Any] = {"query": call.query(query, EVENTS)} if query is not None else {}
    body = call.body(EventsExport, **selected)
    began = monotonic()
    async with await recorded(call, "export_events", applicationId):
        answer = await call.client.events_export(applicationId=applicationId, body=body)
    return await started(call, applicationId, answer, began=began, resourceType="event")


def _patch(call: Call, detach: bool) -> EventPatch:
    """What to change. An explicit null detaches the device at Losant; here it needs its own word,
    since many models send null for every argument that they do not mean.
    """
    if detach and "deviceId" in call.values:
        raise InvalidRequest("deviceId beside detachDevice: give one of them.")
    patch = call.body(EventPatch, **({"deviceId": None} if detach else {}))
    if not patch.model_fields_set:
        raise InvalidRequest("Nothing to change was given.", hint="Give state, level, comment …")
    return patch
