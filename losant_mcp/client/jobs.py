"""Background jobs, followed to their end through the job log.

A 202 names a job. In two of three API versions seen, that name is 21 characters and the log has
another id, so the log is found by what the job is about and when it was queued. Where that fits
more than one log, nothing is guessed: the caller gets all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

import anyio

from losant_mcp.api.lookup import JOB_ENDED, JobLog
from losant_mcp.api.types import JobEnqueued, is_object_id
from losant_mcp.client.lookup import LookupMethods
from losant_mcp.errors import Forbidden, JobFailed, LosantMcpError, NotFound
from losant_mcp.text import one_line, quoted

FIRST_WAIT = 0.2
LONGEST_WAIT = 5.0
GROWTH = 1.5
NEWEST = 100
"""Job logs that are looked through; a job just queued is among the newest."""

_SLACK = timedelta(seconds=2)
"""Losant's clock is known from the Date header, which is cut to whole seconds."""
_UNKNOWN_START = timedelta(seconds=30)

OnProgress = Callable[[JobLog], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class UnclearJob:
    """A job of which it cannot be told which log is its own, or whose log cannot be seen.

    ``status`` is what is certain all the same: "completed" where every candidate has, else
    "unknown".
    """

    jobId: str
    candidates: tuple[JobLog, ...]
    why: str

    @property
    def status(self) -> str:
        """What is certain of the job."""
        all_completed = self.candidates and all(
            log.status == "completed" for log in self.candidates
        )
        return "completed" if all_completed else "unknown"


async def follow_job(
    client: LookupMethods,
    applicationId: str,
    enqueued: JobEnqueued,
    *,
    resourceType: str | None = None,
    resourceId: str | None = None,
    name: str | None = None,
    began: float | None = None,
    timeout: float = 300.0,  # noqa: ASYNC109 - after it comes an answer, not a cancellation
    on_progress: OnProgress | None = None,
    wait_scale: float = 1.0,
) -> JobLog | UnclearJob:
    """The log of a job that completed, or what is known where its log cannot be told apart.

    ``resourceType`` ("event", "datatable", "device"), ``resourceId`` and ``name`` are what the
    log must say; ``began`` is ``time.monotonic()`` from before the request: how far Losant's clock
    is from ours may be known only since its answer. ``timeout`` is in seconds; ``on_progress``
    gets the log whenever its status or progress is new; ``wait_scale`` 0 makes the waits between
    two looks zero, for tests.

    Raises JobFailed where the job was errored or failed, and, with the status "inProgress",
    where it had not ended in time: it goes on at Losant.
    """
    ago = _UNKNOWN_START if began is None else timedelta(seconds=monotonic() - began) + _SLACK
    search = _Search(
        client,
        applicationId,
        enqueued.jobId,
        client.losant_now() - ago,
        {"resourceType": resourceType, "resourceId": resourceId, "name": name},
    )
    found: list[JobLog] = []
    told: object = None
    wait = FIRST_WAIT
    with anyio.move_on_after(timeout):
        while True:
            try:
                found = await search.look() or found
            except Forbidden:
                return UnclearJob(enqueued.jobId, (), "the token may not read job logs")
            except LosantMcpError as error:
                # The job goes on while Losant or the network is away for a moment.
                if not error.retry:
                    raise
            if on_progress and len(found) == 1:
                [log] = found
                if (log.status, log.progress) != told:
                    told = (log.status, log.progress)
                    await on_progress(log)
            if found and all(log.status in JOB_ENDED for log in found):
                return _ended(client, enqueued.jobId, found)
            await anyio.sleep(wait * wait_scale)
            wait = min(wait * GROWTH, LONGEST_WAIT)
    if len(found) == 1:
        raise _failed(
            f"{_called(found[0])} had not ended after {timeout:g} s; it goes on at Losant.",
            "inProgress",
            hint="Look at it again later with list_jobs.",
        )
    why = "several jobs fit" if found else "no job log fits"
    return UnclearJob(enqueued.jobId, tuple(found), why)


@dataclass(slots=True)
class _Search:
    """Looks for the log of one job; ``logId`` is known once it is certain."""

    client: LookupMethods
    applicationId: str
    jobId: str
    since: datetime
    wanted: dict[str, str | None]
    logId: str | None = None

    def __post_init__(self) -> None:
        if is_object_id(self.jobId):
            self.logId = self.jobId

    async def look(self) -> list[JobLog]:
        """The log of the job, every log that may be it, or none yet."""
        if self.logId is not None:
            try:
                log = await self.client.application_job_log_get(
                    applicationId=self.applicationId, jobId=self.logId
                )
            except NotFound:
                # Not written yet; or this id, too, names no log.
                pass
            else:
                return [log]
        page = await self.client.application_job_logs_get(
            applicationId=self.applicationId,
            sortField="runQueuedAt",
            sortDirection="desc",
            perPage=NEWEST,
        )
        fitting = [log for log in page.items if self.fits(log)]
        own = [log for log in page.items if self.jobId in (log.id, log.jobId)]
        return own or fitting

    def fits(self, log: JobLog) -> bool:
        """Whether a log is about the same thing and was queued no earlier than our request."""
        for field, value in self.wanted.items():
            if value is not None and getattr(log, field) != value:
                return False
        queued = _time(log.runQueuedAt)
        return queued is not None and queued >= self.since


def _ended(client: LookupMethods, jobId: str, found: list[JobLog]) -> JobLog | UnclearJob:
    if all(log.status != "completed" for log in found):
        log = found[0]
        error = log.error or {}
        said = client.redact(f"{error.get('message') or error.get('name') or ''}")
        quote = f" Losant says: {quoted(said, 200)}" if said else ""
        raise _failed(f"{_called(log)} ended as {log.status}.{quote}", str(log.status))
    if len(found) == 1:
        return found[0]
    return UnclearJob(jobId, tuple(found), "several jobs fit")


def _failed(message: str, status: str, hint: str = "") -> JobFailed:
    failed = JobFailed(message, status=status, hint=hint)
    failed.writes = True
    return failed


def _called(log: JobLog) -> str:
    return f'The job "{one_line(log.name or "without a name", 60)}"'


def _time(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
