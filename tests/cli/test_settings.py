"""How commands read settings: what is wrong is told in a line or two, and nothing starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Run
from tests.served import Sandbox


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--access", "ful"), "Did you mean 'full'?"),
        (("--result-tokens", "many"), "LOSANT_MCP_RESULT_TOKENS"),
        (("--time-zone", "Europe/Berln"), "did you mean Europe/Berlin?"),
        (("--deny", "delete_row,get_rows"), "LOSANT_MCP_DENY"),
        (("--callback-prefixes", "http://x"), "https"),
    ],
)
def test_a_wrong_value_stops_the_start(run: Run, arguments: tuple[str, ...], told: str) -> None:
    """The setting is named, and what was probably meant."""
    ended = run("check", "--sandbox", *arguments)
    assert ended.exit_code == 2
    assert told in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2


def test_an_unknown_variable_stops_the_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable is told with the nearest one."""
    monkeypatch.setenv("LOSANT_MCP_ACCES", "read")
    ended = run("check", "--sandbox")
    assert ended.exit_code == 2
    assert "Did you mean LOSANT_MCP_ACCESS?" in ended.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("LOSANT_MCP_ACCESS=full", "LOSANT_MCP_ACCESS may not come from a file"),
        ("LOSANT_API_TOKEN=x\nno equals sign here '", "line 2"),
        ("LOSANT_MCP_TOKENS=5", "Unknown setting LOSANT_MCP_TOKENS"),
        ("LOSANT_API_TOKEN=\xff", "cannot be read"),
    ],
)
def test_a_file_is_read_strictly(run: Run, tmp_path: Path, content: str, told: str) -> None:
    """A protected or unknown setting, and what is no setting at all, stop the start."""
    file = tmp_path / "losant.env"
    file.write_bytes(content.encode("latin-1"))
    ended = run("check", "--env-file", str(file))
    assert ended.exit_code == 2
    assert told in ended.stderr


def test_a_file_may_hold_the_token(
    run: Run, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token from the file works, and is taken as it stands: nothing in it is expanded."""
    monkeypatch.setenv("LOSANT_API_URL", sandbox.url)
    file = tmp_path / "losant.env"
    file.write_text(f"# mine\nLOSANT_API_TOKEN={sandbox.tokens['read']}\nOTHER=${{HOME}}\n")
    ended = run("check", "--env-file", str(file))
    assert ended.exit_code == 0, ended.stdout + ended.stderr


def test_a_file_that_is_not_named_is_not_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .env in the working folder means nothing by itself."""
    (tmp_path / ".env").write_text("LOSANT_API_TOKEN=x\n")
    monkeypatch.chdir(tmp_path)
    ended = run("check")
    assert ended.exit_code == 2
    assert "There is no Losant API token" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--database", "x.db"),
        ("check", "--sandbox", "--api-url", "https://api.losant.com"),
        ("call", "--sandbox", "--application-id", "5f0c0de00000000000000001", "list_events"),
        ("serve", "--env-file", "no-such-file"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(run: Run, arguments: tuple[str, ...]) -> None:
    """A flag without effect is an error, not a surprise."""
    ended = run(*arguments)
    assert ended.exit_code == 2
    assert "Error: " in ended.stderr
