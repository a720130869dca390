"""Many clients over HTTP: how many calls a second, how late the slowest, and what a caller weighs.

Beside ours runs the least server that the SDK makes, with one trivial tool, under the same load in
turns, so that whatever else the machine does is in both.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

from benchmarks.figure import Figure, table
from benchmarks.processes import COMMAND, environment, sandbox
from losant_mcp.hosting.keys import KeyFile

CLIENTS = (1, 16, 64)
SECONDS = 2.0
ROUNDS = 2
CALLERS = 250
"""Measured; told for a thousand."""

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def figures() -> Iterator[Figure]:
    """Throughput and latency of a cheap tool and of one that asks Losant; memory of callers."""
    with ExitStack() as stack:
        losant = stack.enter_context(sandbox())
        settings = {
            "LOSANT_API_URL": losant["url"],
            "LOSANT_API_TOKEN": losant["tokens"]["full"],
            "LOSANT_APPLICATION_ID": losant["applicationId"],
            "LOSANT_MCP_STATE_DIR": stack.enter_context(_folder()),
            "LOSANT_MCP_LOG_LEVEL": "warning",
            "LOSANT_MCP_MAX_REQUESTS": "200",
        }
        url, _ = stack.enter_context(serving(settings))
        bare = stack.enter_context(_bare())
        [row] = row_calls(url)
        guide = call("read_guide", name="sql")
        add = call("add", a=1, b=2)
        for clients in CLIENTS:
            ours, theirs = _in_turns(clients, (url, guide), (bare, add))
            yield from _shown("read_guide", clients, ours, theirs, goal=clients > 1)
        for clients in CLIENTS:
            ours, theirs = _in_turns(clients, (url, row), (bare, add))
            yield from _shown("get_row", clients, ours, theirs, goal=False)
    yield _memory()


# ---- load ----------------------------------------------------------------------------------


def call(tool: str, **arguments: Any) -> bytes:
    """The head and body of a call, without the host."""
    params = {"name": tool, "arguments": arguments, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = (
        "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\n"
        f"mcp-name: {tool}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    )
    return head.encode()


def _in_turns(
    clients: int, ours: tuple[str, bytes], theirs: tuple[str, bytes]
) -> tuple[list[float], list[float]]:
    """The seconds of every call of both, measured in alternation; the best round of each."""
    found: tuple[list[list[float]], list[list[float]]] = ([], [])
    for _ in range(ROUNDS):
        for kept, (url, call) in zip(found, (ours, theirs), strict=True):
            kept.append(asyncio.run(load(url, call, clients)))
    return max(found[0], key=len), max(found[1], key=len)


async def load(url: str, call: bytes, clients: int) -> list[float]:
    """The seconds of every call that so many clients made within ``SECONDS``."""
    taken: list[float] = []
    end = time.perf_counter() + SECONDS
    await asyncio.gather(*(_client(url, call, end, taken) for _ in range(clients)))
    return taken


async def _client(url: str, call: bytes, end: float, taken: list[float]) -> None:
    """One connection that calls again as soon as it was answered; plain, to cost little itself."""
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    request = f"POST {at.path} HTTP/1.1\r\nhost: {at.netloc}\r\n".encode() + call
    while (began := time.perf_counter()) < end:
        writer.write(request)
        answer = await _answer(reader)
        assert b'"result"' in answer, answer[:500]
        assert b'"isError":true' not in answer, answer[:500]
        taken.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, found, length = head.partition(b"content-length: ")
    if found:
        return await reader.readexactly(int(length.split(b"\r\n")[0]))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body


def _shown(
    tool: str, clients: int, ours: list[float], theirs: list[float], *, goal: bool
) -> Iterator[Figure]:
    name = f"{tool} over HTTP, {clients} client{'s' if clients > 1 else ''}"
    bare = "bare SDK server, one trivial tool"
    # Time per call, so that less is better and the goal of half its throughput is a ratio of 2.
    yield Figure(
        f"{name}: time per call ({len(ours) / SECONDS:,.0f} calls a second)",
        "ms",
        1000 * SECONDS / len(ours),
        1000 * SECONDS / len(theirs),
        bare,
        judged="ratio",
        limit=2.0 if goal else None,
    )
    for share, mine, other in zip((50, 95, 99), _late(ours), _late(theirs), strict=True):
        yield Figure(f"{name}: p{share}", "ms", mine, other, bare)


def _late(taken: list[float]) -> tuple[float, float, float]:
    found = quantiles(taken, n=100)
    return tuple(1000 * found[share - 1] for share in (50, 95, 99))  # type: ignore[return-value]


# ---- servers -------------------------------------------------------------------------------


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "state")


@contextmanager
def serving(settings: Mapping[str, str], *options: str) -> Iterator[tuple[str, int]]:
    """Our server: its address and the number of its process."""
    with subprocess.Popen(
        [*COMMAND, "serve", "--http", "127.0.0.1:0", *options],
        stdout=subprocess.PIPE,
        env=environment(**settings),
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.terminate()


@contextmanager
def _bare() -> Iterator[str]:
    """The SDK's own server with one tool, on the same event loop as ours."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_http"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def row_calls(url: str) -> list[bytes]:
    """A call of get_row for a row that is there."""
    tables = _once(url, call("list_data_tables"))
    table = tables["rows"][0][tables["columns"].index("id")]
    rows = _once(url, call("list_rows", dataTableId=table, limit=1))
    row = rows["rows"][0][rows["columns"].index("id")]
    return [call("get_row", dataTableId=table, rowId=row)]


def _once(url: str, call: bytes) -> dict[str, Any]:
    async def ask() -> bytes:
        at = urlsplit(url)
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        writer.write(f"POST {at.path} HTTP/1.1\r\nhost: {at.netloc}\r\n".encode() + call)
        answer = await _answer(reader)
        writer.close()
        return answer

    content: dict[str, Any] = json.loads(asyncio.run(ask()))["result"]["structuredContent"]
    return content


# ---- memory --------------------------------------------------------------------------------


def _memory() -> Figure:
    """What callers add to the process, each with a server of their own and a call behind them."""
    what = f"memory of 1,000 callers with a server each (measured with {CALLERS:,})"
    if not Path("/proc/self/statm").exists():
        return Figure(what, "MB", None, note="measured on Linux only")
    with ExitStack() as stack:
        losant = stack.enter_context(sandbox("--empty"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = KeyFile(folder / "keys.json")
        keys = [file.add(f"caller-{number}", "read") for number in range(CALLERS)]
        settings = {
            "LOSANT_API_URL": losant["url"],
            "LOSANT_API_TOKEN": losant["tokens"]["full"],
            "LOSANT_APPLICATION_ID": losant["applicationId"],
            "LOSANT_MCP_AUTH": "keys",
            "LOSANT_MCP_KEYS_FILE": str(folder / "keys.json"),
            "LOSANT_MCP_LOG_LEVEL": "warning",
        }
        url, process = stack.enter_context(serving(settings))
        guide = call("read_guide", name="sql")
        _once(url, _with(keys[0], guide))
        before = _resident(process)
        for key in keys[1:]:
            _once(url, _with(key, guide))
        return Figure(what, "MB", (_resident(process) - before) * 1000 / (CALLERS - 1))


def _with(key: str, call: bytes) -> bytes:
    return f"authorization: Bearer {key}\r\n".encode() + call


def _resident(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    print(table(figures()))
