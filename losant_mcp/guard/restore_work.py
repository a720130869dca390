"""What every kind of restore shares: the next write announced, the outcome counted, waits paced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeVar

import anyio

from losant_mcp.client import LosantClient
from losant_mcp.errors import LosantMcpError, RateLimited, describe
from losant_mcp.guard.backup_manifest import BackupKind, Manifest
from losant_mcp.guard.backups import OpenBackup
from losant_mcp.guard.restore_journal import Journal
from losant_mcp.guard.running import Progress
from losant_mcp.guard.store import GuardError, Meter
from losant_mcp.text import one_line

T = TypeVar("T")
R = TypeVar("R")

JsonObject = dict[str, Any]

MOST_PROBLEMS = 1000
"""How many problems an outcome names; all are counted."""

CONCURRENT = 8
MOST_REPEATS = 3
"""How often a request is sent again of which no answer came."""
MOST_WAITS = 20
"""How often in a row Losant may say that it is too much."""

LONGEST_WAIT = 300.0
"""Seconds; a longer wait is for the one who restores to decide."""

EVENT_WINDOW = 15.0
"""Seconds, in which Losant takes 15 new events of an application."""
EVENTS_PER_WINDOW = 10
"""A third is left to real alarms: they would be refused while a restore takes all."""
SETTLING = (1.0, 3.0, 5.0)
"""Seconds between looks for what may have arrived: Losant may still be at it."""

LONGEST_REQUEST = 300_000
"""Milliseconds after which Losant is surely done with a request, answered or not."""

CLOCK_SLACK = timedelta(seconds=5)
"""Losant's clock is known to the second, and as it was some answers ago."""


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """What is about to be written. ``meter`` is the hourly budget that it counts against."""

    what: Literal["table", "column", "rows", "events", "values", "fields"]
    application_id: str
    target_id: str
    count: int
    meter: Meter | None


Remember = Callable[[WriteBatch], Awaitable[None]]
"""Called before each batch; raising stops the restore before it."""

_METERS: dict[str, Meter] = {
    "rows": "created_rows",
    "events": "created_events",
    "values": "overwritten",
    "fields": "overwritten",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An object that was not restored. ``conflict``: something else is in its place;
    ``gone``: what should get its values back is not there; ``refused``: it cannot be written.
    """

    id: str
    why: Literal["conflict", "gone", "refused"]
    text: str


@dataclass(frozen=True, slots=True)
class RestoreOutcome:
    """How a restore ended. ``already`` were there, or had been restored before."""

    backup_id: str
    kind: BackupKind
    target_id: str
    target_name: str
    total: int
    restored: int
    already: int
    problems: tuple[Problem, ...]
    """The first ones; ``problem_count`` counts all."""
    problem_count: int
    notes: tuple[str, ...]
    """What is different now, in fixed words."""


class RestoreStopped(GuardError):
    """The restore ended in the middle; ``known`` says how far it came. Another call goes on."""

    changed = "unknown"

    def __init__(self, cause: LosantMcpError, known: RestoreOutcome) -> None:
        # The cause speaks of the last request alone.
        why = describe(cause, limit=300).removesuffix("Nothing was changed.").rstrip()
        super().__init__(
            f"The restore stopped after {known.restored:,} of {known.total:,} objects: {why}",
            hint="Call restore_backup again: it goes on where it stopped, without duplicates.",
        )
        self.cause = cause
        self.known = known


@dataclass(slots=True)
class Pace:
    """The time between new events, and every other wait. ``sleep`` and ``clock`` count seconds."""

    interval: float = EVENT_WINDOW / EVENTS_PER_WINDOW
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    clock: Callable[[], float] = anyio.current_time
    _next: float | None = None

    async def turn(self) -> None:
        """Wait until the next event may be created."""
        now = self.clock()
        if self._next is not None and self._next > now:
            await self.sleep(self._next - now)
        self._next = max(now, self._next or now) + self.interval


@dataclass(slots=True)
class Work:
    """One restore on its way."""

    client: LosantClient
    manifest: Manifest
    source: OpenBackup
    journal: Journal
    remember: Remember
    progress: Progress | None
    pace: Pace
    target_id: str = ""
    target_name: str = ""
    wrote: bool = False
    restored: int = 0
    already: int = 0
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def at(self) -> dict[str, Any]:
        """The application, for the client's methods."""
        return {"applicationId": self.manifest.application_id}

    def table(self, table_id: str) -> dict[str, Any]:
        """The application and a table, for the client's methods."""
        return {**self.at, "dataTableId": table_id}

    def now(self) -> int:
        """Losant's time in ms, surely not later than what is sent from now on."""
        return round((self.client.losant_now() - CLOCK_SLACK).timestamp() * 1000)

    async def announce(
        self,
        what: Literal["table", "column", "rows", "events", "values", "fields"],
        target_id: str,
        count: int,
    ) -> None:
        """Tell what is about to be written. Raises what ``remember`` raises."""
        application = self.manifest.application_id
        await self.remember(WriteBatch(what, application, target_id, count, _METERS.get(what)))
        self.wrote = True

    async def tell(self) -> None:
        """Report how far it is."""
        if self.progress is not None:
            done = self.restored + self.already + self.problem_count
            await self.progress(done, self.manifest.count, "objects restored")

    def note(self, text: str) -> None:
        """Say once what is different now."""
        if text not in self.notes:
            self.notes.append(text)

    def fail(self, id: str, why: Literal["conflict", "gone", "refused"], text: str) -> None:
        """An object was not restored."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(id, why, one_line(text, 200)))

    def outcome(self) -> RestoreOutcome:
        """How it stands."""
        return RestoreOutcome(
            backup_id=self.manifest.id,
            kind=self.manifest.kind,
            target_id=self.target_id,
            target_name=self.target_name,
            total=self.manifest.count,
            restored=self.restored,
            already=self.already,
            problems=tuple(self.problems),
            problem_count=self.problem_count,
            notes=(*self.notes, *self.manifest.notes),
        )

    async def wait(self, error: RateLimited, waits: int) -> None:
        """Wait as long as Losant asks for. Raises the error where it never ends."""
        seconds = error.retry_after or EVENT_WINDOW
        if waits >= MOST_WAITS or seconds > LONGEST_WAIT:
            raise error
        await self.pace.sleep(seconds)

    async def insist(self, send: Callable[[], Awaitable[R]]) -> R:
        """Send what may be sent twice without harm, until there is an answer."""
        waits = repeats = 0
        while True:
            try:
                return await send()
            except RateLimited as error:
                await self.wait(error, waits)
                waits += 1
            except LosantMcpError as error:
                if error.changed != "unknown" or repeats >= MOST_REPEATS:
                    raise
                await self.pace.sleep(SETTLING[min(repeats, len(SETTLING) - 1)])
                repeats += 1


async def each(items: Iterable[T], send: Callable[[T], Awaitable[None]]) -> None:
    """Send for every item, some at a time; the first error stops the rest and is raised."""
    errors: list[LosantMcpError] = []
    limiter = anyio.CapacityLimiter(CONCURRENT)
    async with anyio.create_task_group() as tasks:

        async def one(item: T) -> None:
            async with limiter:
                try:
                    await send(item)
                except LosantMcpError as error:
                    errors.append(error)
                    tasks.cancel_scope.cancel()

        for item in items:
            tasks.start_soon(one, item)
    if errors:
        raise errors[0]


def reason(error: LosantMcpError) -> str:
    """Losant's own words for a refusal, or ours."""
    return str(getattr(error, "detail", "") or error)
