"""Every write of any effect, in the audit before it is sent and after it was answered.

Where the audit cannot be written, nothing is written to Losant. What was done is kept for a day,
too, for the next question about the same target.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal, Unpack

import anyio

from losant_mcp.guard.audit import AuditLog, AuditUnavailable
from losant_mcp.guard.audit_lines import Facts, Kind
from losant_mcp.guard.outcomes import iso
from losant_mcp.guard.plans import Binding, Plan
from losant_mcp.guard.store import GuardError, Limits, StateStore, StateUnavailable
from losant_mcp.guard.wording import counted

_ADDS = {"insert_rows": "row", "create_event": "event", "add_data_table_column": "column"}
"""What a later question about the table or the application tells of."""


class NotRecorded(GuardError):
    """Losant did it, and the audit could not be told; so nothing more is written to Losant."""

    changed = "unknown"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The audit and the hourly meters of one principal and origin."""

    audit: AuditLog
    store: StateStore
    binding: Binding
    limits: Limits

    async def note(self, kind: Kind, **facts: Unpack[Facts]) -> None:
        """Write a line about no plan."""
        facts.setdefault("principal", self.binding.principal)
        facts.setdefault("origin", self.binding.origin)
        await self.audit.append(kind, **facts)

    async def note_plan(
        self, kind: Kind, about: Plan, asker: str = "", **facts: Unpack[Facts]
    ) -> None:
        """Write a line about a plan; ``asker`` is what the client calls itself."""
        operation = about.operation
        facts["action"] = operation.action
        facts["application"] = operation.application_id
        facts["target"] = operation.target_id
        facts.setdefault("counts", {"planned": about.planned.count})
        if about.id:
            facts["plan"] = about.id
        if about.target.name:
            facts["name"] = about.target.name
        if asker:
            facts["client"] = asker
        await self.note(kind, **facts)

    async def note_expired(self) -> None:
        """Write the line of every plan that expired meanwhile, whoever made it."""
        with anyio.CancelScope(shield=True):
            for plan in await self.store.take_expired():
                facts = Facts(principal=plan.binding.principal, origin=plan.binding.origin)
                if plan.way is not None:
                    facts["way"] = plan.way
                await self.note_plan("expired", plan, **facts)

    async def tell_later(self, application_id: str, verb: str, *targets: str) -> None:
        """Keep what was done for the next questions about these targets."""
        words = f"{verb} ({iso(await self.store.now())})"
        for target in dict.fromkeys(targets):
            await self.store.note_change(application_id, target, words)

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

        Raises BudgetSpent before anything is sent where the hour's budget does not hold it, and
        NotRecorded after it was done.
        """
        if meter is not None:
            limit = getattr(self.limits, meter)
            await self.store.spend(meter, self.binding.principal, application_id, count, limit)
        facts = Facts(action=action, application=application_id, counts={"planned": count})
        if target is not None:
            facts["target"] = target
        await self.note("writing", **facts)
        try:
            yield
        except BaseException as error:
            # What became of the write is what the caller must learn, whatever the audit says.
            with anyio.CancelScope(shield=True), suppress(AuditUnavailable):
                await self.note("failed", **facts | Facts(why=type(error).__name__))
            raise
        try:
            with anyio.CancelScope(shield=True):
                await self.note("wrote", **facts)
        except AuditUnavailable as error:
            told = f"Losant did it, but that could not be recorded. {error}"
            raise NotRecorded(told, hint=error.hint) from error
        if action in _ADDS:
            verb = f"ADD {counted(count, _ADDS[action])}"
            # Only words for a question; what was made is told all the same.
            with anyio.CancelScope(shield=True), suppress(StateUnavailable):
                await self.tell_later(application_id, verb, target or application_id)
