"""Background jobs, as tools tell them: followed for a while, then left to ``list_jobs``."""

from __future__ import annotations

from typing import Any

from losant_mcp.api.lookup import JobLog
from losant_mcp.api.types import JobEnqueued, is_object_id
from losant_mcp.client.jobs import UnclearJob, follow_job
from losant_mcp.errors import JobFailed, LosantMcpError
from losant_mcp.tools import results
from losant_mcp.tools.call import Call


async def started(
    call: Call,
    applicationId: str,
    enqueued: JobEnqueued,
    *,
    began: float,
    resourceType: str,
    resourceId: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The outcome of a call that Losant answered with a job: done, or still queued.

    ``began`` is ``time.monotonic()`` from before the request. Whatever becomes of following it,
    the job is at Losant; only its own failure is an error (JobFailed).
    """

    async def on_progress(log: JobLog) -> None:
        call.services.own_jobs.add(log.id)
        state = log.progress or {}
        done, total = state.get("completed"), state.get("total")
        if isinstance(done, (int, float)):
            await call.progress(done, total if isinstance(total, (int, float)) else None, "job")

    if is_object_id(enqueued.jobId):
        call.services.own_jobs.add(enqueued.jobId)
    try:
        job = await follow_job(
            call.client,
            applicationId,
            enqueued,
            resourceType=resourceType,
            resourceId=resourceId,
            began=began,
            timeout=call.services.job_seconds,
            on_progress=on_progress,
        )
    except JobFailed as error:
        if error.status in ("errored", "failed"):
            raise
        return _queued(call, enqueued, "has not ended yet", more)
    except LosantMcpError:
        return _queued(call, enqueued, "cannot be followed now", more)
    if isinstance(job, UnclearJob) and job.status == "completed":
        message = "The job has ended. Which log is its own cannot be told: see list_jobs."
        return {"status": "done", "message": message, **more, "jobId": enqueued.jobId}
    if isinstance(job, UnclearJob):
        return _queued(call, enqueued, f"cannot be followed ({job.why})", more)
    call.services.own_jobs.add(job.id)
    fixed = {"status": "done", "message": "The job has ended.", **more, "jobId": job.id}
    return results.fitted(fixed, "output", job.output or {}, tokens=call.tokens)


def _queued(call: Call, enqueued: JobEnqueued, why: str, more: dict[str, Any]) -> dict[str, Any]:
    message = f"Losant has taken the job, which {why}. list_jobs tells its state; do not repeat it."
    return {"status": "queued", "message": message, **more, "jobId": enqueued.jobId}


def facts(call: Call, job: JobLog) -> dict[str, Any]:
    """A job for a list; its download links only where this server started it."""
    output = dict(job.output or {})
    if job.id not in call.services.own_jobs and "downloadUrls" in output:
        output["downloadUrls"] = "shown to who started the job"
    return {**job.to_json(), "result": output or job.error or job.progress}
