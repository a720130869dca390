"""Running what a user has: commands of the system, and the tools that ``.ci/run`` installs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BUILD = ROOT / ".build"
"""Where `.ci/run` installs what the system may lack."""

RUNNERS = Path(os.environ.get("RUNNERS_FOLDER", BUILD / "runners"))

# pip and uv print this once they have given up connecting; a refusal by the index reads otherwise.
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|Cannot connect to proxy"
    r"|Temporary failure in name resolution|Network is unreachable"
    r"|dns error|tcp connect error|tunnel error|operation timed out"
)


def found(name: str) -> str | None:
    """The whole path of a tool, if it is installed."""
    scripts = RUNNERS / ("Scripts" if os.name == "nt" else "bin")
    return shutil.which(name, path=f"{scripts}{os.pathsep}{os.environ['PATH']}")


def tool(name: str) -> str:
    """The whole path of a tool; skips the test where it is not installed."""
    path = found(name)
    if path is None:
        pytest.skip(f"{name} is not installed; .ci/run does it")
    return path


def succeeded_or_offline(finished: subprocess.CompletedProcess[str]) -> str:
    """What it printed. Skips where no package index answers; any other failure is one."""
    if finished.returncode and UNREACHABLE.search(finished.stderr):
        pytest.skip("no package index can be reached from here")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def run(
    command: Sequence[str | Path],
    *,
    check: bool = True,
    cwd: Path = ROOT,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, without this process's Python and coverage settings."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "COV", "LOSANT", "VIRTUAL_ENV"))
    } | dict(variables or {})
    finished = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert not check or finished.returncode == 0, finished.stdout + finished.stderr
    return finished
