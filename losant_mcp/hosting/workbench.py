"""The workbench of all callers: bounded, since each question may need a process of its own."""

from __future__ import annotations

from typing import Any

import anyio

from losant_mcp.analysis.workbench import Answer, Workbench
from losant_mcp.client import LosantClient

MOST_QUESTIONS = 8
"""At a time; as many processes are kept, and each may take most of a gigabyte."""


class SharedWorkbench(Workbench):
    """Keeps a process for each caller and application, and lets the others wait in line."""

    def __init__(self, **settings: Any) -> None:  # those of Workbench
        super().__init__(most_children=MOST_QUESTIONS, **settings)
        self._limiter = anyio.CapacityLimiter(MOST_QUESTIONS)

    async def query(self, *given: Any, **more: Any) -> Answer:  # as Workbench.query takes them
        """What the workbench answers, once there is room for another question."""
        async with self._limiter:
            return await super().query(*given, **more)

    async def release(self, client: LosantClient) -> None:
        """End the processes of a caller who has gone."""
        for key in [key for key in self._desks if key[0] == client.principal]:
            if not self._desks[key].users:
                await self._desks.pop(key).child.aclose()
