"""What the official client's drivers share: their register, and looks into the database."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
from losant_rest import Client

from tests.client.calls import Ids
from tests.served import Sandbox

Driver = Callable[[Client, Sandbox, Ids], None]
DRIVERS: dict[str, Driver] = {}


def drives(endpoint_id: str) -> Callable[[Driver], Driver]:
    """Mark what drives an operation."""

    def register(driver: Driver) -> Driver:
        DRIVERS[endpoint_id] = driver
        return driver

    return register


def count(sandbox: Sandbox, where: str, *values: object) -> int:
    """How many rows of the database there are."""
    return int(sandbox.store.rows(f"SELECT count(*) FROM {where}", *values)[0][0])


def wait_for_jobs(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    """Return once the job log knows of no job that still runs."""
    deadline = time.monotonic() + 20
    running = True
    while running:
        assert time.monotonic() < deadline, "a job does not end"
        logs = official.application_job_logs.get(applicationId=ids.application)["items"]
        running = any(log.get("runCompletedAt") is None for log in logs)


def exported_file(official: Client, sandbox: Sandbox, ids: Ids) -> str:
    """The file that the one job made, downloaded from where its log says."""
    wait_for_jobs(official, sandbox, ids)
    [log] = official.application_job_logs.get(applicationId=ids.application)["items"]
    assert log["status"] == "completed"
    [url] = log["output"]["downloadUrls"]
    answer = sandbox.http().get(httpx.URL(url).path)
    assert answer.status_code == 200
    return answer.text
