"""The digest of events: every event that matches is read and counted, none is kept.

Events are read in the order of their creation, several pages at a time. A digest is exact where
what was read is what there was at one moment: as many events, each once, as Losant counted
before and after, and no newer change among them after than before. Otherwise it is read once
more; where that does not help, it says so.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from losant_mcp.analysis.digest_counts import GroupBy, Tally
from losant_mcp.analysis.loading import Progress, no_progress
from losant_mcp.analysis.together import both
from losant_mcp.api.events import Event, Events
from losant_mcp.api.times import HOUR
from losant_mcp.api.types import JsonObject
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import PAGE_SIZE, by_number
from losant_mcp.errors import InvalidRequest

ATTEMPTS = 2
REMEMBERED = 20_000
"""Ids of events just read, by which one that comes twice is known: more than are on the way."""

OLDEST_SHOWN = 3


@dataclass(frozen=True)
class Scope:
    """Which events: those created from ``start`` to just before ``end`` (ms) that match the rest.

    ``query`` is an advanced query that was checked; ``subject`` a pattern with ``*`` and ``?``
    for the whole subject, in which case does not matter.
    """

    application_id: str
    start: int
    end: int
    query: JsonObject | None = None
    subject: str | None = None

    @property
    def matching(self) -> list[JsonObject]:
        """What must hold beside the time, as advanced queries."""
        return [*([self.query] if self.query else []), *subject_clauses(self.subject)]

    def within(self) -> JsonObject:
        """All of it as one advanced query."""
        window = {"creationDate": {"$gte": self.start, "$lt": self.end}}
        return {"$and": [window, *self.matching]} if self.matching else window

    def open_before(self, moment: int) -> JsonObject:
        """The query for events that match, are older than ``moment`` and not resolved."""
        old = {"creationDate": {"$lt": moment}, "state": {"$ne": "resolved"}}
        return {"$and": [old, *self.matching]} if self.matching else old


@dataclass(frozen=True)
class OldOpen:
    """Events that have been open for more than ``hours`` at the end of the window, from any time.

    ``at_most`` says that ``count`` may be too high: Losant cannot count the subject's pattern.
    """

    hours: int
    count: int
    at_most: bool
    worst: list[Event]
    oldest: Event | None


@dataclass(frozen=True)
class Digest:
    """What was counted; ``inexact`` says why the counts may be off, and is empty otherwise."""

    scope: Scope
    tally: Tally
    old_open: OldOpen
    inexact: str


async def digest(
    client: LosantClient,
    scope: Scope,
    *,
    group_by: Sequence[GroupBy],
    local: Callable[[datetime], datetime],
    open_hours: int,
    most: int,
    progress: Progress = no_progress,
    page_size: int = PAGE_SIZE,
) -> Digest:
    """Read and count the events in ``scope``; ``local`` brings a moment into the zone of hours.

    Raises InvalidRequest where more than ``most`` events match.
    """
    read = partial(_read, client, scope, most, progress, page_size)
    counted = partial(_counted, read, partial(Tally, group_by, local))
    (tally, inexact), old = await both(counted, partial(_old_open, client, scope, open_hours))
    return Digest(scope, tally, old, inexact)


async def _counted(
    read: Callable[[Tally], Awaitable[str]], new: Callable[[], Tally]
) -> tuple[Tally, str]:
    for _ in range(ATTEMPTS - 1):
        tally = new()
        if not await read(tally):
            return tally, ""
    tally = new()
    return tally, await read(tally)


async def _read(
    client: LosantClient,
    scope: Scope,
    most: int,
    progress: Progress,
    page_size: int,
    tally: Tally,
) -> str:
    """Count every event. Returns why the counts may be off; empty where they are exact."""
    fetch = partial(client.events_get, applicationId=scope.application_id, query=scope.within())
    before = await _newest_change(fetch)
    if before.totalCount > most:
        raise InvalidRequest(
            f"{before.totalCount:,} events match; at most {most:,} are read at once.",
            hint="Narrow start and end, or the query. A person can raise LOSANT_MCP_MAX_ROWS.",
        )
    fits = _pattern(scope.subject)
    recent: OrderedDict[str, None] = OrderedDict()
    read = first_page = 0
    in_order = partial(fetch, sortField="creationDate", sortDirection="asc")
    async with by_number(in_order, perPage=page_size) as pages:
        async for page in pages:
            first_page = first_page or len(page.items)
            fresh = _unseen(page, recent)
            read += len(fresh)
            tally.add((e for e in fresh if fits(e.subject or "")), otherwise=scope.start)
            await progress(read, pages.total, f"{read} of {pages.total} events read")
        total = pages.total
    if read == total == first_page:
        return ""  # One page is one moment.
    after = await _newest_change(fetch)
    if read == total == before.totalCount == after.totalCount and _mark(before) == _mark(after):
        return ""
    return (
        f"{read} events were counted while they changed; Losant had {before.totalCount} before"
        f" and {after.totalCount} after"
    )


async def _newest_change(fetch: Callable[..., Awaitable[Events]]) -> Events:
    return await fetch(sortField="lastUpdated", sortDirection="desc", page=0, perPage=1)


def _mark(page: Events) -> tuple[str | None, str | None]:
    """What another event, or another change of the same one, would show differently."""
    event = page.items[0] if page.items else Event()
    return event.id, event.lastUpdated


def _unseen(page: Events, recent: OrderedDict[str, None]) -> list[Event]:
    """The events that were not on a page before; pages move where something is deleted or added."""
    fresh = [event for event in page.items if event.id not in recent]
    recent.update(dict.fromkeys(event.id for event in fresh))
    while len(recent) > REMEMBERED:
        recent.popitem(last=False)
    return fresh


async def _old_open(client: LosantClient, scope: Scope, hours: int) -> OldOpen:
    query = scope.open_before(scope.end - hours * HOUR)
    fetch = partial(client.events_get, applicationId=scope.application_id, query=query, page=0)
    worst = await fetch(sortField="level", sortDirection="desc", perPage=OLDEST_SHOWN)
    oldest = worst
    if worst.totalCount > 1:
        oldest = await fetch(sortField="creationDate", sortDirection="asc", perPage=1)
    fits = _pattern(scope.subject)
    shown = [event for event in worst.items if fits(event.subject or "")]
    first = next((event for event in oldest.items if fits(event.subject or "")), None)
    complete = worst.totalCount == len(worst.items)
    return OldOpen(
        hours,
        len(shown) if complete else worst.totalCount,
        not complete and not _is_countable(scope.subject),
        shown,
        first,
    )


# ---- subjects by pattern -------------------------------------------------------------------


def subject_clauses(pattern: str | None) -> list[JsonObject]:
    """Advanced queries that every subject of the pattern meets; Losant ignores a filter beside
    a query, and the window is one.
    """
    if not pattern:
        return []
    parts = re.split(r"[*?]+", pattern)
    clauses: list[JsonObject] = []
    if parts[0]:
        clauses.append(_test("$startsWith", parts[0]))
    if parts[-1]:
        clauses.append(_test("$endsWith", parts[-1]))
    return [*clauses, *(_test("$contains", part) for part in dict.fromkeys(parts[1:-1]) if part)]


def _test(operator: str, text: str) -> JsonObject:
    return {"subject": {operator: text, "$ci": True}}


def _is_countable(pattern: str | None) -> bool:
    """Whether the clauses match exactly the pattern's subjects."""
    return not pattern or re.fullmatch(r"\*+|[^*?]+\*+|\*+[^*?]+|\*+[^*?]+\*+", pattern) is not None


def _pattern(pattern: str | None) -> Callable[[str], bool]:
    """Whether a subject fits the pattern."""
    if not pattern or _is_countable(pattern):
        return lambda subject: True
    folded = pattern.casefold()
    signs = {"*": ".*", "?": "."}
    wanted = re.compile("".join(signs.get(c) or re.escape(c) for c in folded), re.DOTALL)
    return lambda subject: wanted.fullmatch(subject.casefold()) is not None
