"""The demo application over plain HTTP, as the tests of its endpoints ask it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.served import Sandbox

PUMP = "5f0c0de02000000000000001"
OTHER_PUMP = "5f0c0de02000000000000002"
ENDED = ("completed", "errored", "failed")


def at_application(sandbox: Sandbox, *, checked: bool = True) -> httpx.Client:
    """A client with the full token whose paths start below the application.

    Holding thousands of items against their schema takes seconds, so that it can be left out.
    """
    client = sandbox.http(checked=checked)
    client.base_url = httpx.URL(f"{sandbox.url}{sandbox.application_url}")
    return client


def query(query: dict[str, Any]) -> dict[str, str]:
    """An advanced query as the query parameter that GET and PATCH take."""
    return {"query": json.dumps(query)}


def ids(items: list[dict[str, Any]]) -> list[str]:
    """The ids of a page's items."""
    return [item["id"] for item in items]


def newest_log(http: httpx.Client, *until: str) -> dict[str, Any]:
    """The newest job's log, once it has one of the statuses; jobs of the demo take moments."""
    params: dict[str, Any] = {"sortDirection": "desc", "perPage": 1}
    items: list[dict[str, Any]] = []
    for _ in range(2000):
        items = http.get("/jobLogs", params=params).json()["items"]
        if items and items[0]["status"] in (until or ENDED):
            return items[0]
    raise AssertionError(f"the job did not end: {items}")


def set_job_fault(sandbox: Sandbox, kind: str) -> None:
    """Make jobs that start from now on go wrong."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('job_fault', ?)", (kind,))
