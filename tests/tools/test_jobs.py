"""Background jobs: followed to their end, or left to list_jobs; never a false word on a write."""

from __future__ import annotations

from typing import Any

import pytest

from tests.calling import Connect, by_column, cells, refusal, result
from tests.served import Sandbox


def _jobs_end(sandbox: Sandbox, how: str) -> None:
    """Every job from now on is ``stuck``, ``errored`` or ``failed``."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('job_fault', ?)", (how,))


async def test_a_job_that_goes_on_is_queued_and_not_repeated(
    connect: Connect, sandbox: Sandbox
) -> None:
    """After the wait the answer says that Losant has it, and where its state can be seen."""
    _jobs_end(sandbox, "stuck")
    client = await connect(job_seconds=0.5)
    found = await result(client, "export_events", query={"level": "critical"})
    assert found["status"] == "queued"
    assert "list_jobs tells its state; do not repeat it." in found["message"]
    [job] = by_column(await result(client, "list_jobs"))
    assert (job["name"], job["status"]) == ("ExportEvents", "inProgress")


@pytest.mark.parametrize("how", ["errored", "failed"])
async def test_a_job_that_fails_is_an_error(connect: Connect, sandbox: Sandbox, how: str) -> None:
    """Losant's reason is quoted; whether something was done is not known."""
    _jobs_end(sandbox, how)
    client = await connect()
    text = await refusal(client, "export_rows", dataTableId="sites")
    assert f"ended as {how}" in text
    assert 'Losant says: "The job ended early"' in text
    assert "Nothing was changed" not in text


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 403}, {"kind": "html"}])
async def test_a_job_that_cannot_be_followed_is_still_started(
    connect: Connect, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    """A token that may not read job logs, or a log that fails, takes nothing back."""
    client = await connect(job_seconds=0.5)
    sandbox.set_faults({"endpoint": "applicationJobLogs.get", **fault})
    found = await result(client, "export_events", query={"level": "critical"})
    assert found["status"] == "queued"
    [(jobs,)] = sandbox.store.rows("SELECT COUNT(*) FROM jobs WHERE name = 'ExportEvents'")
    assert jobs == 1


async def test_download_links_are_shown_to_who_started_the_job(
    connect: Connect, sandbox: Sandbox
) -> None:
    """This server's own exports keep their links; those of others have none here."""
    sandbox.http().post(f"{sandbox.application_url}/events/export", json={"query": {"id": "x"}})
    with sandbox.store.transaction(write=True) as db:
        # Two alike within two seconds could not be told apart.
        db.execute("UPDATE jobs SET runQueuedAt = runQueuedAt - 60000")
    client = await connect()
    own = await result(client, "export_events", query={"level": "critical"})
    jobs = {row["id"]: row for row in by_column(await result(client, "list_jobs"))}
    [foreign] = jobs.keys() - {own["jobId"]}
    assert jobs[own["jobId"]]["result"] == own["output"]
    assert jobs[foreign]["result"] == {"downloadUrls": "shown to who started the job"}
    [one] = by_column(await result(client, "list_jobs", jobId=foreign))
    assert "http" not in str(one["result"])


async def test_list_jobs_finds_by_query_and_says_where_there_are_none(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Newest first; an empty answer explains itself."""
    client = await connect()
    assert (await result(client, "list_jobs"))["hint"] == "No job has run."
    await result(client, "export_events", query={"level": "critical"})
    await result(client, "export_rows", dataTableId="sites")
    assert cells(await result(client, "list_jobs"), "name") == ["ExportDataTable", "ExportEvents"]
    some = await result(client, "list_jobs", query={"resourceType": "event"})
    assert cells(some, "name") == ["ExportEvents"]
    none = await result(client, "list_jobs", query={"status": "errored"})
    assert none["hint"] == "No job matches the query."
    assert "past the end" in (await result(client, "list_jobs", page=3))["hint"]
