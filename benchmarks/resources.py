"""What resources and prompts cost: tokens, the requests of watching, how soon a change is told.

On the demo data, over HTTP to a sandbox in another process. Tokens are counted with o200k.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import anyio
import httpx
from mcp import Client
from mcp.types import EmbeddedResource, TextContent, TextResourceContents
from pydantic import SecretStr

from benchmarks.counting import count
from benchmarks.figure import Figure
from benchmarks.processes import sandbox
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.guard.door import GuardDoor
from losant_mcp.server import LosantServer, build_server, policy_of

NEW = "losant://events/new"
DIGEST = "losant://events/digest"
TABLES = "losant://data-tables"

PROMPTS: dict[str, dict[str, str]] = {
    "triage_new_events": {},
    "review_event_storm": {},
    "shift_handover": {},
    "ask_data_table": {"table": "parts", "question": "How many parts are out of stock?"},
    "clean_up_data_table": {"table": "parts"},
    "import_rows": {"table": "parts"},
    "investigate_device": {"device": "Mill Lane Pump 2"},
}
"""Each with what it needs on the demo data."""

WATCHERS = 5
EVENTS = 3
LOOKS = 10


def figures() -> Iterator[Figure]:
    """Tokens of each, requests of a list and a minute of each kind, seconds until it is told."""
    with sandbox() as facts:
        sizes = anyio.run(_sizes, facts)
        for uri, title, size in sizes:
            name = f"data table {title}" if uri.startswith(f"{TABLES}/") else uri
            yield Figure(f"resource {name}", "tokens", size, limit=4000)
        for name, instructions, whole in anyio.run(_prompts, facts):
            note = f"{whole:,} with arguments and live data"
            yield Figure(f"prompt {name}", "tokens", instructions, limit=900, note=note)
        requests = anyio.run(_requests_of_a_list, facts)
        yield Figure(
            "listing them with five tables", "requests", requests, note="then none for 30 s"
        )
        table = next(uri for uri, _, _ in sizes if uri.startswith(f"{TABLES}/"))
        for uri in (NEW, DIGEST, TABLES, table):
            per_look = anyio.run(_requests_of_a_look, facts, uri)
            name = "a data table" if uri == table else uri
            per_minute = per_look * 60 / Settings().poll_seconds
            yield Figure(f"watching {name}", "requests/min", per_minute)
        own, others = anyio.run(_until_told, facts)
    yield Figure("our own event, from the call until it is told", "ms", own * 1000)
    seconds = Settings().poll_seconds
    note = f"looked at every {seconds:g} s"
    yield Figure("somebody's event until it is told, median", "s", median(others), note=note)
    yield Figure(
        "somebody's event until it is told, longest", "s", max(others), limit=seconds * 1.2
    )


@dataclass
class _Counted(httpx.AsyncBaseTransport):
    """Passes every request on, and counts."""

    network: httpx.AsyncBaseTransport
    requests: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        return await self.network.handle_async_request(request)

    async def aclose(self) -> None:
        await self.network.aclose()


@dataclass
class _Served:
    server: LosantServer
    counted: _Counted


class _Looks:
    """Waits between looks that end at once, so many times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.over = anyio.Event()

    async def __call__(self, seconds: float, woken: anyio.Event) -> None:
        if self.left < 0:
            self.over.set()
            await anyio.sleep_forever()
        self.left -= 1


@asynccontextmanager
async def _served(facts: dict[str, Any], **more: Any) -> AsyncIterator[_Served]:
    token = SecretStr(facts["tokens"]["full"])
    async with AsyncExitStack() as stack:
        settings = Settings(
            api_token=token,
            api_url=facts["url"],
            application_id=facts["applicationId"],
            state_dir=Path(stack.enter_context(tempfile.TemporaryDirectory())),
        )
        counted = _Counted(httpx.AsyncHTTPTransport(verify=False))
        losant = LosantClient(
            token, base_url=facts["url"], policy=policy_of(settings), transport=counted
        )
        await stack.enter_async_context(losant)
        guard = GuardDoor(settings, losant)
        stack.push_async_callback(guard.aclose)
        server = build_server(settings, losant, guard=guard, **more)
        stack.push_async_callback(server.workbench.aclose)
        await stack.enter_async_context(server.resources.watching)
        yield _Served(server, counted)


async def _sizes(facts: dict[str, Any]) -> list[tuple[str, str, int]]:
    """URI, title and tokens of every listed resource."""
    sizes = []
    async with _served(facts) as served, Client(served.server) as client:
        for resource in (await client.list_resources()).resources:
            [content] = (await client.read_resource(resource.uri)).contents
            assert isinstance(content, TextResourceContents)
            sizes.append((resource.uri, resource.title or "", count(content.text)))
    return sizes


async def _prompts(facts: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Name and tokens of every prompt: its instructions alone, and all that is told with them."""
    sizes = []
    async with _served(facts) as served, Client(served.server) as client:
        for name, arguments in PROMPTS.items():
            told = []
            for message in (await client.get_prompt(name, arguments)).messages:
                content = message.content
                if isinstance(content, EmbeddedResource):
                    assert isinstance(content.resource, TextResourceContents)
                    told.append(count(content.resource.text))
                else:
                    assert isinstance(content, TextContent)
                    told.append(count(content.text))
            sizes.append((name, told[0], sum(told)))
    return sizes


async def _requests_of_a_list(facts: dict[str, Any]) -> int:
    """What the first ``resources/list`` asks of Losant; a second one at once asks nothing."""
    async with _served(facts) as served, Client(served.server) as client:
        for _ in range(2):
            await client.list_resources(cache_mode="bypass")
        return served.counted.requests


async def _requests_of_a_look(facts: dict[str, Any], uri: str) -> float:
    looks = _Looks(0)
    async with _served(facts, pause=looks) as served:
        await served.server.resources.watching.watch(uri)
        await looks.over.wait()
        begun = served.counted.requests
    looks = _Looks(LOOKS)
    async with _served(facts, pause=looks) as served:
        await served.server.resources.watching.watch(uri)
        await looks.over.wait()
        return (served.counted.requests - begun) / LOOKS


async def _until_told(facts: dict[str, Any]) -> tuple[float, list[float]]:
    """Seconds of one of our own events, and of each of others' events for each watcher."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(_served(facts)) for _ in range(WATCHERS)]
        send, receive = anyio.create_memory_object_stream[float](math.inf)
        stack.enter_context(send)
        stack.enter_context(receive)

        async def tell() -> None:
            send.send_nowait(perf_counter())

        for served in servers:
            await served.server.resources.watching.watch(NEW, tell)
        async with Client(servers[0].server) as client:
            # The first write of a server opens its audit.
            await client.call_tool("create_data_table", {"name": "burns"})
            began = perf_counter()
            await client.call_tool("create_event", {"level": "critical", "subject": "It burns"})
            own = await receive.receive() - began
        for _ in servers[1:]:
            await receive.receive()
        others = []
        async with httpx.AsyncClient(verify=False) as http:  # noqa: S501 - there is no TLS
            for _ in range(EVENTS):
                # Whenever it happens, not just after a look.
                await anyio.sleep(random.uniform(0, Settings().poll_seconds))
                began = perf_counter()
                answer = await http.post(
                    f"{facts['url']}/applications/{facts['applicationId']}/events",
                    headers={"Authorization": f"Bearer {facts['tokens']['full']}"},
                    json={"level": "critical", "subject": "It burns"},
                )
                answer.raise_for_status()
                others += [await receive.receive() - began for _ in servers]
    return own, others
