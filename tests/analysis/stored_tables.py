"""Data tables written straight into a sandbox's database, and clients that watch its pages."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anyio

from losant_mcp.api.endpoint import Endpoint
from losant_mcp.api.tables import DataType
from losant_mcp.client import LosantClient
from losant_mcp.client.transport import Body, Params
from losant_mcp.sandbox.demo.ids import demo_id
from losant_mcp.sandbox.demo.write import create_table
from losant_mcp.sandbox.store import Store
from tests.served import Sandbox

DAY = 86_400_000
ROWS = 3_500
SQL = "SELECT count(*), sum(n), sum(n * n), count(DISTINCT id) FROM readings"
"""Of the fixture ``readings``: what tells every state of the table from every other."""

_numbers = itertools.count(1000)


def quoted(name: str) -> str:
    """The name as an SQL identifier, in SQLite as in DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def store_table(
    store: Store,
    name: str,
    columns: Mapping[str, DataType],
    rows: Sequence[Sequence[Any]],
) -> str:
    """The id of a new data table; its rows are a day old and a second apart."""
    number = next(_numbers)
    at = store.clock() - DAY
    with store.transaction(write=True) as db:
        create_table(
            db,
            number,
            name,
            "",
            [(column, kind, "optional", None) for column, kind in columns.items()],
            [(at + place, tuple(row)) for place, row in enumerate(rows)],
            store.clock(),
        )
    return demo_id("table", number)


@contextmanager
def sqlite_view(store: Store, name: str, table_id: str, columns: Sequence[str]) -> Iterator[None]:
    """The data table under its name in the sandbox's own SQLite, for the other computation."""
    shown = ", ".join(f"c{i} AS {quoted(column)}" for i, column in enumerate(columns))
    with store.transaction(write=True) as db:
        db.execute(f"CREATE TEMP VIEW {quoted(name)} AS SELECT id, {shown} FROM rows_{table_id}")
    try:
        yield
    finally:
        with store.transaction(write=True) as db:
            db.execute(f"DROP VIEW {quoted(name)}")


class Watched(LosantClient):
    """A client that does something before each page: between two pages, the world changes."""

    before_page: Callable[[int], Awaitable[None]] | None = None
    pages = 0

    async def read_raw(
        self,
        endpoint: Endpoint,
        path: Mapping[str, str],
        params: Params | None = None,
        body: Body | None = None,
    ) -> bytes:
        """The page, once what is to happen before it has happened."""
        self.pages += 1
        if self.before_page is not None:
            await self.before_page(self.pages)
        return await super().read_raw(endpoint, path, params, body)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; fails after ten seconds."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()


def pages_read(sandbox: Sandbox, table: str) -> int:
    """How many pages of 1,000 of a table were asked for."""
    return sum(
        f"/data-tables/{table}/rows" in request.path and "limit=1000" in request.query
        for request in sandbox.requests
    )


class Someone:
    """Another user of the table, who writes straight into the database."""

    def __init__(self, sandbox: Sandbox, table: str) -> None:
        self._sandbox = sandbox
        self._table = table
        self.states = [self._state()]

    def _state(self) -> list[Any]:
        [row] = self._sandbox.store.rows(
            f"SELECT count(*), sum(c0), sum(c0 * c0), count(DISTINCT id) FROM rows_{self._table}"
        )
        return list(row)

    def _write(self, sql: str, change: int, *values: Any) -> None:
        with self._sandbox.store.transaction(write=True) as db:
            db.execute(sql, values)
            db.execute(
                "UPDATE data_tables SET rowCount = rowCount + ? WHERE id = ?", (change, self._table)
            )
        self.states.append(self._state())

    def insert(self) -> None:
        """A new row, which sorts before all others."""
        store = self._sandbox.store
        now = store.clock()
        id = f"{len(self.states):024x}"
        self._write(
            f"INSERT INTO rows_{self._table} (id, createdAt, updatedAt, c0) VALUES (?, ?, ?, 77)",
            1,
            id,
            now,
            now,
        )

    def update(self) -> None:
        """A value in the middle changes."""
        now = self._sandbox.store.clock()
        self._write(
            f"UPDATE rows_{self._table} SET c0 = c0 + 1000, updatedAt = ? WHERE id ="
            f" (SELECT id FROM rows_{self._table} ORDER BY id LIMIT 1 OFFSET 1700)",
            0,
            now,
        )

    def delete(self) -> None:
        """The first row is gone, so that all others move up."""
        self._write(
            f"DELETE FROM rows_{self._table} WHERE id = (SELECT min(id) FROM rows_{self._table})",
            -1,
        )

    def replace(self) -> None:
        """One row goes and another comes, so that the number stays."""
        self.delete()
        self.insert()
