"""A digest in words: what to look at first, then the clusters, within a budget of tokens.

Rows come by urgency: open before resolved, severe before mild, many before few. Where not all of
them fit, the most urgent are shown, the largest, and one of the worst level; ``others`` says
what the rest holds, level by level, so that nothing severe is hidden.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from losant_mcp.analysis.digest import Digest, OldOpen
from losant_mcp.analysis.digest_bursts import Burst
from losant_mcp.analysis.digest_counts import (
    NAME_CHARACTERS,
    Cluster,
    Key,
    Tally,
    severity,
    summed,
)
from losant_mcp.analysis.tokens import estimate
from losant_mcp.api.events import STATES, Event
from losant_mcp.api.times import iso, read_date
from losant_mcp.api.types import JsonObject
from losant_mcp.text import NOTE, one_line

TOKENS = 1000
MOST_ROWS = 100

ROLLED_UP = 3
"""A subject on so many devices is one row (per worst level) where nobody asked otherwise."""

_MOST_UNASKED = 20
_LISTED = 3


@dataclass(frozen=True)
class _Size:
    """How much of everything beside the rows; ``fewest`` rows before a smaller one is taken."""

    fewest: int
    characters: int = 60
    samples: int = 1
    sources: int = 3
    old: int = 2


_ROOMY = _Size(0, characters=120, samples=3, old=3)
_SIZES = (
    _Size(9),
    _Size(8, characters=48, sources=2, old=1),
    _Size(6, characters=32, sources=1, old=1),
    _Size(0, characters=20, sources=1, old=0),
)


@dataclass
class _Row:
    """A line of the report: a cluster, or a subject's clusters on many devices."""

    cluster: Cluster
    keys: list[Key]
    devices: list[tuple[int, str]] = field(default_factory=list)
    """With how many events; only where devices were put together."""

    @property
    def urgency(self) -> tuple[float, int, int, int]:
        """The higher, the earlier to look at; what is resolved yields one and a half levels."""
        it = self.cluster
        score = max(float(it.open_severity), it.worst[0] - 1.5)
        resolved = it.states["resolved"]
        return score, it.count - resolved, it.count, it.last


def report(
    digest: Digest, *, tokens: int = TOKENS, rows: int | None = None, roll_up: bool = False
) -> JsonObject:
    """The digest as a result of about ``tokens`` at most, with ``rows`` clusters or what fits.

    ``roll_up`` puts a subject's clusters together that are spread over many devices.
    """
    facts = _Facts(digest, roll_up)
    most = min(len(facts.lines), rows or _MOST_UNASKED)
    made: JsonObject = {}
    for size in [*([_ROOMY] if rows else []), *_SIZES]:
        low, high, best = min(most, size.fewest), most, None
        while low <= high:
            shown = (low + high + 1) // 2
            made = _Report(facts, shown, size).whole()
            if estimate(made) <= tokens:
                best, low = made, shown + 1
            else:
                high = shown - 1
        if best is not None:
            return best
    return made


class _Facts:
    """What every attempt at a report shares, since a digest may have thousands of clusters."""

    def __init__(self, digest: Digest, roll_up: bool) -> None:
        self.digest = digest
        rows = _rows(digest.tally, roll_up)
        self.lines = sorted(rows, key=lambda row: row.urgency, reverse=True)
        """By urgency."""
        largest = max(range(len(rows)), key=lambda i: self.lines[i].cluster.count, default=0)
        worst = max((row.cluster.worst[0] for row in rows), default=-1)
        of_worst = [i for i, row in enumerate(self.lines) if row.cluster.worst[0] == worst][:1]
        first = [*of_worst, 0, largest] if rows else []
        self.order = list(dict.fromkeys([*first, *range(len(rows))]))
        """Which lines to show, where only some of them fit."""
        sources = digest.tally.sources.values()
        self.sources = sorted(sources, key=lambda it: (-it.count, it.name))
        chattering = [source for source in sources if source.bursts.number]
        self.chattering = sorted(chattering, key=lambda it: (-it.bursts.total, it.name))
        bursts = [burst for source in chattering for burst in source.bursts.largest()]
        self.chatter_keys = {key for burst in bursts for key in burst.keys}


def _rows(tally: Tally, roll_up: bool) -> list[_Row]:
    if not roll_up:
        return [_Row(cluster, [key]) for key, cluster in tally.clusters.items()]
    alike: dict[tuple[str | None, int], list[tuple[Key, Cluster]]] = {}
    for key, cluster in tally.clusters.items():
        alike.setdefault((key[0], cluster.worst[0]), []).append((key, cluster))
    rows: list[_Row] = []
    for found in alike.values():
        if len(found) >= ROLLED_UP:
            rows.append(_rolled_up(found))
        else:
            rows += (_Row(cluster, [key]) for key, cluster in found)
    return rows


def _rolled_up(found: Sequence[tuple[Key, Cluster]]) -> _Row:
    subject = found[0][1].labels[0]
    whole = Cluster((subject, None), found[0][1].first, found[0][1].last)
    for _, cluster in found:
        whole.absorb(cluster)
    devices = sorted(((it.count, it.labels[1] or "none") for _, it in found), reverse=True)
    return _Row(whole, [key for key, _ in found], devices)


class _Report:
    """One attempt with so many rows."""

    def __init__(self, facts: _Facts, shown: int, size: _Size) -> None:
        self.facts = facts
        self.digest = facts.digest
        self.tally = facts.digest.tally
        self.size = size
        self.rows = [facts.lines[i] for i in sorted(facts.order[:shown])]
        self.hidden = len(facts.lines) - len(self.rows)
        self.rest = Counter(self.tally.counts)
        """What is counted in the rows that are not shown."""
        for row in self.rows:
            self.rest.subtract(row.cluster.counts)
        self.number: dict[Hashable, int] = {
            key: i for i, row in enumerate(self.rows, 1) for key in row.keys
        }

    def whole(self) -> JsonObject:
        """The result; what to look at first comes first."""
        digest, tally = self.digest, self.tally
        made: JsonObject = {"note": NOTE} if self.rows else {}
        made["window"] = {"start": _second(digest.scope.start), "end": _second(digest.scope.end)}
        made |= {"total": tally.total, "exact": not digest.inexact}
        if digest.inexact:
            made["inexact"] = digest.inexact
        made["lookFirst"] = self.look_first()
        made["levels"] = by_severity(summed(tally.counts, 0))
        made["states"] = _by_progress(tally)
        counts = ("count", "levels", "new", "acknowledged")
        made["columns"] = [*counts, *tally.group_by, *_TIMES, "sampleIds"]
        made["rows"] = [self.line(row) for row in self.rows]
        made["clusters"] = len(self.facts.lines)
        if self.hidden:
            levels = summed(+self.rest, 0)
            made["others"] = {
                "clusters": self.hidden,
                "events": levels.total(),
                "levels": by_severity(levels),
            }
        made |= self.floods() | self.sources()
        return made | self.old_open(digest.old_open)

    def line(self, row: _Row) -> list[Any]:
        """A row of the table."""
        it = row.cluster
        states = it.states
        labels = [label and one_line(label, self.size.characters) for label in it.labels]
        if row.devices:
            count, most = row.devices[0]
            labels[1] = (
                f"{len(row.devices)} devices, {one_line(most, self.size.characters)} {count}"
            )
        levels = by_severity(it.levels)
        told = ", ".join(f"{name} {n}" for name, n in levels.items())
        ends = [_second(it.first), _second(it.last) if it.count > 1 else None, _rate(it)]
        counts = [
            it.count,
            told if len(levels) > 1 else next(iter(levels)),
            states["new"],
            states["acknowledged"],
        ]
        return [*counts, *labels, *ends, it.samples[: self.size.samples]]

    def look_first(self) -> list[str]:
        """What needs somebody, the most urgent first; rows by number, so that no text of the
        platform stands among our words.
        """
        said = [
            *self._open("critical", "new", "nobody has acknowledged"),
            *self._open("critical", "acknowledged", "acknowledged but not resolved"),
            *self._open("error", "new", "nobody has acknowledged"),
        ]
        if floods := self.tally.floods.largest():
            said.append(self._flood(floods[0]))
        if keys := self.facts.chatter_keys:
            rows = sorted({row for key, row in self.number.items() if key in keys})
            where = f"{_numbered(rows)}: " if rows else ""
            said.append(f"{where}chattering, {len(self.facts.chattering)} sources do")
        if count := self.digest.old_open.count:
            said.append(f"oldOpen: {count} open for more than {self.digest.old_open.hours} h")
        if not self.tally.total:
            said.insert(0, "No event matches in this window.")
        return said or ["Nothing stands out."]

    def _open(self, level: str, state: str, words: str) -> list[str]:
        shown = [i for i, row in enumerate(self.rows, 1) if row.cluster.counts[level, state]]
        hidden = self.rest[level, state]
        places = [
            *([_numbered(shown)] if shown else []),
            *([f"{hidden} in others"] if hidden else []),
        ]
        return [f"{' and '.join(places)}: {level}, {words}"] if places else []

    def _flood(self, flood: Burst) -> str:
        """The largest flood, and which row is most of it."""
        in_rows: Counter[int] = Counter()
        for key, row in self.number.items():
            if count := flood.keys.get(key):
                in_rows[row] += count
        minutes = max(1, math.ceil((flood.end - flood.start) / 60_000))
        where = "".join(f", {most} of them in row {row}" for row, most in in_rows.most_common(1))
        return f"flood: {flood.count} events in {minutes} min from {_second(flood.start)}{where}"

    def floods(self) -> JsonObject:
        """Every flood, or the largest, as [start, end, events]."""
        number = self.tally.floods.number
        if not number:
            return {}
        largest = self.tally.floods.largest()[:_LISTED]
        windows = [[_second(it.start), _second(it.end), it.count] for it in largest]
        more = {"moreFloods": number - len(windows)} if number > len(windows) else {}
        return {"floods": windows, **more}

    def sources(self) -> JsonObject:
        """The sources with most events and with most chatter; how many there are of each."""
        chattering, most = self.facts.chattering, self.size.sources
        listed = [*self.facts.sources[:most], *chattering[:most]]
        shown = sorted({id(it): it for it in listed}.values(), key=lambda it: -it.count)
        total = max(1, self.tally.total)
        rows = [
            [
                one_line(it.name, self.size.characters),
                it.count,
                f"{it.count / total:.0%}",
                it.bursts.number,
                it.bursts.total,
            ]
            for it in shown
        ]
        if not rows:
            return {}
        return {
            "sources": {
                "columns": ["source", "events", "share", "chatterBursts", "chatterEvents"],
                "rows": rows,
                "chattering": len(chattering),
            }
        }

    def old_open(self, old: OldOpen) -> JsonObject:
        """What has been open for long, also from before the window."""
        if not old.count:
            return {}
        told: JsonObject = {"atMost" if old.at_most else "count": old.count, "hours": old.hours}
        oldest = read_date(old.oldest.creationDate) if old.oldest else None
        told["oldest"] = None if oldest is None else _second(oldest)
        events = {event.id: event for event in (*old.worst[:1], *filter(None, [old.oldest]))}
        events |= {event.id: event for event in old.worst}
        if not self.size.old:
            return {"oldOpen": told}
        told["columns"] = ["id", "level", "subject", "device", "since"]
        told["rows"] = [self._event(event) for event in list(events.values())[: self.size.old]]
        return {"oldOpen": told}

    def _event(self, event: Event) -> list[Any]:
        since = read_date(event.creationDate)
        return [
            event.id,
            one_line(event.level or "", 20),
            one_line(event.subject or "", self.size.characters),
            one_line(event.deviceName or "", NAME_CHARACTERS) or event.deviceId,
            None if since is None else _second(since),
        ]


_TIMES = ("first", "last", "rate")


def by_severity(levels: Counter[str]) -> dict[str, int]:
    """The counts, the most severe level first."""
    return dict(sorted(levels.items(), key=lambda item: -severity(item[0])))


def _by_progress(tally: Tally) -> dict[str, int]:
    states = summed(tally.counts, 1)
    known = [state for state in STATES if state in states]
    return {state: states[state] for state in [*known, *sorted(set(states) - set(known))]}


def _numbered(rows: Sequence[int]) -> str:
    """Row numbers in words, runs put together."""
    runs: list[list[int]] = []
    for number in rows:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    told = ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
    return f"rows {told}" if len(rows) != 1 else f"row {told}"


def _rate(cluster: Cluster) -> str | None:
    """How often one followed another, while it lasted."""
    if cluster.count < 2:
        return None
    span = (cluster.last - cluster.first) / 1000
    if not span:
        return f"{cluster.count} at once"
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600), ("day", 86_400)):
        rate = (cluster.count - 1) / span * seconds
        if rate >= 1 or unit == "day":
            return f"{rate:.2g}/{unit}" if rate < 100 else f"{rate:.0f}/{unit}"
    raise AssertionError


def _second(ms: int) -> str:
    """As ISO 8601, to the second."""
    return iso(ms - ms % 1000)
