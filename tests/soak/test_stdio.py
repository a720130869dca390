"""`losant-mcp serve --sandbox` under an hour's traffic of one client, watched from outside."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.calling import Mode
from tests.cli.command import COMMAND, ROOT, environment
from tests.soak.holding import TIDY_ALLOCATOR, Watched, descendants, linux_only
from tests.soak.judging import (
    READS,
    WRITES,
    check_bounds,
    check_flat,
    check_gone,
    check_log,
    family,
    table,
)
from tests.soak.person import Failed, Person, Tally
from tests.soak.rounds import BRIEF, Length, long, soak
from tests.soak.stories import Story

# What the earlier version has is deprecated, and still what its clients use.
pytestmark = [linux_only, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

MOST_CHILDREN = 1 + 2
"""One workbench, and two charts at a time."""
MOST_FILES = 48


@pytest.mark.parametrize(
    ("mode", "length"),
    [
        pytest.param("auto", BRIEF, id="brief"),
        pytest.param("auto", long(0.25), id="2026", marks=pytest.mark.nightly),
        pytest.param("legacy", long(0.25), id="2025", marks=pytest.mark.nightly),
    ],
)
async def test_a_server_over_stdio_keeps_nothing(
    tmp_path: Path, mode: Mode, length: Length
) -> None:
    """Its memory stays flat, and at its end no process and no file is left."""
    temporary, log = tmp_path / "temporary", tmp_path / "log"
    temporary.mkdir()
    parameters = StdioServerParameters(
        command=COMMAND[0],
        args=[*COMMAND[1:], "serve", "--sandbox", "--confirm-above", "1000"],
        cwd=ROOT,
        env=environment(
            **TIDY_ALLOCATOR, TMPDIR=str(temporary), LOSANT_MCP_MAX_CREATE_EVENTS="100000"
        ),
    )
    person = Person(Random(7), mode, Tally())

    async def visit(story: Story) -> None:
        with suppress(Failed):
            await story(person)

    others = set(descendants(os.getpid()))
    with log.open("w", encoding="utf-8") as errors:
        transport = stdio_client(parameters, errlog=errors)
        async with Client(transport, mode=mode, elicitation_callback=person.answer) as client:
            person.client = client
            [pid] = [child for child in descendants(os.getpid()) if child not in others]
            watched = Watched(pid, temporary, temporary)
            seen = await soak(person.chance, length, visit, watched)
            processes = family(watched)
    print(table(seen, person.tally))  # noqa: T201 - the figures, for whoever runs it by hand
    await check_gone(processes, temporary)
    check_log(log)
    check_bounds(seen, children=MOST_CHILDREN, files=MOST_FILES)
    assert not person.tally.never(READS)
    if length.seconds:
        assert not person.tally.never(WRITES)
        check_flat(seen)
