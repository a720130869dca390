"""Events: the handlers of everything below ``/applications/{applicationId}/events``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from losant_mcp.api.events import LEVELS, STATES
from losant_mcp.api.query import EVENTS, parse_query
from losant_mcp.sandbox.call import MAX_TIME, Answer, Call, Handler, Problem, invalid, not_found
from losant_mcp.sandbox.event_record import (
    COLUMNS,
    LISTING,
    SOURCE,
    SOURCE_TYPES,
    change_events,
    delete_events,
    device_name,
    find_event,
    read_event,
)
from losant_mcp.sandbox.jobs import Job, enqueue
from losant_mcp.sandbox.listing import Condition, both, globbed, page
from losant_mcp.sandbox.query_sql import Field, Tags, time, where

MAX_CREATED = 15
CREATION_WINDOW = 15_000
"""At most 15 new events of an application in 15,000 ms (Losant's message throttling)."""

SYNCHRONOUS = 50
"""Bulk work on more events than this becomes a job. Losant's threshold is not documented."""

BATCH = 500
"""Events that a job works on in one transaction."""

FIELDS: dict[str, Field | Tags] = {
    "id": Field("e.id", "id"),
    "creationDate": Field("e.creationDate", "time"),
    "lastUpdated": Field("e.lastUpdated", "time"),
    "sourceId": Field("e.sourceId", "id"),
    "sourceType": Field("e.sourceType"),
    "level": Field("e.level", "rank", LEVELS),
    "state": Field("e.state", "rank", STATES),
    "subject": Field("e.subject"),
    "deviceId": Field("e.deviceId", "id"),
    "experienceUserId": Field("e.experienceUserId", "id"),
    "experienceGroupId": Field("e.experienceGroupId", "id"),
    "eventTags": Tags("event_tags", "eventId", "e.id"),
}


def condition(application_id: str, params: dict[str, Any]) -> Condition:
    """Which events are meant by ``filter``, ``state`` and ``query``; without any, all of them.

    A query overrides the other two, and a filter without a filterField filters nothing: Losant
    says both, and a client that trips over either should do so here.
    """
    conditions: list[Condition] = [("e.applicationId = ?", [application_id])]
    if params.get("query") is not None:
        conditions.append(where(parse_query(params["query"], EVENTS), FIELDS))
    else:
        if params.get("filter") and params.get("filterField"):
            conditions.append(globbed("e.subject", params["filter"]))
        if params.get("state"):
            conditions.append(("e.state = ?", [STATES.index(params["state"])]))
    return both(*conditions)


def get_events(call: Call) -> Answer:
    """A page of events, the newest first."""
    return Answer(200, page(call, LISTING, condition(call.application_id, dict(call.params))))


def most_recent_by_severity(call: Call) -> Answer:
    """The most severe new event, of these the newest, and how many are new.

    Not documented: whether "first" means the newest (an alarm list shows that), whether the
    count is filtered too (it is here, so that it counts what ``event`` was chosen from), and
    what stands for the event where none is new (nothing does).
    """
    params = {"filterField": "subject", **call.params}
    sql, parameters = both(
        condition(call.application_id, params), ("e.state = ?", [STATES.index("new")])
    )
    count = call.db.execute(f"SELECT COUNT(*) FROM {SOURCE} WHERE {sql}", parameters).fetchone()[0]
    row = call.db.execute(
        f"SELECT {COLUMNS} FROM {SOURCE} WHERE {sql}"
        " ORDER BY e.level DESC, e.creationDate DESC, e.id DESC LIMIT 1",
        parameters,
    ).fetchone()
    body: dict[str, Any] = {"newCount": count}
    if row is not None:
        body["event"] = read_event(row)
    return Answer(200, body)


def post_event(call: Call) -> Answer:
    """A new event, unless the application has had 15 in the last 15 seconds."""
    db, now, body = call.db, call.now, call.body
    db.execute("DELETE FROM event_posts WHERE at <= ?", (now - CREATION_WINDOW,))
    [(recent,)] = db.execute(
        "SELECT COUNT(*) FROM event_posts WHERE applicationId = ?", (call.application_id,)
    )
    if recent >= MAX_CREATED:
        raise Problem(
            429,
            "RateLimited",
            f"At most {MAX_CREATED} events may be created in {CREATION_WINDOW // 1000} seconds",
        )
    if "deviceId" in body:
        device_name(db, call.application_id, body["deviceId"])
    at = _time(body["creationDate"]) if "creationDate" in body else now
    id = call.store.new_id(now)
    data = json.dumps(body["data"]) if body.get("data") is not None else None
    values = {
        "id": id,
        "applicationId": call.application_id,
        "creationDate": at,
        "lastUpdated": now,
        "sourceType": SOURCE_TYPES[call.token.kind],
        "sourceId": call.token.id,
        "sourceName": call.token.name,
        "level": LEVELS.index(body["level"]),
        "state": STATES.index(body.get("state", "new")),
        "subject": body["subject"],
        "message": body.get("message"),
        "data": data,
        "deviceId": body.get("deviceId"),
        "trackTags": int(not body.get("disableTagChangeTracking", False)),
    }
    places = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO events ({', '.join(values)}) VALUES ({places})", [*values.values()])
    tags = [(id, key, value) for key, value in body.get("eventTags", {}).items()]
    db.executemany("INSERT INTO event_tags VALUES (?, ?, ?)", tags)
    db.execute("INSERT INTO event_posts VALUES (?, ?)", (call.application_id, now))
    return Answer(201, find_event(db, call.application_id, id))


def patch_events(call: Call) -> Answer:
    """Every event that is meant, changed: at once, or by a job where they are many."""
    patch, token = call.body, call.token
    if patch.get("deviceId") is not None:
        device_name(call.db, call.application_id, patch["deviceId"])
    meant = condition(call.application_id, dict(call.params))
    ids = _ids(call.db, meant)
    if len(ids) <= SYNCHRONOUS:
        change_events(call.db, call.application_id, ids, patch, token, call.now)
        return Answer(200, {"success": True})

    def change(job: Job, batch: list[str]) -> None:
        with job.store.transaction(write=True) as db:
            change_events(db, call.application_id, batch, patch, token, job.store.clock())

    return enqueue(
        call,
        "BulkUpdateEvents",
        lambda job: {"updated": _in_batches(job, meant, change)},
        resource_type="event",
        asked=_asked(call, call.params.get("query")),
    )


def delete_many(call: Call) -> Answer:
    """Every event that the query finds, deleted: at once, or by a job; ``{}`` finds all."""
    meant = condition(call.application_id, {"query": call.body})
    ids = _ids(call.db, meant)
    if len(ids) <= SYNCHRONOUS:
        delete_events(call.db, ids)
        return Answer(200, {"removed": len(ids)})

    def delete(job: Job, batch: list[str]) -> None:
        with job.store.transaction(write=True) as db:
            delete_events(db, batch)

    return enqueue(
        call,
        "BulkDeleteEvents",
        lambda job: {"removed": _in_batches(job, meant, delete)},
        resource_type="event",
        asked=_asked(call, call.body),
    )


def get_event(call: Call) -> Answer:
    """One event."""
    return Answer(200, _existing(call))


def patch_event(call: Call) -> Answer:
    """One event, changed; ``{}`` changes nothing and succeeds."""
    id = _existing(call)["id"]
    change_events(call.db, call.application_id, [id], call.body, call.token, call.now)
    return Answer(200, _existing(call))


def delete_event(call: Call) -> Answer:
    """One event, deleted."""
    delete_events(call.db, [_existing(call)["id"]])
    return Answer(200, {"success": True})


def _existing(call: Call) -> dict[str, Any]:
    event = find_event(call.db, call.application_id, call.path["eventId"])
    if event is None:
        raise not_found("Event")
    return event


def _ids(db: sqlite3.Connection, meant: Condition) -> list[str]:
    sql, parameters = meant
    return [row[0] for row in db.execute(f"SELECT e.id FROM events e WHERE {sql}", parameters)]


def _in_batches(job: Job, meant: Condition, work: Callable[[Job, list[str]], None]) -> int:
    """How many events were worked on: those that are meant when the job runs, not when it was
    asked for. Which of the two Losant takes is not documented."""
    with job.store.transaction(write=False) as db:
        ids = _ids(db, meant)
    for start in range(0, len(ids), BATCH):
        work(job, ids[start : start + BATCH])
        with job.store.transaction(write=True) as db:
            job.progress(db, min(start + BATCH, len(ids)), len(ids))
    return len(ids)


def _asked(call: Call, query: Any) -> dict[str, Any]:
    """What the job log's ``input`` keeps of a request for bulk work."""
    wanted = {name: call.params[name] for name in ("email", "callbackUrl") if name in call.params}
    return wanted | ({"query": query} if query is not None else {})


def _time(given: str | float | dict[str, str]) -> int:
    """A creation date as ms since the epoch. Raises Problem 400."""
    if isinstance(given, dict):
        given = given["$date"]
    at = time(given) if isinstance(given, str) else int(given)
    if not 0 <= at <= MAX_TIME:
        raise invalid("creationDate: lies outside the years 1970 to 9999")
    return at


HANDLERS: dict[str, Handler] = {
    "events.get": get_events,
    "events.post": post_event,
    "events.patch": patch_events,
    "events.delete": delete_many,
    "events.mostRecentBySeverity": most_recent_by_severity,
    "event.get": get_event,
    "event.patch": patch_event,
    "event.delete": delete_event,
}
