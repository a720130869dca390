"""The approval page as an ASGI application: two addresses, and one answer to all else.

``/enter/<key>`` turns a one-time key into a cookie, and ``/approvals/<plan>`` shows the plan to
the browser that has the cookie, and takes its answer. It uses Starlette's requests and responses
without its router: a router has answers of its own, and here every miss must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from losant_mcp.guard.deciding import Deciding, person, problem_in_words
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.store import GuardError, StateStore
from losant_mcp.http import requests
from losant_mcp.http.answers import Misses, answer, unavailable
from losant_mcp.http.pages import render
from losant_mcp.http.sessions import Sessions
from losant_mcp.http.sheet import sheet
from losant_mcp.http.states import state_of

COOKIE = "losant-mcp-approval"

# Forms must say where they come from. Under "no-referrer" a browser sends them with "Origin: null"
# (Fetch, "append a request Origin header"; seen in Chromium), so the page with the form says
# "same-origin": its address, which grants nothing, is told to itself and to nobody else.
_REFERRER_OF_FORM = "same-origin"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page is, and how it speaks."""

    host: str
    """Exactly as a browser's Host header has it, with the port."""
    time_zone: str
    command: str
    """What a person types in a terminal to decide there."""
    refusal_seconds: int

    @property
    def origin(self) -> str:
        """Exactly as a browser's Origin header has it."""
        return f"http://{self.host}"


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
        self._deciding = deciding
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
        target = requests.target(request)
        if target is None or not requests.is_well_formed(request, self._place.host):
            return self._misses.answer()
        if not requests.is_shown_to_person(request) or requests.is_prefetch(request):
            return self._misses.answer()
        kind, name = target
        if kind == "enter":
            found = await self._enter(request, name)
        elif request.method == "GET":
            found = await self._show(request, name)
        else:
            found = await self._take(request, name)
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
        there = _path(plan.id)
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
        asked = await self._deciding.asked(plan)
        words = sheet(plan, client=asked.client, time_zone=self._place.time_zone)
        slips = await self._deciding.slips(plan)
        if plan.status != "pending":
            zone = self._place.time_zone
            state = state_of(plan, slips, zone, self._place.refusal_seconds)
            return answer(
                render("state", sheet=words, here=_path(plan.id), plan_id=plan.id, **state)
            )
        page = render(
            "plan",
            sheet=words,
            here=_path(plan.id),
            token=self._sessions.token(session, plan.id),
            needs_pin=asked.pin,
            lacks_pin=await self._deciding.lacks_pin(plan),
            slip=slips.last,
            problem=problem_in_words(slips),
            command=self._place.command,
            refusal_minutes=self._place.refusal_seconds // 60,
        )
        return answer(page, referrer=_REFERRER_OF_FORM)

    async def _take(self, request: Request, plan_id: str) -> Response | None:
        if not requests.is_our_form(request, self._place.origin):
            return None
        session = await self._session(request, plan_id)
        form = await requests.read_form(request) if session else None
        if session is None or form is None:
            return None
        if not self._sessions.is_token(form.get("token", ""), session, plan_id):
            return None
        plan = await self._store.plan(plan_id)
        if plan is None or not await self._decided(plan, form):
            return None
        return answer(status=303, location=_path(plan_id))

    async def _decided(self, plan: Plan, form: Mapping[str, str]) -> bool:
        """Whether the form was an answer; a plan that is already decided stays as it is."""
        match form.get("decision"):
            case "decline":
                await self._deciding.decline(plan, way="page", by=person())
            case "approve":
                await self._deciding.approve(
                    plan,
                    typed=form.get("phrase", ""),
                    pin=form.get("pin", ""),
                    way="page",
                    by=person(),
                )
            case _:
                return False
        return True

    async def _session(self, request: Request, plan_id: str) -> str | None:
        session = request.cookies.get(COOKIE, "")
        return session if session and await self._sessions.is_of(session, plan_id) else None


def _path(plan_id: str) -> str:
    return f"/approvals/{plan_id}"
