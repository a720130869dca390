"""Clients of servers with a few chosen tools, over the sandbox's real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from mcp import Client
from mcp.server.mcpserver import MCPServer

from losant_mcp.analysis.workbench import Workbench
from losant_mcp.guard.door import GuardDoor
from losant_mcp.tools.call import Services
from losant_mcp.tools.spec import ToolSpec
from losant_mcp.tools.times import Clock, utc_now
from tests.assembling import losant_of, settings_for
from tests.served import Sandbox


@asynccontextmanager
async def serving(
    sandbox: Sandbox,
    *specs: ToolSpec,
    now: Callable[[], datetime] = utc_now,
    **settings: Any,
) -> AsyncIterator[Client]:
    """A client of a server bound to the sandbox's application that has these tools only."""
    chosen = settings_for(sandbox, **{"time_zone": "UTC", **settings})
    workbench = Workbench(max_rows=chosen.max_rows, time_zone=chosen.time_zone)
    async with losant_of(chosen) as losant, workbench:
        services = Services(
            workbench=workbench,
            settings=chosen,
            client=losant,
            clock=Clock(chosen.time_zone, now=now),
            guard=GuardDoor(chosen, losant),
            bound_to=chosen.application_id,
        )
        server: MCPServer[None] = MCPServer(
            "analysis", tools=[spec.build(services) for spec in specs], log_level="WARNING"
        )
        async with Client(server) as client:
            yield client
