"""``losant-mcp install``: the client's file gets the server, keeps the rest, and no secret."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from losant_mcp.cli.install_clients import CLIENTS, this_machine
from losant_mcp.cli.install_token import own_token_file
from tests.cli.command import Run
from tests.cli.pseudo_terminal import dialogue, needs_terminal

HERE = [sys.executable, "-m", "losant_mcp"]
TOKEN = "eyJhbGciOiJIUzI1NiJ9.sandbox.signature"
REFERENCES = {
    "claude-code": "${LOSANT_API_TOKEN}",
    "vscode": "${input:losant-api-token}",
    "cursor": "${env:LOSANT_API_TOKEN}",
}
OTHERS = """\
{
  // from the wiki
  "theme": "dark",
  "%s": {
    "other": { "command": "other", "env": { "OTHER_API_KEY": "%s" } }
  }
}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a project folder that are nobody's."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "config"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """A file with a token that only its owner may read."""
    path = tmp_path / "losant.env"
    path.write_text(f"LOSANT_API_TOKEN={TOKEN}\n")
    path.chmod(0o600)
    return path


def file_of(client: str) -> Path:
    """The client's file for all that a person does."""
    path = CLIENTS[client].file("user", this_machine())
    assert path is not None
    return path


def server_of(client: str) -> dict[str, Any]:
    """The server as the client's file has it, which is strict JSON."""
    servers = json.loads(file_of(client).read_text(encoding="utf-8"))[CLIENTS[client].servers]
    assert isinstance(servers["losant"], dict)
    return servers["losant"]


@pytest.mark.parametrize("client", REFERENCES)
def test_a_token_is_referred_to_and_never_written(run: Run, client: str) -> None:
    """The entry starts the server by whole paths and leaves the token to the client."""
    done = run("install", client, "--yes", "--access", "read", "--toolsets", "events,tables")
    assert done.exit_code == 0, done.output
    server = server_of(client)
    assert [server["command"], *server["args"]] == [
        *HERE,
        *("serve", "--access", "read", "--toolsets", "events,tables"),
    ]
    assert server["env"] == {"LOSANT_API_TOKEN": REFERENCES[client]}
    assert '+    "losant": {' in done.output
    assert f"Written: {file_of(client)}" in done.output
    inputs = json.loads(file_of(client).read_text(encoding="utf-8")).get("inputs", [])
    assert [asked["password"] for asked in inputs] == ([True] if client == "vscode" else [])


@pytest.mark.parametrize("client", ["claude-desktop", "vscode"])
async def test_what_is_installed_answers(run: Run, client: str, tmp_path: Path) -> None:
    """The command in the client's file serves the sandbox, from any folder and on its own."""
    assert run("install", client, "--sandbox", "--yes").exit_code == 0
    server = server_of(client)
    assert "env" not in server
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    parameters = StdioServerParameters(
        command=server["command"], args=server["args"], cwd=folder, env=server.get("env")
    )
    async with Client(parameters) as connection:
        assert (await connection.list_tools()).tools


@pytest.mark.parametrize("client", CLIENTS)
def test_everything_else_in_the_file_stays(run: Run, client: str) -> None:
    """Comments, other servers and unknown keys stay, the old file is kept, and others' secrets
    are not shown; removing the server restores the file.
    """
    path = file_of(client)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = OTHERS % (CLIENTS[client].servers, "very-secret")
    path.write_text(before, encoding="utf-8")
    path.chmod(0o640)
    done = run("install", client, "--sandbox", "--yes")
    assert done.exit_code == 0, done.output
    assert "very-secret" not in done.output
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert [
        line
        for line in before.splitlines()
        if line.rstrip(",") not in {other.rstrip(",") for other in lines}
    ] == []
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o640
    [copy] = path.parent.glob(f"{path.name}.*.bak")
    assert copy.read_text(encoding="utf-8") == before
    assert os.name == "nt" or stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert run("install", client, "--remove", "--yes").exit_code == 0
    assert path.read_text(encoding="utf-8") == before


@pytest.mark.parametrize("client", CLIENTS)
def test_the_same_again_changes_nothing(run: Run, client: str) -> None:
    """A second time, nothing is written and no copy made."""
    assert run("install", client, "--sandbox", "--yes").exit_code == 0
    path = file_of(client)
    before = path.stat().st_mtime_ns
    again = run("install", client, "--sandbox", "--yes")
    assert again.exit_code == 0
    assert "Nothing to change" in again.output
    assert path.stat().st_mtime_ns == before
    assert not list(path.parent.glob("*.bak"))


def test_a_dry_run_only_shows(run: Run) -> None:
    """The change is shown, and nothing is made."""
    shown = run("install", "cursor", "--dry-run")
    assert shown.exit_code == 0
    assert "${env:LOSANT_API_TOKEN}" in shown.output
    assert not file_of("cursor").parent.exists()


def test_without_a_person_nothing_is_written(run: Run) -> None:
    """Where nobody can agree, the command shows the change and stops."""
    asked = run("install", "cursor")
    assert asked.exit_code == 2
    assert "add --yes" in asked.stderr
    assert not file_of("cursor").exists()


@needs_terminal
async def test_a_person_agrees_or_not() -> None:
    """A no leaves everything as it was, a yes writes."""
    code, screen = await dialogue("install", "cursor", lines=[("Write it?", "n")])
    assert code == 1
    assert "Nothing was written." in screen
    assert not file_of("cursor").exists()
    code, screen = await dialogue("install", "cursor", lines=[("Write it?", "y")])
    assert code == 0
    assert server_of("cursor")["env"] == {"LOSANT_API_TOKEN": "${env:LOSANT_API_TOKEN}"}


@needs_terminal
@pytest.mark.parametrize("typed", ["two words", "it's", ""], ids=["two", "quoted", "none"])
async def test_what_is_no_token_is_not_kept(typed: str) -> None:
    """A slip at the prompt writes neither file."""
    code, _ = await dialogue(
        "install", "claude-desktop", lines=[("Write it?", "y"), ("API token", typed)]
    )
    assert code == 2
    assert not file_of("claude-desktop").exists()
    assert not own_token_file().exists()


@needs_terminal
async def test_claude_desktop_reads_the_token_from_a_private_file() -> None:
    """It has no place for secrets, so the token is typed once, unseen, into a file of its own."""
    code, screen = await dialogue(
        "install", "claude-desktop", lines=[("Write it?", "y"), ("API token", TOKEN)]
    )
    assert code == 0
    assert TOKEN not in screen
    assert TOKEN not in file_of("claude-desktop").read_text(encoding="utf-8")
    arguments = server_of("claude-desktop")["args"]
    check_private(Path(arguments[arguments.index("--env-file") + 1]))


def check_private(kept: Path) -> None:
    """The file holds the token for its owner alone."""
    assert kept.read_text() == f"LOSANT_API_TOKEN='{TOKEN}'\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_claude_desktop_needs_a_person_or_a_file(run: Run) -> None:
    """Without anybody to type the token, nothing is written, and the way out is told."""
    told = run("install", "claude-desktop", "--yes")
    assert told.exit_code == 2
    assert "--env-file" in told.stderr
    assert not file_of("claude-desktop").exists()


def test_a_file_with_the_token_is_named_by_its_whole_path(run: Run, env_file: Path) -> None:
    """The server reads the token from there, whichever client starts it."""
    assert run("install", "vscode", "--yes").exit_code == 0
    done = run("install", "vscode", "--yes", "--env-file", env_file.name)
    assert done.exit_code == 0, done.output
    assert server_of("vscode")["args"][-2:] == ["--env-file", str(env_file)]
    text = file_of("vscode").read_text(encoding="utf-8")
    assert TOKEN not in done.output + text
    # VS Code must not ask for a token that nothing needs.
    assert "losant-api-token" not in text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_token_file_that_others_may_read_is_refused(run: Run, env_file: Path) -> None:
    """Its owner is told how to close it, and nothing is written."""
    env_file.chmod(0o644)
    told = run("install", "cursor", "--yes", "--env-file", str(env_file))
    assert told.exit_code == 2
    assert "is open to other users" in told.stderr
    assert "chmod 600" in told.stderr
    assert not file_of("cursor").exists()


def test_a_file_without_a_token_is_refused(run: Run, env_file: Path) -> None:
    """A server that could not start is not installed."""
    env_file.write_text("LOSANT_MCP_RESULT_TOKENS=2000\n")
    told = run("install", "cursor", "--yes", "--env-file", str(env_file))
    assert told.exit_code == 2
    assert "has no line LOSANT_API_TOKEN=" in told.stderr


@pytest.mark.parametrize("flag", ["--api-token", "--backup-key", "--state-url"])
def test_a_secret_flag_is_refused(run: Run, flag: str) -> None:
    """What is given as a flag would stand in the file."""
    told = run("install", "cursor", "--yes", flag, TOKEN)
    assert told.exit_code == 2
    assert "leave it out" in told.stderr
    assert TOKEN not in told.output
    assert not file_of("cursor").exists()


def test_a_setting_that_does_not_fit_is_refused(run: Run) -> None:
    """A server that could not start is not installed."""
    told = run("install", "cursor", "--yes", "--access", "all")
    assert told.exit_code == 2
    assert "LOSANT_MCP_ACCESS" in told.stderr
    assert not file_of("cursor").exists()


def test_an_earlier_entry_is_changed_and_a_pasted_token_taken_out(run: Run) -> None:
    """What else a person put into the entry stays; the token goes, and is not shown."""
    path = file_of("cursor")
    path.parent.mkdir()
    entry = {
        "command": "/old/losant-mcp",
        "args": ["serve", "--sandbox"],
        "env": {"LOSANT_API_TOKEN": TOKEN, "LOSANT_MCP_LOG_LEVEL": "debug"},
        "disabled": False,
    }
    path.write_text(json.dumps({"mcpServers": {"losant": entry}}, indent=4))
    done = run("install", "cursor", "--yes")
    assert done.exit_code == 0, done.output
    assert TOKEN not in done.output
    assert server_of("cursor") == {
        "command": HERE[0],
        "args": [*HERE[1:], "serve"],
        "env": {"LOSANT_API_TOKEN": REFERENCES["cursor"], "LOSANT_MCP_LOG_LEVEL": "debug"},
        "disabled": False,
    }


def test_another_server_of_the_same_name_is_not_touched(run: Run) -> None:
    """Neither installing nor removing takes what is somebody else's."""
    path = file_of("cursor")
    path.parent.mkdir()
    before = '{"mcpServers": {"losant": {"url": "https://example.com/mcp"}}}'
    path.write_text(before)
    for option in ("--sandbox", "--remove"):
        told = run("install", "cursor", "--yes", option)
        assert told.exit_code == 2
        assert "--name" in told.stderr
        assert path.read_text() == before
    assert run("install", "cursor", "--yes", "--sandbox", "--name", "pumps").exit_code == 0
    assert list(json.loads(path.read_text())["mcpServers"]) == ["losant", "pumps"]


@pytest.mark.parametrize("before", ['{"servers": [', '{"servers": []}', "[]"])
def test_a_file_that_cannot_be_changed_is_left_alone(run: Run, before: str) -> None:
    """What does not parse or has another form stays, and what to paste is printed."""
    path = file_of("vscode")
    path.parent.mkdir(parents=True)
    path.write_text(before)
    told = run("install", "vscode", "--yes")
    assert told.exit_code == 2
    assert "cannot be changed without harm" in told.stderr
    pasted = json.loads(told.stdout)
    assert pasted["servers"]["losant"]["args"][-1] == "serve"
    assert path.read_text() == before


def test_paths_are_written_whole(run: Run, tmp_path: Path) -> None:
    """A client starts the server in a folder of its own choice."""
    folders = ("--state-dir", "state", "--backup-dir", "kept")
    options = ("--sandbox", "--database", "losant.db", *folders)
    assert run("install", "cursor", "--yes", *options).exit_code == 0
    assert server_of("cursor")["args"][-6:] == [
        *("--database", str(tmp_path / "losant.db")),
        *("--state-dir", str(tmp_path / "state")),
        *("--backup-dir", str(tmp_path / "kept")),
    ]


def test_removing_what_is_not_there_changes_nothing(run: Run) -> None:
    """Neither a file without the server nor no file at all is an error."""
    for before in (None, '{"mcpServers": {"other": {}}}'):
        if before is not None:
            file_of("cursor").parent.mkdir()
            file_of("cursor").write_text(before)
        told = run("install", "cursor", "--remove", "--yes")
        assert told.exit_code == 0
        assert "Nothing to change" in told.output
    told = run("install", "vscode", "--remove", "--yes")
    assert told.exit_code == 0
    file_of("vscode").parent.mkdir(parents=True)
    file_of("vscode").write_text("{")
    told = run("install", "vscode", "--remove", "--yes")
    assert told.exit_code == 2
    assert "Take the server out with an editor" in told.stderr


def test_a_project_has_a_file_of_its_own(run: Run, tmp_path: Path) -> None:
    """With --scope project the file lies in this folder; Claude Desktop has none."""
    assert run("install", "claude-code", "--scope", "project", "--yes").exit_code == 0
    assert "losant" in json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]
    told = run("install", "claude-desktop", "--scope", "project", "--yes")
    assert told.exit_code == 2
    assert "no configuration for a project" in told.stderr


def test_uvx_starts_it_where_that_is_asked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's file has uvx's whole path; a project's, for other machines, has its name."""
    uvx = tmp_path / ("uvx.exe" if os.name == "nt" else "uvx")
    uvx.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ("install", "cursor", "--yes", "--sandbox", "--command", "uvx", "--scope")
    assert run(*words, "user").exit_code == 0
    server = server_of("cursor")
    assert [server["command"], *server["args"]] == [str(uvx), "losant-mcp", "serve", "--sandbox"]
    changed = run(*words, "project")  # the home folder is this project's, too
    assert changed.exit_code == 0
    assert server_of("cursor") == {**server, "command": "uvx"}


def test_uvx_that_is_not_there_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that could not start is not installed."""
    monkeypatch.setenv("PATH", "")
    told = run("install", "cursor", "--yes", "--command", "uvx")
    assert told.exit_code == 2
    assert "uvx was not found" in told.stderr
    assert not file_of("cursor").exists()
