"""Everything that is served over HTTP, put together: MCP, health, readiness and metrics."""

from __future__ import annotations

import math
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

import anyio
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from losant_mcp.api.types import is_object_id
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.assembly import MakePage
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.state_dir import StateDir
from losant_mcp.guard.store import GuardError, StateStore
from losant_mcp.hosting.address import Address, allowed_origin, names_of, origin_of
from losant_mcp.hosting.approvals import LIST
from losant_mcp.hosting.approvals_desk import ApprovalDesk, check_approvals
from losant_mcp.hosting.callers import Anybody, Caller, Callers, KeyHolders, TokenHolders
from losant_mcp.hosting.door import METHODS, Door
from losant_mcp.hosting.health import Health
from losant_mcp.hosting.metrics import CONTENT_TYPE, Metrics
from losant_mcp.hosting.tenants import RUN_SECONDS, Tenants
from losant_mcp.observer import Observer
from losant_mcp.policy import Policy
from losant_mcp.tools.listing import denied_tables

END_SECONDS = 20.0
"""How long calls that are under way may go on once the server is to end."""

NO_SESSIONS = (
    "none, since several servers share their state: clients of protocol 2025-11-25 and before are "
    "asked on the approval page rather than by a form, and cannot subscribe to resources"
)
NOBODY_APPROVES = "nobody: what needs a person's yes is refused"


class Dial(Protocol):
    """Makes a client of Losant."""

    def __call__(
        self, token: SecretStr, policy: Policy, label: str, *, observer: Observer
    ) -> LosantClient:
        """A client of this token under this policy; ``label`` tells apart users of one token."""
        ...


def check_hosting(settings: Settings, address: Address) -> None:
    """Refuse to start what would be open to strangers. Raises ConfigurationError."""
    if settings.auth == "none" and not address.is_loopback:
        raise ConfigurationError(
            f"--auth none is for this machine alone, and others can reach {address.host}.",
            hint="Choose --auth keys or --auth losant, or listen at 127.0.0.1.",
        )
    check_approvals(settings)
    if not address.is_loopback and not (settings.allowed_hosts or settings.public_url):
        raise ConfigurationError(
            f"{address.host} can be reached from others, and no name is set by which they may.",
            hint="Set LOSANT_MCP_PUBLIC_URL to the address that clients use, or"
            " LOSANT_MCP_ALLOWED_HOSTS to its name.",
        )
    if settings.auth == "losant" and any(not is_object_id(n) for n in denied_tables(settings)):
        raise ConfigurationError(
            "LOSANT_MCP_DENY names a data table, and callers have tables of their own.",
            hint="With --auth losant, deny tables by id.",
        )


class Hosting:
    """The served app; use it as an async context manager around the HTTP server.

    ``policy`` is the server's own, with denied tables by id. ``page`` asks a person beside the
    server, who is there with ``--auth none`` alone.
    """

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        dial: Dial,
        address: Address,
        *,
        page: MakePage | None = None,
    ) -> None:
        check_hosting(settings, address)
        self.desk = ApprovalDesk(settings) if settings.approvers_file is not None else None
        if self.desk is not None:  # then no client's form is anybody's yes
            settings = settings.model_copy(update={"ask": "page"})
        self.metrics = Metrics()
        connect = partial(dial, observer=self.metrics)
        callers: Callers
        if settings.auth == "none":
            callers = Anybody(settings, policy)
        elif settings.auth == "keys":
            callers = KeyHolders(settings, policy)
        else:
            callers = TokenHolders(settings, connect)
        is_shared = settings.auth != "none"
        sessions = "kept by this process" if settings.state_url is None else NO_SESSIONS
        told = {"transport": "http", "auth": settings.auth, "sessions": sessions}
        if self.desk is not None:
            told["approver"] = self.desk.told
        elif is_shared:
            told["approver"] = NOBODY_APPROVES
        self.tenants = Tenants(
            settings,
            callers,
            connect,
            page=partial(self._page, _nobody if is_shared else page),
            told=told,
        )
        public = [urlsplit(origin_of(settings.public_url)).netloc] if settings.public_url else []
        names = names_of(address, (*settings.allowed_hosts, *public), settings.allowed_origins)
        self.door = Door(
            names,
            callers,
            self.tenants,
            self.metrics,
            max_requests=settings.max_requests,
            request_seconds=settings.request_seconds,
            shares=is_shared,
        )
        token = settings.api_token or SecretStr("readiness")
        self._client = connect(token, policy, "readiness")
        self._health = Health(
            settings,
            self._client,
            has_token=settings.api_token is not None,
            shared=lambda: self.tenants.shared,
        )
        self.app = self._routes(settings.allowed_origins)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as held:
            held.push_async_callback(self._client.aclose)
            await held.enter_async_context(self.tenants)
            if self.desk is not None:
                shared = self.tenants.shared
                await held.enter_async_context(self.desk.opened(shared.store if shared else None))
            self._held = held.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._held.__aexit__(kind, error, traceback)

    async def finish(self) -> None:
        """Take no new calls, let those that are under way end, and then end all streams."""
        self.door.is_ending = True
        with anyio.move_on_after(END_SECONDS):
            await self.door.calls.emptied()
        with anyio.move_on_after(RUN_SECONDS):  # half a deletion is worse than a slow end
            await self.tenants.idle()
        self.tenants.end()

    def _page(self, otherwise: MakePage | None, caller: Caller) -> MakePage | None:
        return otherwise if self.desk is None else self.desk.page_of(caller.user)

    # ---- what is served --------------------------------------------------------------------

    def _routes(self, origins: tuple[str, ...]) -> Starlette:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=[*map(allowed_origin, origins)],
            allow_methods=METHODS,
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", *_MCP_HEADERS],
            expose_headers=["Mcp-Session-Id", "WWW-Authenticate", "Retry-After", "X-Request-Id"],
        )
        pages = (LIST, f"{LIST}/{{rest:path}}")
        app = Starlette(
            routes=[
                # Pages elsewhere may call, and nothing else.
                Route("/mcp", self.door, methods=None, middleware=[cors] if origins else None),
                Route("/healthz", self._alive),
                Route("/readyz", self._ready),
                Route("/metrics", self._metrics),
                *([Route(path, self.desk, methods=None) for path in pages] if self.desk else []),
            ],
        )
        # A redirect would be made of the Host header, which is anybody's.
        app.router.redirect_slashes = False
        return app

    async def _alive(self, request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def _ready(self, request: Request) -> Response:
        if self.door.is_ending:
            return JSONResponse({"ready": False, "ending": True}, 503)
        found = await self._health.look()
        is_ready = "failed" not in found.values()
        return JSONResponse({"ready": is_ready, **found}, 200 if is_ready else 503)

    async def _metrics(self, request: Request) -> Response:
        # How much is done here is no page's business, whatever it made its name point to.
        if not self.door.names.allows_host(request.headers.get("host", "")):
            return PlainTextResponse("This server is not reached by this host name.", 421)
        self.metrics.callers.set(len(self.tenants.all))
        self.metrics.in_progress.labels("call").set(self.door.calls.taken)
        self.metrics.in_progress.labels("stream").set(self.door.streams.taken)
        self.metrics.pending.set(await self._pending())
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def _pending(self) -> float:
        """How many plans wait; all callers' lie in one store. Not a number where it is away."""
        try:
            return len(await store.pending_plans()) if (store := self._store) else 0
        except GuardError:
            return math.nan

    @property
    def _store(self) -> StateStore | None:
        """The store, if anything here has opened it."""
        if self.tenants.shared is not None:
            return self.tenants.shared.store
        if self.desk is not None:
            return self.desk.store
        opened = (tenant.guard.opened for tenant in self.tenants.all)
        return next((guard.ledger.store for guard in opened if guard is not None), None)


_MCP_HEADERS = ("Mcp-Session-Id", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name")


def _nobody(_: StateDir, __: Ledger) -> None:
    """The page of a server whose callers are not beside it: there is no approver."""
