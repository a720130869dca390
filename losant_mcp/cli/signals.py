"""Signals that ask a command to end, as an event of its loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from types import FrameType

import anyio

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
"""Those that a command can get on this system."""


def signalled(numbers: Iterable[int]) -> anyio.Event:
    """An event that is set at the first of these signals."""
    loop = asyncio.get_running_loop()
    asked = anyio.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(asked.set)

    # Not loop.add_signal_handler nor anyio's receiver: Windows has neither.
    for number in numbers:
        signal.signal(number, ask)
    return asked
