"""Following a fuzzed call: it ends in time, it says something sensible, and it harms nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from anyio.from_thread import run as run_in_loop
from anyio.to_thread import run_sync
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from losant_mcp.api.types import is_unicode
from tests.calling import stored
from tests.served import Sandbox

SECONDS = 60.0
"""The longest that a call may take; the slowest that is legal takes about 20 (a job)."""

T = TypeVar("T")


async def follow(
    fuzzing: settings, cases: SearchStrategy[T], one: Callable[[T], Awaitable[None]]
) -> None:
    """Try ``one`` with every case, each within its time; hypothesis itself runs in a thread."""

    async def in_time(case: T) -> None:
        with anyio.fail_after(SECONDS):
            await one(case)

    @fuzzing
    @given(cases)
    def check(case: T) -> None:
        run_in_loop(in_time, case)

    await run_sync(check)


def settled(sandbox: Sandbox) -> bytes:
    """A fingerprint of what is stored once no job works any more."""
    deadline = time.monotonic() + SECONDS
    while sandbox.store.rows("SELECT 1 FROM jobs WHERE status IN ('queued', 'inProgress')"):
        assert time.monotonic() < deadline, "a job does not end"
        time.sleep(0.002)
    return stored(sandbox)


def is_json(value: Any) -> bool:
    """Whether it can be sent at all: text that UTF-8 carries, and numbers that are finite."""
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack += [*part, *part.values()]
        elif isinstance(part, list):
            stack += part
        elif isinstance(part, (float, str)) and not _is_sendable(part):
            return False
    return True


def _is_sendable(value: float | str) -> bool:
    return is_unicode(value) if isinstance(value, str) else math.isfinite(value)
