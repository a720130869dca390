"""What `.ci/run` installs with node: the MCP Inspector, and MCP's own conformance suite."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

NODE = (
    Path(os.environ.get("INSPECTOR_FOLDER", Path(__file__).parents[1] / ".build" / "node"))
    / "node_modules"
)
PROGRAM = NODE / "node" / "bin" / "node"
INSPECTOR = NODE / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build"
SUITE = NODE / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
REQUIREMENTS = NODE / "@modelcontextprotocol" / "conformance" / "requirements"

needs_inspector = pytest.mark.skipif(
    not (INSPECTOR.is_dir() and PROGRAM.is_file()),
    reason="no MCP Inspector; .ci/run installs it",
)
needs_suite = pytest.mark.skipif(
    not (SUITE.is_file() and PROGRAM.is_file()),
    reason="no MCP conformance suite; .ci/run installs it",
)


def inspect(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the Inspector's command line to its end; what it and a server keep goes into ``home``."""
    return subprocess.run(
        [PROGRAM, INSPECTOR / "index.js", "--cli", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=home,
        env={**os.environ, "HOME": str(home), "USERPROFILE": str(home)},
        timeout=120,
        check=False,
    )
