"""Events in the sandbox: how they are found, raised, changed and deleted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.demo_http import OTHER_PUMP, PUMP, at_application, ids, query
from tests.served import Sandbox


@pytest.fixture
def http(sandbox: Sandbox) -> httpx.Client:
    """A client with the full token, at the demo application."""
    return at_application(sandbox)


@pytest.fixture
def bulk(sandbox: Sandbox) -> httpx.Client:
    """The same for pages of thousands of events, which are not held against their schema."""
    return at_application(sandbox, checked=False)


def raised(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    """A new event."""
    answer = http.post("/events", json={"level": "info", "subject": "A test", **fields})
    assert answer.status_code == 201, answer.text
    event: dict[str, Any] = answer.json()
    return event


def test_the_newest_hundred_events_are_the_first_page(http: httpx.Client, sandbox: Sandbox) -> None:
    """Without parameters, the newest 100 of all events come in the documented envelope."""
    page = http.get("/events").json()
    stored = sandbox.store.rows(
        "SELECT id FROM events ORDER BY creationDate DESC, id DESC LIMIT 100"
    )
    assert ids(page.pop("items")) == [row["id"] for row in stored]
    assert page == {
        "count": 100,
        "totalCount": 2000,
        "page": 0,
        "perPage": 100,
        "sortField": "creationDate",
        "sortDirection": "desc",
        "applicationId": sandbox.application_id,
    }


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["level", "state", "subject", "deviceId"])
def test_pages_of_any_sort_cover_every_event_once(
    bulk: httpx.Client, field: str, direction: str
) -> None:
    """Ties are broken by id, so that pages neither overlap nor leave gaps."""
    seen: list[str] = []
    for page in range(4):
        params = {"sortField": field, "sortDirection": direction, "perPage": "500"}
        answer = bulk.get("/events", params={**params, "page": str(page)})
        seen += ids(answer.json()["items"])
    assert len(seen) == len(set(seen)) == 2000


def test_levels_sort_by_severity(bulk: httpx.Client) -> None:
    """Sorted by level, the critical events come first and not where the alphabet puts them."""
    items = bulk.get("/events", params={"sortField": "level", "perPage": 2000}).json()["items"]
    order = list(dict.fromkeys(item["level"] for item in items))
    assert order == ["critical", "error", "warning", "info"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("Pump 1 hot", {"Pump 1 hot"}),
        ("pump 1 HOT", {"Pump 1 hot"}),
        ("Pump 1", set()),
        ("Pump*", {"Pump 1 hot", "Pump_1 cold"}),
        ("*cold", {"Pump_1 cold", "Über 100 % cold"}),
        ("*100 %*", {"Über 100 % cold"}),
        ("über*", {"Über 100 % cold"}),
        ("Pump_1*", {"Pump_1 cold"}),
        ("Pump ? hot", set()),
    ],
)
def test_a_filter_globs_over_the_whole_subject(
    empty_sandbox: Sandbox, pattern: str, found: set[str]
) -> None:
    """Only the asterisk is special, both ends are anchored, and case does not matter."""
    http = at_application(empty_sandbox)
    for subject in ("Pump 1 hot", "Pump_1 cold", "Über 100 % cold"):
        raised(http, subject=subject)
    page = http.get("/events", params={"filterField": "subject", "filter": pattern}).json()
    assert {item["subject"] for item in page["items"]} == found
    assert page["filter"] == pattern
    assert page["totalCount"] == len(found)


def test_a_filter_without_its_field_filters_nothing(http: httpx.Client) -> None:
    """As Losant documents it, a blank filterField means no filtering."""
    assert http.get("/events", params={"filter": "no such subject"}).json()["totalCount"] == 2000


def test_a_query_overrides_filter_and_state(http: httpx.Client, sandbox: Sandbox) -> None:
    """Beside a query, filter and state have no effect."""
    params = {"filterField": "subject", "filter": "no such subject", "state": "resolved"}
    page = http.get("/events", params={**params, **query({"level": {"$gte": "critical"}})}).json()
    [[count]] = sandbox.store.rows("SELECT COUNT(*) FROM events WHERE level = 3")
    assert page["totalCount"] == count > 0
    assert page["query"] == {"level": {"$gte": "critical"}}


@pytest.mark.parametrize(
    ("condition", "sql"),
    [
        ({"level": {"$gte": "warning"}}, "level >= 1"),
        ({"state": {"$lt": "resolved"}}, "state < 2"),
        ({"deviceId": None}, "deviceId IS NULL"),
        ({"deviceId": {"$ne": PUMP}}, f"deviceId IS NOT '{PUMP}'"),
        ({"subject": {"$startsWith": "low", "$ci": True}}, "subject LIKE 'low%'"),
        (
            {"eventTags": {"site": "MIL"}},
            "id IN (SELECT eventId FROM event_tags WHERE value='MIL')",
        ),
        ({"eventTags": None}, "id NOT IN (SELECT eventId FROM event_tags)"),
        ({"sourceType": "device"}, "sourceType = 'device'"),
        ({"experienceUserId": {"$ne": PUMP}}, "1"),
    ],
)
def test_queries_reach_every_kind_of_field(
    bulk: httpx.Client, sandbox: Sandbox, condition: dict[str, Any], sql: str
) -> None:
    """Ranks are ordered, null is a value, and tags are their own language."""
    page = bulk.get("/events", params={**query(condition), "perPage": 2000}).json()
    stored = {row["id"] for row in sandbox.store.rows(f"SELECT id FROM events WHERE {sql}")}
    assert set(ids(page["items"])) == stored
    assert stored


def test_the_most_severe_new_event_is_the_newest_of_the_worst(
    http: httpx.Client, sandbox: Sandbox
) -> None:
    """Severity counts first and age second, and the count is of all new events."""
    body = http.get("/events/mostRecentBySeverity").json()
    [expected] = sandbox.store.rows(
        "SELECT id, (SELECT COUNT(*) FROM events WHERE state = 0) AS new FROM events"
        " WHERE state = 0 ORDER BY level DESC, creationDate DESC LIMIT 1"
    )
    assert (body["event"]["id"], body["newCount"]) == (expected["id"], expected["new"])


def test_the_most_severe_new_event_can_be_asked_of_some(http: httpx.Client) -> None:
    """A filter narrows event and count, and a query overrides the filter."""
    storm = http.get("/events/mostRecentBySeverity", params={"filter": "Low suction*"}).json()
    assert (storm["newCount"], storm["event"]["level"]) == (340, "error")
    params = {"filter": "Low suction*", **query({"level": "critical"})}
    assert http.get("/events/mostRecentBySeverity", params=params).json()["newCount"] == 5


def test_no_new_event_is_told_by_its_absence(empty_sandbox: Sandbox) -> None:
    """Where none is new, the count is 0 and there is no event."""
    answer = empty_sandbox.http().get(
        f"{empty_sandbox.application_url}/events/mostRecentBySeverity"
    )
    assert answer.json() == {"newCount": 0}


@pytest.mark.parametrize(("token", "source_type"), [("full", "user"), ("application", "apiToken")])
def test_a_new_event_knows_who_raised_it(sandbox: Sandbox, token: str, source_type: str) -> None:
    """State and dates have defaults, the source comes from the token, the name from the device."""
    sandbox.store.clock = lambda: 1_780_000_000_000
    body = {"level": "error", "subject": "A test", "deviceId": PUMP, "eventTags": {"a": "b"}}
    answer = sandbox.http(token).post(f"{sandbox.application_url}/events", json=body)
    assert answer.status_code == 201
    event = answer.json()
    assert event["sourceType"] == source_type
    assert (event["state"], event["deviceName"]) == ("new", "Alder Street Pump 1")
    assert event["creationDate"] == event["lastUpdated"] == "2026-05-28T20:26:40.000Z"
    assert (event["eventTags"], event["updates"]) == ({"a": "b"}, [])
    [row] = sandbox.store.rows("SELECT * FROM events WHERE id = ?", event["id"])
    assert (row["level"], row["state"], row["deviceId"]) == (2, 0, PUMP)


@pytest.mark.parametrize(
    "given",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T04:04:05+01:00",
        1767323045000,
        {"$date": "2026-01-02T03:04:05.000Z"},
    ],
)
def test_an_event_can_be_raised_for_another_time(http: httpx.Client, given: Any) -> None:
    """A creation date comes as ISO 8601, as ms since the epoch, or as a date object."""
    assert raised(http, creationDate=given)["creationDate"] == "2026-01-02T03:04:05.000Z"


@pytest.mark.parametrize(
    "wrong",
    [
        {"deviceId": "5f0c0de02000000000ffffff"},
        {"creationDate": "yesterday"},
        {"creationDate": 1e18},
        {"level": "fatal"},
        {"eventTags": {"a": ""}},
    ],
)
def test_an_event_that_is_wrong_is_not_stored(
    http: httpx.Client, sandbox: Sandbox, wrong: dict[str, Any]
) -> None:
    """A refused event leaves nothing behind."""
    answer = http.post("/events", json={"level": "info", "subject": "A test", **wrong})
    assert (answer.status_code, answer.json()["type"]) == (400, "Validation")
    assert [tuple(row) for row in sandbox.store.rows("SELECT COUNT(*) FROM events")] == [(2000,)]


def test_the_sixteenth_event_in_fifteen_seconds_is_refused(
    http: httpx.Client, sandbox: Sandbox
) -> None:
    """Deleting does not make room, waiting does, and no Retry-After is published."""
    now = sandbox.store.clock()
    sandbox.store.clock = lambda: now
    for _ in range(15):
        http.delete(f"/events/{raised(http)['id']}")
    refused = http.post("/events", json={"level": "info", "subject": "One too many"})
    assert (refused.status_code, refused.headers.get("Retry-After")) == (429, None)
    assert not sandbox.store.rows("SELECT 1 FROM events WHERE subject = 'One too many'")
    sandbox.store.clock = lambda: now + 15_000
    raised(http, subject="One later")


def test_a_change_is_kept_with_who_made_it(http: httpx.Client, sandbox: Sandbox) -> None:
    """The history holds old and new of all that changed, and nothing else."""
    event = raised(http, deviceId=PUMP, eventTags={"kept": "1", "moved": "2"}, data={"n": 1})
    later = sandbox.store.clock() + 60_000
    sandbox.store.clock = lambda: later
    patch = {
        "state": "acknowledged",
        "level": "info",
        "subject": "A better test",
        "deviceId": OTHER_PUMP,
        "comment": "On it.",
        "data": {"n": 2},
        "eventTags": {"moved": "3", "added": "4"},
    }
    changed = http.patch(f"/events/{event['id']}", json=patch).json()
    assert http.get(f"/events/{event['id']}").json() == changed
    [update] = changed["updates"]
    assert changed["lastUpdated"] == update.pop("creationDate") > event["lastUpdated"]
    assert update == {
        "sourceType": "user",
        "sourceId": "5f0000000000000000000001",
        "sourceName": "Sandbox User",
        "state": "acknowledged",
        "stateChange": {"old": "new", "new": "acknowledged"},
        "subjectChange": {"old": "A test", "new": "A better test"},
        "deviceIdChange": {
            "old": PUMP,
            "oldDeviceName": "Alder Street Pump 1",
            "new": OTHER_PUMP,
            "newDeviceName": "Alder Street Pump 2",
        },
        "comment": "On it.",
        "data": {"n": 2},
        "tagsChange": {"moved": {"old": "2", "new": "3"}, "added": {"new": "4"}},
    }
    assert changed["eventTags"] == {"kept": "1", "moved": "3", "added": "4"}
    assert changed["data"] == {"n": 1}


@pytest.mark.parametrize("patch", [{}, {"state": "new"}, {"eventTags": {"a": "b"}}])
def test_a_patch_that_changes_nothing_leaves_no_trace(
    http: httpx.Client, patch: dict[str, Any]
) -> None:
    """An empty patch succeeds, and so does one that repeats what is there."""
    event = raised(http, eventTags={"a": "b"})
    assert http.patch(f"/events/{event['id']}", json=patch).json() == event


def test_a_null_device_detaches_the_event(http: httpx.Client) -> None:
    """The event has no device any more, and its history names the old one."""
    event = raised(http, deviceId=PUMP)
    changed = http.patch(f"/events/{event['id']}", json={"deviceId": None}).json()
    assert "deviceId" not in changed
    assert "deviceName" not in changed
    old = {"old": PUMP, "oldDeviceName": "Alder Street Pump 1"}
    assert changed["updates"][0]["deviceIdChange"] == old


def test_the_newest_hundred_updates_are_kept(http: httpx.Client, sandbox: Sandbox) -> None:
    """Beyond the published 100 entries, the oldest go."""
    event = raised(http)
    for number in range(103):
        http.patch(f"/events/{event['id']}", json={"comment": str(number)})
    updates = http.get(f"/events/{event['id']}").json()["updates"]
    assert [update["comment"] for update in updates] == [str(n) for n in range(3, 103)]
    stored = sandbox.store.rows("SELECT 1 FROM event_updates WHERE eventId = ?", event["id"])
    assert len(stored) == 100


def test_tag_changes_can_go_unrecorded(http: httpx.Client) -> None:
    """With disableTagChangeTracking the tag changes and the history says nothing of it."""
    event = raised(http, eventTags={"a": "1"}, disableTagChangeTracking=True)
    changed = http.patch(f"/events/{event['id']}", json={"eventTags": {"a": "2"}}).json()
    assert (changed["eventTags"], changed["updates"]) == ({"a": "2"}, [])


def test_an_event_is_deleted_with_all_that_belongs_to_it(
    http: httpx.Client, sandbox: Sandbox
) -> None:
    """Tags and history go with the event, and a second delete finds nothing."""
    event = raised(http, eventTags={"a": "1"})
    http.patch(f"/events/{event['id']}", json={"comment": "Gone soon."})
    assert http.delete(f"/events/{event['id']}").json() == {"success": True}
    for table, column in (
        ("events", "id"),
        ("event_tags", "eventId"),
        ("event_updates", "eventId"),
    ):
        assert not sandbox.store.rows(f"SELECT 1 FROM {table} WHERE {column} = ?", event["id"])
    gone = http.delete(f"/events/{event['id']}")
    assert (gone.status_code, gone.json()["type"]) == (404, "NotFound")


def test_a_patch_to_an_unknown_device_changes_nothing(http: httpx.Client, sandbox: Sandbox) -> None:
    """One event or many, the whole patch is refused."""
    event = raised(http)
    before = [tuple(row) for row in sandbox.store.rows("SELECT * FROM events ORDER BY id")]
    patch = {"state": "resolved", "deviceId": "5f0c0de02000000000ffffff"}
    assert http.patch(f"/events/{event['id']}", json=patch).status_code == 400
    assert http.patch("/events", json=patch).status_code == 400
    assert [tuple(row) for row in sandbox.store.rows("SELECT * FROM events ORDER BY id")] == before
