"""Counting events as they come: clusters, sources, floods; what is kept grows with the clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Literal

from losant_mcp.analysis.digest_bursts import Bursts
from losant_mcp.api.events import LEVELS, Event
from losant_mcp.api.times import from_ms, read_date
from losant_mcp.text import one_line

GroupBy = Literal["subject", "device", "level", "state", "hour", "day"]

MOST_CLUSTERS = 5_000
"""So many clusters, and so many sources, are told apart; what comes later is put together."""

FLOOD = (11, 600_000)
"""More than ten new events in ten minutes (ANSI/ISA-18.2 calls that an alarm flood)."""

CHATTER = (3, 60_000)
"""Three or more in a minute from one source (the same standard's chattering alarm)."""

NAME_CHARACTERS = 60
OTHERS = "(others)"

_SAMPLES = 3

Key = tuple[str | None, ...]


def severity(level: str) -> int:
    """The level's rank; one that Losant did not have when this was written counts as the worst."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


@dataclass
class Cluster:
    """Events that belong together; ``counts`` is by level and state.

    ``labels`` has, for each thing grouped by, what to show: the subject or name as first seen.
    """

    labels: tuple[str | None, ...]
    first: int
    last: int
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    """Ids: of the worst event (an open one before a resolved one, then the newest), …"""
    worst: tuple[int, bool, int] = (-1, False, -1)

    def add(self, at: int, level: str, state: str, id: str) -> None:
        """One more event."""
        self.counts[level, state] += 1
        self.first = min(self.first, at)
        self.last = max(self.last, at)
        rank = (severity(level), state != "resolved", at)
        if rank >= self.worst:
            self.worst = rank
            self.samples = [id, *self.samples[: _SAMPLES - 1]]

    @property
    def count(self) -> int:
        """How many events it has."""
        return self.counts.total()

    @property
    def levels(self) -> Counter[str]:
        """How many events of each level."""
        return summed(self.counts, 0)

    @property
    def states(self) -> Counter[str]:
        """How many events in each state."""
        return summed(self.counts, 1)

    @property
    def open_severity(self) -> int:
        """The rank of the worst level that is not resolved; -1 where all is."""
        open_levels = (severity(level) for level, state in self.counts if state != "resolved")
        return max(open_levels, default=-1)

    def absorb(self, other: Cluster) -> None:
        """Take another cluster's events in."""
        self.counts.update(other.counts)
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        if other.worst > self.worst:
            self.worst = other.worst
            self.samples = [*other.samples, *self.samples][:_SAMPLES]
        else:
            self.samples = [*self.samples, *other.samples][:_SAMPLES]


def summed(counts: Counter[tuple[str, str]], part: int) -> Counter[str]:
    """The counts by one part of their keys."""
    found: Counter[str] = Counter()
    for key, count in counts.items():
        found[key[part]] += count
    return found


@dataclass
class Source:
    """A device, or where an event is about none, who raised it."""

    name: str
    count: int = 0
    bursts: Bursts = field(default_factory=lambda: Bursts(*CHATTER, kept=3))


class Tally:
    """The running counts. Events are added in the order of their creation."""

    def __init__(self, group_by: Sequence[GroupBy], local: Callable[[datetime], datetime]) -> None:
        self.group_by = tuple(group_by)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.clusters: dict[Key, Cluster] = {}
        self.sources: dict[Key, Source] = {}
        self.floods = Bursts(*FLOOD)
        self._local = local
        self._newest = 0

    @property
    def total(self) -> int:
        """How many events were counted."""
        return self.counts.total()

    def add(self, events: Iterable[Event], *, otherwise: int) -> None:
        """Count events; one without a readable date is taken to be of ``otherwise``."""
        for event in events:
            at = read_date(event.creationDate)
            self._add(event, otherwise if at is None else at)

    def _add(self, event: Event, at: int) -> None:
        level, state = _name(event.level, "unknown"), _name(event.state, "unknown")
        self.counts[level, state] += 1
        labels = tuple(self._label(by, event, at, level, state) for by in self.group_by)
        key = tuple(
            event.deviceId if by == "device" else label and label.casefold()
            for by, label in zip(self.group_by, labels, strict=True)
        )
        cluster = self.clusters.get(key)
        if cluster is None and len(self.clusters) >= MOST_CLUSTERS:
            # The level stays apart, so that nothing severe hides among the rest.
            labels = tuple(level if by == "level" else OTHERS for by in self.group_by)
            key = (OTHERS, level)
            cluster = self.clusters.get(key)
        if cluster is None:
            cluster = self.clusters[key] = Cluster(labels, at, at)
        cluster.add(at, level, state, event.id)
        source = self._source(event)
        source.count += 1
        # Bursts need moments in order; a server that sorts otherwise must not make up a storm.
        self._newest = max(self._newest, at)
        self.floods.add(self._newest, key)
        source.bursts.add(self._newest, key)

    def _label(self, by: GroupBy, event: Event, at: int, level: str, state: str) -> str | None:
        match by:
            case "subject":
                # Loaded here: its patterns take a hundredth of a server's start to compile.
                from losant_mcp.analysis.digest_subjects import normalise

                return normalise(event.subject or "")
            case "device":
                return event.deviceId and _name(event.deviceName, event.deviceId)
            case "level":
                return level
            case "state":
                return state
        local = self._local(from_ms(at))
        return local.strftime("%Y-%m-%d %H:00" if by == "hour" else "%Y-%m-%d")

    def _source(self, event: Event) -> Source:
        if event.deviceId:
            key: Key = ("device", event.deviceId)
            name = _name(event.deviceName, event.deviceId)
        else:
            key = (event.sourceType, event.sourceId)
            kind = _name(event.sourceType, "unknown")
            name = f"{kind}: {_name(event.sourceName, event.sourceId or '')}".rstrip(": ")
        if key not in self.sources and len(self.sources) >= MOST_CLUSTERS:
            key, name = (OTHERS,), OTHERS
        return self.sources.setdefault(key, Source(name))


@lru_cache(maxsize=5_000)
def _name(name: str | None, id: str) -> str:
    return one_line(name or "", NAME_CHARACTERS) or id
