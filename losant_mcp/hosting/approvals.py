"""The approval page of a hosted server: approvers log in, see what waits, and decide.

``/approvals`` lists what waits, ``/approvals/<plan>`` is a plan, and all else has one answer, the
same as a plan of an application that is not the approver's: that it is not here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.deciding import Deciding
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.store import GuardError, StateStore
from losant_mcp.hosting.approver_logins import Logins, TooManyTries, Visit
from losant_mcp.http import requests
from losant_mcp.http.answers import Misses, answer, unavailable
from losant_mcp.http.pages import render
from losant_mcp.http.plan_page import REFERRER_OF_FORM, Place, PlanPage, Viewer, path_of
from losant_mcp.http.sessions import form_token, is_form_token
from losant_mcp.http.sheet import sheet

LIST = "/approvals"
LOGIN = "/approvals/login"
LOGOUT = "/approvals/logout"

FIELDS = frozenset({"token", "decision", "phrase", "pin"})
LOGIN_FIELDS = frozenset({"name", "passphrase", "plan"})

_ID = re.compile(r"[a-z0-9_]{8,64}")


class HostedApprovals:
    """The ASGI application. ``four_eyes``: nobody approves what they asked for themselves."""

    def __init__(
        self,
        place: Place,
        store: StateStore,
        logins: Logins,
        deciding: Deciding,
        *,
        four_eyes: bool,
    ) -> None:
        self._place = place
        self._store = store
        self._logins = logins
        self._deciding = deciding
        self._page = PlanPage(place, deciding)
        self._four_eyes = four_eyes
        self._misses = Misses(hosted=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = await self._answer(Request(scope, receive))
        except (GuardError, ConfigurationError):  # the store, or the file of approvers
            response = unavailable()
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = requests.path(request)
        plan = requests.PLAN.fullmatch(path)
        plan_id = plan[1] if plan else ""
        found = None
        if not requests.is_of_person(request, self._place.host):
            pass
        elif request.method == "POST":
            found = await self._post(request, path, plan_id)
        elif plan_id or path == LIST:
            found = await self._get(request, path, plan_id)
        return found or self._misses.answer()

    # ---- looking ---------------------------------------------------------------------------

    async def _get(self, request: Request, path: str, plan_id: str) -> Response | None:
        if not requests.is_from_here(request):
            # Who follows a link from another site comes without the cookie, which is
            # SameSite=Strict: this page, the same for everybody, begins anew from here.
            return answer(render("entry", there=path))
        visit = await self._logins.visit(request)
        if visit is not None:
            return await self._show(visit, plan_id)
        if not self._logins.by_proxy:
            return _login(plan_id)
        visit = await self._logins.arrive(request)
        shown = await self._show(visit, plan_id) if visit else None
        return self._logins.give(shown, visit) if shown and visit else None

    async def _show(self, visit: Visit, plan_id: str) -> Response | None:
        if not plan_id:
            return await self._list(visit)
        plan = await self._theirs(visit, plan_id)
        if plan is None:
            return None
        viewer = self._viewer(visit, is_asker=await self._is_asker(visit, plan))
        return await self._page.show(plan, form_token(visit.session, plan.id), viewer)

    async def _list(self, visit: Visit) -> Response:
        waiting = [
            {
                "id": plan.id,
                "path": path_of(plan.id),
                "sheet": sheet(plan, time_zone=self._place.time_zone),
                "is_asker": await self._is_asker(visit, plan),
            }
            for plan in await self._store.pending_plans()
            if _is_for(visit, plan)
        ]
        page = render("waiting", waiting=waiting, viewer=self._viewer(visit))
        return answer(page, referrer=REFERRER_OF_FORM)

    def _viewer(self, visit: Visit, *, is_asker: bool = False) -> Viewer:
        logout = "" if self._logins.by_proxy else form_token(visit.session, LOGOUT)
        return Viewer(visit.approver.name, logout, is_asker)

    async def _theirs(self, visit: Visit, plan_id: str) -> Plan | None:
        plan = await self._store.plan(plan_id)
        return plan if plan is not None and _is_for(visit, plan) else None

    async def _is_asker(self, visit: Visit, plan: Plan) -> bool:
        if not self._four_eyes:
            return False
        return visit.approver.asked_for(plan, await self._deciding.asked(plan))

    # ---- doing -----------------------------------------------------------------------------

    async def _post(self, request: Request, path: str, plan_id: str) -> Response | None:
        if not requests.is_our_form(request, self._place.origin):
            return None
        if path == LOGIN and not self._logins.by_proxy:
            form = await requests.read_form(request, LOGIN_FIELDS)
            return await self._log_in(request, form) if form and set(form) == LOGIN_FIELDS else None
        if not plan_id and path != LOGOUT:
            return None
        form = await requests.read_form(request, FIELDS)
        visit = await self._logins.visit(request)
        if form is None:
            return None
        if visit is None:  # the session is over: log in, and look again
            return answer(status=303, location=path if plan_id else LIST)
        if not is_form_token(form.get("token", ""), visit.session, plan_id or path):
            return None
        if path == LOGOUT:
            await self._logins.close(request)
            return self._logins.give(answer(status=303, location=LIST), None)
        return await self._decide(visit, plan_id, form)

    async def _log_in(self, request: Request, form: Mapping[str, str]) -> Response:
        plan_id = form["plan"] if _ID.fullmatch(form["plan"]) else ""
        try:
            approver = await self._logins.log_in(form["name"], form["passphrase"])
        except TooManyTries:
            refused = _login(plan_id, "Too many tries. Try again later; within an hour at most.")
            refused.status_code = 429
            return refused
        if approver is None:
            refused = _login(plan_id, "That is not the name and the passphrase of an approver.")
            refused.status_code = 403
            return refused
        await self._logins.close(request)
        visit = await self._logins.open(approver)
        there = path_of(plan_id) if plan_id else LIST
        return self._logins.give(answer(status=303, location=there), visit)

    async def _decide(self, visit: Visit, plan_id: str, form: Mapping[str, str]) -> Response | None:
        plan = await self._theirs(visit, plan_id)
        if plan is None:
            return None
        if form.get("decision") == "approve" and await self._is_asker(visit, plan):
            return answer(status=303, location=path_of(plan_id))
        return await self._page.take(plan, form, visit.approver.name)


def _is_for(visit: Visit, plan: Plan) -> bool:
    """Whether the approver may decide it, and it is one that is decided on a page at all."""
    return visit.approver.may_decide(plan) and plan.way in ("page", "pin", "terminal")


def _login(plan_id: str, problem: str = "") -> Response:
    return answer(render("login", plan_id=plan_id, problem=problem), referrer=REFERRER_OF_FORM)
