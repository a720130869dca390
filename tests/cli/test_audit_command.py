"""`losant-mcp audit`: the trail as a person reads it, and whether it can be believed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.audit_lines import Facts
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from tests.cli.command import Run

API_URL = "https://api.losant.com"
PLAN = "apr_" + "b" * 26
ESCAPES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDir:
    """A fresh state folder, which the environment names."""
    monkeypatch.setenv("LOSANT_MCP_STATE_DIR", str(tmp_path / "state"))
    return open_state_dir(tmp_path / "state", API_URL)


async def _written(state: StateDir) -> AuditLog:
    """Four lines as the guard writes them."""
    log = AuditLog(state.audit, key=state.key("audit"), head_path=state.keys / "audit-head")
    about = Facts(action="truncate_rows", name="Sites", plan=PLAN)
    await log.append("planned", **about | Facts(counts={"planned": 3000}))
    await log.append("approved", **about | Facts(way="terminal", by="ann", ms=4200))
    await log.append("ran", **about | Facts(counts={"removed": 3000}))
    await log.append("pruned", action="prune_backups", counts={"backups": 2})
    return log


async def test_the_newest_lines_are_shown_oldest_first(state: StateDir, run: Run) -> None:
    """Number, time, kind, action and name stand first, and then all else that the line says."""
    await _written(state)
    told = await run_sync(run, "audit", "show", "--time-zone", "UTC")
    assert told.exit_code == 0, told.stderr
    lines = [line for line in told.stdout.splitlines() if not line.startswith("        ")]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert re.fullmatch(r" {5}1  [-\d]{10} [:\d]{8} UTC  planned  truncate_rows Sites", lines[0])
    assert f"by ann, ms 4,200, plan {PLAN}, way terminal" in " ".join(told.stdout.split())
    few = await run_sync(run, "audit", "show", "--limit", "1")
    assert few.stdout.split()[0] == "4"


async def test_the_lines_of_one_plan_are_shown(state: StateDir, run: Run) -> None:
    """`--plan` leaves everything else out; as JSON, too."""
    await _written(state)
    told = await run_sync(run, "audit", "show", "--plan", PLAN.upper(), "--json")
    lines = json.loads(told.stdout)
    assert [(line["seq"], line["kind"]) for line in lines] == [
        (1, "planned"),
        (2, "approved"),
        (3, "ran"),
    ]
    assert lines[2]["counts"] == {"removed": 3000}
    none = await run_sync(run, "audit", "show", "--plan", "apr_x")
    assert (none.exit_code, none.stdout) == (0, "The audit has no such lines.\n")


@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_audit_without_lines_says_so(state: StateDir, run: Run, command: str) -> None:
    """Nothing was done yet: that is no error, and takes no token."""
    told = run("audit", command)
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith("The audit has no lines yet.\n")


async def test_a_whole_audit_is_verified(state: StateDir, run: Run) -> None:
    """The number of lines is told, and what no check of this kind can find out."""
    await _written(state)
    told = await run_sync(run, "audit", "verify")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith("The audit is whole: 4 lines, each as it was written.\n")
    words = " ".join(told.stdout.split())
    assert "put back an old copy of the audit and its head together" in words
    assert "who has the key" in words


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"ann", b"bob"), *lines[2:]], "2"),
        (lambda lines: [lines[0], *lines[2:]], "2"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "2"),
        (lambda lines: lines[:3], "4"),
        (lambda lines: [*lines, lines[3]], "5"),
    ],
    ids=["changed", "removed", "reordered", "cut", "added"],
)
async def test_a_broken_audit_is_told_with_its_line(
    state: StateDir,
    run: Run,
    change: Callable[[list[bytes]], list[bytes]],
    line: str,
) -> None:
    """The exit code is 1, and the first line that is wrong is named."""
    await _written(state)
    lines = state.audit.read_bytes().splitlines(keepends=True)
    state.audit.write_bytes(b"".join(change(lines)))
    told = await run_sync(run, "audit", "verify")
    assert told.exit_code == 1
    assert told.stdout.startswith(f"The audit is BROKEN at line {line}: ")
    shown = await run_sync(run, "audit", "show")
    assert shown.exit_code == 0


async def test_a_lost_head_is_told(state: StateDir, run: Run) -> None:
    """Without its head it cannot be told how long the audit must be."""
    await _written(state)
    (state.keys / "audit-head").unlink()
    told = await run_sync(run, "audit", "verify")
    assert told.exit_code == 1
    assert "its head is gone" in told.stdout


async def test_what_somebody_wrote_into_the_file_does_nothing_to_a_terminal(
    state: StateDir, run: Run
) -> None:
    """Lines are shown as they stand, but for what a terminal obeys, whatever their types."""
    line = {
        "at": "\x1b[2Jnever",
        "by": "\x1b]0;owned\x07\u202e",
        "counts": {"\x1b[1m": "\x1b[31m"},
        "kind": "ran\x1b[5m",
        "name": ["\x1b[2J"],
        "seq": {"\x1b": 1},
    }
    text = json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    state.audit.touch(mode=0o600)
    state.audit.write_text(f"{text}\n", encoding="utf-8")
    told = await run_sync(run, "audit", "show")
    assert told.exit_code == 0, told.stderr
    assert "owned" in told.stdout
    assert not ESCAPES.search(told.stdout)
    as_json = await run_sync(run, "audit", "show", "--json")
    assert not ESCAPES.search(as_json.stdout)
    assert "\\u001b" not in as_json.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_state_folder_that_others_can_read_is_refused(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is not private is told with exit code 2."""
    open_folder = tmp_path / "open"
    open_folder.mkdir(mode=0o755)
    monkeypatch.setenv("LOSANT_MCP_STATE_DIR", str(open_folder))
    told = run("audit", "verify")
    assert told.exit_code == 2
    assert "is open to other users" in told.stderr
