"""The approval page beside MCP over stdio: started when first needed, opened for the person.

The model is told that a page was opened, and how else a person can decide. It is never told an
address or a key: what it could open itself would be no approval.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import anyio
import anyio.abc
from anyio.to_thread import run_sync

from losant_mcp.api.endpoint import BASE_URL
from losant_mcp.config import Settings
from losant_mcp.guard import durable
from losant_mcp.guard.deciding import Asked, Deciding
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.state_dir import StateDir
from losant_mcp.guard.store import StateStore
from losant_mcp.http.approvals import Approvals
from losant_mcp.http.browser import Browser
from losant_mcp.http.plan_page import Place
from losant_mcp.http.redirects import Redirects
from losant_mcp.http.server import LoopbackServer
from losant_mcp.http.sessions import Sessions
from losant_mcp.http.sheet import moment

AGAIN_SECONDS = 60
"""A page that nobody has looked at is opened again at most so often."""
SEEN_SECONDS = 300
"""And one that somebody has looked at: a model that asks every minute opens no tab a minute."""

Opened = Literal["now", "before", "no"]


@dataclass(slots=True)
class _Tab:
    """What became of opening a plan's page."""

    file: Path
    at: float
    worked: bool
    is_seen: bool = False


class ApprovalPage:
    """Asks the person on a page in their browser. Use it around the time in which MCP is served.

    ``browser`` opens it; ``clock`` counts seconds between two openings.
    """

    def __init__(
        self,
        store: StateStore,
        ledger: Ledger,
        settings: Settings,
        state_dir: StateDir,
        *,
        browser: Browser | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings
        self._refusal_seconds = ledger.limits.refusal_seconds
        self._browser = browser or Browser()
        self._clock = clock
        self._deciding = Deciding(ledger)
        self._sessions = Sessions(store)
        self._redirects = Redirects(state_dir)
        self._tasks: anyio.abc.TaskGroup = anyio.create_task_group()
        self._server: LoopbackServer | None = None
        self._tabs: dict[str, _Tab] = {}
        self._lock = anyio.Lock()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        await run_sync(self._redirects.sweep)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        with anyio.CancelScope(shield=True):
            if self._server is not None:
                await self._server.stop()
            for tab in self._tabs.values():
                durable.remove(tab.file)
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, traceback)

    async def ask(self, plan: Plan, client: str = "") -> str:
        """Open the plan's page in the person's browser; what the model should tell the person.

        ``client`` is what the MCP client calls itself. The page is opened at most once a minute.
        Raises GuardError where the store cannot be used.
        """
        pin = self._settings.approve == "pin"
        async with self._lock:
            await self._deciding.note_asked(plan, Asked(client, pin))
            try:
                opened = await self._open(plan)
            except OSError:  # no port, or no room for the file: the terminal is still there
                opened = "no"
        return self._advice(plan, opened)

    @property
    def host(self) -> str | None:
        """Host and port of the page; None until it was first needed."""
        return self._server.host if self._server else None

    # ---- opening ---------------------------------------------------------------------------

    async def _open(self, plan: Plan) -> Opened:
        if not self._browser.is_there():
            return "no"
        now = self._clock()
        tab = self._tabs.get(plan.id)
        if tab is not None and now - tab.at < (SEEN_SECONDS if tab.is_seen else AGAIN_SECONDS):
            return "before" if tab.worked else "no"
        if tab is None or not tab.file.exists():
            tab = self._tabs[plan.id] = await self._prepare(plan, now)
            self._tasks.start_soon(self._expire, plan, tab)
        tab.at = now
        tab.worked = await run_sync(self._browser.open, tab.file)
        if not tab.worked:
            durable.remove(tab.file)
        return "now" if tab.worked else "no"

    async def _prepare(self, plan: Plan, now: float) -> _Tab:
        server = self._serving()
        key = await self._sessions.mint_key(plan)
        file = await run_sync(self._redirects.write, f"http://{server.host}/enter/{key}")
        return _Tab(file, now, worked=False)

    def _serving(self) -> LoopbackServer:
        """The server, started if it is not yet."""
        if self._server is None:
            self._server = LoopbackServer()
            place = Place(
                origin=f"http://{self._server.host}",
                time_zone=self._settings.time_zone,
                command=self._command(),
                refusal_seconds=self._refusal_seconds,
            )
            app = Approvals(place, self._store, self._sessions, self._deciding, self._entered)
            self._tasks.start_soon(self._server.serve, app)
        return self._server

    def _entered(self, plan: Plan) -> None:
        tab = self._tabs.get(plan.id)
        if tab is not None:
            tab.is_seen = True
            durable.remove(tab.file)

    async def _expire(self, plan: Plan, tab: _Tab) -> None:
        await anyio.sleep(max(plan.expires_at - await self._store.now(), 0))
        durable.remove(tab.file)
        if self._tabs.get(plan.id) is tab:
            del self._tabs[plan.id]

    # ---- telling ---------------------------------------------------------------------------

    def _advice(self, plan: Plan, opened: Opened) -> str:
        until = f"until {moment(plan.expires_at, self._settings.time_zone)}"
        terminal = f"run `{self._command()}` in a terminal on the computer where this server runs"
        if opened == "no":
            return f"No browser could be opened. Tell the person to {terminal}, {until}."
        how = "has been opened" if opened == "now" else "was opened a moment ago"
        return (
            f"The approval page {how} in the person's browser. Tell them to decide there {until};"
            f" or, if no page came up, to {terminal}."
        )

    def _command(self) -> str:
        """What a person types to reach the same plans: a terminal has other settings than this."""
        words = ["losant-mcp", "approve"]
        if self._settings.api_url.rstrip("/") != BASE_URL:
            words += ["--api-url", self._settings.api_url]
        if self._settings.state_dir is not None:
            words += ["--state-dir", str(self._settings.state_dir)]
        return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
