"""``losant-mcp approvers``, its file, and settings of approvals that contradict each other."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.scrypt import is_hash_of
from losant_mcp.hosting.address import Address
from losant_mcp.hosting.app import check_hosting
from losant_mcp.hosting.approvers import ApproverFile, problem_with
from tests.cli.command import Run
from tests.cli.pseudo_terminal import dialogue, needs_terminal

ID = "5f0c0de00000000000000001"
PASSPHRASE = "grüne Wiese im Mai"


@needs_terminal
async def test_a_passphrase_is_typed_unseen(tmp_path: Path, run: Run) -> None:
    """Twice, at a terminal; the file keeps a hash, for its owner alone."""
    file = tmp_path / "approvers.json"
    words = ("approvers", "add", "anna", "--application", ID, "--caller", "key-alice")
    lines = [("Passphrase of anna", PASSPHRASE), ("The same again", PASSPHRASE)]
    code, screen = await dialogue(*words, "--approvers-file", str(file), lines=lines)
    assert code == 0, screen
    assert "anna is an approver now." in screen
    assert PASSPHRASE not in screen
    assert PASSPHRASE not in file.read_text()
    [anna] = ApproverFile(file).entries()
    assert (anna.name, anna.applications, anna.callers) == ("anna", (ID,), ("key-alice",))
    assert anna.hash is not None
    assert is_hash_of(anna.hash, PASSPHRASE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to other users"):
        ApproverFile(file).entries()


def test_approvers_of_a_proxy_are_added_listed_and_removed(run: Run, tmp_path: Path) -> None:
    """They have no passphrase, so that no person at a terminal is needed."""
    at = ("--approvers-file", str(tmp_path / "approvers.json"))
    bert = ("add", "bert@example.com", "--no-passphrase", "--all-applications")
    assert run("approvers", *bert, *at).exit_code == 0
    told = run("approvers", "list", *at).stdout
    for word in ("bert@example.com", "all", "proxy"):
        assert word in told
    assert run("approvers", "add", "BERT@example.com", *bert[2:], *at).exit_code == 2
    assert run("approvers", "remove", "bert@example.com", *at).exit_code == 0
    assert "There are no approvers." in run("approvers", "list", *at).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("add", "anna", "--all-applications"),
        ("add", "anna", "--no-passphrase"),
        ("add", "anna", "--no-passphrase", "--all-applications", "--application", ID),
        ("add", "anna", "--no-passphrase", "--application", "mine"),
        ("add", "two words", "--no-passphrase", "--all-applications"),
        ("add", "x" * 65, "--no-passphrase", "--all-applications"),
        ("remove", "anna"),
        ("list",),
    ],
    ids=lambda words: " ".join(words)[:60],
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """A passphrase that is piped in is one of them: exit code 2, in a line or two."""
    file = tmp_path / "approvers.json"
    told = run("approvers", *words, "--approvers-file", str(file), input=f"{PASSPHRASE}\n" * 2)
    assert told.exit_code == 2
    assert not file.exists()


@pytest.mark.parametrize(
    "passphrase", ["", "short", "x" * 129, "aaaabbbbaaaabbbb", " a passphrase 1 "]
)
def test_a_passphrase_is_long_and_of_more_than_a_few_letters(passphrase: str) -> None:
    """What could be guessed, or could not be typed again, is refused."""
    assert problem_with(passphrase)
    assert not problem_with(PASSPHRASE)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_link_is_no_file_of_approvers(tmp_path: Path) -> None:
    """Somebody else could make it point elsewhere."""
    file = tmp_path / "approvers.json"
    ApproverFile(file).add("anna", "all", None)
    link = tmp_path / "link.json"
    link.symlink_to(file)
    with pytest.raises(ConfigurationError):
        ApproverFile(link).entries()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"approvers_file": Path("a.json")}, "LOSANT_MCP_PUBLIC_URL"),
        ({"approvers_file": Path("a.json"), "public_url": "http://mcp.example.com"}, "https"),
        (
            {"approvers_file": Path("a.json"), "public_url": "https://x", "ask": "form"},
            "LOSANT_MCP_ASK",
        ),
        (
            {
                "approvers_file": Path("a.json"),
                "public_url": "https://x",
                "auth": "none",
                "four_eyes": True,
            },
            "--auth keys",
        ),
        ({"four_eyes": True}, "LOSANT_MCP_APPROVERS_FILE"),
        ({"approver_header": "X-Forwarded-User"}, "LOSANT_MCP_APPROVERS_FILE"),
    ],
    ids=["no address", "in the clear", "forms", "nobody known", "four eyes", "header"],
)
def test_settings_that_contradict_each_other_stop_the_start(
    settings: dict[str, Any], words: str
) -> None:
    """Each is told with what to do about it."""
    given = Settings(**{"auth": "keys", "keys_file": Path("k.json"), **settings})
    with pytest.raises(ConfigurationError) as caught:
        check_hosting(given, Address("127.0.0.1", 8000))
    assert words in f"{caught.value} {caught.value.hint}"
