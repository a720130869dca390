"""What may be held: bounded at any time, no more after many rounds than after a few, and at the
end nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import anyio

from tests.soak.holding import Held, Watched, descendants, is_alive
from tests.soak.person import Tally
from tests.soak.rounds import Seen

MOST_THREADS = 64
"""anyio keeps up to 40 for blocking calls, the sandbox's included, and ends idle ones."""

GROWTH, SLACK = 1.04, 4.0
"""How much more memory the last third of the rounds may take than the second one: 4 % and 4 MiB.

Servers that do the same were seen to differ by 4 MiB, since an allocator gives back whole arenas
or nothing. A third has some 400 calls, so a leak shows from about 25 KiB a call; for smaller ones
``test_in_process`` counts objects.
"""

CHILDREN_SLACK = 40.0
"""The same for all processes: what DuckDB keeps depends on which tables were asked for last."""

END_SECONDS = 30.0

READS = frozenset(
    (name, "done")
    for name in (
        *("list_events", "get_event", "get_most_severe_event", "summarize_events"),
        *("list_data_tables", "get_data_table", "list_rows", "get_row", "query_rows"),
        *("list_devices", "get_device", "query_time_series", "query_last_values", "list_jobs"),
        *("query_sql", "profile_data_table", "render_chart", "get_server_status", "read_guide"),
        *("resources/list", "resources/read", "prompts/get", "complete", "subscribe"),
    )
)
WRITES = frozenset(
    {
        *((name, "done") for name in ("create_event", "update_event", "create_data_table")),
        *((name, "done") for name in ("insert_rows", "update_row", "list_backups")),
        *((name, "agree") for name in ("delete_row", "delete_rows", "delete_data_table")),
        ("restore_backup", "agree"),
        *(("delete_rows", end) for end in ("decline", "cancel", "left")),
        *((name, "given up") for name in ("query_sql", "summarize_events")),
        *((name, "refused") for name in ("query_sql", "list_events", "unknown tool")),
    }
)
"""What a long soak has seen at least once; of a short one that goes well, all ``READS``."""


def check_bounds(seen: Seen, *, children: int, files: int) -> None:
    """At no moment there were more processes, threads or files than the limits say."""
    for held in (*seen.busy, *seen.quiet):
        assert held.children <= children, held
        assert held.threads <= MOST_THREADS, held
        assert held.files <= files, held
    for held in seen.quiet:
        assert held.zombies == 0, held
        # A folder for each of the workbench's processes, and one for the sandbox's state.
        assert held.temporary <= children + 1, held


def check_flat(seen: Seen) -> None:
    """The last third of the rounds ends with as much in hand as the second one."""
    assert len(seen.quiet) >= 12, "too few rounds to tell a leak from chance"
    second, last = thirds(seen.quiet)
    assert _of(last, _memory) <= _of(second, _memory) * GROWTH + SLACK, table(seen)
    assert _of(last, _whole) <= _of(second, _whole) * GROWTH + CHILDREN_SLACK, table(seen)
    # Connections that clients keep alive come and go with chance; a leak is one a call.
    assert _of(last, _files) <= _of(second, _files) + 12, table(seen)
    assert _of(last, _threads) <= _of(second, _threads) + 8, table(seen)
    assert _of(last, _children) <= _of(second, _children) + 1, table(seen)


def check_log(path: Path) -> None:
    """The log tells of no defect."""
    records = re.split(r"\n(?=\d\d:\d\d:\d\d )", path.read_text(encoding="utf-8"))
    log = "\n".join(record for record in records if not _is_sdk_race(record))
    for forbidden in ("Traceback", "this is a bug", " ERROR ", "ended badly", "never awaited"):
        assert forbidden not in log, log[-4000:]


def _is_sdk_race(record: str) -> bool:
    """Whether the SDK tells of a notification to a session that its client ended meanwhile."""
    return "Error handling POST request" in record and "ClosedResourceError" in record


async def check_gone(processes: set[int], temporary: Path) -> None:
    """Every process that there was has ended, and no temporary file is left."""
    with anyio.fail_after(END_SECONDS):
        while any(map(is_alive, processes)):  # noqa: ASYNC110 - the end of a stranger has no event
            await anyio.sleep(0.01)
    assert not _files_in(temporary)


def _files_in(folder: Path) -> list[Path]:
    return [*folder.rglob("*")]


def family(watched: Watched) -> set[int]:
    """The server and its descendants."""
    return {watched.pid, *descendants(watched.pid)}


# ---- figures -------------------------------------------------------------------------------


def thirds(quiet: Sequence[Held]) -> tuple[Sequence[Held], Sequence[Held]]:
    """The second and the last one; the first is for caches to fill."""
    size = len(quiet) // 3
    return quiet[-2 * size : -size], quiet[-size:]


def table(seen: Seen, tally: Tally | None = None) -> str:
    """What was held, first and last, and at most."""
    lines = [f"{len(seen.quiet)} rounds" + (f", {tally.calls} calls" if tally else "")]
    everything = [*seen.busy, *seen.quiet]
    for name in Held.__dataclass_fields__:
        values = [getattr(held, name) for held in seen.quiet]
        second, last = thirds(seen.quiet)
        of_thirds = [
            median(getattr(held, name) for held in third) if third else 0
            for third in (second, last)
        ]
        lines.append(
            f"{name:13} first {values[0]:8.1f}  last {values[-1]:8.1f}  second third"
            f" {of_thirds[0]:8.1f}  last third {of_thirds[1]:8.1f}  most"
            f" {max(getattr(held, name) for held in everything):8.1f}"
        )
    return "\n".join(lines)


def _of(third: Sequence[Held], figure: Callable[[Held], float]) -> float:
    return median(map(figure, third))


def _memory(held: Held) -> float:
    return held.memory


def _whole(held: Held) -> float:
    return held.whole_memory


def _files(held: Held) -> float:
    return held.files


def _threads(held: Held) -> float:
    return held.threads


def _children(held: Held) -> float:
    return held.children
