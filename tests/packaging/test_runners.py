"""``uvx`` and ``pipx run``: the wheel works for somebody who has installed nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from losant_mcp import __version__
from tests.packaging.running import run, succeeded_or_offline, tool

pytestmark = pytest.mark.xdist_group("packaging")


def uvx(wheel: Path, *arguments: str, folder: Path, **variables: str) -> str:
    """What the command prints, run from the wheel by uvx, away from the checkout."""
    command = [tool("uvx"), "--python", sys.executable, "--from", str(wheel), "losant-mcp"]
    finished = run([*command, *arguments], check=False, cwd=folder, variables=variables)
    return succeeded_or_offline(finished)


def test_uvx_runs_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """The version is the checkout's, and the tour ends well."""
    assert uvx(wheel, "--version", folder=tmp_path) == f"losant-mcp {__version__}\n"
    assert "Your turn" in uvx(wheel, "demo", folder=tmp_path)


def test_what_uvx_runs_installs_uvx(wheel: Path, tmp_path: Path) -> None:
    """A client is told of uvx, and not of an environment that is gone with uv's cache."""
    shown = uvx(
        *(wheel, "install", "cursor", "--sandbox", "--scope", "project", "--yes"),
        folder=tmp_path,
        PATH=f"{Path(tool('uvx')).parent}{os.pathsep}{os.environ['PATH']}",
    )
    assert "Written" in shown
    written = json.loads((tmp_path / ".cursor" / "mcp.json").read_text(encoding="utf-8"))
    server = written["mcpServers"]["losant"]
    assert [server["command"], *server["args"]] == ["uvx", "losant-mcp", "serve", "--sandbox"]


def test_pipx_runs_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """The version is the checkout's; pipx keeps its environments away from the person's."""
    command = [tool("pipx"), "run", "--spec", str(wheel), "losant-mcp", "--version"]
    home = {"PIPX_HOME": str(tmp_path / "pipx")}
    finished = run(command, check=False, cwd=tmp_path, variables=home)
    assert succeeded_or_offline(finished) == f"losant-mcp {__version__}\n"
