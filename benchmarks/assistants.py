"""Two assistants at work on one sandbox: with our tools, and with one plain tool an endpoint.

Both count their calls, and the tokens of what they send and read. The plain one gets what the
API answers, as it is sent; it asks for the largest page that Losant gives, and knows the ids
that it has read, no others.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from pydantic import SecretStr

from benchmarks.counting import compact, count
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.guard.door import GuardDoor
from losant_mcp.server import build_server, policy_of

JsonObject = dict[str, Any]


@dataclass
class Assistant:
    """What an assistant has spent so far."""

    calls: int = 0
    tokens: int = 0

    def spend(self, sent: object, read: str) -> None:
        """One call more: what the model wrote, and what it got."""
        self.calls += 1
        self.tokens += count(compact(sent)) + count(read)


@dataclass
class Ours(Assistant):
    """Calls tools of this server."""

    client: Client | None = None

    async def do(self, name: str, /, **arguments: Any) -> JsonObject:
        """The result of a tool, which must be no error."""
        assert self.client is not None
        answer = await self.client.call_tool(name, arguments)
        result = answer.structured_content
        assert not answer.is_error, answer.content
        assert isinstance(result, dict)
        self.spend({"name": name, "arguments": arguments}, compact(result))
        return result


@dataclass
class Plain(Assistant):
    """Calls the API as it is, one tool an endpoint."""

    http: httpx.AsyncClient | None = None

    async def get(self, path: str, **params: Any) -> Any:
        """A GET below the application."""
        return await self._ask("GET", path, {k: _text(v) for k, v in params.items()}, None)

    async def post(self, path: str, body: object, **params: Any) -> Any:
        """A POST below the application."""
        return await self._ask("POST", path, params, body)

    async def patch(self, path: str, body: object, **params: Any) -> Any:
        """A PATCH below the application."""
        return await self._ask("PATCH", path, {k: _text(v) for k, v in params.items()}, body)

    async def _ask(self, method: str, path: str, params: Mapping[str, Any], body: object) -> Any:
        assert self.http is not None
        answer = await self.http.request(method, path, params=params, json=body)
        answer.raise_for_status()
        sent = {"name": f"{method} {path}", "arguments": {**params, "body": body}}
        self.spend(sent, answer.text)
        return answer.json()


def _text(value: Any) -> Any:
    return compact(value) if isinstance(value, (dict, list)) else value


@asynccontextmanager
async def assistants(
    facts: JsonObject, folder: Path, **choices: Any
) -> AsyncIterator[tuple[Ours, Plain]]:
    """Both, on the sandbox of these facts; a person agrees to whatever is asked.

    ``choices`` are settings.
    """
    token = SecretStr(facts["tokens"]["full"])
    settings = Settings(
        api_token=token,
        api_url=facts["url"],
        application_id=facts["applicationId"],
        state_dir=folder,
        **choices,
    )
    async with AsyncExitStack() as stack:
        losant = await stack.enter_async_context(
            LosantClient(token, base_url=facts["url"], policy=policy_of(settings))
        )
        door = GuardDoor(settings, losant)
        stack.push_async_callback(door.aclose)
        server = build_server(settings, losant, guard=door)
        stack.push_async_callback(server.workbench.aclose)
        client = await stack.enter_async_context(Client(server, elicitation_callback=_agree))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"{facts['url']}/applications/{facts['applicationId']}",
                headers={"Authorization": f"Bearer {token.get_secret_value()}"},
                timeout=60,
            )
        )
        yield Ours(client=client), Plain(http=http)


async def _agree(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """The person types what is asked for, or ticks the box."""
    assert isinstance(params, ElicitRequestFormParams)
    [(name, field)] = params.requested_schema["properties"].items()
    typed = re.search(r"type: (.+?)$", params.message)
    value = True if field["type"] == "boolean" else typed and typed[1].strip()
    return ElicitResult(action="accept", content={name: value})
