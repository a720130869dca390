"""What was loaded a moment ago: people type letter by letter, and each letter is a request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar, cast

import anyio

from losant_mcp.errors import LosantMcpError

Value = TypeVar("Value")

SECONDS = 20.0
PAUSE = 5.0
"""After an error Losant is left alone for so long."""
MOST = 64


@dataclass(slots=True)
class _Entry:
    value: Any = None  # of the loader that belongs to the key
    until: float = float("-inf")
    lock: anyio.Lock = field(default_factory=anyio.Lock)


class Memory:
    """The newest ``MOST`` values by key, each for ``SECONDS``; ``now`` is in seconds."""

    def __init__(self, *, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    async def get(self, key: Hashable, load: Callable[[], Awaitable[Value]]) -> Value | None:
        """The value, loaded once however many wait for it; None where that ended in an error."""
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > MOST:
            self._entries.popitem(last=False)
        async with entry.lock:
            if self._now() >= entry.until:
                try:
                    entry.value, seconds = await load(), SECONDS
                except LosantMcpError:
                    entry.value, seconds = None, PAUSE
                entry.until = self._now() + seconds
            return cast("Value | None", entry.value)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
