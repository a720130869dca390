"""What a guarded tool answers: one status, a message that is true, and what is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from losant_mcp.errors import LosantMcpError, Refused, describe
from losant_mcp.guard.backup_manifest import Manifest
from losant_mcp.guard.plans import Action, Plan
from losant_mcp.guard.running import Drifted, Ran, Stopped
from losant_mcp.guard.wording import counted, shown_name

Outcome = dict[str, Any]

_NOTHING = "Nothing was changed."

_NOUNS: Mapping[Action, str] = {
    "delete_event": "event",
    "delete_events": "event",
    "update_event": "event",
    "update_events": "event",
    "delete_row": "row",
    "delete_rows": "row",
    "truncate_rows": "row",
    "update_row": "row",
    "update_data_table": "table",
    "add_data_table_column": "column",
}

_ENDS = {
    "declined": f"The person said no. {_NOTHING} Do not ask again unless they ask for it.",
    "cancelled": f"The question was closed without an answer. {_NOTHING}",
    "expired": f"The approval expired before it was used. {_NOTHING} Call again to plan anew.",
}


def nothing_to_do(noun: str) -> Outcome:
    """The set is empty."""
    return {"status": "done", "message": f"No {noun} matches. {_NOTHING}", "removed": 0}


def approval_required(plan: Plan, advice: str) -> Outcome:
    """A person must decide elsewhere; ``advice`` tells how."""
    return {
        "status": "approval_required",
        "message": f"{_NOTHING[:-1]} yet. {advice}",
        "approvalId": plan.id,
        "expiresAt": iso(plan.expires_at),
        "plan": facts(plan),
    }


THEN = "Then call again with the same arguments and this approvalId. Only the person can approve."
PREVIEW = (
    "Nobody is asked here: this is the preview that the operator chose. The same call again with"
    " this approvalId carries it out, once."
)


def facts(plan: Plan) -> Outcome:
    """What a plan would do, in words and numbers that the model may see."""
    told: Outcome = {
        "what": plan.verb,
        "target": shown_name(plan.target.name),
        "targetId": plan.target.id,
        "count": plan.planned.count,
    }
    if plan.shown.breakdown:
        told["breakdown"] = {kind: dict(counts) for kind, counts in plan.shown.breakdown.items()}
    if plan.shown.side_effects:
        told["sideEffects"] = list(plan.shown.side_effects)
    if plan.shown.not_restorable:
        told["notRestorable"] = list(plan.shown.not_restorable)
    return told


def mismatch(plan: Plan) -> Outcome:
    """The person agreed to something, but not by the phrase that was asked for."""
    wanted = "the exact phrase" if plan.phrase is not None else "a plain yes"
    message = f"The answer was not {wanted}, so it counts as a no. {_NOTHING}"
    return {"status": "declined", "message": message}


def of_run(plan: Plan, ran: Ran) -> Outcome:
    """A run that came to its end."""
    done = ran.removed or ran.changed
    did = "removed" if plan.destroys else "changed"
    word = "restored" if plan.operation.action == "restore_backup" else did
    noun = _NOUNS.get(plan.operation.action, "object")
    sentences = [f"{counted(done, noun)} {'was' if done == 1 else 'were'} {word}."]
    if ran.kept:
        sentences.append(f"{counted(ran.kept, 'object')} changed since the plan and was kept.")
    if ran.gone:
        sentences.append(f"{counted(ran.gone, 'object')} had already vanished.")
    if ran.note:
        sentences.append(ran.note)
    if ran.backup_id:
        sentences.append(f"restore_backup can bring it back: {ran.backup_id}.")
    outcome: Outcome = {"status": "done", "message": " ".join(sentences), did: done}
    if ran.backup_id:
        outcome["backupId"] = ran.backup_id
    return outcome


def of_drift(drift: Drifted, fresh: Plan | None) -> Outcome:
    """The target was not what the person saw."""
    message = f"The plan no longer fits: {drift}. {_NOTHING}"
    if fresh is None:
        return {"status": "drifted", "message": f"{message} Call again to plan anew."}
    return {
        "status": "drifted",
        "message": f"{message} Calling again asks for the {fresh.planned.count:,} rows that were"
        " agreed to, one by one, and leaves the new ones.",
        "plan": facts(fresh),
    }


def of_stop(plan: Plan, stop: Stopped) -> Outcome:
    """A run that stopped in the middle."""
    did = "removed" if plan.destroys else "changed"
    known = stop.known.removed or stop.known.changed
    cause = describe(stop.cause, limit=300)
    if known or stop.known.note:
        # The cause speaks of the last request alone.
        cause = cause.removesuffix(_NOTHING).rstrip()
    sentences = [f"The run stopped: {cause}"]
    if not stop.known.unclear:
        sentences.append(f"As far as is known {counted(known, 'object')} {did}.")
    if stop.known.note:
        sentences.append(stop.known.note)
    outcome: Outcome = {"status": "interrupted", "message": " ".join(sentences)}
    if not stop.known.unclear:
        outcome[did] = known
    if stop.known.backup_id:
        outcome["backupId"] = stop.known.backup_id
    return outcome


def of_failure(error: LosantMcpError) -> Outcome:
    """A run that failed before anything was deleted."""
    told = describe(error).removesuffix(_NOTHING).strip()
    return {"status": "interrupted", "message": f"{told} {_NOTHING}"}


def of_crash() -> Outcome:
    """A run that ended by a defect of this program."""
    message = "The run ended unexpectedly; it cannot be told how far it came. Look what is left."
    return {"status": "interrupted", "message": message}


def untold(outcome: Outcome, error: LosantMcpError) -> Outcome:
    """The end of a run that could not be put down; the run itself cannot be taken back."""
    message = f"{outcome['message']} Its end could not be recorded here: {str(error)[:200]}"
    return {**outcome, "message": message}


def of_orphan(plan: Plan, backup: Manifest | None, left: int | None) -> Outcome:
    """A run whose process ended in the middle: what the backups and Losant tell of it.

    ``left`` is how many of the planned objects are at Losant now, None where that is unknown.
    """
    noun = _NOUNS.get(plan.operation.action, "object")
    sentences = ["The server ended while this ran."]
    if backup is not None:
        sentences.append(f"The backup of {counted(backup.count, noun)} is complete: {backup.id}.")
        if left is not None:
            planned = counted(plan.planned.count, noun)
            sentences.append(f"Of {planned} in the plan, {left:,} are at Losant now.")
        sentences.append("Call again to plan what remains.")
    elif plan.destroys:
        # Nothing is removed before its backup is complete.
        sentences.append(f"Its backup was not complete. {_NOTHING}")
    else:
        sentences.append("Look whether anything was changed.")
    outcome: Outcome = {"status": "interrupted", "message": " ".join(sentences)}
    return {**outcome, "backupId": backup.id} if backup is not None else outcome


def of_plan(plan: Plan) -> Outcome:
    """What became of a plan, for whoever asks again; a finished one repeats its outcome.

    Raises Refused where that was no.
    """
    if plan.outcome is not None:
        if plan.outcome.get("status") == "refused":
            raise Refused(str(plan.outcome["message"]))
        return dict(plan.outcome)
    if plan.status in _ENDS:
        return {"status": plan.status, "message": _ENDS[plan.status]}
    if plan.status == "approved":
        message = "It was agreed to elsewhere; the same call with this approvalId carries it out."
        return {"status": "approval_required", "message": message, "approvalId": plan.id}
    if plan.status == "running":
        message = "It is being carried out. Call again with the approvalId to learn how it ended."
        return {"status": "interrupted", "message": message, "approvalId": plan.id}
    if plan.status == "pending":
        message = f"The question was asked anew, so this answer counts for nothing. {_NOTHING}"
        return {"status": "cancelled", "message": message}
    message = "The run was interrupted before it told how far it came; see list_backups."
    return {"status": "interrupted", "message": message}


def iso(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"


def storable(outcome: Mapping[str, Any]) -> Outcome:
    """The outcome as it is kept: without the object that a change returned."""
    return {name: value for name, value in outcome.items() if name != "result"}
