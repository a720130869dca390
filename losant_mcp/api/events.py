"""Events: what devices, workflows and people raise, and how it is acknowledged and resolved."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from losant_mcp.api.query import AdvancedEventQuery
from losant_mcp.api.types import (
    CallbackUrl,
    Count,
    Description,
    EmailText,
    Json,
    Key,
    Name,
    ObjectId,
    Omit,
    PageFields,
    RequestModel,
    ResponseModel,
    TagText,
    Text,
)

Level = Literal["info", "warning", "error", "critical"]
State = Literal["new", "acknowledged", "resolved"]
EventSortField = Literal[
    "subject", "id", "creationDate", "lastUpdated", "level", "state", "deviceId"
]
EventExportFormat = Literal["csv", "json"]

LEVELS: tuple[Level, ...] = ("info", "warning", "error", "critical")
"""Least to most severe; advanced queries order levels so."""

STATES: tuple[State, ...] = ("new", "acknowledged", "resolved")
"""In the order of progress; advanced queries order states so."""

MAX_EVENT_UPDATES = 100

EventTags = dict[Key, TagText]


class DollarDate(RequestModel):
    """A date as ``{"$date": "2026-01-01T00:00:00.000Z"}``."""

    date: Text = Field(alias="$date")


class EventPost(RequestModel):
    """Creates an event (schema ``eventPost``); ``state`` is "new" where it is left out."""

    level: Level
    subject: Name
    state: Omit[State] = None
    message: Omit[Description] = None
    data: Json = None
    deviceId: Omit[ObjectId] = None
    eventTags: Omit[EventTags] = None
    creationDate: Omit[Text | int | float | DollarDate] = None
    disableTagChangeTracking: Omit[bool] = None


class EventPatch(RequestModel):
    """Changes an event; ``deviceId: null`` detaches the device, ``message`` cannot change."""

    state: Omit[State] = None
    level: Omit[Level] = None
    subject: Omit[Name] = None
    deviceId: ObjectId | None = None
    comment: Omit[Description] = None
    data: Json = None
    eventTags: Omit[EventTags] = None


class EventsExport(RequestModel):
    """Asks for a file of events, of all where ``query`` is left out."""

    email: Omit[EmailText] = None
    callbackUrl: Omit[CallbackUrl] = None
    query: Omit[AdvancedEventQuery] = None
    format: Omit[EventExportFormat] = None
    excludeUpdates: Omit[bool] = None


class EventUpdate(ResponseModel):
    """One entry of an event's history; only what changed is there."""

    creationDate: str | None = None
    sourceType: str | None = None
    sourceId: str | None = None
    sourceName: str | None = None
    comment: str | None = None
    data: Any = None
    state: str | None = None
    stateChange: dict[str, Any] | None = None
    levelChange: dict[str, Any] | None = None
    subjectChange: dict[str, Any] | None = None
    deviceIdChange: dict[str, Any] | None = None
    tagsChange: dict[str, Any] | None = None


class Event(ResponseModel):
    """An event (schema ``event``); dates are ISO 8601 in UTC."""

    id: str = ""
    eventId: str | None = None
    applicationId: str | None = None
    creationDate: str | None = None
    lastUpdated: str | None = None
    sourceType: str | None = None
    sourceId: str | None = None
    sourceName: str | None = None
    level: str | None = None
    state: str | None = None
    subject: str | None = None
    message: str | None = None
    data: Any = None
    deviceId: str | None = None
    deviceName: str | None = None
    disableTagChangeTracking: bool | None = None
    eventTags: dict[str, str] | None = None
    updates: list[EventUpdate] | None = None


class Events(PageFields):
    """A page of events."""

    items: list[Event] = []
    state: str | None = None
    query: dict[str, Any] | None = None


class EventPlusNewCount(ResponseModel):
    """The most severe new event, and how many are new; ``event`` is None where none is."""

    event: Event | None = None
    newCount: Count = 0


class EventsDeleted(ResponseModel):
    """How many events a bulk delete removed."""

    removed: Count = 0
