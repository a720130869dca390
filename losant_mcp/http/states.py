"""What a plan's page says once it is no longer a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from losant_mcp.guard.deciding import TRIES, Slips
from losant_mcp.guard.lifecycle import ends_at
from losant_mcp.guard.plans import Plan, Status
from losant_mcp.http.sheet import moment
from losant_mcp.text import clean, one_line, shorten

Mood = Literal["good", "calm"]

_NOTHING = "Nothing was changed."

_WORDS: Mapping[Status, tuple[str, str]] = {
    "declined": ("Declined", f"{{who}} said no. {_NOTHING}"),
    "cancelled": ("Taken back", f"The question was taken back before anybody answered. {_NOTHING}"),
    "expired": ("Out of date", f"The time for it is over. {_NOTHING}"),
    "running": ("Running now", "{who} said yes, and it is being carried out at this moment."),
    "done": ("Done", "{who} said yes, and it was carried out."),
    "drifted": (
        "Stopped: something had changed",
        f"{{who}} said yes, but the target was no longer what was shown. {_NOTHING}",
    ),
    "failed": ("Not finished", "{who} said yes, but it failed or stopped on the way."),
    "interrupted": (
        "Interrupted",
        "{who} said yes, and the server ended while it ran. The audit trail says what is known.",
    ),
}


def state_of(
    plan: Plan, slips: Slips, time_zone: str, refusal_seconds: int, *, viewer: str | None = None
) -> dict[str, object]:
    """The values of the template ``state`` beside those of the plan itself.

    ``viewer`` is who looks at it, where somebody else may have decided.
    """
    headline, what_now = _words(plan, slips, time_zone, refusal_seconds)
    by = one_line(plan.decided_by, 60)
    what_now = what_now.replace("{who}", "You" if viewer in (None, plan.decided_by) else by, 1)
    message = (plan.outcome or {}).get("message")
    mood: Mood = "good" if plan.status in ("approved", "running", "done") else "calm"
    return {
        "headline": headline,
        "what_now": what_now,
        "mood": mood,
        "outcome": shorten(clean(message), 1000) if isinstance(message, str) else "",
        "decided_at": moment(plan.decided_at, time_zone) if plan.decided_at else "",
        "decided_by": by,
        "waits": plan.status == "approved",
        "moving": plan.status in ("approved", "running"),
    }


def _words(plan: Plan, slips: Slips, time_zone: str, refusal_seconds: int) -> tuple[str, str]:
    again = f" The assistant may not ask for this again for {refusal_seconds // 60} minutes."
    if plan.status == "approved":
        end = moment(ends_at(plan) or plan.expires_at, time_zone)
        wait = "Nothing has happened yet: the assistant must carry it out, exactly as it was shown,"
        return "Approved", f"{{who}} said yes. {wait} before {end}."
    if plan.status == "declined" and slips.last is not None and slips.left <= 0:
        what = "PIN" if slips.last == "pin" else "text"
        return "Declined", f"The wrong {what} was typed {TRIES} times. {_NOTHING}{again}"
    headline, what_now = _WORDS[plan.status]
    return headline, what_now + (again if plan.status == "declined" else "")
