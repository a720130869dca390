"""The client's methods for events: one per operation, named after it."""

from __future__ import annotations

from losant_mcp.api import endpoints
from losant_mcp.api.events import (
    Event,
    EventPatch,
    EventPlusNewCount,
    EventPost,
    Events,
    EventsDeleted,
    EventsExport,
    EventSortField,
    State,
)
from losant_mcp.api.types import JobEnqueued, JsonObject, SortDirection, Success
from losant_mcp.client.transport import Transport
from losant_mcp.policy import Permit


class EventMethods(Transport):
    """``events.*`` and ``event.*``."""

    async def events_get(
        self,
        *,
        applicationId: str,
        sortField: EventSortField | None = None,
        sortDirection: SortDirection | None = None,
        page: int | None = None,
        perPage: int | None = None,
        filterField: str | None = None,
        filter: str | None = None,
        state: State | None = None,
        query: JsonObject | None = None,
    ) -> Events:
        """A page of events, newest first; ``query`` overrides ``filter`` and ``state``."""
        return await self._send(
            Events,
            endpoints.EVENTS_GET,
            {"applicationId": applicationId},
            {
                "sortField": sortField,
                "sortDirection": sortDirection,
                "page": page,
                "perPage": perPage,
                "filterField": filterField,
                "filter": filter,
                "state": state,
                "query": query,
            },
        )

    async def events_post(self, *, applicationId: str, body: EventPost) -> Event:
        """The event created; Losant takes 15 per application in 15 seconds."""
        return await self._send(
            Event, endpoints.EVENTS_POST, {"applicationId": applicationId}, body=body
        )

    async def events_patch(
        self,
        *,
        applicationId: str,
        body: EventPatch,
        filterField: str | None = None,
        filter: str | None = None,
        state: State | None = None,
        query: JsonObject | None = None,
        email: str | None = None,
        callbackUrl: str | None = None,
    ) -> Success | JobEnqueued:
        """Change every event that matches, or all events where nothing narrows it down."""
        return await self._send(
            (Success, JobEnqueued),
            endpoints.EVENTS_PATCH,
            {"applicationId": applicationId},
            {
                "filterField": filterField,
                "filter": filter,
                "state": state,
                "query": query,
                "email": email,
                "callbackUrl": callbackUrl,
            },
            body,
        )

    async def events_delete(
        self,
        *,
        applicationId: str,
        body: JsonObject | None = None,
        email: str | None = None,
        callbackUrl: str | None = None,
        permit: Permit | None = None,
    ) -> EventsDeleted | JobEnqueued:
        """Delete every event that matches the query ``body``; without one, all events."""
        return await self._send(
            (EventsDeleted, JobEnqueued),
            endpoints.EVENTS_DELETE,
            {"applicationId": applicationId},
            {"email": email, "callbackUrl": callbackUrl},
            body,
            permit,
        )

    async def events_export(
        self, *, applicationId: str, body: EventsExport | None = None
    ) -> JobEnqueued:
        """Start the export of events into a file, whose address Losant sends by mail."""
        return await self._send(
            JobEnqueued, endpoints.EVENTS_EXPORT, {"applicationId": applicationId}, body=body
        )

    async def events_most_recent_by_severity(
        self,
        *,
        applicationId: str,
        filter: str | None = None,
        query: JsonObject | None = None,
    ) -> EventPlusNewCount:
        """The most severe new event, the newest of its level, and how many are new."""
        return await self._send(
            EventPlusNewCount,
            endpoints.EVENTS_MOST_RECENT_BY_SEVERITY,
            {"applicationId": applicationId},
            {"filter": filter, "query": query},
        )

    async def event_get(self, *, applicationId: str, eventId: str) -> Event:
        """One event with its history."""
        return await self._send(
            Event, endpoints.EVENT_GET, {"applicationId": applicationId, "eventId": eventId}
        )

    async def event_patch(self, *, applicationId: str, eventId: str, body: EventPatch) -> Event:
        """The event as changed; fields that are not given stay."""
        return await self._send(
            Event,
            endpoints.EVENT_PATCH,
            {"applicationId": applicationId, "eventId": eventId},
            body=body,
        )

    async def event_delete(
        self, *, applicationId: str, eventId: str, permit: Permit | None = None
    ) -> Success:
        """Delete one event."""
        return await self._send(
            Success,
            endpoints.EVENT_DELETE,
            {"applicationId": applicationId, "eventId": eventId},
            permit=permit,
        )
