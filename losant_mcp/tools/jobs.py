"""Background jobs, as tools tell them: followed for a while, then left to ``list_jobs``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from losant_mcp.api.lookup import JobLog
from losant_mcp.api.types import JobEnqueued
from losant_mcp.errors import JobFailed
from losant_mcp.tools.call import Call
from losant_mcp.tools.results import tidy

WAIT_SECONDS = 20.0


async def started(
    call: Call,
    application_id: str,
    enqueued: JobEnqueued,
    *,
    resource_type: str,
    resource_id: str | None = None,
    changed: int | None = None,
) -> dict[str, Any]:
    """The outcome of a call that Losant answered with a job: followed for up to 20 seconds."""
    more = {} if changed is None else {"changed": changed}
    try:
        job = await call.client.follow_job(
            application_id,
            enqueued,
            resource_type=resource_type,
            resource_id=resource_id,
            since=datetime.now(UTC) - timedelta(minutes=1),
            timeout=WAIT_SECONDS,
            on_progress=lambda done, total: call.progress(done, total, "job"),
        )
    except JobFailed as error:
        if error.status in ("errored", "failed"):
            raise
        message = "Losant works on it in the background; list_jobs tells when it has ended."
        return {"status": "queued", "message": message, "jobId": enqueued.jobId}
    call.services.own_jobs.add(job.id)
    return {
        "status": "done",
        "message": "The job has ended.",
        **more,
        "jobId": job.id,
        **tidy(job.output or {}),
    }


def facts(call: Call, job: JobLog) -> dict[str, Any]:
    """A job for a list; its download links only where this server started it."""
    output = dict(job.output or {})
    if job.id not in call.services.own_jobs:
        output.pop("downloadUrls", None)
    result = output or job.error or job.progress
    return {**job.to_json(), "result": result}
