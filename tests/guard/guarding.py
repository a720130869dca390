"""A guarded server with a person beside it who answers as a test says."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from anyio import to_thread
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.guard.assembly import Guard
from losant_mcp.guard.audit_lines import AuditLine
from losant_mcp.guard.door import GuardDoor
from losant_mcp.guard.plans import Plan, Status
from losant_mcp.server import LosantServer
from tests.assembling import assembled, network, settings_for
from tests.calling import Mode
from tests.served import Sandbox

FIELD = "confirmation"
"""The only field of every form."""

Answer = Callable[[str, dict[str, Any]], ElicitResult]
"""From the question and the form's schema to what the person does."""


def accept(value: Any) -> Answer:
    """Somebody who puts this into the form's only field and sends it."""

    def answer(question: str, schema: dict[str, Any]) -> ElicitResult:
        [name] = schema["properties"]
        return ElicitResult(action="accept", content={name: value})

    return answer


def refuse(question: str, schema: dict[str, Any]) -> ElicitResult:
    """Somebody who says no."""
    return ElicitResult(action="decline")


def close(question: str, schema: dict[str, Any]) -> ElicitResult:
    """Somebody who closes the form."""
    return ElicitResult(action="cancel")


@dataclass
class Moment:
    """Something that happens once, just before the n-th request that fits leaves."""

    method: str
    path: str
    """How the path ends."""
    happens: Callable[[], object]
    left: int = 1


@dataclass
class Meddler(httpx.AsyncBaseTransport):
    """A transport on which a test can act between two requests of the server."""

    moments: list[Moment] = field(default_factory=list)
    network: httpx.AsyncBaseTransport = field(default_factory=network)

    def before(
        self, method: str, path: str, happens: Callable[[], object], *, number: int = 1
    ) -> None:
        """Let this happen just before the request of that number, counted from now on."""
        self.moments.append(Moment(method, path, happens, number))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Let happen what is due, and send the request."""
        for moment in list(self.moments):
            if request.method == moment.method and request.url.path.endswith(moment.path):
                moment.left -= 1
                if not moment.left:
                    self.moments.remove(moment)
                    await to_thread.run_sync(moment.happens)
        return await self.network.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.network.aclose()


@dataclass
class Guarded:
    """One server over the sandbox, with a state folder of its own."""

    sandbox: Sandbox
    mode: Mode
    settings: Settings
    client: LosantClient
    door: GuardDoor
    server: LosantServer
    stack: AsyncExitStack
    meddler: Meddler
    questions: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What the person was asked: the text and the form's schema."""

    async def connect(self, answer: Answer | None = None) -> Client:
        """A client whose person answers so; without an answer it has no forms."""

        async def ask(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
            assert isinstance(params, ElicitRequestFormParams)
            assert answer is not None
            self.questions.append((params.message, dict(params.requested_schema)))
            return answer(params.message, dict(params.requested_schema))

        client = Client(
            self.server, mode=self.mode, elicitation_callback=ask if answer is not None else None
        )
        return await self.stack.enter_async_context(client)

    async def beside(self, **settings: Any) -> Guarded:
        """Another server over the same sandbox, with the same state folder."""
        folder = self.settings.state_dir
        assert folder is not None
        return await guarded_server(self.sandbox, self.mode, folder, self.stack, **settings)

    async def guard(self) -> Guard:
        """The opened guard."""
        return await self.door.open()

    async def audited(self, plan_id: str | None = None) -> list[AuditLine]:
        """The lines of the audit, oldest first."""
        audit = (await self.guard()).ledger.audit
        return list(audit.read(1000, plan_id=plan_id))

    async def backed_up(self, backup_id: str) -> int:
        """How many objects a backup holds, read to its end."""
        guard = await self.guard()
        binding = guard.ledger.binding
        manifest = await guard.backups.get(
            backup_id,
            principal=binding.principal,
            api_url=binding.api_url,
            application_id=self.sandbox.application_id,
        )
        async with guard.backups.open(manifest) as source:
            return len([item async for chunk in source.chunks(100) for item in chunk])

    def table_id(self, table: str) -> str:
        """The id of a table, by its name."""
        [found] = self.sandbox.store.rows("SELECT id FROM data_tables WHERE name = ?", table)
        return str(found["id"])

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """The stored rows of a table, by its name."""
        name = f"rows_{self.table_id(table)}"
        stored = self.sandbox.store.rows(f'SELECT * FROM "{name}" ORDER BY id')
        return [tuple(row) for row in stored]

    def events(self) -> dict[str, tuple[Any, ...]]:
        """The stored events by id, without their history."""
        stored = self.sandbox.store.rows("SELECT * FROM events ORDER BY id")
        return {row["id"]: tuple(row) for row in stored}

    async def plans(self, *statuses: Status) -> list[Plan]:
        """The stored plans that the audit knows of, in these states."""
        store = (await self.guard()).ledger.store
        lines = [line.facts for line in await self.audited()]
        ids = dict.fromkeys(facts["plan"] for facts in lines if "plan" in facts)
        found = [await store.plan(plan_id) for plan_id in ids]
        return [plan for plan in found if plan is not None and plan.status in statuses]


async def guarded_server(
    sandbox: Sandbox,
    mode: Mode,
    folder: Path,
    stack: AsyncExitStack,
    *,
    meddler: Meddler | None = None,
    clock: Callable[[], float] = time.time,
    **settings: Any,
) -> Guarded:
    """A server over the sandbox whose state lies in ``folder``; it ends with ``stack``."""
    meddler = meddler or Meddler()
    made = settings_for(sandbox, **{"state_dir": folder, **settings})
    parts = await assembled(made, stack, transport=meddler, clock=clock)
    return Guarded(sandbox, mode, made, parts.losant, parts.door, parts.server, stack, meddler)
