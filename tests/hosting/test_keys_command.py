"""``losant-mcp keys``: what an operator types, and what it never shows again."""

from __future__ import annotations

from pathlib import Path

import pytest

from losant_mcp.hosting.keys import KeyFile
from tests.cli.command import Run

ID = "5f0c0de00000000000000001"


def test_a_key_is_added_listed_and_removed(run: Run, tmp_path: Path) -> None:
    """It is printed once, alone on standard output, and reads unless more was said."""
    file = str(tmp_path / "keys.json")
    added = run("keys", "add", "alice", "--keys-file", file)
    assert added.exit_code == 0
    [key] = added.stdout.splitlines()
    found = KeyFile(tmp_path / "keys.json").find(key)
    assert found is not None
    assert (found.name, found.access, found.applications) == ("alice", "read", ())
    more = ("--access", "write", "--application", ID, "--toolset", "events", "--toolset", "data")
    assert run("keys", "add", "bob", "--keys-file", file, *more).exit_code == 0
    told = run("keys", "list", "--keys-file", file).stdout
    for word in ("alice", "read", "bob", "write", ID, "events, data"):
        assert word in told
    assert key not in told
    assert run("keys", "remove", "alice", "--keys-file", file).exit_code == 0
    assert [k.name for k in KeyFile(tmp_path / "keys.json").entries()] == ["bob"]


def test_the_file_may_come_from_the_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variable that the server reads, too."""
    monkeypatch.setenv("LOSANT_MCP_KEYS_FILE", str(tmp_path / "keys.json"))
    assert run("keys", "add", "alice").exit_code == 0
    assert "alice" in run("keys", "list").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("add", "alice", "--access", "everything"),
        ("add", "alice", "--application", "mine"),
        ("add", "alice", "--toolset", "tools"),
        ("add", "Alice Smith"),
        ("remove", "alice"),
        ("list",),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Exit code 2, in a line or two."""
    told = run("keys", *words, "--keys-file", str(tmp_path / "keys.json"))
    assert told.exit_code == 2
    assert not (tmp_path / "keys.json").exists()
