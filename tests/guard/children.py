"""Real processes that use a store at the same time as the test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]


class Child:
    """A process that runs one task of ``sqlite_child``."""

    def __init__(self, task: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.guard.sqlite_child", task, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        """Return once the task waits for ``go``."""
        assert self._stdout.readline() == "ready\n"

    def go(self) -> None:
        """Let the task go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def told(self) -> Any:  # what the task printed as JSON
        """The task's next result."""
        return json.loads(self._stdout.readline())

    def end(self) -> None:
        """Wait for its end."""
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.communicate(timeout=30)

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout


def race(*tasks: Sequence[str]) -> list[Any]:  # what the tasks print
    """What the tasks told, each in a process of its own, all let go at once."""
    children = [Child(*task) for task in tasks]
    for child in children:
        child.wait_until_ready()
    for child in children:
        child.go()
    results = [child.told() for child in children]
    for child in children:
        child.end()
    return results
