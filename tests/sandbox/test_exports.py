"""Exports in the sandbox: files that are really written and can be downloaded."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

from tests.sandbox.demo_http import OTHER_PUMP, PUMP, at_application, newest_log, set_job_fault
from tests.served import Sandbox

PARTS = "5f0c0de03000000000000004"
SITES = "5f0c0de03000000000000001"


@pytest.fixture
def http(sandbox: Sandbox) -> httpx.Client:
    """A client with the full token, at the demo application."""
    return at_application(sandbox)


def downloads(http: httpx.Client, path: str, body: dict[str, Any]) -> list[httpx.Response]:
    """The files of an export, once its job has completed."""
    answer = http.post(path, json=body)
    assert answer.status_code == 202, answer.text
    log = newest_log(http)
    assert log["status"] == "completed", log
    # A download link works without a token, as the one in an e-mail must.
    return [httpx.get(url, verify=False) for url in log["output"]["downloadUrls"]]  # noqa: S501 - loopback, no TLS


def table(file: httpx.Response) -> list[dict[str, str]]:
    """The lines of a CSV file by column."""
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(file.text, newline="")))


def test_events_are_exported_as_csv(http: httpx.Client, sandbox: Sandbox) -> None:
    """Without options, every event is a line, with tags and history as JSON."""
    [file] = downloads(http, "/events/export", {})
    lines = table(file)
    stored = sandbox.store.rows("SELECT id, subject FROM events ORDER BY creationDate, id")
    assert [(line["id"], line["subject"]) for line in lines] == [tuple(row) for row in stored]
    assert any(json.loads(line["updates"]) for line in lines)
    assert newest_log(http)["resourceType"] == "event"


def test_events_are_exported_as_json(http: httpx.Client) -> None:
    """A query narrows the file, and updates can be left out."""
    body = {
        "format": "json",
        "excludeUpdates": True,
        "query": {"level": "critical", "state": "new"},
    }
    [file] = downloads(http, "/events/export", body)
    assert file.headers["content-type"] == "application/json"
    events = file.json()
    assert len(events) == 5
    assert all(event["level"] == "critical" and "updates" not in event for event in events)


def test_rows_are_exported_as_csv(http: httpx.Client, sandbox: Sandbox) -> None:
    """Query, sort and limit of the options decide which rows the file holds."""
    body = {
        "query": {"stock": 0},
        "queryOptions": {"sortColumn": "partNumber", "sortDirection": "desc", "limit": 3},
    }
    [file] = downloads(http, f"/data-tables/{PARTS}/rows/export", body)
    stored = sandbox.store.rows(
        f"SELECT c0 FROM rows_{PARTS} WHERE c3 = 0 ORDER BY c0 DESC LIMIT 3"
    )
    assert [line["partNumber"] for line in table(file)] == [row["c0"] for row in stored]
    log = newest_log(http)
    assert (log["resourceType"], log["resourceId"]) == ("datatable", PARTS)


def test_device_data_is_exported_as_csv(http: httpx.Client, sandbox: Sandbox) -> None:
    """A report is a line, an attribute a column, and the dates are both ways of telling it."""
    body = {"deviceIds": [PUMP, OTHER_PUMP], "attributes": ["flow", "running"], "start": 0}
    [file] = downloads(http, "/data/export", body)
    lines = table(file)
    assert lines[0].keys() == {"timestamp", "date", "deviceId", "deviceName", "flow", "running"}
    assert len(lines) == 2 * 30 * 96
    [row] = sandbox.store.rows(
        "SELECT time, value FROM points WHERE deviceId = ? AND attribute = 'flow'"
        " ORDER BY time LIMIT 1",
        PUMP,
    )
    assert (lines[0]["timestamp"], lines[0]["flow"]) == (str(row["time"]), str(row["value"]))
    assert lines[0]["running"] in ("true", "false")


def test_device_data_can_fill_a_file_per_device(http: httpx.Client) -> None:
    """Options leave columns out and split the files."""
    body = {
        "deviceIds": [PUMP, OTHER_PUMP],
        "attributes": ["flow"],
        "options": {"filePerDevice": True, "includeDate": False, "includeID": False},
    }
    files = downloads(http, "/data/export", body)
    assert len(files) == 2
    for file, name in zip(files, ("Alder Street Pump 1", "Alder Street Pump 2"), strict=True):
        lines = table(file)
        assert lines[0].keys() == {"timestamp", "deviceName", "flow"}
        assert {line["deviceName"] for line in lines} == {name}


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/events/export", "/data/export"),
        ("/data/export", "/events/export"),
        (f"/data-tables/{PARTS}/rows/export", f"/data-tables/{SITES}/rows/export"),
    ],
)
def test_one_export_at_a_time(http: httpx.Client, sandbox: Sandbox, path: str, other: str) -> None:
    """While one runs, the same is refused with 429 and queues nothing, and others go on."""
    set_job_fault(sandbox, "stuck")
    assert http.post(path, json={}).status_code == 202
    newest_log(http, "inProgress")
    refused = http.post(path, json={})
    assert refused.status_code == 429
    assert len(sandbox.store.rows("SELECT 1 FROM jobs")) == 1
    assert http.post(other, json={}).status_code == 202


def test_an_export_that_fails_leaves_no_file(http: httpx.Client, sandbox: Sandbox) -> None:
    """The log says errored, and the next export may start."""
    set_job_fault(sandbox, "errored")
    http.post("/events/export", json={})
    assert newest_log(http)["status"] == "errored"
    assert not sandbox.store.rows("SELECT 1 FROM files")
    assert http.post("/events/export", json={}).status_code == 202


def test_an_export_that_cannot_be_made_ends_errored(http: httpx.Client) -> None:
    """A column that does not exist is told by the log, and not before."""
    body = {"queryOptions": {"sortColumn": "noSuchColumn"}}
    assert http.post(f"/data-tables/{PARTS}/rows/export", json=body).status_code == 202
    log = newest_log(http)
    assert (log["status"], log["error"]["name"]) == ("errored", "Validation")


def test_a_dead_export_does_not_block_the_next(http: httpx.Client, sandbox: Sandbox) -> None:
    """Ten minutes after a job that never ended, another may start."""
    set_job_fault(sandbox, "stuck")
    http.post("/events/export", json={})
    newest_log(http, "inProgress")
    later = sandbox.store.clock() + 600_000
    sandbox.store.clock = lambda: later
    assert http.post("/events/export", json={}).status_code == 202


def test_an_export_of_no_table_is_not_found(http: httpx.Client, sandbox: Sandbox) -> None:
    """An unknown table is a 404, and no job was made."""
    answer = http.post(f"/data-tables/{'0' * 24}/rows/export", json={})
    assert answer.status_code == 404
    assert not sandbox.store.rows("SELECT 1 FROM jobs")


def test_an_unknown_download_is_not_found(sandbox: Sandbox) -> None:
    """Only the whole id of a file gives the file."""
    assert sandbox.http(None).get(f"/sandbox/files/{'0' * 24}").status_code == 404
