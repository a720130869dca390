"""What a tool call costs on top of the API call inside it: get_row over stdio.

The server and this process's bare client ask the same sandbox, which runs in a process of its
own; calls alternate, and the medians are compared.
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
    """The median of get_row as a tool over stdio, beside the bare client's."""
    with sandbox() as facts:
        tool, bare = anyio.run(_measure, facts)
    yield Figure("get_row over stdio, p50", "ms", tool, bare, "bare client", "difference", GOAL_MS)


async def _measure(facts: dict[str, Any]) -> tuple[float, float]:
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
    async with (
        LosantClient(SecretStr(token), base_url=facts["url"]) as losant,
        Client(server) as client,
    ):
        [table] = (await losant.data_tables_get(applicationId=application, perPage=1)).items
        at = {"applicationId": application, "dataTableId": table.id}
        row = (await losant.data_table_rows_get(**at, limit=1)).items[0]["id"]

        async def ask_tool() -> None:
            answer = await client.call_tool("get_row", {"dataTableId": table.id, "rowId": row})
            assert not answer.is_error, answer.content

        async def ask_client() -> None:
            await losant.data_table_row_get(**at, rowId=row)

        tool, bare = [], []
        for number in range(WARM_UP + CALLS):
            times = (await _time(ask_tool), await _time(ask_client))
            if number >= WARM_UP:
                tool.append(times[0])
                bare.append(times[1])
    return median(tool), median(bare)


async def _time(call: Callable[[], Awaitable[None]]) -> float:
    started = perf_counter()
    await call()
    return (perf_counter() - started) * 1000
