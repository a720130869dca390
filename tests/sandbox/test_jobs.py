"""Background jobs in the sandbox: bulk work on events, their logs, callbacks and faults."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from tests.calling import stored
from tests.sandbox.demo_http import at_application, newest_log, query, set_job_fault
from tests.served import Sandbox


@pytest.fixture
def http(sandbox: Sandbox) -> httpx.Client:
    """A client with the full token, at the demo application."""
    return at_application(sandbox)


def test_few_events_are_changed_at_once(http: httpx.Client, sandbox: Sandbox) -> None:
    """Below the threshold the answer is 200, exactly the meant events changed, no job ran."""
    params = query({"level": "critical", "state": "new"})
    answer = http.patch("/events", params=params, json={"state": "resolved", "comment": "Done."})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert not sandbox.store.rows("SELECT 1 FROM events WHERE level = 3 AND state = 0")
    noted = sandbox.store.rows("SELECT 1 FROM event_updates WHERE entry LIKE '%Done.%'")
    assert len(noted) == 5
    assert not sandbox.store.rows("SELECT 1 FROM jobs")


def test_few_events_are_deleted_at_once(http: httpx.Client, sandbox: Sandbox) -> None:
    """The answer says how many were removed, and no others were."""
    answer = http.post("/events/delete", json={"level": "critical", "state": "new"})
    assert (answer.status_code, answer.json()) == (200, {"removed": 5})
    assert len(sandbox.store.rows("SELECT 1 FROM events")) == 1995


def test_many_events_are_changed_by_a_job(http: httpx.Client, sandbox: Sandbox) -> None:
    """The answer is 202, and what was meant has changed when the log says completed."""
    params = {"filterField": "subject", "filter": "low suction*", "state": "new"}
    answer = http.patch("/events", params=params, json={"state": "acknowledged"})
    assert answer.status_code == 202
    log = newest_log(http)
    assert log["status"] == "completed"
    assert log["output"] == {"updated": 340}
    assert log["progress"] == {"completed": 340, "total": 340}
    assert not sandbox.store.rows(
        "SELECT 1 FROM events WHERE subject LIKE 'Low suction%' AND state = 0"
    )
    assert sandbox.store.rows("SELECT 1 FROM events WHERE state = 0")


def test_a_delete_without_a_query_means_everything(http: httpx.Client, sandbox: Sandbox) -> None:
    """Without a body, every event of the application goes, with all that belongs to it."""
    answer = http.post("/events/delete")
    assert answer.status_code == 202
    assert newest_log(http)["output"] == {"removed": 2000}
    for table in ("events", "event_tags", "event_updates"):
        assert not sandbox.store.rows(f"SELECT 1 FROM {table}")


def test_a_read_only_token_can_delete_in_bulk(sandbox: Sandbox) -> None:
    """As published, the scopes of a bulk delete include the read-only ones."""
    url = f"{sandbox.application_url}/events/delete"
    answer = sandbox.http("read").post(url, json={"level": "critical", "state": "new"})
    assert answer.json() == {"removed": 5}


def test_a_job_id_does_not_match_its_log(http: httpx.Client) -> None:
    """As in API 1.30.0, the answer has 21 characters and the log has 24 hexadecimal ones."""
    answer = http.patch("/events", json={"comment": "All of them."}).json()
    assert answer.keys() == {"success", "jobQueued", "jobId"}
    assert re.fullmatch(r"[\w-]{21}", answer["jobId"])
    log = newest_log(http)
    assert re.fullmatch(r"[0-9a-f]{24}", log["id"])
    assert http.get(f"/jobLogs/{log['id']}").json() == log
    assert http.get(f"/jobLogs/{answer['jobId']}").status_code == 404
    assert http.get(f"/jobLogs/{'0' * 24}").status_code == 404


def test_a_log_tells_who_asked_for_what(http: httpx.Client, sandbox: Sandbox) -> None:
    """The log keeps the request's query, address and owner, and when the job ran."""
    http.patch(
        "/events",
        params={**query({"state": "new"}), "email": "ops@example.com"},
        json={"state": "acknowledged"},
    )
    log = newest_log(http)
    assert log["name"] == "BulkUpdateEvents"
    assert log["resourceType"] == "event"
    assert log["requestedByType"] == "user"
    assert log["input"] == {"query": '{"state": "new"}', "emails": ["ops@example.com"]}
    assert log["runQueuedAt"] <= log["runStartedAt"] <= log["runCompletedAt"]


def test_logs_can_be_queried_and_sorted(http: httpx.Client) -> None:
    """The oldest job comes first, and a query finds jobs by name and status."""
    http.patch("/events", json={"comment": "One."})
    first = newest_log(http)
    http.post("/events/delete", json={"state": "new"})
    assert newest_log(http)["name"] == "BulkDeleteEvents"
    page = http.get("/jobLogs").json()
    assert [item["name"] for item in page["items"]] == ["BulkUpdateEvents", "BulkDeleteEvents"]
    assert (page["sortField"], page["sortDirection"]) == ("runQueuedAt", "asc")
    wanted = {"name": {"$contains": "update", "$ci": True}, "status": "completed"}
    page = http.get("/jobLogs", params=query(wanted)).json()
    assert (page["items"], page["query"]) == ([first], wanted)


@pytest.mark.parametrize("kind", ["errored", "failed"])
def test_a_job_can_be_told_to_fail(http: httpx.Client, sandbox: Sandbox, kind: str) -> None:
    """The log ends with an error, and nothing was deleted."""
    set_job_fault(sandbox, kind)
    assert http.post("/events/delete", json={}).status_code == 202
    log = newest_log(http)
    assert (log["status"], log["error"].keys()) == (kind, {"name", "message"})
    assert "output" not in log
    assert len(sandbox.store.rows("SELECT 1 FROM events")) == 2000


def test_a_job_can_be_told_to_hang(http: httpx.Client, sandbox: Sandbox) -> None:
    """The log says inProgress, and nothing was deleted."""
    set_job_fault(sandbox, "stuck")
    http.post("/events/delete", json={})
    assert "runCompletedAt" not in newest_log(http, "inProgress")
    assert len(sandbox.store.rows("SELECT 1 FROM events")) == 2000


def test_a_job_can_be_told_to_take_its_time(http: httpx.Client, sandbox: Sandbox) -> None:
    """A slow job is seen in progress before it completes."""
    set_job_fault(sandbox, "slow")
    http.post("/events/delete", json={})
    assert "output" not in newest_log(http, "inProgress")
    assert newest_log(http)["output"] == {"removed": 2000}


def test_the_callback_is_called_with_the_log(http: httpx.Client) -> None:
    """Once the job has ended, its log is posted to the callback."""
    with _listener() as (url, posted):
        http.post("/events/delete", params={"callbackUrl": url}, json={})
        log = newest_log(http)
    assert posted == [log]
    assert log["input"]["callbackUrl"] == url


@pytest.mark.parametrize(
    ("name", "value"),
    [("callbackUrl", "file:///etc/passwd"), ("callbackUrl", "none"), ("email", "nobody")],
)
def test_a_callback_is_http_and_an_email_is_one(
    http: httpx.Client, sandbox: Sandbox, name: str, value: str
) -> None:
    """In a parameter as in a body: refused, and nothing is deleted."""
    before = stored(sandbox)
    answer = http.post("/events/delete", params={name: value}, json={})
    assert answer.status_code == 400
    assert name in answer.json()["message"]
    assert stored(sandbox) == before


def test_a_callback_that_nobody_answers_does_no_harm(http: httpx.Client) -> None:
    """The job is completed all the same."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        url = f"http://127.0.0.1:{server.server_port}/closed"
    http.post("/events/delete", params={"callbackUrl": url}, json={})
    assert newest_log(http)["status"] == "completed"


@contextmanager
def _listener() -> Iterator[tuple[str, list[Any]]]:
    """A server that takes one request; leaving waits for it, for 10 seconds at most."""
    posted: list[Any] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.timeout = 10
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/done", posted
        finally:
            thread.join()
