"""The approval page as an ASGI application: two addresses, and one answer to all else.

``/enter/<key>`` turns a one-time key into a cookie, and ``/approvals/<plan>`` shows the plan to
the browser that has the cookie, and takes its answer. It uses Starlette's requests and responses
without its router: a router has answers of its own, and here every miss must be the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from losant_mcp.guard.deciding import Deciding, person
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.store import GuardError, StateStore
from losant_mcp.http import requests
from losant_mcp.http.answers import Misses, answer, unavailable
from losant_mcp.http.pages import render
from losant_mcp.http.plan_page import Place, PlanPage, path_of
from losant_mcp.http.sessions import Sessions, form_token, is_form_token

COOKIE = "losant-mcp-approval"

FIELDS = frozenset({"token", "decision", "phrase", "pin"})

_ENTER = re.compile(r"/enter/([A-Za-z0-9_-]{43})")


class Approvals:
    """The application. ``entered`` is told which key was used."""

    def __init__(
        self,
        place: Place,
        store: StateStore,
        sessions: Sessions,
        deciding: Deciding,
        entered: Callable[[Plan], None],
    ) -> None:
        self._place = place
        self._store = store
        self._sessions = sessions
        self._page = PlanPage(place, deciding)
        self._entered = entered
        self._misses = Misses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            response = await self._answer(Request(scope, receive))
        except GuardError:
            response = unavailable()
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = requests.path(request)
        found = None
        if not requests.is_of_person(request, self._place.host):
            pass
        elif match := _ENTER.fullmatch(path):
            found = await self._enter(request, match[1])
        elif match := requests.PLAN.fullmatch(path):
            step = self._show if request.method == "GET" else self._take
            found = await step(request, match[1])
        return found or self._misses.answer()

    async def _enter(self, request: Request, key: str) -> Response | None:
        """Turn the key into a session. It begins on a file, so it may come from anywhere."""
        if request.method != "GET":
            return None
        redeemed = await self._sessions.redeem(key)
        if redeemed is None:
            return None
        plan, session = redeemed
        self._entered(plan)
        there = path_of(plan.id)
        # Not a redirect: a browser that follows one, on a way that began on a file, leaves out a
        # cookie that is SameSite=Strict. A fresh navigation from this page takes it along.
        response = answer(render("entry", there=there))
        response.set_cookie(
            COOKIE,
            session,
            max_age=int(await self._sessions.seconds(plan)),
            path=there,
            httponly=True,
            samesite="strict",
        )
        return response

    async def _show(self, request: Request, plan_id: str) -> Response | None:
        session = await self._session(request, plan_id)
        plan = await self._store.plan(plan_id) if session else None
        if session is None or plan is None or not requests.is_from_here(request):
            return None
        return await self._page.show(plan, form_token(session, plan.id))

    async def _take(self, request: Request, plan_id: str) -> Response | None:
        if not requests.is_our_form(request, self._place.origin):
            return None
        session = await self._session(request, plan_id)
        form = await requests.read_form(request, FIELDS) if session else None
        if session is None or form is None:
            return None
        if not is_form_token(form.get("token", ""), session, plan_id):
            return None
        plan = await self._store.plan(plan_id)
        return await self._page.take(plan, form, person()) if plan else None

    async def _session(self, request: Request, plan_id: str) -> str | None:
        session = request.cookies.get(COOKIE, "")
        return session if session and await self._sessions.is_of(session, plan_id) else None
