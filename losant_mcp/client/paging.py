"""Whole collections: pages fetched several at a time, handed out in order.

Losant pages in two ways, by page number (events, devices, data tables, jobs) and by offset (the
rows of a data table). ``by_number`` and ``by_offset`` are async context managers around an
async iterator of pages; leaving the block stops what is still on its way::

    async with by_offset(partial(client.data_table_rows_get, applicationId=a, dataTableId=t,
                                 sortColumn="id")) as pages:
        async for page in pages: ...

The first page tells the total and the page size that the server really uses; the largest sizes
are not documented, so the one asked for is only a wish. The collection may change meanwhile:
pages go on where it grew, stop at the first empty one where it shrank, and an item that moved
may come twice (``all_items`` drops it) or, without a sort by id, be missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import anyio
from anyio.abc import TaskGroup

from losant_mcp.errors import LosantMcpError

PAGE_SIZE = 1000
CONCURRENT = 8
"""Requests at a time."""
AHEAD = 16
"""Pages that may wait for the one who reads them: what bounds the memory."""

Item = TypeVar("Item", covariant=True)


class Page(Protocol[Item]):
    """A page of either kind."""

    @property
    def items(self) -> Sequence[Item]:
        """The page's items."""

    @property
    def totalCount(self) -> int:  # noqa: N802 - the API's own name
        """How many items all pages have."""


P = TypeVar("P", bound=Page[Any])
P_co = TypeVar("P_co", bound=Page[Any], covariant=True)


class FetchByNumber(Protocol[P_co]):
    """A client method without its other arguments."""

    def __call__(self, *, page: int, perPage: int) -> Awaitable[P_co]:
        """The page of that number; the first is 0."""


class FetchByOffset(Protocol[P_co]):
    """A client method without its other arguments."""

    def __call__(self, *, limit: int, offset: int) -> Awaitable[P_co]:
        """At most ``limit`` items from there."""


def by_number(
    fetch: FetchByNumber[P],
    *,
    perPage: int = PAGE_SIZE,
    limiter: anyio.CapacityLimiter | None = None,
) -> Pages[P]:
    """The pages of a collection that is paged by number."""

    async def load(start: int, size: int) -> list[P]:
        return [await fetch(page=start // size, perPage=size)]

    return Pages(load, size=perPage, limiter=limiter)


def by_offset(
    fetch: FetchByOffset[P],
    *,
    limit: int = PAGE_SIZE,
    most: int | None = None,
    limiter: anyio.CapacityLimiter | None = None,
) -> Pages[P]:
    """The pages of a collection that is paged by offset; at most ``most`` items are asked for."""

    async def load(start: int, size: int) -> list[P]:
        # A server that caps an answer's bytes sends fewer items than it was asked for.
        pages: list[P] = []
        end = start + size if most is None else min(start + size, most)
        while start < end:
            page = await fetch(limit=end - start, offset=start)
            pages.append(page)
            start += len(page.items)
            if not page.items or start >= page.totalCount:
                break
        return pages

    async def first(start: int, size: int) -> list[P]:
        return [await fetch(limit=size if most is None else min(size, most), offset=start)]

    return Pages(load, size=limit, first=first, most=most, limiter=limiter)


class Pages(Generic[P]):
    """An async iterator of pages, in order; use it as an async context manager.

    ``total`` is what the newest page that was read said.
    """

    def __init__(
        self,
        load: Callable[[int, int], Awaitable[list[P]]],
        *,
        size: int,
        first: Callable[[int, int], Awaitable[list[P]]] | None = None,
        most: int | None = None,
        limiter: anyio.CapacityLimiter | None = None,
    ) -> None:
        self.total = 0
        self._load = load
        self._first = first or load
        self._size = size
        self._most = most
        self._limiter = limiter
        self._slots: deque[_Slot[P]] = deque()
        self._ready: deque[P] = deque()
        self._asked_for = 0
        self._over = False

    async def __aenter__(self) -> Self:
        self._limiter = self._limiter or anyio.CapacityLimiter(CONCURRENT)
        async with self._limiter:
            pages = await self._first(0, self._size)
        self._take(pages)
        self._size = _real_size(pages[0], self._size) if pages else self._size
        self._asked_for = self._size
        self._tasks: TaskGroup = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tasks.cancel_scope.cancel()
        # An error of the block leaves as itself; the task group would wrap it into a group. To it
        # the end of a generator that reads pages is no end of its own: it would leave its
        # cancellation behind, which then hits whatever the task awaits next.
        ours = error is None or isinstance(error, (Exception, GeneratorExit))
        await self._tasks.__aexit__(*((None, None, None) if ours else (kind, error, traceback)))

    def __aiter__(self) -> AsyncIterator[P]:
        return self

    async def __anext__(self) -> P:
        while not self._ready:
            self._ask_ahead()
            if not self._slots:
                raise StopAsyncIteration
            slot = self._slots.popleft()
            await slot.done.wait()
            if slot.error is not None:
                raise slot.error
            if not any(page.items for page in slot.pages):
                # It shrank: what was asked for beyond is empty as well.
                self._slots.clear()
                self._over = True
            self._take([page for page in slot.pages if page.items])
        self._ask_ahead()
        return self._ready.popleft()

    def _take(self, pages: Sequence[P]) -> None:
        self._ready.extend(pages)
        if pages:
            self.total = pages[-1].totalCount

    def _ask_ahead(self) -> None:
        end = self.total if self._most is None else min(self.total, self._most)
        while not self._over and self._asked_for < end and len(self._slots) < AHEAD:
            slot = _Slot[P]()
            self._slots.append(slot)
            self._tasks.start_soon(self._fill, slot, self._asked_for)
            self._asked_for += self._size

    async def _fill(self, slot: _Slot[P], start: int) -> None:
        assert self._limiter is not None
        try:
            async with self._limiter:
                slot.pages = await self._load(start, self._size)
        except LosantMcpError as error:
            slot.error = error
        slot.done.set()


async def all_items(pages: AbstractAsyncContextManager[AsyncIterable[Page[Item]]]) -> list[Item]:
    """Every item of every page; one that came twice, since the pages moved, is there once."""
    seen: set[str] = set()
    items: list[Item] = []
    async with pages as stream:
        async for page in stream:
            for item in page.items:
                key = item.get("id") if isinstance(item, dict) else getattr(item, "id", None)
                if key in seen:
                    continue
                items.append(item)
                if key is not None:
                    seen.add(key)
    return items


def _real_size(first: Page[Any], wanted: int) -> int:
    """The page size that the server uses: what it says, or what it does where it sends less."""
    said = getattr(first, "perPage", None) or getattr(first, "limit", None) or wanted
    size = min(wanted, int(said))
    got = len(first.items)
    return got if 0 < got < min(size, first.totalCount) else size


class _Slot(Generic[P]):
    """A place in the order, filled when its request is answered."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.pages: list[P] = []
        self.error: LosantMcpError | None = None
