"""Whole collections: in order, several pages at a time, and honest while they change."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from functools import partial

import anyio
import pytest

from losant_mcp.api.tables import DataTableRows
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import AHEAD, CONCURRENT, all_items, by_number, by_offset
from losant_mcp.errors import ServerError
from tests.served import Sandbox

NOTES = 5000
"""Rows of the demo's table of shift notes."""


@pytest.fixture
def notes(sandbox: Sandbox) -> str:
    """The id of a table with 5,000 rows."""
    [row] = sandbox.store.rows("SELECT id FROM data_tables WHERE name = 'shift_notes'")
    return str(row["id"])


@pytest.fixture
def stored(sandbox: Sandbox, notes: str) -> list[str]:
    """The ids of all its rows, in order."""
    return [row["id"] for row in sandbox.store.rows(f"SELECT id FROM rows_{notes} ORDER BY id")]


async def test_all_events_come_once_and_in_order(losant: LosantClient, sandbox: Sandbox) -> None:
    """Paging by number returns what the database holds, in the order asked for."""
    fetch = partial(losant.events_get, applicationId=sandbox.application_id, sortField="id")
    events = await all_items(by_number(partial(fetch, sortDirection="asc"), perPage=150))
    expected = [row["id"] for row in sandbox.store.rows("SELECT id FROM events ORDER BY id")]
    assert [event.id for event in events] == expected
    assert len(sandbox.requests) == 14


@pytest.mark.parametrize(
    ("limit", "requests"), [(1000, 5), (700, 8), (5000, 1), (10_000, 1), (4999, 2)]
)
async def test_all_rows_come_once_and_in_order(
    losant: LosantClient,
    sandbox: Sandbox,
    notes: str,
    stored: list[str],
    limit: int,
    requests: int,
) -> None:
    """Paging by offset returns what the database holds, in as few requests as fit."""
    fetch = partial(
        losant.data_table_rows_get,
        applicationId=sandbox.application_id,
        dataTableId=notes,
        sortColumn="id",
    )
    rows = await all_items(by_offset(fetch, limit=limit))
    assert [row["id"] for row in rows] == stored
    assert len(sandbox.requests) == requests


async def test_a_query_is_paged_like_everything_else(
    losant: LosantClient, sandbox: Sandbox, notes: str, stored: list[str]
) -> None:
    """A body stays the same on every page, and the total is that of the query."""
    fetch = partial(
        losant.data_table_rows_query,
        applicationId=sandbox.application_id,
        dataTableId=notes,
        sortColumn="id",
        body={"id": {"$gt": stored[2999]}},
    )
    async with by_offset(fetch, limit=300) as pages:
        assert pages.total == 2000
        rows = [row["id"] async for page in pages for row in page.items]
    assert rows == stored[3000:]


@pytest.mark.parametrize(("most", "requests"), [(0, 1), (10, 1), (1000, 1), (2500, 3), (9999, 5)])
async def test_no_more_is_fetched_than_was_asked_for(
    losant: LosantClient,
    sandbox: Sandbox,
    notes: str,
    stored: list[str],
    most: int,
    requests: int,
) -> None:
    """A limit on the whole is kept to the row, and costs no request beyond it."""
    fetch = partial(
        losant.data_table_rows_get,
        applicationId=sandbox.application_id,
        dataTableId=notes,
        sortColumn="id",
    )
    async with by_offset(fetch, most=most) as pages:
        assert pages.total == NOTES
        rows = [row["id"] async for page in pages for row in page.items]
    assert rows == stored[:most]
    assert len(sandbox.requests) == requests


async def test_an_empty_collection_is_one_empty_page(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """Nothing found is an answer, and it took one request to know it."""
    fetch = partial(
        losant.events_get, applicationId=sandbox.application_id, query={"subject": "no such"}
    )
    async with by_number(fetch) as pages:
        sizes = [len(page.items) async for page in pages]
    assert sizes == [0]
    assert len(sandbox.requests) == 1


async def test_an_error_of_a_page_is_the_callers_error(
    losant: LosantClient, sandbox: Sandbox, notes: str
) -> None:
    """The pages before it are handed out, then the error comes as itself, not in a group."""
    seen: list[int] = []

    async def read_until_it_breaks() -> None:
        fetch = partial(
            losant.data_table_rows_get, applicationId=sandbox.application_id, dataTableId=notes
        )
        async with by_offset(fetch, limit=500) as pages:
            sandbox.set_faults({"kind": "status", "status": 500})
            async for page in pages:
                seen.append(len(page.items))  # noqa: PERF401 - it breaks half-way

    with pytest.raises(ServerError):
        await read_until_it_breaks()
    assert seen == [500]


async def test_a_reader_who_leaves_stops_the_rest(
    losant: LosantClient, sandbox: Sandbox, notes: str
) -> None:
    """Leaving early cancels what is on its way, and an error of the reader comes out as itself."""

    async def read_one_page() -> None:
        fetch = partial(
            losant.data_table_rows_get, applicationId=sandbox.application_id, dataTableId=notes
        )
        async with by_offset(fetch, limit=10) as pages:
            async for _ in pages:
                raise KeyError

    with pytest.raises(KeyError):
        await read_one_page()
    assert len(sandbox.requests) <= 1 + AHEAD


# ---- servers that Losant may turn out to be ------------------------------------------------


@dataclass
class Shelf:
    """A collection that changes and a server with limits of its own, behind one method."""

    items: list[int]
    cap: int = 10_000
    """Most items of an answer."""
    changes: Iterator[list[int]] = field(default_factory=lambda: iter(()))
    """What the collection becomes after each answer."""
    running: int = 0
    most_running: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def get(self, *, limit: int, offset: int) -> DataTableRows:
        """A page, as Losant would answer it."""
        self.asked.append((offset, limit))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        self.running -= 1
        found = self.items[offset : offset + min(limit, self.cap)]
        total = len(self.items)
        self.items = next(self.changes, self.items)
        items = [{"id": str(item)} for item in found]
        return DataTableRows(items=items, count=len(items), totalCount=total)

    async def get_page(self, *, page: int, perPage: int) -> DataTableRows:
        """The same by page number, where a capped page size moves the pages."""
        size = min(perPage, self.cap)
        return await self.get(limit=size, offset=page * size)


async def read(shelf: Shelf, *, limit: int = 10) -> list[int]:
    """All that paging by offset finds."""
    return [int(row["id"]) for row in await all_items(by_offset(shelf.get, limit=limit))]


async def test_few_requests_run_at_a_time_and_few_pages_wait() -> None:
    """Eight at a time, and a slow reader is never more than sixteen pages behind."""
    shelf = Shelf(list(range(1000)))
    async with by_offset(shelf.get, limit=10) as pages:
        got = 0
        async for _ in pages:
            got += 1
            await anyio.wait_all_tasks_blocked()
            assert len(shelf.asked) <= got + AHEAD
    assert got == 100
    assert shelf.most_running == CONCURRENT


async def test_a_cancelled_reader_leaves_at_once() -> None:
    """Cancellation reaches the requests that are on their way, and nothing swallows it."""

    @dataclass
    class Stuck(Shelf):
        async def get(self, *, limit: int, offset: int) -> DataTableRows:
            page = await super().get(limit=limit, offset=offset)
            if offset:
                await anyio.sleep_forever()
            return page

    shelf = Stuck(list(range(500)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, shelf)
        await anyio.wait_all_tasks_blocked()
        assert len(shelf.asked) == 1 + CONCURRENT
        tasks.cancel_scope.cancel()
    assert tasks.cancel_scope.cancelled_caught


async def test_a_generator_that_is_closed_while_pages_come_leaves_its_task_alone() -> None:
    """Whoever reads through a generator and stops early goes on as if nothing had been."""

    async def rows() -> AsyncGenerator[DataTableRows, None]:
        async with by_offset(Shelf(list(range(500))).get, limit=10) as pages:
            async for page in pages:
                yield page

    reading = rows()
    await anext(reading)
    await reading.aclose()
    with anyio.CancelScope(shield=True):
        await anyio.lowlevel.checkpoint()
    await anyio.wait_all_tasks_blocked()


async def test_streams_may_share_one_limit() -> None:
    """Two collections read at once keep to one limiter together."""
    limiter = anyio.CapacityLimiter(3)
    shelf = Shelf(list(range(200)))
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(all_items, by_offset(shelf.get, limit=10, limiter=limiter))
    assert shelf.most_running == 3


@pytest.mark.parametrize("cap", [1, 3, 7, 10, 50])
async def test_a_server_that_sends_less_than_asked_is_followed(cap: int) -> None:
    """Whatever its largest page, nothing is skipped and nothing comes twice, in either paging."""
    everything = list(range(95))
    assert await read(Shelf(everything, cap=cap)) == everything
    numbered = await all_items(by_number(Shelf(everything, cap=cap).get_page, perPage=10))
    assert [int(row["id"]) for row in numbered] == everything


async def test_a_cap_that_comes_later_is_followed_as_well() -> None:
    """An answer cut short in the middle, as a limit on bytes does, is completed."""

    @dataclass
    class Heavy(Shelf):
        async def get(self, *, limit: int, offset: int) -> DataTableRows:
            self.cap = 4 if 20 <= offset < 60 else 10_000
            return await super().get(limit=limit, offset=offset)

    assert await read(Heavy(list(range(95)))) == list(range(95))


async def test_a_collection_that_grows_is_read_to_its_new_end() -> None:
    """Items that arrive while the pages come are there as well."""
    shelf = Shelf(list(range(30)), changes=iter([list(range(60))]))
    assert await read(shelf) == list(range(60))


async def test_a_collection_that_shrinks_ends_where_it_ends() -> None:
    """Pages beyond the new end are empty, and reading stops there without an error."""
    shelf = Shelf(list(range(500)), changes=iter([list(range(35))]))
    assert await read(shelf) == list(range(35))
    assert len(shelf.asked) <= 1 + AHEAD + CONCURRENT


async def test_an_item_that_moved_comes_once() -> None:
    """A new first item pushes the others down a page, and none of them is told twice."""
    shelf = Shelf(list(range(30)), changes=iter([[99, *range(30)]]))
    assert await read(shelf) == list(range(30))
