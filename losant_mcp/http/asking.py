"""Asking on the page, for a server that does not know yet whether it will ever have to.

Neither the web server nor the templates are loaded before the first question, so that a server
that only reads pays nothing for them at its start.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import anyio
import anyio.abc

from losant_mcp.config import Settings
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.state_dir import StateDir

if TYPE_CHECKING:
    from losant_mcp.http.approval_page import ApprovalPage
    from losant_mcp.http.browser import Browser


class Ask(Protocol):
    """Opens the plan's page for the person; what the model should tell them."""

    async def __call__(self, plan: Plan, client: str = "") -> str:
        """``client`` is what the MCP client calls itself."""


class Asking:
    """Around the time in which MCP is served: the page starts at the first question, and ends.

    ``browser`` is what opens pages; left out, it is the person's default browser.
    """

    def __init__(self, settings: Settings, *, browser: Browser | None = None) -> None:
        self._settings = settings
        self._browser = browser
        self._tasks: anyio.abc.TaskGroup = anyio.create_task_group()
        self._over = anyio.Event()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._over.set()
        return await self._tasks.__aexit__(kind, error, traceback)

    def page(self, state_dir: StateDir, ledger: Ledger) -> Ask:
        """What asks on the page of this state folder, as the gate takes it."""
        started: list[ApprovalPage] = []
        lock = anyio.Lock()

        async def ask(plan: Plan, client: str = "") -> str:
            async with lock:
                if not started:
                    # A task of its own: the call that asks first ends long before the page does.
                    started.append(await self._tasks.start(self._run, state_dir, ledger))
            return await started[0].ask(plan, client)

        return ask

    async def _run(
        self,
        state_dir: StateDir,
        ledger: Ledger,
        *,
        task_status: anyio.abc.TaskStatus[ApprovalPage],
    ) -> None:
        from losant_mcp.http.approval_page import ApprovalPage

        async with ApprovalPage(
            ledger.store, ledger, self._settings, state_dir, browser=self._browser
        ) as page:
            task_status.started(page)
            await self._over.wait()
