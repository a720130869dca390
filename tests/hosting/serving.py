"""A hosted server in this process, on a real socket, over the sandbox's real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.hosting.address import Address
from losant_mcp.hosting.app import Hosting
from losant_mcp.hosting.keys import KeyFile
from losant_mcp.hosting.listening import HttpServer
from losant_mcp.observer import Observer
from losant_mcp.policy import Policy
from losant_mcp.server import policy_of
from tests.calling import Mode
from tests.served import Sandbox

JSON_RPC = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
}
MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "tests", "version": "1"},
    },
}


@dataclass
class Served:
    """A hosted server that is running."""

    hosting: Hosting
    server: HttpServer
    keys: KeyFile

    @property
    def url(self) -> str:
        """Where it is served; no trailing slash."""
        return self.server.address.url

    @asynccontextmanager
    async def client(
        self, bearer: str | None = None, mode: Mode = "auto", **more: Any
    ) -> AsyncIterator[Client]:
        """An MCP client, over HTTP; ``more`` is what the SDK's takes."""
        async with self.http(bearer) as http:
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with Client(transport, mode=mode, **more) as client:
                yield client

    def http(self, bearer: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """A plain HTTP client of it."""
        given = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={**given, **headers},
            timeout=30,
            verify=False,
        )

    async def listing(
        self, bearer: str | None = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """The answer to a plain request for the tools, with headers of one's own."""
        async with self.http(bearer) as http:
            sent = {**JSON_RPC, **MODERN, **(headers or {})}
            return await http.post("/mcp", **({"json": LIST_TOOLS} | more), headers=sent)

    async def is_alive(self) -> bool:
        """Whether it still answers."""
        async with self.http() as http:
            return (await http.get("/healthz")).text == '{"alive":true}'


@asynccontextmanager
async def served(
    sandbox: Sandbox,
    folder: Path,
    *,
    token: str | None = "full",  # noqa: S107 - the name of one
    **settings: Any,
) -> AsyncIterator[Served]:
    """A server with these settings, bound to the sandbox's application unless they say otherwise.

    ``token`` is the server's own, one of the sandbox's by name.
    """
    keys = KeyFile(folder / "keys.json")
    server = HttpServer(Address("127.0.0.1", 0))
    if "approvers_file" in settings:
        settings.setdefault("public_url", server.address.url)
    given = Settings(
        **{
            "api_token": SecretStr(sandbox.tokens[token]) if token else None,
            "api_url": sandbox.url,
            "application_id": sandbox.application_id,
            "state_dir": folder / "state",
            "keys_file": folder / "keys.json",
            **settings,
        }
    )

    def dial(token: SecretStr, policy: Policy, label: str, *, observer: Observer) -> LosantClient:
        return LosantClient(
            token,
            base_url=sandbox.url,
            policy=policy,
            label=label,
            observer=observer,
            retry_wait_scale=0,
        )

    if given.auth == "keys" and not (folder / "keys.json").exists():
        keys.add("first", "full")
    async with (
        Hosting(given, policy_of(given), dial, server.address) as hosting,
        anyio.create_task_group() as tasks,
    ):
        await tasks.start(server.serve, hosting.app)
        yield Served(hosting, server, keys)
        await hosting.finish()
        server.end()


@contextmanager
def held_up(sandbox: Sandbox) -> Iterator[None]:
    """Losant's answers wait for the end of the block, however long that takes here."""
    with sandbox.store.transaction(write=False):
        yield


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds, at most ten seconds."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await anyio.sleep(0.01)


def message_of(answer: httpx2.Response) -> str:
    """What a refusal says; it is a JSON-RPC error without an id."""
    content = json.loads(answer.text)
    assert content["id"] is None
    return str(content["error"]["message"])
