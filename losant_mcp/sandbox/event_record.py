"""An event as it is told, as it is found, and as it is changed; its handlers are in ``events``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from losant_mcp.api.events import LEVELS, MAX_EVENT_UPDATES, STATES
from losant_mcp.sandbox.call import Token, invalid, iso
from losant_mcp.sandbox.listing import Listing

SOURCE_TYPES = {"user": "user", "application": "apiToken", "device": "device"}
"""What Losant calls the holder of each kind of token, where it says who did something."""

DATA_FIELDS = ("sourceType", "sourceId", "sourceName", "message", "deviceId", "deviceName")

SOURCE = "events e LEFT JOIN devices d ON d.id = e.deviceId"
COLUMNS = """e.*, d.name AS deviceName,
(SELECT json_group_object(key, value) FROM event_tags WHERE eventId = e.id) AS eventTags,
(SELECT json_group_array(json(entry)) FROM
  (SELECT entry FROM event_updates WHERE eventId = e.id ORDER BY position)) AS updates"""


def read_event(row: sqlite3.Row) -> dict[str, Any]:
    """The event as Losant tells it; what it does not have is absent."""
    event = {
        "id": row["id"],
        "eventId": row["id"],
        "applicationId": row["applicationId"],
        "creationDate": iso(row["creationDate"]),
        "lastUpdated": iso(row["lastUpdated"]),
        "level": LEVELS[row["level"]],
        "state": STATES[row["state"]],
        "subject": row["subject"],
        "eventTags": json.loads(row["eventTags"]),
        "updates": json.loads(row["updates"]),
    }
    event |= {name: row[name] for name in DATA_FIELDS if row[name] is not None}
    if row["data"] is not None:
        event["data"] = json.loads(row["data"])
    if not row["trackTags"]:
        event["disableTagChangeTracking"] = True
    return event


LISTING = Listing(
    columns=COLUMNS,
    source=SOURCE,
    sort={
        name: f"e.{name}"
        for name in ("subject", "id", "creationDate", "lastUpdated", "level", "state", "deviceId")
    },
    item=read_event,
    id="e.id",
)


def find_event(db: sqlite3.Connection, application_id: str, id: str) -> dict[str, Any] | None:
    """One event of an application, or None."""
    row = db.execute(
        f"SELECT {COLUMNS} FROM {SOURCE} WHERE e.id = ? AND e.applicationId = ?",
        (id, application_id),
    ).fetchone()
    return None if row is None else read_event(row)


def device_name(db: sqlite3.Connection, application_id: str, device_id: str) -> str:
    """The name of a device of the application. Raises Problem 400 where there is none.

    Which status an unknown device gives is not documented. The published 404 of these actions
    is for what is in the path, and the mistake is in the body.
    """
    row = db.execute(
        "SELECT name FROM devices WHERE id = ? AND applicationId = ? AND deletedAt IS NULL",
        (device_id, application_id),
    ).fetchone()
    if row is None:
        raise invalid(f"deviceId: there is no device {device_id} in this application")
    return str(row["name"])


def change_events(
    db: sqlite3.Connection,
    application_id: str,
    ids: Iterable[str],
    patch: dict[str, Any],
    token: Token,
    now: int,
) -> None:
    """Change each event and note in its history what really changed.

    An event that a patch leaves as it was keeps its history and ``lastUpdated``, unless the patch
    brings a comment or data, which always make an entry.
    """
    names: dict[str | None, str | None] = {None: None}
    new_device = patch.get("deviceId")
    if new_device is not None:
        names[new_device] = device_name(db, application_id, new_device)
    for id in ids:
        event = find_event(db, application_id, id)
        if event is None:
            continue
        entry = _entry(event, patch, names)
        if entry or _tag_changes(event, patch):
            _store(db, event, patch, entry, token, now)


def _entry(
    event: dict[str, Any], patch: dict[str, Any], names: dict[str | None, str | None]
) -> dict[str, Any]:
    """What a patch changes, in the words of an entry of ``updates``; empty for nothing."""
    entry: dict[str, Any] = {}
    for name in ("state", "level", "subject"):
        if name in patch and patch[name] != event[name]:
            entry[f"{name}Change"] = {"old": event[name], "new": patch[name]}
    if "stateChange" in entry:
        entry["state"] = patch["state"]
    if "deviceId" in patch and patch["deviceId"] != event.get("deviceId"):
        change = {
            "old": event.get("deviceId"),
            "oldDeviceName": event.get("deviceName"),
            "new": patch["deviceId"],
            "newDeviceName": names[patch["deviceId"]],
        }
        entry["deviceIdChange"] = {key: value for key, value in change.items() if value is not None}
    # Whether data replaces the event's own is not documented. An entry has a place for it beside
    # its comment, and what an alarm said when it was raised is not lost that way.
    entry |= {name: patch[name] for name in ("comment", "data") if patch.get(name) is not None}
    tags = _tag_changes(event, patch)
    if tags and not event.get("disableTagChangeTracking"):
        entry["tagsChange"] = tags
    return entry


def _tag_changes(event: dict[str, Any], patch: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Tags are merged; how one would be deleted over REST is not documented."""
    old = event["eventTags"]
    return {
        key: {"old": old[key], "new": value} if key in old else {"new": value}
        for key, value in patch.get("eventTags", {}).items()
        if old.get(key) != value
    }


def _store(
    db: sqlite3.Connection,
    event: dict[str, Any],
    patch: dict[str, Any],
    entry: dict[str, Any],
    token: Token,
    now: int,
) -> None:
    id = event["id"]
    values: dict[str, Any] = {"lastUpdated": now}
    if "state" in patch:
        values["state"] = STATES.index(patch["state"])
    if "level" in patch:
        values["level"] = LEVELS.index(patch["level"])
    values |= {name: patch[name] for name in ("subject", "deviceId") if name in patch}
    places = ", ".join(f"{name} = ?" for name in values)
    db.execute(f"UPDATE events SET {places} WHERE id = ?", (*values.values(), id))
    db.executemany(
        "INSERT OR REPLACE INTO event_tags VALUES (?, ?, ?)",
        [(id, key, value) for key, value in patch.get("eventTags", {}).items()],
    )
    if not entry:
        return
    told = {
        "creationDate": iso(now),
        "sourceType": SOURCE_TYPES[token.kind],
        "sourceId": token.id,
        "sourceName": token.name,
        **entry,
    }
    db.execute(
        "INSERT INTO event_updates SELECT ?, COALESCE(MAX(position), -1) + 1, ?"
        " FROM event_updates WHERE eventId = ?",
        (id, json.dumps(told), id),
    )
    # At most 100 entries are published; what goes beyond is not documented. The newest stay.
    db.execute(
        "DELETE FROM event_updates WHERE eventId = ? AND position <="
        " (SELECT MAX(position) FROM event_updates WHERE eventId = ?) - ?",
        (id, id, MAX_EVENT_UPDATES),
    )


def delete_events(db: sqlite3.Connection, ids: Iterable[str]) -> None:
    """Delete events with their tags and histories."""
    each = [(id,) for id in ids]
    db.executemany("DELETE FROM event_updates WHERE eventId = ?", each)
    db.executemany("DELETE FROM event_tags WHERE eventId = ?", each)
    db.executemany("DELETE FROM events WHERE id = ?", each)
