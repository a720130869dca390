"""Many clients while Losant fails: nothing of our own making breaks, and every write is told."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import httpx2
import pytest

from tests.hosting.serving import JSON_RPC, META, MODERN, Served, served, until
from tests.served import Sandbox
from tests.soak.holding import memory_of

CLIENTS = 64
FAULTS = (
    {"kind": "status", "status": 503, "endpoint": "events.get"},
    {"kind": "status", "status": 429, "retryAfter": 0, "endpoint": "dataTables.get"},
    {"kind": "drop_before", "endpoint": "dataTableRows.post"},
    {"kind": "drop_after", "endpoint": "dataTableRows.post"},
    {"kind": "html", "endpoint": "dataTable.get"},
    {"kind": "truncated_json", "endpoint": "events.get"},
)


@pytest.mark.parametrize(
    "calls", [1, pytest.param(12, marks=pytest.mark.nightly, id="half-a-minute")]
)
async def test_under_faults_every_write_is_done_as_often_as_told(
    sandbox: Sandbox, tmp_path: Path, calls: int
) -> None:
    """64 clients insert rows and read: each answer is MCP's, and tells truly what was written."""
    chance = random.Random(7)
    async with served(
        sandbox, tmp_path, auth="keys", max_requests=200, max_create_rows=1_000_000
    ) as host:
        keys = [host.keys.add(f"caller-{number}", "write") for number in range(8)]
        table = await _table(host, keys[0])
        sandbox.set_faults(*({**fault, "times": calls * 4} for fault in FAULTS))
        told: dict[str, str] = {}
        memory: list[float] = []

        async def work(number: int) -> None:
            async with host.http(keys[number % len(keys)], **JSON_RPC, **MODERN) as http:
                for turn in range(calls):
                    mark = f"{number}-{turn}"
                    row = {"name": mark}
                    answer = await _call(http, "insert_rows", dataTableId=table, rows=[row])
                    told[mark] = _told(answer)
                    await _call(http, chance.choice(("list_events", "list_data_tables")))
                    memory.append(memory_of(os.getpid()))

        async with anyio.create_task_group() as tasks:
            for number in range(CLIENTS):
                tasks.start_soon(work, number)
        assert await host.is_alive()
        await until(lambda: not host.hosting.door.calls.taken)
    if calls > 1:
        # The sandbox, with its log of requests, is in this process, too.
        assert median(memory[-CLIENTS:]) - median(memory[len(memory) // 2 :][:CLIENTS]) < 48
    sandbox.set_faults()
    stored = _stored(sandbox, table)
    assert set(told.values()) >= {"done", "unknown"}
    for mark, said in told.items():
        if said == "done":
            assert stored.count(mark) == 1, mark
        elif said == "nothing":
            assert stored.count(mark) == 0, mark
        else:
            assert stored.count(mark) <= 1, mark


async def _call(http: httpx2.AsyncClient, tool: str, **given: object) -> dict[str, Any]:
    params = {"name": tool, "arguments": given, "_meta": META}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"mcp-method": "tools/call", "mcp-name": tool}
    answer = await http.post("/mcp", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    # A call of more than some seconds is answered as a stream of events, the last of which counts.
    last = answer.text.strip().splitlines()[-1].removeprefix("data:")
    result: dict[str, Any] = json.loads(last)["result"]
    return result


def _told(answer: dict[str, Any]) -> str:
    """What the answer says became of the row: done, nothing, or that it cannot be known."""
    if not answer.get("isError"):
        return "done"
    text = answer["content"][0]["text"]
    return "nothing" if text.endswith("Nothing was changed.") else "unknown"


async def _table(host: Served, key: str) -> str:
    async with host.http(key, **JSON_RPC, **MODERN) as http:
        made = await _call(
            http,
            "create_data_table",
            name="Marks",
            columns=[{"name": "name", "dataType": "string", "constraint": "optional"}],
        )
    assert "structuredContent" in made, made
    return str(made["structuredContent"]["dataTable"]["id"])


def _stored(sandbox: Sandbox, table: str) -> list[str]:
    answer = sandbox.http().get(
        f"{sandbox.application_url}/data-tables/{table}/rows", params={"limit": 10_000}
    )
    return [row["name"] for row in answer.json()["items"]]
