"""Workbenches: one with a server of its own for tests that only ask, a fresh one for the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from losant_mcp.analysis.desk import Desk
from losant_mcp.analysis.workbench import Answer, Workbench
from losant_mcp.api.tables import DataType
from losant_mcp.client import LosantClient
from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from tests.analysis.stored_tables import ROWS, Watched, store_table
from tests.served import Sandbox


@dataclass(frozen=True)
class Lab:
    """A demo that nobody changes, a client of it, and a workbench with a child that is warm."""

    workbench: Workbench
    client: LosantClient
    application_id: str

    async def ask(self, sql: str, **options: Any) -> Answer:
        """The answer to a statement."""
        return await self.workbench.query(self.client, self.application_id, sql, **options)

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """With a deadline of a second, which a busy machine may miss for what takes no time."""
        patient, self.workbench._seconds = self.workbench._seconds, 1.0
        try:
            yield
        finally:
            self.workbench._seconds = patient

    @property
    def desk(self) -> Desk:
        """The one desk of the workbench."""
        [desk] = self.workbench._desks.values()
        return desk


# No longer: while an async fixture lives, no other test of this process can run a loop of its own.
@pytest.fixture(scope="module")
async def lab(demo_store: Store) -> AsyncIterator[Lab]:
    """The worker's own: starting a child takes half a second."""
    with SandboxServer(demo_store.copy()) as server:
        token = SecretStr(server.tokens["full"])
        async with (
            LosantClient(token, base_url=server.url) as client,
            Workbench(time_zone="Europe/Berlin") as workbench,
        ):
            yield Lab(workbench, client, server.application_id)
        server.store.close()


@pytest.fixture
async def workbench() -> AsyncIterator[Workbench]:
    """A fresh one, with nothing loaded."""
    async with Workbench(seconds=10.0, time_zone="Europe/Berlin") as workbench:
        yield workbench


@pytest.fixture
async def watched(sandbox: Sandbox) -> AsyncIterator[Watched]:
    """A client that can be stopped before each page."""
    async with Watched(
        SecretStr(sandbox.tokens["full"]), base_url=sandbox.url, retry_wait_scale=0
    ) as client:
        yield client


@pytest.fixture
def readings(sandbox: Sandbox) -> str:
    """The id of a table of four pages: it is so wide that a page has 1,000 rows."""
    fill = [f"c{number}" for number in range(40)]
    columns: dict[str, DataType] = {"n": "number", **dict.fromkeys(fill, "string")}
    rows = [(n, *[None] * len(fill)) for n in range(1, ROWS + 1)]
    return store_table(sandbox.store, "readings", columns, rows)
