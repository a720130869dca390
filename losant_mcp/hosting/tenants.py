"""One MCP server for each caller, made when they first come and let go when they are long quiet.

A server of one's own, rather than one server that looks up whose call it is: sessions, sealed
states, subscriptions, plans, budgets and caches of different callers then lie in different objects
that do not know each other, and no line that anybody adds can hand one caller's to another by
forgetting to ask. A session of another caller does not exist here, so its id is answered by 404.
It costs 3 ms and 0.15 MB a caller (`python -m benchmarks.hosting` measures it), since the schemas
of tools share their texts; a context variable would cost nothing, and one forgotten reset would
cost everything.

Shared are only what has no caller's data in it, and the workbench, whose processes are the one
thing that a machine cannot have a thousand of: it keeps a process for each caller and application.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.abc
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import Receive, Scope, Send

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.errors import LosantMcpError
from losant_mcp.guard.assembly import MakePage
from losant_mcp.guard.door import GuardDoor
from losant_mcp.guard.shared_state import SharedState, shared_state
from losant_mcp.hosting.callers import Caller, Callers, Connect
from losant_mcp.hosting.workbench import SharedWorkbench
from losant_mcp.server import LosantServer, build_server

MOST_BODY = 4 * 1024 * 1024
SWEEP_SECONDS = 5.0
ORPHANS_SECONDS = 60.0
"""How often somebody looks for runs whose replica is gone."""
RUN_SECONDS = 20.0
"""How long calls, and what runs for them, may go on after their server was let go."""

log = logging.getLogger(__name__)


class Full(Exception):
    """As many callers as fit are busy at this moment."""


@dataclass
class Tenant:
    """A caller's own server; ``users`` requests are in it now."""

    caller: Caller
    client: LosantClient
    server: LosantServer
    guard: GuardDoor
    users: int = 0
    last_used: float = field(default_factory=monotonic)
    is_ready: anyio.Event = field(default_factory=anyio.Event)
    is_over: anyio.Event = field(default_factory=anyio.Event)
    is_free: anyio.Event = field(default_factory=anyio.Event)
    streams: set[anyio.CancelScope] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one MCP request."""
        await self.server.session_manager.handle_request(scope, receive, send)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """A block that ends once this server is let go: what stays open must not outlive it."""
        with anyio.CancelScope() as scope:
            self.streams.add(scope)
            if self.is_over.is_set():
                scope.cancel()
            try:
                yield
            finally:
                self.streams.discard(scope)

    def let_go(self) -> None:
        """End the streams; calls that are under way may finish."""
        self.is_over.set()
        for scope in self.streams:
            scope.cancel()
        if not self.users:
            self.is_free.set()


class Tenants:
    """The servers of all callers. Use it as an async context manager, around the HTTP server.

    ``page`` makes, for a caller, what asks a person for a yes; ``told`` is what each status says of
    the hosting.
    """

    def __init__(
        self,
        settings: Settings,
        callers: Callers,
        connect: Connect,
        *,
        page: Callable[[Caller], MakePage | None],
        told: Mapping[str, Any],
    ) -> None:
        self._settings = settings
        self._callers = callers
        self._connect = connect
        self._page = page
        self._told = told
        self._workbench = SharedWorkbench(max_rows=settings.max_rows, time_zone=settings.time_zone)
        self._tenants: OrderedDict[str, Tenant] = OrderedDict()
        self._shared: SharedState | None = None
        self._held = AsyncExitStack()
        self._tasks = anyio.create_task_group()

    async def __aenter__(self) -> Self:
        self._shared = await self._held.enter_async_context(shared_state(self._settings))
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._sweep_often)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        try:
            return await self._tasks.__aexit__(kind, error, traceback)
        finally:
            with anyio.CancelScope(shield=True):
                await self._workbench.aclose()
            # Not in there: it holds scopes of its own, which end in the order of their beginning.
            await self._held.aclose()

    @property
    def shared(self) -> SharedState | None:
        """What is shared with other replicas."""
        return self._shared

    @property
    def all(self) -> list[Tenant]:
        """Every caller's server that is there now, the longest unused first."""
        return list(self._tenants.values())

    @asynccontextmanager
    async def of(self, caller: Caller) -> AsyncIterator[Tenant]:
        """The caller's server, made if need be, kept for the block. Raises Full."""
        tenant = self._tenants.get(caller.key)
        if tenant is None:
            self._make_room()
            tenant = self._tenants[caller.key] = self._build(caller)
            self._tasks.start_soon(self._run, tenant)
        self._tenants.move_to_end(caller.key)
        tenant.users += 1
        try:
            await tenant.is_ready.wait()
            yield tenant
        finally:
            tenant.users -= 1
            tenant.last_used = monotonic()
            if tenant.is_over.is_set() and not tenant.users:
                tenant.is_free.set()

    async def idle(self) -> None:
        """Wait until no run of a plan is under way, whoever's."""
        for tenant in self.all:
            await tenant.guard.idle()

    def end(self) -> None:
        """Let go of all servers, and with them of their sessions and open streams."""
        for key in list(self._tenants):
            self._let_go(key)

    # ---- one server ------------------------------------------------------------------------

    def _build(self, caller: Caller) -> Tenant:
        token = caller.settings.api_token
        assert token is not None, "a caller has a token, or the server's"
        client = self._connect(token, caller.policy, caller.label)
        shared = self._shared
        guard = GuardDoor(
            caller.settings,
            client,
            page=self._page(caller),
            principal=caller.principal,
            store=shared.store if shared else None,
            volume=shared.volume if shared else None,
        )
        server = build_server(
            caller.settings,
            client,
            guard=guard,
            workbench=self._workbench,
            principal=caller.name,
            hosting={**self._told, "caller": caller.name},
            bus=shared.bus if shared else None,
        )
        # The app itself is not needed: the door has its routes and checks. It makes the manager.
        server.streamable_http_app(
            # A session is kept by one process, and the next request may come to another one.
            stateless_http=shared is not None,
            max_request_body_size=MOST_BODY,
            session_idle_timeout=self._settings.session_minutes * 60,
            max_sessions=self._settings.max_sessions,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        return Tenant(caller, client, server, guard)

    async def _run(self, tenant: Tenant) -> None:
        """Keep the server going until it is let go; its own task, since that has to end it."""
        try:
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self._close, tenant)
                await stack.enter_async_context(tenant.server.resources.watching)
                await stack.enter_async_context(tenant.server.session_manager.run())
                tenant.is_ready.set()
                await tenant.is_over.wait()
                with anyio.move_on_after(RUN_SECONDS):
                    await tenant.is_free.wait()
        except Exception:  # one caller's server must not take the others' with it
            log.exception("the server of %s ended badly", tenant.caller.name)
            if self._tenants.get(tenant.caller.key) is tenant:
                del self._tenants[tenant.caller.key]

    async def _close(self, tenant: Tenant) -> None:
        """Let go of a caller's files and connections, once what runs for them has ended."""
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(RUN_SECONDS):
                await tenant.guard.idle()
            await tenant.guard.aclose()
            await self._workbench.release(tenant.client)
            await tenant.client.aclose()

    # ---- making room -----------------------------------------------------------------------

    def _make_room(self) -> None:
        """Let go of the longest unused server where there are too many. Raises Full."""
        if len(self._tenants) < self._settings.max_callers:
            return
        idle = next((key for key, tenant in self._tenants.items() if not tenant.users), None)
        if idle is None:
            raise Full
        self._let_go(idle)

    def _let_go(self, key: str) -> None:
        self._tenants.pop(key).let_go()

    async def _sweep_often(self) -> None:
        """Let go of who was long quiet, and at once of who may not call any more."""
        looked = monotonic()
        while True:
            await anyio.sleep(SWEEP_SECONDS)
            if self._shared is not None and monotonic() - looked > ORPHANS_SECONDS:
                looked = monotonic()
                await self._look_for_orphans()
            old = monotonic() - self._settings.session_minutes * 60
            for key, tenant in list(self._tenants.items()):
                is_old = not tenant.users and tenant.last_used < old
                if is_old or not await self._callers.is_current(tenant.caller):
                    self._let_go(key)

    async def _look_for_orphans(self) -> None:
        """Tell, once, of runs whose replica is gone, so that nobody has to ask first."""
        guard = next((t.guard.opened for t in self.all if t.guard.opened is not None), None)
        if guard is not None:
            try:
                await guard.gate.recover()
            except LosantMcpError as error:
                log.warning("runs of other replicas cannot be looked after: %s", error)
