"""The official client drives the operations on events."""

from __future__ import annotations

import json

from losant_rest import Client

from tests.client.calls import Ids
from tests.contract.official import count, drives, exported_file, wait_for_jobs
from tests.served import Sandbox


@drives("events.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    query = {"$and": [{"level": {"$gte": "error"}}, {"state": "new"}]}
    page = official.events.get(
        applicationId=ids.application, query=query, perPage=3, sortField="creationDate"
    )
    assert page["totalCount"] == count(sandbox, "events WHERE level >= 2 AND state = 0")
    assert len(page["items"]) == page["count"] == page["perPage"] == 3
    newest = [event["creationDate"] for event in page["items"]]
    assert newest == sorted(newest, reverse=True)


@drives("events.post")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    event = {"level": "critical", "subject": "Official", "eventTags": {"a": "b"}}
    made = official.events.post(applicationId=ids.application, event=event)
    assert made["state"] == "new"
    assert made["eventTags"] == {"a": "b"}
    assert count(sandbox, "events WHERE id = ? AND level = 3 AND state = 0", made["id"]) == 1


@drives("events.patch")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    answer = official.events.patch(
        applicationId=ids.application, query={"id": ids.event}, updates={"state": "resolved"}
    )
    assert answer == {"success": True}
    assert count(sandbox, "events WHERE id = ? AND state = 2", ids.event) == 1
    queued = official.events.patch(applicationId=ids.application, updates={"state": "new"})
    assert queued["jobQueued"] is True
    wait_for_jobs(official, sandbox, ids)
    assert count(sandbox, "events WHERE state <> 0") == 0


@drives("events.delete")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    before = count(sandbox, "events")
    answer = official.events.delete(applicationId=ids.application, query={"id": ids.event})
    assert answer == {"removed": 1}
    assert count(sandbox, "events") == before - 1
    queued = official.events.delete(applicationId=ids.application, query={"level": "info"})
    assert queued["jobQueued"] is True
    wait_for_jobs(official, sandbox, ids)
    assert count(sandbox, "events WHERE level = 0") == 0
    assert count(sandbox, "events") > 0


@drives("events.export")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    answer = official.events.export(
        applicationId=ids.application, exportData={"format": "json", "query": {"state": "new"}}
    )
    assert answer["jobQueued"] is True
    exported = json.loads(exported_file(official, sandbox, ids))
    assert len(exported) == count(sandbox, "events WHERE state = 0")


@drives("events.mostRecentBySeverity")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    answer = official.events.most_recent_by_severity(applicationId=ids.application)
    assert answer["newCount"] == count(sandbox, "events WHERE state = 0")
    worst = sandbox.store.rows(
        "SELECT id FROM events WHERE state = 0 ORDER BY level DESC, creationDate DESC LIMIT 1"
    )
    assert answer["event"]["id"] == worst[0]["id"]


@drives("event.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    event = official.event.get(applicationId=ids.application, eventId=ids.event)
    [row] = sandbox.store.rows("SELECT subject FROM events WHERE id = ?", ids.event)
    assert event["subject"] == row["subject"]


@drives("event.patch")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    change = {"state": "acknowledged", "comment": "On it"}
    event = official.event.patch(applicationId=ids.application, eventId=ids.event, event=change)
    assert event["state"] == "acknowledged"
    assert event["updates"][-1]["comment"] == "On it"
    assert count(sandbox, "events WHERE id = ? AND state = 1", ids.event) == 1


@drives("event.delete")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    answer = official.event.delete(applicationId=ids.application, eventId=ids.event)
    assert answer == {"success": True}
    assert count(sandbox, "events WHERE id = ?", ids.event) == 0
