"""Running commands: in this process, where only the words count, or as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from losant_mcp.cli import cli

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "losant_mcp"]

Run = Callable[..., Result]


def in_process(*arguments: str, input: str | None = None) -> Result:
    """Run a command here; its exit code, stdout and stderr."""
    return CliRunner().invoke(cli, arguments, input=input, prog_name="losant-mcp")


def environment(**settings: str) -> dict[str, str]:
    """A child's environment; the fixtures have taken the settings out of ours."""
    return {**os.environ, **settings}


def as_process(
    *arguments: str, input: str = "", timeout: float = 60, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own, to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        input=input,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
        cwd=ROOT,
        env=environment(**{"PYTHONIOENCODING": "utf-8", **settings}),
    )


def started(*arguments: str, cwd: Path = ROOT, **settings: str) -> subprocess.Popen[str]:
    """Start a command as a process of its own, with pipes."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=environment(**settings),
    )
