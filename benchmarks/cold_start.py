"""How long a client waits: from starting the command to an answered tools/list, over stdio.

Both servers are started in turn, so that a busy moment of the machine hits both; the median of
nine runs each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.figure import Figure
from benchmarks.processes import COMMAND, environment

RUNS = 9
GOAL = 1.25

SETTINGS = {"LOSANT_API_TOKEN": "unused", "LOSANT_APPLICATION_ID": "5f0c0de00000000000000001"}


def figures() -> Iterator[Figure]:
    """Cold starts beside a bare SDK server with 20 trivial tools."""
    bare = [sys.executable, "-m", "benchmarks.bare_server"]
    ours, sandboxed, theirs = [], [], []
    start(bare), start([*COMMAND, "serve"], SETTINGS)  # the files are read from disk once
    for _ in range(RUNS):
        theirs.append(start(bare))
        ours.append(start([*COMMAND, "serve"], SETTINGS))
        sandboxed.append(start([*COMMAND, "serve", "--sandbox"]))
    beside = median(theirs) * 1000
    name = "bare SDK server, 20 tools"
    yield Figure("cold start to tools/list", "ms", median(ours) * 1000, beside, name, "ratio", GOAL)
    yield Figure("the same with --sandbox", "ms", median(sandboxed) * 1000, beside, name)


def start(command: list[str], settings: Mapping[str, str] | None = None) -> float:
    """The seconds from starting a server to its answer to tools/list."""
    started = perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(**(settings or {})),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    client = {"name": "benchmark", "version": "1"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    try:
        _write(process, {"id": 1, "method": "initialize", "params": hello})
        assert "result" in json.loads(process.stdout.readline())
        _write(process, {"method": "notifications/initialized"})
        _write(process, {"id": 2, "method": "tools/list"})
        tools = json.loads(process.stdout.readline())["result"]["tools"]
        took = perf_counter() - started
        assert len(tools) >= 20
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()
    return took


def _write(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()
