"""Every write of any effect, in the audit before it is sent and after it was answered.

Where the audit cannot be written, nothing is written to Losant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import anyio

from losant_mcp.guard.plans import Binding, Plan
from losant_mcp.guard.store import Limits, StateStore


class Audit(Protocol):
    """Where lines are written to the disk."""

    async def append(self, kind: str, **facts: Any) -> object:  # facts are JSON scalars
        """Write a line. Raises GuardError where it did not reach the disk."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The audit and the hourly meters of one principal and origin."""

    audit: Audit
    store: StateStore
    binding: Binding
    limits: Limits

    async def note(self, kind: str, **facts: Any) -> None:
        """Write a line about no plan."""
        await self.audit.append(
            kind,
            principal=self.binding.principal,
            origin=self.binding.origin,
            **{name: value for name, value in facts.items() if value is not None},
        )

    async def note_plan(self, kind: str, plan: Plan, client: str, **facts: Any) -> None:
        """Write a line about a plan. No cell, subject or filter value is ever in it."""
        operation = plan.operation
        await self.note(
            kind,
            plan=plan.id or None,
            action=operation.action,
            application=operation.application_id,
            target=operation.target_id,
            name=plan.target.name or None,
            count=plan.planned.count,
            client=client or None,
            **facts,
        )

    @asynccontextmanager
    async def recorded(
        self,
        action: str,
        application_id: str,
        *,
        target: str | None = None,
        meter: Literal["created_rows", "created_events"] | None = None,
        count: int = 1,
    ) -> AsyncIterator[None]:
        """Around a write that nobody is asked about: its budget, and its two lines.

        Raises BudgetSpent before anything is sent where the hour's budget does not hold it.
        """
        if meter is not None:
            limit = getattr(self.limits, meter)
            await self.store.spend(meter, self.binding.principal, application_id, count, limit)
        facts = {"action": action, "application": application_id, "target": target, "count": count}
        await self.note("writing", **facts)
        try:
            yield
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self.note("failed", **facts, why=type(error).__name__)
            raise
        await self.note("wrote", **facts)
