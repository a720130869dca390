"""A desk: one child, the tables that lie loaded in it, and the loads that are under way.

A table that is loaded once for many, a table that somebody reads and must not be taken away, a
table that is no longer true: all that is kept straight here. There are no tasks in the
background; a load belongs to the call that began it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio

from losant_mcp.analysis.loading import Loaded, Progress, TooLarge, load
from losant_mcp.analysis.process import Child
from losant_mcp.analysis.sources import Source, Stamp
from losant_mcp.analysis.together import together
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import CONCURRENT
from losant_mcp.errors import LosantMcpError
from losant_mcp.tracing import span


@dataclass
class _Flight:
    """A load under way, for which other calls may wait."""

    source: Source
    done: anyio.Event = field(default_factory=anyio.Event)
    result: Loaded | None = None
    error: LosantMcpError | None = None
    stale: bool = False


@dataclass
class _Whole:
    """The progress of loads at the same time as that of one."""

    progress: Progress
    loads: dict[str, tuple[float, float]] = field(default_factory=dict)

    async def tell(self, key: str, done: float, total: float | None, message: str) -> None:
        """How far one of them has come, as part of all that have begun."""
        self.loads[key] = done, total or done
        done, total = (sum(them) for them in zip(*self.loads.values(), strict=True))
        await self.progress(done, total, message)


@dataclass
class Desk:
    """``ceiling`` is how many bytes idle tables may take; ``users`` are the calls at work."""

    child: Child
    ceiling: int
    users: int = 0
    tables: OrderedDict[str, Loaded] = field(default_factory=OrderedDict)
    flights: dict[str, _Flight] = field(default_factory=dict)
    limiter: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(CONCURRENT)
    )
    doomed: list[Loaded] = field(default_factory=list)

    @asynccontextmanager
    async def loaded(
        self, client: LosantClient, sources: Mapping[str, Source], most: int, progress: Progress
    ) -> AsyncIterator[dict[str, Loaded]]:
        """The sources as tables, by key, true at a moment after this was called, for the block."""
        held: list[Loaded] = []
        whole = _Whole(progress)
        try:
            one = partial(self._hold, client, most, held)
            calls = [partial(one, partial(whole.tell, key), it) for key, it in sources.items()]
            found = await together(calls)
            yield dict(zip(sources, found, strict=True))
        finally:
            for table in held:
                table.users -= 1
            self._sweep()
            with anyio.CancelScope(shield=True):
                await self.child.flush()

    def forget(self, what: str) -> None:
        """Let go of a data table (by id), of events or of devices."""
        for key, table in list(self.tables.items()):
            if table.source.id.lower() == what.lower():
                self.doomed.append(self.tables.pop(key))
        for flight in self.flights.values():
            if flight.source.id.lower() == what.lower():
                flight.stale = True

    # ---- one table -------------------------------------------------------------------------

    async def _hold(
        self,
        client: LosantClient,
        most: int,
        held: list[Loaded],
        progress: Progress,
        source: Source,
    ) -> Loaded:
        while True:
            # Taken by every call: it also says that this caller may read the table.
            stamp = await source.stamp(client)
            table = self._kept(source, stamp)
            client.observer.cached(hit=table is not None)
            if table is None and (flight := self.flights.get(source.key)) is not None:
                await flight.done.wait()
                if flight.error is not None:
                    raise flight.error
                table = self._fit(flight, stamp)
                if table is None:
                    continue
            elif table is None:
                table = await self._fly(client, source, most, progress, stamp)
            table.users += 1
            held.append(table)
            return table

    def _kept(self, source: Source, stamp: Stamp) -> Loaded | None:
        """The table that lies here, where it is true; else it is doomed."""
        kept = self.tables.get(source.key)
        if kept is None:
            return None
        if kept.generation == self.child.generation and kept.settled and kept.stamp == stamp:
            self.tables.move_to_end(source.key)
            return kept
        self.doomed.append(self.tables.pop(source.key))
        return None

    def _fit(self, flight: _Flight, stamp: Stamp) -> Loaded | None:
        """What another call loaded, where it is what this call's stamp says, or is partial.

        None where that call was cancelled, or what it loaded is old or gone.
        """
        table = flight.result
        if table is None or table.dropped or flight.stale:
            return None
        if table.generation != self.child.generation:
            return None
        return table if table.why or table.stamp == stamp else None

    async def _fly(
        self, client: LosantClient, source: Source, most: int, progress: Progress, stamp: Stamp
    ) -> Loaded:
        flight = self.flights[source.key] = _Flight(source)
        try:
            with span("load", {"losant_mcp.kind": source.kind}) as current:
                table = flight.result = await self._load(client, source, most, progress, stamp)
                current.set_attributes(
                    {"losant_mcp.rows": table.rows, "losant_mcp.exact": not table.why}
                )
        except LosantMcpError as error:
            flight.error = error
            raise
        finally:
            del self.flights[source.key]
            flight.done.set()
        if source.kept and not table.why and not flight.stale:
            self.tables[source.key] = table
        else:
            self.doomed.append(table)
        return table

    async def _load(
        self, client: LosantClient, source: Source, most: int, progress: Progress, stamp: Stamp
    ) -> Loaded:
        self._sweep()
        once = partial(
            load,
            client,
            self.child,
            source,
            most=most,
            limiter=self.limiter,
            progress=progress,
            before=stamp,
        )
        try:
            return await once()
        except TooLarge:
            idle = [key for key, table in self.tables.items() if not table.users]
            if not idle:
                raise
            self.doomed += [self.tables.pop(key) for key in idle]
            self._sweep()
            return await once()

    # ---- making room -----------------------------------------------------------------------

    def _sweep(self) -> None:
        """Drop what is doomed and not read any more, and the longest unused above the ceiling."""
        for table in [doomed for doomed in self.doomed if not doomed.users]:
            self.doomed.remove(table)
            self._drop(table)
        for key, table in list(self.tables.items())[:-1]:
            if self.child.used > self.ceiling and not table.users:
                self._drop(self.tables.pop(key))

    def _drop(self, table: Loaded) -> None:
        table.dropped = True
        if table.generation == self.child.generation:
            self.child.discard(table.table)
            self.child.used = max(0, self.child.used - table.size)
