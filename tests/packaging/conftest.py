"""Fixtures of packaging: the wheel, and a clean environment with it; both are made once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.packaging.running import ROOT, found, run, succeeded_or_offline


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout with the locked build backend."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT])
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `losant-mcp` command of a clean environment with the locked versions and the wheel.

    Skips where no package index answers; any other failure to install fails the test.
    """
    folder = tmp_path_factory.mktemp("installed")
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    run([sys.executable, "-m", "venv", folder])
    uv = found("uv")  # a tenth of the time
    install: list[str | Path] = (
        # Copies, since a test that changes a file must not change uv's cache.
        [uv, "pip", "install", "--quiet", "--link-mode=copy", "--python", scripts / "python"]
        if uv
        else [scripts / "python", "-m", "pip", "install", "--quiet", "--retries", "1"]
    )
    lock = ROOT / "requirements.lock"
    succeeded_or_offline(run([*install, "--require-hashes", "-r", lock], check=False, cwd=folder))
    run([*install, "--no-deps", "--no-index", wheel], cwd=folder)
    return scripts / ("losant-mcp.exe" if os.name == "nt" else "losant-mcp")
