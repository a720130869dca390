"""The rules of a plan's life, as pure functions that every store shares.

Here, and nowhere else, a time is compared with another one to say whether a question still
stands or a yes can still be used.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any, get_args

from losant_mcp.guard.plans import OPEN, PLAN_SECONDS, YES_SECONDS, Plan, Status, Way, digest
from losant_mcp.guard.store import BudgetSpent, Decision, NotOpen, binding_digest

FORMS_PER_PLAN = 5
"""How often one plan may be put before a person as a form."""

KEPT_SECONDS = 30 * 24 * 3600
"""How long a finished plan is remembered."""

CHANGES_TOLD = 50
"""How many of the last changes of one target are kept."""

EXPIRED = "plans that expired"
"""The fact that has the ids of those which nobody was told of yet."""

HOUR = 3600.0
DAY = 24 * HOUR

ENDS: tuple[Status, ...] = ("done", "drifted", "failed", "interrupted")
"""How a running plan can end."""

_ID = re.compile(r"apr_[a-z2-7]{26}")


def new_id() -> str:
    """A fresh ``approvalId``: 128 random bits that are easy to copy."""
    return "apr_" + base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def is_id(text: str) -> bool:
    """Whether the text can be a plan's id at all."""
    return _ID.fullmatch(text) is not None


def share_key(plan: Plan) -> str:
    """What is equal for two plans that share one question."""
    return digest([asdict(plan.binding), plan.arguments, plan.operation.action, plan.target.id])


def started(plan: Plan, now: float) -> Plan:
    """The plan as a new question of this moment; nothing that claims an answer survives."""
    return replace(
        plan,
        id=new_id(),
        created_at=now,
        expires_at=now + PLAN_SECONDS,
        status="pending",
        way=None,
        nonce="",
        decided_at=None,
        decided_by="",
        outcome=None,
    )


def ends_at(plan: Plan) -> float | None:
    """When an open plan expires; None for one that is not open."""
    if plan.status == "pending":
        return plan.expires_at
    if plan.status == "approved":
        # An approved plan without a time of its yes would be a forgery: it ends at once.
        return min(plan.expires_at, (plan.decided_at or 0.0) + YES_SECONDS)
    return None


def is_over(plan: Plan, now: float) -> bool:
    """Whether an open plan can no longer be answered or used."""
    end = ends_at(plan)
    return end is not None and now >= end


def asked(plan: Plan, way: Way) -> Plan:
    """The plan as being asked this way, under a fresh nonce."""
    if plan.status != "pending":
        raise NotOpen(plan)
    return replace(plan, way=way, nonce=secrets.token_urlsafe(16))


def decided(
    plan: Plan, decision: Status, now: float, *, way: Way, by: str, nonce: str | None
) -> Plan:
    """The plan after a person's answer to it. Raises NotOpen where the answer does not fit."""
    if decision not in get_args(Decision):
        raise ValueError(f"{decision} is not what a person can answer")
    if plan.status != "pending" or (way == "form" and not _answers_the_form(plan, nonce)):
        raise NotOpen(plan)
    answered = replace(plan, status=decision, way=way, decided_at=now, decided_by=by)
    return answered if decision == "approved" else purged(answered)


def is_answered(plan: Plan) -> bool:
    """Whether a person said yes or no. Nobody answered a preview, and a cancel is no answer."""
    return plan.way != "preview" and plan.status in ("approved", "declined")


def streak(answered: Plan, noes: int, most: int, *, locked: bool) -> tuple[int, bool]:
    """The noes in a row after this answer, and whether they lock destruction, as ``most`` do."""
    noes = noes + 1 if answered.status == "declined" else 0
    # A yes ends a row of noes, but not the lock that the row led to.
    return noes, locked or noes >= most


def _answers_the_form(plan: Plan, nonce: str | None) -> bool:
    given = (nonce or "").encode("utf-8", "replace")
    return plan.way == "form" and bool(given) and hmac.compare_digest(given, plan.nonce.encode())


def burnable(plan: Plan, digest_of_binding: str) -> None:
    """Raise NotOpen unless the plan is approved and was planned under this binding."""
    mine = binding_digest(plan.binding).encode()
    same = hmac.compare_digest(mine, digest_of_binding.encode("utf-8", "replace"))
    if plan.status != "approved" or not same:
        raise NotOpen(plan)


def ended(plan: Plan, status: Status, outcome: Mapping[str, Any] | None) -> Plan:
    """The plan with its end recorded, and what only its question and run needed purged."""
    return purged(replace(plan, status=status, outcome=outcome))


def unaffordable(plan: Plan, no: BudgetSpent) -> Plan:
    """The plan whose run the hour's budget did not hold."""
    return ended(plan, "failed", {"status": "refused", "message": f"{no} {no.hint}"})


def finished(plan: Plan, status: Status, outcome: Mapping[str, Any]) -> Plan:
    """A plan that ran, with how that ended. Raises NotOpen where it was not running."""
    if status not in ENDS:
        raise ValueError(f"a run does not end as {status}")
    told_later = plan.status == status == "interrupted" and plan.outcome is None
    if plan.status != "running" and not told_later:
        raise NotOpen(plan)
    return ended(plan, status, outcome)


def purged(plan: Plan) -> Plan:
    """The plan without samples and items; operation, outcome and counts stay."""
    return replace(
        plan,
        planned=replace(plan.planned, items=()),
        shown=replace(plan.shown, samples=()),
    )


def is_finished(plan: Plan) -> bool:
    """Whether nothing will happen to the plan any more."""
    return plan.status not in (*OPEN, "running")


def is_orphan(plan: Plan, alive: Collection[str]) -> bool:
    """Whether a running plan's process or session is gone; ``a/b`` lives as long as ``a``."""
    origin = plan.binding.origin
    heads = {origin} | {origin[: cut.start()] for cut in re.finditer("/", origin)}
    return plan.status == "running" and heads.isdisjoint(alive)
