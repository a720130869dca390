"""What a model pays: tokens of the tool definitions, and of a hundred events.

Counted with o200k. A definition is name, description and input schema as compact JSON; the
server's instructions come on top. FastMCP's conversion of the same endpoints is measured in the
same way: of a document made from Losant's published schemas, which spell out the grammar of a
query for each field, and of the leaner one that ``losant-mcp openapi`` writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
from mcp import Client
from pydantic import SecretStr

from benchmarks import fastmcp_conversion
from benchmarks.counting import compact, count
from benchmarks.figure import Figure
from benchmarks.processes import sandbox
from losant_mcp.api.types import JsonObject
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.server import build_server, policy_of

EVENTS = 100
PUBLISHED = "FastMCP's conversion of the published schemas"
OWN = "FastMCP's conversion of losant-mcp openapi"


def figures() -> Iterator[Figure]:
    """Definitions bound, unbound and read-only, the conversion's, and list_events of 100."""
    with sandbox() as facts:
        bound, schemas = anyio.run(_definitions, facts, {"application_id": facts["applicationId"]})
        unbound, _ = anyio.run(_definitions, facts, {})
        reading, _ = anyio.run(
            _definitions, facts, {"application_id": facts["applicationId"], "access": "read"}
        )
        listed = anyio.run(_list_events, facts)
        pretty = _pretty_events(facts)
    document = fastmcp_conversion.published()
    documents = [fastmcp_conversion.own(), *([document] if document else [])]
    found = [_tokens(tools) for tools in fastmcp_conversion.tools(*documents)]
    lean = found[0] if found else (None, None)
    other, theirs = found[1] if len(found) > 1 else (None, None)
    missing = "" if other else "not measured here: no published schemas, or no FastMCP"
    yield Figure("all tools, bound", "tokens", bound, other, PUBLISHED, limit=6500, note=missing)
    yield Figure(
        "all tools, unbound", "tokens", unbound, other, PUBLISHED, limit=7500, note=missing
    )
    yield Figure("all tools, read-only", "tokens", reading, limit=3500)
    yield Figure("input schemas alone, bound", "tokens", schemas, theirs, PUBLISHED, note=missing)
    yield Figure(
        "all tools, bound, beside a lean document", "tokens", bound, lean[0], OWN, note=missing
    )
    yield Figure("input schemas alone, beside it", "tokens", schemas, lean[1], OWN, note=missing)
    yield Figure(
        "list_events of 100 events", "tokens", listed, pretty, "API JSON, pretty", limit=7000
    )


def _tokens(tools: list[JsonObject]) -> tuple[int, int]:
    """Tokens of all definitions, and of the input schemas alone."""
    whole = sum(count(compact(tool)) for tool in tools)
    return whole, sum(count(compact(tool["inputSchema"])) for tool in tools)


def _client_of(facts: dict[str, Any], choices: dict[str, Any]) -> tuple[Settings, LosantClient]:
    token = SecretStr(facts["tokens"]["full"])
    settings = Settings.model_validate({**choices, "api_token": token, "api_url": facts["url"]})
    return settings, LosantClient(token, base_url=facts["url"], policy=policy_of(settings))


async def _definitions(facts: dict[str, Any], choices: dict[str, Any]) -> tuple[int, int]:
    """Tokens of all definitions with the instructions, and of the input schemas alone."""
    settings, losant = _client_of(facts, choices)
    async with losant, Client(build_server(settings, losant)) as client:
        tools = (await client.list_tools()).tools
        whole = [
            {"name": t.name, "description": t.description, "inputSchema": t.input_schema}
            for t in tools
        ]
        schemas = sum(count(compact(tool["inputSchema"])) for tool in whole)
        instructions = count(client.instructions or "")
    return sum(count(compact(tool)) for tool in whole) + instructions, schemas


async def _list_events(facts: dict[str, Any]) -> int:
    settings, losant = _client_of(facts, {"application_id": facts["applicationId"]})
    # The budget would cut what is to be measured.
    settings = settings.model_copy(update={"result_tokens": 100_000})
    async with losant, Client(build_server(settings, losant)) as client:
        answer = await client.call_tool("list_events", {"perPage": EVENTS})
    result = answer.structured_content
    assert isinstance(result, dict)
    assert result["returned"] == EVENTS
    return count(compact(result))


def _pretty_events(facts: dict[str, Any]) -> int:
    answer = httpx.get(
        f"{facts['url']}/applications/{facts['applicationId']}/events",
        params={"perPage": EVENTS},
        headers={"Authorization": f"Bearer {facts['tokens']['full']}"},
    )
    return count(json.dumps(answer.raise_for_status().json(), ensure_ascii=False, indent=2))
