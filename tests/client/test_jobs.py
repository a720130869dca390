"""Background jobs, followed through the sandbox's job log to whatever end they come to."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from time import monotonic

import anyio
import httpx
import pytest
from pydantic import SecretStr

from losant_mcp.api.events import EventPatch, EventsExport
from losant_mcp.api.lookup import JobLog
from losant_mcp.api.tables import DataTableRowsExport
from losant_mcp.api.types import JobEnqueued
from losant_mcp.client import LosantClient
from losant_mcp.client.jobs import UnclearJob, follow_job
from losant_mcp.errors import JobFailed, NotFound, describe
from tests.served import Sandbox


def tell_jobs_to_be(sandbox: Sandbox, fault: str) -> None:
    """Make the next jobs end as ``errored`` or ``failed``, or be ``slow`` or ``stuck``."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('job_fault', ?)", (fault,))


async def export(losant: LosantClient, sandbox: Sandbox) -> JobEnqueued:
    """Start an export of events."""
    return await losant.events_export(
        applicationId=sandbox.application_id, body=EventsExport(format="json")
    )


async def test_a_job_whose_id_matches_no_log_is_found_and_followed(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """From 21 characters to the log of that very job, whose file can be downloaded."""
    began = monotonic()
    enqueued = await export(losant, sandbox)
    assert len(enqueued.jobId) == 21
    log = await follow_job(
        losant, sandbox.application_id, enqueued, resourceType="event", began=began, wait_scale=0
    )
    assert isinstance(log, JobLog)
    assert log.status == "completed"
    assert log.output is not None
    [url] = log.output["downloadUrls"]
    path = httpx.URL(url).path
    assert len(json.loads(sandbox.http().get(path).content)) == 2000


async def test_a_job_id_of_24_digits_is_read_directly(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """Where the id names a log, as in newer versions of the API, no search is needed."""
    await export(losant, sandbox)
    [row] = sandbox.store.rows("SELECT id FROM jobs")
    log = await follow_job(
        losant, sandbox.application_id, JobEnqueued(jobId=row["id"]), wait_scale=0
    )
    assert isinstance(log, JobLog)
    assert log.id == row["id"]
    assert {request.endpoint_id for request in sandbox.requests[1:]} == {"applicationJobLog.get"}


async def test_a_24_digit_id_without_a_log_is_searched_for(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """An id that only looks like a log's is no dead end."""
    await export(losant, sandbox)
    log = await follow_job(
        losant, sandbox.application_id, JobEnqueued(jobId="0" * 24), resourceType="event",
        wait_scale=0,
    )  # fmt: skip
    assert isinstance(log, JobLog)


async def test_earlier_jobs_and_jobs_about_something_else_are_not_ours(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """What was queued before our request, or is about another resource, is passed over."""
    application = sandbox.application_id
    await losant.events_patch(applicationId=application, body=EventPatch(state="new"))
    with sandbox.store.transaction(write=True) as db:
        db.execute("UPDATE jobs SET runQueuedAt = runQueuedAt - 60000")
    [table] = sandbox.store.rows("SELECT id FROM data_tables WHERE name = 'sites'")
    began = monotonic()
    await losant.data_table_rows_export(
        applicationId=application, dataTableId=table["id"], body=DataTableRowsExport()
    )
    enqueued = await export(losant, sandbox)
    log = await follow_job(
        losant, application, enqueued, resourceType="event", began=began, wait_scale=0
    )
    assert isinstance(log, JobLog)
    newest = sandbox.store.rows("SELECT id FROM jobs ORDER BY runQueuedAt DESC, id DESC LIMIT 1")
    assert log.id == newest[0]["id"]


@pytest.mark.parametrize("hours", [-3, 3])
async def test_a_wrong_clock_on_either_side_does_not_matter(
    losant: LosantClient, sandbox: Sandbox, hours: int
) -> None:
    """Times are compared by Losant's clock, which the first answer may be the first to tell."""
    sandbox.set_faults({"kind": "clock", "offset": hours * 3_600_000})
    began = monotonic()
    enqueued = await export(losant, sandbox)
    log = await follow_job(
        losant, sandbox.application_id, enqueued, resourceType="event", began=began, wait_scale=0
    )
    assert isinstance(log, JobLog)


async def test_two_jobs_that_fit_are_both_told_and_none_is_guessed(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """What is certain is that both completed; whose output is whose is not."""
    first = await export(losant, sandbox)
    assert isinstance(await follow_job(losant, sandbox.application_id, first), JobLog)
    second = await export(losant, sandbox)
    outcome = await follow_job(
        losant, sandbox.application_id, second, resourceType="event", wait_scale=0
    )
    assert isinstance(outcome, UnclearJob)
    assert outcome.why == "several jobs fit"
    assert outcome.status == "completed"
    assert len(outcome.candidates) == 2


async def test_a_job_without_a_log_is_not_made_up(losant: LosantClient, sandbox: Sandbox) -> None:
    """Where no log fits in time, the answer is that nothing is known."""
    outcome = await follow_job(
        losant,
        sandbox.application_id,
        JobEnqueued(jobId="V1StGXR8_Z5jdHi6B-myT"),
        timeout=0.2,
        wait_scale=0.1,
    )
    assert outcome == UnclearJob("V1StGXR8_Z5jdHi6B-myT", (), "no job log fits")
    assert outcome.status == "unknown"


async def test_a_token_that_may_not_read_job_logs_is_no_failure_of_the_job(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """The job was queued all the same, so its end is unknown rather than an error."""
    enqueued = await export(losant, sandbox)
    async with LosantClient(SecretStr(sandbox.tokens["device"]), base_url=sandbox.url) as device:
        outcome = await follow_job(device, sandbox.application_id, enqueued)
    assert outcome == UnclearJob(enqueued.jobId, (), "the token may not read job logs")


@pytest.mark.parametrize("status", ["errored", "failed"])
async def test_a_job_that_ends_badly_says_how_and_why(
    losant: LosantClient, sandbox: Sandbox, status: str
) -> None:
    """The error has the log's status and its words, and does not claim that nothing changed."""
    tell_jobs_to_be(sandbox, status)
    enqueued = await export(losant, sandbox)
    with pytest.raises(JobFailed) as caught:
        await follow_job(losant, sandbox.application_id, enqueued, wait_scale=0)
    assert caught.value.status == status
    told = describe(caught.value)
    assert f'ended as {status}. Losant says: "The job ended early"' in told
    assert told.endswith("Losant may have done it all the same: look before you repeat it.")


async def test_a_job_that_does_not_end_in_time_goes_on_at_losant(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """Giving up says so, and says where to look later."""
    tell_jobs_to_be(sandbox, "stuck")
    enqueued = await export(losant, sandbox)
    with pytest.raises(JobFailed) as caught:
        await follow_job(losant, sandbox.application_id, enqueued, timeout=0.3, wait_scale=0.1)
    assert caught.value.status == "inProgress"
    assert "list_jobs" in describe(caught.value)


async def test_a_slow_job_is_waited_for_and_its_progress_told(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """Each change of the log is told once, and a bad moment of Losant is survived."""
    tell_jobs_to_be(sandbox, "slow")
    told: list[JobLog] = []

    async def on_progress(log: JobLog) -> None:
        told.append(log)

    enqueued = await export(losant, sandbox)
    sandbox.set_faults(
        {"kind": "status", "status": 500, "endpoint": "applicationJobLogs.get", "times": 2}
    )
    log = await follow_job(
        losant, sandbox.application_id, enqueued, on_progress=on_progress, wait_scale=0.2
    )
    assert isinstance(log, JobLog)
    seen = [(log.status, log.progress) for log in told]
    assert (seen[0][0], seen[-1][0]) == ("inProgress", "completed")
    assert all(one != next for one, next in pairwise(seen))


async def test_following_can_be_cancelled(losant: LosantClient, sandbox: Sandbox) -> None:
    """A caller who leaves is not held by a job that never ends."""
    tell_jobs_to_be(sandbox, "stuck")
    enqueued = await export(losant, sandbox)
    with anyio.move_on_after(0.3) as scope:
        await follow_job(losant, sandbox.application_id, enqueued)
    assert scope.cancelled_caught


async def test_an_application_that_is_gone_ends_the_search(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """An error that no waiting mends comes out at once."""
    with pytest.raises(NotFound):
        await follow_job(losant, "0" * 24, JobEnqueued(jobId="x" * 21))
    assert len(sandbox.requests) == 1


async def test_losants_clock_is_known_from_its_answers(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """After any answer the client tells the time by Losant's clock, to the second or two."""
    before = losant.losant_now()
    sandbox.set_faults({"kind": "clock", "offset": 3_600_000})
    await losant.application_get(applicationId=sandbox.application_id)
    ahead = losant.losant_now() - before
    assert timedelta(minutes=59, seconds=58) < ahead < timedelta(minutes=60, seconds=30)
