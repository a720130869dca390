"""Bursts in a stream of moments: floods of alarms, and sources that chatter.

Both are sliding windows: ``need`` moments within less than ``span``. Only the last ``need``
moments are remembered, so a burst of any length takes the same memory.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heappush, heapreplace


@dataclass(order=True)
class Burst:
    """``count`` moments from ``start`` to ``end``; ``keys`` says how many each had."""

    count: int
    start: int
    end: int
    keys: Counter[Hashable] = field(default_factory=Counter, compare=False)


@dataclass
class Bursts:
    """The bursts of moments that are added in their order, in ms.

    Bursts that share a moment are one. ``number`` and ``total`` count all bursts and the moments
    in them; only the ``kept`` largest are remembered one by one.
    """

    need: int
    span: int
    kept: int = 20
    number: int = 0
    total: int = 0

    def __post_init__(self) -> None:
        self._recent: deque[tuple[int, int, Hashable]] = deque(maxlen=self.need)
        self._largest: list[Burst] = []
        self._open: Burst | None = None
        self._covered = -1
        self._index = -1

    def add(self, at: int, key: Hashable = None) -> None:
        """One more moment, not before the last one."""
        self._index += 1
        self._recent.append((self._index, at, key))
        first, start, _ = self._recent[0]
        if len(self._recent) < self.need or at - start >= self.span:
            return
        if self._open is None or first > self._covered:
            self._keep()
            self._open = Burst(0, start, at)
            self.number += 1
            self._covered = first - 1
        for index, _, inside in reversed(self._recent):
            if index <= self._covered:
                break
            self._open.count += 1
            self._open.keys[inside] += 1
            self.total += 1
        self._open.end = at
        self._covered = self._index

    def largest(self) -> list[Burst]:
        """The largest bursts, at most ``kept`` of them, the largest first."""
        found = [*self._largest, *([self._open] if self._open else [])]
        return sorted(found, key=lambda burst: (-burst.count, burst.start))[: self.kept]

    def _keep(self) -> None:
        if self._open is None:
            return
        if len(self._largest) < self.kept:
            heappush(self._largest, self._open)
        elif self._open > self._largest[0]:
            heapreplace(self._largest, self._open)
