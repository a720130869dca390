"""What a tool call costs on top of the API call inside it: get_row over stdio.

The server and this process's bare client ask the same sandbox, which runs in a process of its
own; calls alternate, and the medians are compared. Most of the difference is the SDK's and the
pipes', so a trivial tool of a bare SDK server is measured in the same turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from statistics import median
from time import perf_counter
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from pydantic import SecretStr

from benchmarks.figure import Figure
from benchmarks.processes import COMMAND, sandbox
from losant_mcp.client import LosantClient

CALLS = 300
WARM_UP = 30
GOAL_MS = 3


def figures() -> Iterator[Figure]:
    """The medians of get_row as a tool and by the bare client, and what lies between them."""
    with sandbox() as facts:
        tool, bare, trivial = anyio.run(_measure, facts)
    yield Figure("get_row over stdio, p50", "ms", tool, bare, "bare client")
    yield Figure(
        "overhead of that tool call, p50",
        "ms",
        tool - bare,
        trivial,
        "trivial tool of the SDK",
        limit=GOAL_MS,
    )


async def _measure(facts: dict[str, Any]) -> tuple[float, float, float]:
    token, application = facts["tokens"]["full"], facts["applicationId"]
    server = StdioServerParameters(
        command=COMMAND[0],
        args=[*COMMAND[1:], "serve", "--log-level", "warning"],
        env={
            "LOSANT_API_URL": facts["url"],
            "LOSANT_API_TOKEN": token,
            "LOSANT_APPLICATION_ID": application,
        },
    )
    bare_server = StdioServerParameters(command=COMMAND[0], args=["-m", "benchmarks.bare_server"])
    async with (
        LosantClient(SecretStr(token), base_url=facts["url"]) as losant,
        Client(server) as client,
        Client(bare_server) as sdk,
    ):
        [table] = (await losant.data_tables_get(applicationId=application, perPage=1)).items
        at = {"applicationId": application, "dataTableId": table.id}
        row = (await losant.data_table_rows_get(**at, limit=1)).items[0]["id"]

        async def ask_tool() -> None:
            answer = await client.call_tool("get_row", {"dataTableId": table.id, "rowId": row})
            assert not answer.is_error, answer.content

        async def ask_client() -> None:
            await losant.data_table_row_get(**at, rowId=row)

        async def ask_sdk() -> None:
            await sdk.call_tool("add_1", {"a": 1})

        calls = (ask_tool, ask_client, ask_sdk)
        turns = [[await _time(call) for call in calls] for _ in range(WARM_UP + CALLS)][WARM_UP:]
    tool, bare, trivial = (median(times) for times in zip(*turns, strict=True))
    return tool, bare, trivial


async def _time(call: Callable[[], Awaitable[None]]) -> float:
    started = perf_counter()
    await call()
    return (perf_counter() - started) * 1000
