"""One collection into the child's DuckDB, as it was at one moment, or said to be otherwise.

A stamp (how many there are, and the newest change) is taken before and after the pages. Where
both are equal, as many rows came as it counts, each once, the newest change among them is the
stamp's, and the table still has the same columns, then nothing was inserted, changed or deleted
meanwhile, and the load is exact: an insert or a change moves the newest change, and a delete
alone moves the count. Otherwise it is loaded again, twice at most and not where it takes long;
what is then still moving is used, and said to be partial and why.

Nothing of a page is parsed here: it goes to the child as it came.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import anyio

from losant_mcp.analysis.process import Child, ChildGone, ChildProblem
from losant_mcp.analysis.sources import Source, Stamp
from losant_mcp.analysis.together import both
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import PAGE_SIZE, by_number, by_offset
from losant_mcp.errors import BadRequest, BadResponse, InvalidRequest, PayloadTooLarge
from losant_mcp.text import one_line

Progress = Callable[[float, float | None, str], Awaitable[None]]
"""Rows so far, of how many, and what is being done."""

LOADS = 3
AGAIN_SECONDS = 20.0
"""A load that took longer is not repeated because something changed."""

_PROGRESS_SECONDS = 0.25
_CALL_SECONDS = 60.0

_names = itertools.count(1)


async def no_progress(done: float, total: float | None, message: str) -> None:
    """Progress that nobody wants."""


class TooMany(InvalidRequest):
    """It has more rows than one load may have."""


class TooLarge(InvalidRequest):
    """The child has no room for it."""


@dataclass
class Loaded:
    """A collection in the child: under which name, how many rows, and how sure that is.

    ``why`` is empty where it is exact. ``size`` is about how many bytes it takes; ``users`` are
    the statements that run on it.
    """

    source: Source
    table: str
    generation: int
    rows: int
    stamp: Stamp
    why: str
    began: int
    size: int
    users: int = field(default=0)
    dropped: bool = field(default=False)

    @property
    def settled(self) -> bool:
        """Whether its newest change was over when it was loaded, so that the stamp can tell a
        later one from it: two changes may fall into one millisecond, and clocks may differ."""
        return self.stamp.newest is None or self.stamp.newest < self.began - 2000


@dataclass(frozen=True)
class _Page:
    """What the child says of a page, in the form in which `paging` wants it."""

    items: Sequence[Any]  # only how many they are
    totalCount: int
    limit: int | None


async def load(
    client: LosantClient,
    child: Child,
    source: Source,
    *,
    most: int,
    limiter: anyio.CapacityLimiter,
    progress: Progress,
    before: Stamp | None = None,
) -> Loaded:
    """Load the source. ``before`` is a stamp taken just now.

    Raises TooMany where it has more than ``most`` rows, TooLarge where there is no room,
    and ChildGone.
    """
    started = monotonic()
    for number in range(1, LOADS + 1):
        before = before or await source.stamp(client)
        if before.count > most:
            raise too_many(source, before.count, most)
        began = round(client.losant_now().timestamp() * 1000)
        one = _Load(client, child, source, limiter, progress, f"t{next(_names)}")
        done = await one.run()
        try:
            after, same_columns = await both(
                lambda: source.stamp(client), lambda: source.unchanged(client)
            )
        except BaseException:
            one.drop()
            raise
        why = _difference(done, before, after, same_columns=same_columns)
        last = number == LOADS or monotonic() - started > AGAIN_SECONDS
        if not why or last:
            if not why and done["misfits"]:
                why = f"{done['misfits']} cells did not fit their column's type and are NULL"
            return Loaded(
                source,
                one.table,
                one.generation,
                done["rows"],
                after,
                why,
                began,
                max(0, child.used - one.used),
            )
        one.drop()
        before = after
    raise AssertionError


def _difference(done: Any, before: Stamp, after: Stamp, *, same_columns: bool) -> str:
    """Why the load is not one moment's; empty where it is."""
    if not same_columns:
        return "its columns changed while it was read"
    if before != after or done["newest"] != after.newest:
        return "it changed while it was read"
    if done["repeated"] or done["rows"] != after.count:
        return f"{done['rows']} rows came where Losant counts {after.count}"
    return ""


def too_many(source: Source, count: int, most: int) -> TooMany:
    """The error for a collection that is larger than one load may be."""
    name = one_line(source.name, 60)
    times = "createdAt" if source.kind == "rows" else "creationDate"
    columns = [column.name for column in source.columns if column.name not in ("id", times)]
    advice = f'prefilter {{"{name}": {{"{times}": {{"$gte": "-7d"}}}}}}'
    if source.kind == "events":
        advice = "a later start, an end, or a prefilter on level, state or deviceId"
        columns = []
    also = f", or by another column: {', '.join(columns[:6])}" if columns else ""
    return TooMany(
        f"{name!r} has {count:,} rows here; one load may fetch {most:,} (LOSANT_MCP_MAX_ROWS).",
        hint=f"Narrow it at Losant: {advice}{also}.",
    )


class _Load:
    """One reading of all pages."""

    def __init__(
        self,
        client: LosantClient,
        child: Child,
        source: Source,
        limiter: anyio.CapacityLimiter,
        progress: Progress,
        table: str,
    ) -> None:
        self.table = table
        self.generation = child.generation
        self.used = 0
        self._client = client
        self._child = child
        self._source = source
        self._limiter = limiter
        self._progress = progress
        self._told = 0.0
        self._some_came = False

    async def run(self) -> dict[str, Any]:
        """What the child counted. The table is gone again where this raises."""
        try:
            columns = [column.to_json() for column in self._source.columns]
            stamp = self._source.stamp_column
            await self._call({"op": "create", "columns": columns, "stamp": stamp}, generation=None)
            self.generation, self.used = self._child.generation, self._child.used
            await self._pages()
            return await self._call({"op": "finish"})
        except BaseException as error:
            self.drop()
            if isinstance(error, ChildProblem):
                raise self._readable(error) from None
            if isinstance(error, ChildGone) and error.ours:
                raise self._too_large() from None
            raise

    async def _pages(self) -> None:
        if self._source.kind == "rows":
            try:
                await self._rows(self._source.page_size)
            except (BadRequest, PayloadTooLarge):
                if self._source.page_size == PAGE_SIZE or self._some_came:
                    raise
                # More than Losant gives at once.
                await self._rows(PAGE_SIZE)
            return
        async with by_number(self._by_number, perPage=PAGE_SIZE, limiter=self._limiter) as items:
            done = 0
            async for page in items:
                done += len(page.items)
                await self._tell(done, items.total)

    async def _rows(self, size: int) -> None:
        async with by_offset(self._by_offset, limit=size, limiter=self._limiter) as rows:
            done = 0
            async for page in rows:
                done += len(page.items)
                await self._tell(done, rows.total)

    async def _by_offset(self, *, limit: int, offset: int) -> _Page:
        return await self._page(offset, limit)

    async def _by_number(self, *, page: int, perPage: int) -> _Page:
        return await self._page(page * perPage, perPage)

    async def _page(self, start: int, size: int) -> _Page:
        content = await self._source.read(self._client, start=start, size=size)
        found = await self._call({"op": "page", "start": start}, content)
        self._some_came = True
        return _Page(range(found["items"]), found["total"], found["limit"])

    async def _tell(self, done: int, total: int) -> None:
        """Progress, a few times a second and at the end."""
        if done >= total or monotonic() - self._told > _PROGRESS_SECONDS:
            self._told = monotonic()
            await self._progress(done, total, f"reading {one_line(self._source.name, 60)}")

    async def _call(
        self, message: dict[str, Any], body: bytes = b"", *, generation: int | None = -1
    ) -> dict[str, Any]:
        answer, _ = await self._child.call(
            {**message, "table": self.table},
            body,
            seconds=_CALL_SECONDS,
            generation=self.generation if generation == -1 else generation,
        )
        return answer

    def drop(self) -> None:
        """Free what came."""
        self._child.discard(self.table)

    def _readable(self, problem: ChildProblem) -> Exception:
        if problem.kind == "memory":
            return self._too_large()
        if problem.kind == "time":
            return problem
        return BadResponse(
            f"{self._source.endpoint.id} failed: a page cannot be read ({problem}).",
            hint="LOSANT_API_URL may be wrong, a proxy may be in the way, or the API has changed.",
        )

    def _too_large(self) -> TooLarge:
        name = one_line(self._source.name, 60)
        return TooLarge(
            f"{name!r} does not fit into the workbench's memory.",
            hint=f'Narrow it at Losant: prefilter {{"{name}": …}}.',
        )
