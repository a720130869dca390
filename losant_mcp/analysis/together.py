"""Several questions at once, whose first failure is raised as itself and not as a group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from losant_mcp.errors import LosantMcpError

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


async def together(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What the calls return, in their order. The first error stops the others and is raised."""
    answers: dict[int, T] = {}
    errors: list[LosantMcpError] = []

    async def run(place: int, call: Callable[[], Awaitable[T]]) -> None:
        try:
            answers[place] = await call()
        except LosantMcpError as error:
            errors.append(error)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for place, call in enumerate(calls):
            tasks.start_soon(run, place, call)
    if errors:
        raise errors[0]
    return [answers[place] for place in range(len(calls))]


async def both(one: Callable[[], Awaitable[A]], other: Callable[[], Awaitable[B]]) -> tuple[A, B]:
    """What the two calls return, as ``together`` does it."""
    first: list[A] = []
    second: list[B] = []

    async def run_one() -> None:
        first.append(await one())

    async def run_other() -> None:
        second.append(await other())

    await together([run_one, run_other])
    return first[0], second[0]
