"""The traffic in rounds: in each, every story is told, several at a time, in another order.

After a round nothing is under way, so what is held then can be compared with the round before;
what is held in between has to be bounded only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import anyio

from tests.soak.holding import Held, Watched
from tests.soak.stories import READING, Story
from tests.soak.stories_tables import keep_a_table, watch_a_table

SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
"""How long all of the long soak takes."""

QUIET_SECONDS = 10.0

STORIES: tuple[Story, ...] = (*READING, keep_a_table, watch_a_table)
AT_ONCE = 5

Visit = Callable[[Story], Awaitable[None]]
"""Somebody comes, does what the story tells, and goes."""


@dataclass(frozen=True)
class Length:
    """So many rounds, and then more until the time is over."""

    rounds: int
    seconds: float = 0.0

    def __iter__(self) -> Iterator[int]:
        """The rounds' numbers."""
        end = time.monotonic() + self.seconds
        number = 0
        while number < self.rounds or time.monotonic() < end:
            yield number
            number += 1


BRIEF = Length(1)
"""In every run, so that what soaks cannot rot."""


def long(share: float) -> Length:
    """A share of the long soak, at night."""
    return Length(12, SECONDS * share)


@dataclass
class Seen:
    """What was held: after each round, and while it went on."""

    quiet: list[Held] = field(default_factory=list)
    busy: list[Held] = field(default_factory=list)


async def soak(
    chance: Random,
    length: Length,
    visit: Visit,
    watched: Watched,
    *,
    before: Callable[[int], Awaitable[None]] | None = None,
    stories: Sequence[Story] = STORIES,
) -> Seen:
    """Go through the rounds; ``before`` is called with the number of each."""
    seen = Seen()
    places = anyio.CapacityLimiter(AT_ONCE)

    async def one(story: Story) -> None:
        async with places:
            await visit(story)
        seen.busy.append(watched.look())

    for number in length:
        if before is not None:
            await before(number)
        async with anyio.create_task_group() as tasks:
            for story in chance.sample(stories, len(stories)):
                tasks.start_soon(one, story)
        seen.quiet.append(await _quiet(watched))
    return seen


async def _quiet(watched: Watched) -> Held:
    """What is held once the processes that just ended were seen off, which takes a moment."""
    with anyio.move_on_after(QUIET_SECONDS):
        while (held := watched.look()).zombies:  # noqa: ASYNC110 - a stranger's end has no event
            await anyio.sleep(0.01)
    return held
