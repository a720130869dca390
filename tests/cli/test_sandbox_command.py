"""`losant-mcp sandbox`, as a real process: one line when ready, and a quick end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.command import Run, as_process, started

ONLY_POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows ends a child without asking it")


@contextmanager
def _serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with started("sandbox", "--port", "0", *options) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=10)


def _get(facts: dict[str, Any], path: str, kind: str = "full") -> httpx.Response:
    headers = {"Authorization": f"Bearer {facts['tokens'][kind]}"}
    return httpx.get(f"{facts['url']}/applications/{facts['applicationId']}{path}", headers=headers)


@ONLY_POSIX
def test_one_line_says_that_it_is_ready_and_sigterm_ends_it() -> None:
    """The line holds all that a client needs, and an open connection does not delay the end."""
    with _serving() as (process, facts):
        assert set(facts) == {"url", "applicationId", "tokens"}
        assert set(facts["tokens"]) == {"full", "read", "application", "device", "expired"}
        with httpx.Client() as idle:
            assert idle.get(f"{facts['url']}/sandbox/health").status_code == 200
            assert _get(facts, "/events").json()["totalCount"] > 1000
            assert _get(facts, "/events", "expired").status_code == 401
            process.terminate()
            assert process.wait(timeout=5) == 0
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


def test_an_empty_one_has_the_application_and_the_tokens() -> None:
    """`--empty` leaves the demo data out."""
    with _serving("--empty") as (_, facts):
        assert _get(facts, "").status_code == 200
        assert _get(facts, "/events").json()["totalCount"] == 0
        assert _get(facts, "/data-tables").json()["totalCount"] == 0


@ONLY_POSIX
def test_a_database_outlives_the_process(tmp_path: Path) -> None:
    """With `--database` the next process has the same data and takes the same tokens."""
    kept = ("--database", str(tmp_path / "losant.db"), "--empty")
    with _serving(*kept) as (process, facts):
        headers = {"Authorization": f"Bearer {facts['tokens']['full']}"}
        tables = f"/applications/{facts['applicationId']}/data-tables"
        made = httpx.post(facts["url"] + tables, json={"name": "kept"}, headers=headers)
        assert made.status_code == 201
        process.terminate()
        assert process.wait(timeout=5) == 0
    with _serving(*kept) as (_, again):
        answer = httpx.get(again["url"] + tables, headers=headers)
        assert [table["name"] for table in answer.json()["items"]] == ["kept"]


def test_a_port_in_use_is_told() -> None:
    """The error names the port and the way round."""
    with _serving("--empty") as (_, facts):
        ended = as_process("sandbox", "--port", facts["url"].rpartition(":")[2], "--empty")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "--port" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_file_that_is_no_database_is_told(run: Run, tmp_path: Path) -> None:
    """Another program's file is refused and left as it is."""
    file = tmp_path / "notes.txt"
    file.write_text("not a database, and long enough to have a header" * 40)
    before = file.read_bytes()
    for arguments in (
        ("sandbox", "--port", "0", "--database", str(file)),
        ("check", "--sandbox", "--database", str(file)),
    ):
        ended = run(*arguments)
        assert ended.exit_code == 2
        assert "cannot be used" in ended.stderr
    assert file.read_bytes() == before
