"""Two replicas beside one: calls a second of 16 clients, half of them at each of the two.

All processes, Losant's stand-in and the clients too, are on one machine: where it has fewer cores
than there are processes at work, two replicas cannot be twice as fast.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.figure import Figure, table
from benchmarks.hosting import SECONDS, call, load, row_calls, serving
from benchmarks.processes import sandbox

CLIENTS = 16
ROUNDS = 3


def figures() -> Iterator[Figure]:
    """Time per call of a cheap tool and of one that asks Losant."""
    name = f"{CLIENTS} clients of two replicas that share a Redis, {os.cpu_count()} cores"
    if shutil.which("redis-server") is None:
        yield Figure(name, "ms", None, note="there is no redis-server here")
        return
    with ExitStack() as stack:
        losant = stack.enter_context(sandbox())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {
            "LOSANT_API_URL": losant["url"],
            "LOSANT_API_TOKEN": losant["tokens"]["full"],
            "LOSANT_APPLICATION_ID": losant["applicationId"],
            "LOSANT_MCP_LOG_LEVEL": "warning",
            "LOSANT_MCP_BACKUP_DIR": str(folder / "volume"),
            "LOSANT_MCP_STATE_KEY": secrets.token_hex(32),
            "LOSANT_MCP_STATE_URL": stack.enter_context(_redis(folder)),
        }
        urls = [
            stack.enter_context(serving({**settings, "LOSANT_MCP_STATE_DIR": str(folder / name)}))[
                0
            ]
            for name in ("one", "two")
        ]
        [row] = row_calls(urls[0])
        for tool, request in (("read_guide", call("read_guide", name="sql")), ("get_row", row)):
            two, one = _in_turns(request, urls, urls[:1])
            yield Figure(
                f"{tool}, {name}: time per call ({two / SECONDS:,.0f} calls a second)",
                "ms",
                1000 * SECONDS / two,
                1000 * SECONDS / one,
                f"one replica: {one / SECONDS:,.0f} calls a second",
            )


def _in_turns(request: bytes, *fleets: Sequence[str]) -> list[int]:
    """The most calls that each of these fleets answered in a round, measured in alternation."""
    best = [0] * len(fleets)
    for _ in range(ROUNDS):
        for number, urls in enumerate(fleets):
            best[number] = max(best[number], asyncio.run(_calls(request, urls)))
    return best


async def _calls(request: bytes, urls: Sequence[str]) -> int:
    clients = CLIENTS // len(urls)
    found = await asyncio.gather(*(load(url, request, clients) for url in urls))
    return sum(len(taken) for taken in found)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A Redis that keeps nothing; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    program = shutil.which("redis-server")
    assert program is not None
    with subprocess.Popen(
        [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            _until_reached(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _until_reached(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < end, "redis-server does not answer"
            time.sleep(0.01)
        else:
            return


if __name__ == "__main__":
    print(table(list(figures())))
