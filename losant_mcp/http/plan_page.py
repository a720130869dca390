"""A plan as a page, and the form on that page as a decision.

The same beside a person's own client and where approvers log in. Who may see a plan, and decide
about it, was checked before anything here is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.responses import Response

from losant_mcp.guard.deciding import Deciding, problem_in_words
from losant_mcp.guard.plans import Plan
from losant_mcp.http.answers import answer
from losant_mcp.http.pages import render
from losant_mcp.http.sheet import sheet
from losant_mcp.http.states import state_of

# Forms must say where they come from. Under "no-referrer" a browser sends them with "Origin: null"
# (Fetch, "append a request Origin header"; seen in Chromium), so a page with a form says
# "same-origin": its address, which grants nothing, is told to itself and to nobody else.
REFERRER_OF_FORM = "same-origin"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page is, and how it speaks."""

    origin: str
    """Exactly as a browser's Origin header has it."""
    time_zone: str
    command: str
    """What a person types in a terminal to decide there."""
    refusal_seconds: int

    @property
    def host(self) -> str:
        """Exactly as a browser's Host header has it, with the port."""
        return urlsplit(self.origin).netloc


@dataclass(frozen=True, slots=True)
class Viewer:
    """An approver who is logged in. ``logout`` is the token of the form that ends that; empty
    where a proxy says who it is. ``is_asker``: the plan is their own, which another has to approve.
    """

    name: str
    logout: str = ""
    is_asker: bool = False


class PlanPage:
    """Shows plans and takes the decisions about them."""

    def __init__(self, place: Place, deciding: Deciding) -> None:
        self._place = place
        self._deciding = deciding

    async def show(self, plan: Plan, token: str, viewer: Viewer | None = None) -> Response:
        """The plan's page; ``token`` makes its forms ours. Without a viewer, it is a person at
        the server's own machine.
        """
        zone, refusal = self._place.time_zone, self._place.refusal_seconds
        asked = await self._deciding.asked(plan)
        slips = await self._deciding.slips(plan)
        where = "this machine" if viewer is None else "the server's machine"
        words = sheet(plan, client=asked.client, time_zone=zone, machine=where)
        shared = {"sheet": words, "here": path_of(plan.id), "viewer": viewer}
        if plan.status != "pending":
            state = state_of(plan, slips, zone, refusal, viewer=viewer.name if viewer else None)
            return answer(
                render("state", plan_id=plan.id, **shared, **state), referrer=REFERRER_OF_FORM
            )
        page = render(
            "plan",
            token=token,
            needs_pin=asked.pin,
            lacks_pin=await self._deciding.lacks_pin(plan),
            slip=slips.last,
            problem=problem_in_words(slips),
            command=self._place.command,
            refusal_minutes=refusal // 60,
            **shared,
        )
        return answer(page, referrer=REFERRER_OF_FORM)

    async def take(self, plan: Plan, form: Mapping[str, str], by: str) -> Response | None:
        """The way back to the plan's page; None where the form was no answer. A plan that is
        already decided stays as it is.
        """
        match form.get("decision"):
            case "decline":
                await self._deciding.decline(plan, way="page", by=by)
            case "approve":
                typed, pin = form.get("phrase", ""), form.get("pin", "")
                await self._deciding.approve(plan, typed=typed, pin=pin, way="page", by=by)
            case _:
                return None
        return answer(status=303, location=path_of(plan.id))


def path_of(plan_id: str) -> str:
    """Where a plan's page is."""
    return f"/approvals/{plan_id}"
