"""`losant-mcp serve --http` under an hour's traffic of many clients, while Losant fails at times.

Every round has a newcomer, whose key is withdrawn at its end; every story has a client of its
own, on either version of the protocol, that says goodbye or vanishes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from losant_mcp.hosting.keys import KeyFile
from tests.cli.command import COMMAND, ROOT, environment
from tests.served import Sandbox
from tests.soak.callers import Callers
from tests.soak.holding import TIDY_ALLOCATOR, Watched, linux_only
from tests.soak.judging import (
    END_SECONDS,
    READS,
    WRITES,
    check_bounds,
    check_flat,
    check_gone,
    check_log,
    family,
    table,
)
from tests.soak.keeping import check_state
from tests.soak.rounds import STORIES, Length, long, soak
from tests.soak.stories import Story, browse_tables, err, triage_events
from tests.soak.stories_tables import keep_a_table, watch_a_table

# What the earlier version has is deprecated, and still what its clients use.
pytestmark = [linux_only, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

IN_BRIEF: tuple[Story, ...] = (triage_events, browse_tables, err, keep_a_table, watch_a_table)
"""What the day's run can afford beside the same server over stdio, which does it all."""

MOST_CHILDREN = 8 + 2
"""As many workbenches as there may be questions at a time, and two charts."""
MOST_FILES = 160


@contextmanager
def _serving(sandbox: Sandbox, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server's process, and its URL."""
    temporary = folder / "temporary"
    temporary.mkdir()
    settings = {
        **TIDY_ALLOCATOR,
        "TMPDIR": str(temporary),
        "LOSANT_API_URL": sandbox.url,
        "LOSANT_API_TOKEN": sandbox.tokens["full"],
        "LOSANT_APPLICATION_ID": sandbox.application_id,
        "LOSANT_MCP_STATE_DIR": str(folder / "state"),
        "LOSANT_MCP_KEYS_FILE": str(folder / "keys.json"),
        "LOSANT_MCP_SESSION_MINUTES": "1",
        "LOSANT_MCP_MAX_CREATE_EVENTS": "100000",
        "LOSANT_MCP_CONFIRM_ABOVE": "1000",
    }
    with (folder / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [*COMMAND, "serve", "--http", "127.0.0.1:0", "--auth", "keys", "--ask", "form"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            env=environment(**settings),
        )
        with server:
            try:
                assert server.stdout is not None
                yield server, json.loads(server.stdout.readline())["url"]
            finally:
                server.kill()


@pytest.mark.parametrize(
    ("length", "stories"),
    [
        pytest.param(Length(2), IN_BRIEF, id="brief"),
        pytest.param(long(0.5), STORIES, id="long", marks=pytest.mark.nightly),
    ],
)
async def test_a_hosted_server_keeps_nothing(
    sandbox: Sandbox, tmp_path: Path, length: Length, stories: Sequence[Story]
) -> None:
    """Callers, clients, sessions and failures come and go; nothing of them stays."""
    keys = KeyFile(tmp_path / "keys.json")
    keys.add("operator", "read")
    with _serving(sandbox, tmp_path) as (server, url):
        callers = Callers(url, keys, sandbox)
        watched = Watched(server.pid, tmp_path / "temporary", tmp_path / "state")

        async def visits(story: Story) -> None:
            if callers.chance.random() < 0.4:
                await callers.vanish(story)
            await callers.visit(story)

        seen = await soak(
            callers.chance, length, visits, watched, stories=stories, before=callers.prepare
        )
        processes = family(watched)
        server.terminate()
        assert await anyio.to_thread.run_sync(server.wait, END_SECONDS) == 0
    print(table(seen, callers.tally))  # noqa: T201 - the figures, for whoever runs it by hand
    await check_gone(processes, watched.temporary)
    check_log(tmp_path / "log")
    check_state(watched.state, callers.tally)
    check_bounds(seen, children=MOST_CHILDREN, files=MOST_FILES)
    if length.seconds:
        assert not callers.tally.never(READS | WRITES)
        check_flat(seen)
