"""What a server may do is decided where requests leave, and what it lists by its settings."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from mcp import Client, MCPError
from pydantic import SecretStr

from losant_mcp.api.endpoint import Effect
from losant_mcp.client import LosantClient
from losant_mcp.config import TOOLSETS, Settings
from losant_mcp.policy import Policy
from losant_mcp.server import build_server
from losant_mcp.tools.availability import why_not
from losant_mcp.tools.spec import TOOLS, ToolSpec
from tests.calling import Connect, Mode, result, stored
from tests.served import Sandbox
from tests.tools.plausible import arguments, ids_in
from tests.tools.watching import Watch

ALLOWED = {
    "read": {Effect.READ},
    "write": {Effect.READ, Effect.WRITE, Effect.OVERWRITE, Effect.EXPORT},
    "full": set(Effect),
}


async def _listed(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


async def _call_everything(client: Client, sandbox: Sandbox) -> set[str]:
    """Call every tool by name with plausible arguments; returns the names that are unknown."""
    unknown = set()
    for name, given in arguments(ids_in(sandbox.store)).items():
        try:
            await client.call_tool(name, given)
        except MCPError as error:
            if error.error.code != -32602:
                raise
            unknown.add(name)
    return unknown


async def test_a_server_that_may_read_sends_reads_and_nothing_else(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Watched at the transport while every tool is called; not a byte is changed."""
    before = stored(sandbox)
    watch = Watch()
    client = await connect(access="read", transport=watch)
    unknown = await _call_everything(client, sandbox)
    assert unknown == set(TOOLS) - await _listed(client)
    assert {endpoint.effect for endpoint in watch.sent} == {Effect.READ}
    assert stored(sandbox) == before


async def test_a_server_that_may_write_never_destroys(connect: Connect, sandbox: Sandbox) -> None:
    """Everything but destruction leaves, and the tools that destroy cannot be called."""
    watch = Watch()
    client = await connect(access="write", transport=watch)
    unknown = await _call_everything(client, sandbox)
    assert unknown == {n for n, spec in TOOLS.items() if spec.effect is Effect.DESTROY}
    assert {endpoint.effect for endpoint in watch.sent} == ALLOWED["write"]


@pytest.mark.parametrize("access", ALLOWED)
async def test_the_access_decides_what_is_listed(connect: Connect, access: str) -> None:
    """A tool is listed where its gravest effect is allowed."""
    client = await connect(access=access)
    expected = {n for n, spec in TOOLS.items() if spec.effect in ALLOWED[access]}
    assert await _listed(client) == expected


async def test_the_lock_holds_where_a_tool_is_listed_by_mistake(
    sandbox: Sandbox, mode: Mode, tmp_path: Path
) -> None:
    """Below a server that lists everything, a client that may only read sends reads."""
    before = stored(sandbox)
    watch = Watch()
    everything = Settings(
        api_token=SecretStr(sandbox.tokens["full"]),
        application_id=sandbox.application_id,
        state_dir=tmp_path / "state",
    )
    async with (
        LosantClient(
            SecretStr(sandbox.tokens["full"]),
            base_url=sandbox.url,
            policy=Policy(access="read"),
            transport=watch,
        ) as losant,
        AsyncExitStack() as stack,
    ):
        server = build_server(everything, losant)
        stack.push_async_callback(server.workbench.aclose)
        client = await stack.enter_async_context(Client(server, mode=mode))
        for name, given in arguments(ids_in(sandbox.store)).items():
            answer = await client.call_tool(name, given)
            assert answer.is_error == (TOOLS[name].effect is not Effect.READ), name
    assert {endpoint.effect for endpoint in watch.sent} == {Effect.READ}
    assert stored(sandbox) == before


@pytest.mark.parametrize("toolset", ["events", "tables", "data", "lookup"])
async def test_a_toolset_alone_lists_its_tools(connect: Connect, toolset: str) -> None:
    """Nothing of another toolset is there, nor can it be called."""
    client = await connect(toolsets=(toolset,))
    assert await _listed(client) == {n for n, spec in TOOLS.items() if spec.toolset == toolset}


async def test_a_denied_tool_is_gone(connect: Connect, sandbox: Sandbox) -> None:
    """It is not listed, and a call is an unknown tool: -32602."""
    client = await connect(deny=("truncate_rows", "list_events"))
    assert {"truncate_rows", "list_events"} & await _listed(client) == set()
    with pytest.raises(MCPError) as caught:
        await client.call_tool("truncate_rows", {"dataTableId": "sites"})
    assert caught.value.error.code == -32602
    assert caught.value.error.message == "Unknown tool: truncate_rows"


async def test_an_unknown_tool_is_a_protocol_error(connect: Connect) -> None:
    """As the specification has it; a very long name is not repeated whole."""
    client = await connect()
    with pytest.raises(MCPError) as caught:
        await client.call_tool("x" * 5000, {})
    assert caught.value.error.code == -32602
    assert len(caught.value.error.message) < 100


@pytest.mark.parametrize("spec", TOOLS.values(), ids=lambda spec: spec.name)
def test_why_a_tool_is_not_listed_says_what_turns_it_on(spec: ToolSpec) -> None:
    """A person reads which variable to change."""
    others = tuple(toolset for toolset in TOOLSETS if toolset != spec.toolset)
    assert why_not(spec, Settings()) is None
    assert "LOSANT_MCP_TOOLSETS" in (why_not(spec, Settings(toolsets=others)) or "")
    assert "LOSANT_MCP_DENY" in (why_not(spec, Settings(deny=(spec.name,))) or "")
    if spec.effect is not Effect.READ:
        assert "LOSANT_MCP_ACCESS" in (why_not(spec, Settings(access="read")) or "")


async def test_what_needs_an_extra_is_not_listed_without_it(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says which extra a person would install."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    client = await connect()
    assert set(TOOLS) - await _listed(client) == {"render_chart"}
    status = await result(client, "get_server_status")
    assert "pip install 'losant-mcp[charts]'" in str(status)
