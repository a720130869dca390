"""A guarded server with a person beside it who answers as a test says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from pydantic import SecretStr

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.guard.assembly import Guard
from losant_mcp.guard.audit_lines import AuditLine
from losant_mcp.guard.door import GuardDoor
from losant_mcp.server import LosantServer, build_server, policy_of
from tests.calling import Mode
from tests.served import Sandbox

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
class Guarded:
    """One server over the sandbox, with a state folder of its own."""

    sandbox: Sandbox
    mode: Mode
    settings: Settings
    client: LosantClient
    door: GuardDoor
    server: LosantServer
    stack: AsyncExitStack
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

    async def guard(self) -> Guard:
        """The opened guard."""
        return await self.door.open()

    async def audited(self, plan_id: str | None = None) -> list[AuditLine]:
        """The lines of the audit, oldest first."""
        audit = (await self.guard()).ledger.audit
        return list(audit.read(1000, plan_id=plan_id))

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """The stored rows of a table, by its name."""
        [found] = self.sandbox.store.rows("SELECT id FROM data_tables WHERE name = ?", table)
        stored = self.sandbox.store.rows(f'SELECT * FROM "rows_{found["id"]}" ORDER BY id')
        return [tuple(row) for row in stored]


async def guarded_server(
    sandbox: Sandbox, mode: Mode, folder: Path, stack: AsyncExitStack, **settings: Any
) -> Guarded:
    """A server over the sandbox whose state lies in ``folder``; it ends with ``stack``."""
    made = Settings(
        **{
            "api_token": SecretStr(sandbox.tokens["full"]),
            "api_url": sandbox.url,
            "application_id": sandbox.application_id,
            "state_dir": folder,
            **settings,
        }
    )
    assert made.api_token is not None
    client = LosantClient(
        made.api_token, base_url=made.api_url, policy=policy_of(made), retry_wait_scale=0
    )
    await stack.enter_async_context(client)
    door = GuardDoor(made, client)
    stack.push_async_callback(door.aclose)
    server = build_server(made, client, guard=door)
    return Guarded(sandbox, mode, made, client, door, server, stack)
