"""What a person's yes costs beside the bare call: the approved deletion of one row.

The person answers at once, so that what is measured is the guard: the plan, the question, the
backup on the disk, the second look and the lines of the audit. An hour holds ten plain yeses, so
each ten deletions have a server and a state folder of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import anyio
import httpx
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult
from pydantic import SecretStr

from benchmarks.figure import Figure
from benchmarks.processes import sandbox
from losant_mcp.api.tables import DataTableColumn, DataTablePost, RowInsert
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.guard.door import GuardDoor
from losant_mcp.policy import Policy
from losant_mcp.server import build_server, policy_of

SERVERS = 8
CALLS = 10
"""Deletions by each server: what an hour's plain yeses allow."""


def figures() -> Iterator[Figure]:
    """The median of an approved deletion and of the bare call, and the requests of each."""
    with sandbox("--empty") as facts, TemporaryDirectory() as folder:
        found = anyio.run(_measure, facts, Path(folder))
    yield Figure(
        "approved delete_row, p50", "ms", median(found.guarded), median(found.bare), "bare client"
    )
    yield Figure("requests to Losant of it", "", found.requests / len(found.guarded), 1)


@dataclass
class _Found:
    guarded: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    requests: int = 0


class _Counter(httpx.AsyncHTTPTransport):
    """Counts what leaves."""

    requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One more."""
        self.requests += 1
        return await super().handle_async_request(request)


async def _yes(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    return ElicitResult(action="accept", content={"confirmation": True})


async def _measure(facts: dict[str, Any], folder: Path) -> _Found:
    found, token = _Found(), SecretStr(facts["tokens"]["full"])
    application = facts["applicationId"]
    column = DataTableColumn(name="n", dataType="number", constraint="optional")
    async with LosantClient(token, base_url=facts["url"], policy=Policy(destroy="open")) as losant:
        table = await losant.data_tables_post(
            applicationId=application, body=DataTablePost(name="rows", columns=[column])
        )
        at = {"applicationId": application, "dataTableId": table.id}
        body = RowInsert.model_validate([{"n": n} for n in range(2 * SERVERS * (CALLS + 1))])
        ids = iter((await losant.data_table_rows_post(**at, body=body)).ids)
        for number in range(SERVERS):
            settings = Settings(
                api_token=token,
                api_url=facts["url"],
                application_id=application,
                state_dir=folder / str(number),
            )
            async with AsyncExitStack() as stack:
                counter = _Counter()
                inner = LosantClient(
                    token,
                    base_url=facts["url"],
                    policy=policy_of(settings),
                    transport=counter,
                )
                await stack.enter_async_context(inner)
                door = GuardDoor(settings, inner)
                stack.push_async_callback(door.aclose)
                client = await stack.enter_async_context(
                    Client(build_server(settings, inner, guard=door), elicitation_callback=_yes)
                )
                for call in range(CALLS):
                    before, row = counter.requests, next(ids)
                    started = perf_counter()
                    answer = await client.call_tool(
                        "delete_row", {"dataTableId": table.id, "rowId": row}
                    )
                    took = perf_counter() - started
                    assert (answer.structured_content or {})["status"] == "done", answer.content
                    row, started = next(ids), perf_counter()
                    await losant.data_table_row_delete(**at, rowId=row)
                    if call:  # the first one opens the guard
                        found.guarded.append(took * 1000)
                        found.bare.append((perf_counter() - started) * 1000)
                        found.requests += counter.requests - before
    return found
