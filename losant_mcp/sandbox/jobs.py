"""Background jobs: what a 202 promises, what the job log tells of it, and the callback at its end.

A job runs after its answer was sent, in transactions of its own. To see how a client bears one
that goes wrong, set the row ``job_fault`` of the table ``meta`` before the job starts:

- ``errored`` or ``failed``: the job ends so, with an ``error``, and does nothing;
- ``stuck``: it stays ``inProgress`` for good and does nothing;
- ``slow``: it is ``inProgress`` for a second before it does its work.

The callback and the e-mail address are kept in the log's ``input``. The callback is really sent;
no e-mail ever is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import sqlite3
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from losant_mcp.api.query import JOB_LOGS, parse_query
from losant_mcp.sandbox.call import Answer, Call, Handler, Problem, iso, not_found
from losant_mcp.sandbox.listing import Condition, Listing, both, page
from losant_mcp.sandbox.query_sql import Field, where
from losant_mcp.sandbox.store import Store

SLOW_SECONDS = 1.0
CALLBACK_TIMEOUT = 2.0
DEAD_AFTER = 600_000
_NANOID = string.ascii_letters + string.digits + "_-"


@dataclass(frozen=True, slots=True)
class Job:
    """A running job, as its work sees it."""

    store: Store
    id: str
    """The id of its log."""

    def progress(self, db: sqlite3.Connection, completed: int, total: int) -> None:
        """Note in the log how far the work is."""
        progress = json.dumps({"completed": completed, "total": total})
        db.execute("UPDATE jobs SET progress = ? WHERE id = ?", (progress, self.id))


Work = Callable[[Job], dict[str, Any]]
"""Does the work and returns the log's ``output``; raises Problem to end the job as errored."""


def enqueue(
    call: Call,
    name: str,
    work: Work,
    *,
    resource_type: str,
    resource_id: str | None = None,
    asked: dict[str, Any],
) -> Answer:
    """The 202 for a job that is now queued; ``asked`` may hold ``email`` and ``callbackUrl``.

    The answer's ``jobId`` is 21 characters long and the log has another id of 24, as in API
    1.30.0: a client can find the log only by what it is about.
    """
    log_id = call.store.new_id(call.now)
    job_id = "".join(secrets.choice(_NANOID) for _ in range(21))
    wanted = {key: value for key, value in asked.items() if key != "email"}
    # A query is text in a job log's input.
    if wanted.get("query") is not None:
        wanted["query"] = json.dumps(wanted["query"])
    if asked.get("email"):
        wanted["emails"] = [asked["email"]]
    call.db.execute(
        "INSERT INTO jobs (id, jobId, applicationId, name, status, resourceType, resourceId,"
        " runQueuedAt, requestedByType, requestedById, input)"
        " VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)",
        (
            log_id, job_id, call.application_id, name, resource_type, resource_id, call.now,
            "apiToken" if call.token.kind == "application" else call.token.kind, call.token.id,
            json.dumps(wanted),
        ),
    )  # fmt: skip
    return Answer(
        202,
        {"success": True, "jobQueued": True, "jobId": job_id},
        after=lambda store: _run(store, log_id, work, asked.get("callbackUrl")),
    )


def refuse_second(call: Call, name: str, resource_id: str | None) -> None:
    """Raises Problem 429 while a job of this name and resource is not over yet.

    After ten minutes it counts as dead: its process may have been stopped in the middle of it.
    """
    running = call.db.execute(
        "SELECT 1 FROM jobs WHERE applicationId = ? AND name = ? AND resourceId IS ?"
        " AND status IN ('queued', 'inProgress') AND runQueuedAt > ?",
        (call.application_id, name, resource_id, call.now - DEAD_AFTER),
    ).fetchone()
    if running:
        raise Problem(429, "RateLimited", "An export is already running; wait until it has ended")


def _run(store: Store, log_id: str, work: Work, callback: str | None) -> None:
    job = Job(store, log_id)
    with store.transaction(write=True) as db:
        row = db.execute("SELECT value FROM meta WHERE key = 'job_fault'").fetchone()
        _set(db, log_id, status="inProgress", runStartedAt=store.clock())
    fault = row[0] if row else None
    if fault == "stuck":
        return
    if fault == "slow":
        time.sleep(SLOW_SECONDS)
    if fault in ("errored", "failed"):
        _fail(store, log_id, fault, "InternalError", "The job ended early")
    else:
        try:
            output = work(job)
        except Problem as problem:
            _fail(store, log_id, "errored", problem.kind, str(problem))
        except sqlite3.OperationalError as error:
            _fail(store, log_id, "errored", "InternalError", str(error))
        else:
            with store.transaction(write=True) as db:
                now = store.clock()
                _set(db, log_id, status="completed", runCompletedAt=now, output=json.dumps(output))
    if callback:
        _call_back(store, log_id, callback)


def _fail(store: Store, log_id: str, status: str, kind: str, message: str) -> None:
    error = json.dumps({"name": kind, "message": message})
    with store.transaction(write=True) as db:
        _set(db, log_id, status=status, runCompletedAt=store.clock(), error=error)


def _set(db: sqlite3.Connection, log_id: str, **values: Any) -> None:
    places = ", ".join(f"{name} = ?" for name in values)
    db.execute(f"UPDATE jobs SET {places} WHERE id = ?", (*values.values(), log_id))


def _call_back(store: Store, log_id: str, url: str) -> None:
    """Post the job log to the callback, and do not mind if nobody is there.

    What Losant posts is not documented.
    """
    with store.transaction(write=False) as db:
        log = _log(db.execute("SELECT * FROM jobs WHERE id = ?", (log_id,)).fetchone())
    request = urllib.request.Request(  # noqa: S310 - bodies and parameters let only http(s) pass
        url, json.dumps(log).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with contextlib.suppress(OSError, ValueError, urllib.error.URLError, http.client.HTTPException):
        urllib.request.urlopen(request, timeout=CALLBACK_TIMEOUT).close()  # noqa: S310


# ---- reading the logs ----------------------------------------------------------------------


def _log(row: sqlite3.Row) -> dict[str, Any]:
    log: dict[str, Any] = {
        "id": row["id"],
        "jobId": row["id"],
        "name": row["name"],
        "applicationId": row["applicationId"],
        "ownerType": "application",
        "ownerId": row["applicationId"],
        "status": row["status"],
    }
    for name in ("resourceType", "resourceId", "requestedByType", "requestedById"):
        if row[name] is not None:
            log[name] = row[name]
    for name in ("runQueuedAt", "runStartedAt", "runCompletedAt"):
        if row[name] is not None:
            log[name] = iso(row[name])
    for name in ("progress", "error", "input", "output"):
        if row[name] is not None:
            log[name] = json.loads(row[name])
    return log


FIELDS = {
    "id": Field("id", "id"),
    "resourceId": Field("resourceId", "id"),
    "status": Field("status"),
    "name": Field("name"),
    "resourceType": Field("resourceType"),
    "runQueuedAt": Field("runQueuedAt", "time"),
    "runStartedAt": Field("runStartedAt", "time"),
    "runCompletedAt": Field("runCompletedAt", "time"),
}

LISTING = Listing(
    columns="*",
    source="jobs",
    sort={
        name: name
        for name in (
            "name", "status", "resourceType", "runQueuedAt", "runStartedAt", "runCompletedAt",
        )
    },
    item=_log,
    id="id",
)  # fmt: skip


def get_job_logs(call: Call) -> Answer:
    """A page of the application's job logs, the oldest first."""
    condition: Condition = "applicationId = ?", [call.application_id]
    if "query" in call.params:
        condition = both(condition, where(parse_query(call.params["query"], JOB_LOGS), FIELDS))
    return Answer(200, page(call, LISTING, condition))


def get_job_log(call: Call) -> Answer:
    """One job log."""
    row = call.db.execute(
        "SELECT * FROM jobs WHERE id = ? AND applicationId = ?",
        (call.path["jobId"], call.application_id),
    ).fetchone()
    if row is None:
        raise not_found("Job log")
    return Answer(200, _log(row))


HANDLERS: dict[str, Handler] = {
    "applicationJobLogs.get": get_job_logs,
    "applicationJobLog.get": get_job_log,
}
