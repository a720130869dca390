"""`losant-mcp openapi`: the document, on standard output or in a file."""

from __future__ import annotations

import json
from pathlib import Path

from losant_mcp.api.openapi import SANDBOX_URL, openapi
from losant_mcp.cli.sandbox import sandbox
from losant_mcp.sandbox.server import HOST
from tests.cli.command import Run


def test_it_is_printed(run: Run) -> None:
    """Standard output is the document and nothing else."""
    told = run("openapi")
    assert told.exit_code == 0
    assert told.stderr == ""
    assert json.loads(told.stdout) == openapi()
    assert told.stdout.endswith("}\n")


def test_it_is_written_into_a_file(run: Run, tmp_path: Path) -> None:
    """With --output the file holds the document, in place of what it held before."""
    file = tmp_path / "losant.json"
    file.write_text("old" * 200_000, encoding="utf-8")
    told = run("openapi", "--output", str(file))
    assert (told.exit_code, told.output) == (0, "")
    assert json.loads(file.read_text(encoding="utf-8")) == openapi()
    assert [path.name for path in tmp_path.iterdir()] == ["losant.json"]


def test_a_file_that_cannot_be_written_is_said(run: Run, tmp_path: Path) -> None:
    """A folder that is not there is an error in a line."""
    told = run("openapi", "--output", str(tmp_path / "missing" / "losant.json"))
    assert told.exit_code == 1
    assert "losant.json" in told.stderr
    assert "Traceback" not in told.output


def test_the_sandbox_is_where_the_document_says() -> None:
    """The second server is where `losant-mcp sandbox` listens by default."""
    [port] = [option.default for option in sandbox.params if option.name == "port"]
    assert f"http://{HOST}:{port}" == SANDBOX_URL
