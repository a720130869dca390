"""How a person beside the server is asked on a page: opened with the server, started when needed.

The guard opens at the first call that is more than a read, in that call's own task; the page's
server has to live as long as the command. So the page is started here, in a task of the command.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from losant_mcp.config import Settings

if TYPE_CHECKING:
    from losant_mcp.guard.assembly import MakePage
    from losant_mcp.guard.gate import AskElsewhere
    from losant_mcp.guard.ledger import Ledger
    from losant_mcp.guard.plans import Plan
    from losant_mcp.guard.state_dir import StateDir


@asynccontextmanager
async def approval_pages(settings: Settings) -> AsyncIterator[MakePage]:
    """What makes the approval page, once the guard has its store; it ends with this block."""
    async with anyio.create_task_group() as tasks:

        def make(state: StateDir, ledger: Ledger) -> AskElsewhere:
            return _Page(settings, state, ledger, tasks)

        yield make
        tasks.cancel_scope.cancel()


class _Page:
    """The page of one guard, not there until somebody has to be asked."""

    def __init__(
        self,
        settings: Settings,
        state: StateDir,
        ledger: Ledger,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._settings = settings
        self._state = state
        self._ledger = ledger
        self._tasks = tasks
        self._ask: AskElsewhere | None = None
        self._lock = anyio.Lock()

    async def __call__(self, plan: Plan, client: str) -> str:
        """Open the page for the person; what the model should tell them. ``client`` is what the
        MCP client calls itself.
        """
        async with self._lock:
            if self._ask is None:
                self._ask = await self._tasks.start(self._serve)
            ask = self._ask
        return await ask(plan, client)

    async def _serve(self, *, task_status: anyio.abc.TaskStatus[AskElsewhere]) -> None:
        # Loaded here: a server whose clients have forms never shows a page.
        from losant_mcp.http.approval_page import ApprovalPage

        store = self._ledger.store
        async with ApprovalPage(store, self._ledger, self._settings, self._state) as page:
            task_status.started(page.ask)
            await anyio.sleep_forever()
