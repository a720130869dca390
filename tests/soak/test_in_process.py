"""The same traffic on a hosted server in this process, where tasks and objects can be counted."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Sequence
from itertools import cycle, pairwise
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.hosting.serving import served
from tests.served import Sandbox
from tests.soak.callers import Callers
from tests.soak.person import Person, Reply
from tests.soak.stories import SQL, read_resources, triage_events
from tests.soak.stories_tables import keep_a_table, watch_a_table

# What the earlier version has is deprecated, and still what its clients use.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")


async def ask_everything(person: Person) -> None:
    """All questions, so that the first round loads all tables."""
    for sql in SQL:
        await person.ask("query_sql", sql=sql)


STORIES = (ask_everything, triage_events, keep_a_table, watch_a_table, read_resources)
REPLIES: tuple[Reply, ...] = ("agree", "cancel", "leave")
"""After a no the table could not be deleted, and would stay loaded."""
UNCOUNTED = ("losant_mcp.sandbox.", "losant_mcp.analysis.sources")
"""Losant itself; and what belongs to each table that is loaded, which is counted as one."""
SECONDS = 30.0
ROUNDS = 3


def _objects() -> Counter[str]:
    """How many objects of the server's classes there are, and of its framework's."""
    gc.collect()
    kinds = Counter(type(found) for found in gc.get_objects())
    return Counter(
        {
            f"{kind.__module__}.{kind.__qualname__}": number
            for kind, number in kinds.items()
            if str(kind.__module__).startswith(("losant_mcp.", "mcp.", "anyio.", "starlette."))
            and not str(kind.__module__).startswith(UNCOUNTED)
        }
    )


def _tasks() -> set[asyncio.Task[object]]:
    """The tasks of this loop, but for the one that sse-starlette keeps for as long as it runs."""
    return {
        task
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__qualname__", "") != "_shutdown_watcher"
    }


async def _ended(tasks: set[asyncio.Task[object]]) -> None:
    """Return once every task but these has ended."""
    with anyio.move_on_after(SECONDS):
        while _tasks() - tasks:  # noqa: ASYNC110 - their ends have no one event
            await anyio.sleep(0.01)
    assert not _tasks() - tasks


async def test_no_task_and_no_object_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    """A round more leaves no task more and no object more, and the server's end leaves no task."""
    before = _tasks()
    counted: list[Counter[str]] = []
    async with served(sandbox, tmp_path, auth="keys", ask="form", confirm_above=1000) as host:
        callers = Callers(
            f"{host.url}/mcp", host.keys, sandbox, replies=cycle(REPLIES), is_polite=True
        )
        await anyio.to_thread.run_sync(callers.change_keys, 0)
        tasks: set[asyncio.Task[object]] | None = None
        for _ in range(ROUNDS):
            for story in STORIES:
                await callers.visit(story, "regular")
            if tasks is not None:
                await _ended(tasks)
            tasks = _tasks()
            counted.append(_objects())
    await _ended(before)
    # What fills a cache comes once; what leaks comes with each visit, in every round.
    grown = [later - earlier for earlier, later in pairwise(counted)]
    assert {kind: [more[kind] for more in grown] for kind in grown[0] if _leaks(kind, grown)} == {}


def _leaks(kind: str, grown: Sequence[Counter[str]]) -> bool:
    return all(more[kind] >= len(STORIES) - 1 for more in grown)
