"""A secret in the environment appears in no output of any command, whatever goes wrong."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from losant_mcp.cli import COMMANDS, Commands, logs
from losant_mcp.cli.options import flag, is_secret
from losant_mcp.config import Settings, variable
from tests.cli.command import Run, as_process
from tests.served import Sandbox

TOKEN = "sentinel.c2VudGluZWw.of-the-secret"
STATE = "redis://user:sentinel-of-the-state@example.com/0"
SECRETS = [name for name in Settings.model_fields if is_secret(name)]
PLACES = ["list_events", '{"perPage": 1}']

COMMANDS_AND_ERRORS = [
    *((name, "--help") for name in COMMANDS),
    ("--help",),
    ("--version",),
    ("nonsense",),
    ("serve",),
    ("serve", "--log-level", "debug"),
    ("serve", "--unknown-flag"),
    ("serve", "--access", "ful"),
    ("serve", "--sandbox", "--api-url", "https://api.losant.com"),
    ("serve", "--api-url", "http://example.com"),
    ("serve", "--env-file", "no-such-file"),
    ("check",),
    ("check", "--log-level", "debug"),
    ("check", "--log-level", "debug", "--log-format", "json"),
    ("check", "--sandbox"),
    ("check", "--application-id", "nonsense"),
    ("check", "--deny", "list_evnts"),
    ("call", *PLACES),
    ("call", *PLACES, "--json"),
    ("call", *PLACES, "--log-level", "debug"),
    ("call", "list_event"),
    ("call", "list_events", "{"),
    ("call", "get_event", '{"eventId": "nonsense"}'),
    ("call", "--sandbox", *PLACES, "--json"),
    ("backups", "list"),
    ("backups", "list", "--all", "--json"),
    ("backups", "show", "nonsense"),
    ("backups", "restore", "nonsense"),
    ("backups", "prune", "--dry-run"),
    ("audit", "show", "--json"),
    ("audit", "verify"),
]


@pytest.mark.parametrize("token", ["full", "wrong"])
@pytest.mark.parametrize("arguments", COMMANDS_AND_ERRORS, ids=" ".join)
def test_a_token_is_never_printed(
    run: Run,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    token: str,
) -> None:
    """Neither the token, nor a part of it, nor the state's address is in any output."""
    secret = sandbox.tokens.get(token, TOKEN)
    monkeypatch.setenv("LOSANT_API_TOKEN", secret)
    monkeypatch.setenv("LOSANT_MCP_STATE_URL", STATE)
    monkeypatch.setenv("LOSANT_MCP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LOSANT_API_URL", sandbox.url)
    monkeypatch.setenv("LOSANT_APPLICATION_ID", sandbox.application_id)
    ended = run(*arguments)
    printed = ended.stdout + ended.stderr + repr(ended.exception)
    assert printed
    for part in (*secret.split("."), STATE, "sentinel-of-the-state"):
        assert part not in printed


def test_a_token_on_the_command_line_is_not_repeated(run: Run, sandbox: Sandbox) -> None:
    """A token that came by flag is as secret as one from the environment."""
    ended = run("check", "--api-token", TOKEN, "--api-url", sandbox.url)
    assert ended.exit_code == 1
    assert "sentinel" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("place", ["environment", "flag", "file"])
@pytest.mark.parametrize("name", SECRETS)
def test_a_bug_does_not_print_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, place: str
) -> None:
    """An unforeseen exception that quotes a secret is printed without it."""
    file = tmp_path / "settings.env"
    file.write_text(f"{variable(name)}={TOKEN}\n")
    given = {"flag": f"{flag(name)}={TOKEN}", "file": f"--env-file={file}"}
    monkeypatch.setattr("sys.argv", ["losant-mcp", *([given[place]] if place in given else [])])
    if place == "environment":
        monkeypatch.setenv(variable(name), TOKEN)

    class Broken(Commands):
        """The command line with a command that fails."""

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            """A command that quotes the secret."""

            def fail() -> None:
                raise RuntimeError(f"cannot use {TOKEN}")

            return click.Command("broken", callback=fail)

    ended = CliRunner().invoke(Broken(name="losant-mcp"), ["broken"])
    assert ended.exit_code == 1
    assert "RuntimeError: cannot use [secret]" in ended.stderr
    assert "this is a bug" in ended.stderr
    assert TOKEN not in ended.stdout + ended.stderr


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_line_does_not_hold_a_secret(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Whoever logs a secret, or a terminal escape: it does not reach standard error."""
    secrets = {name: f"{name}-{TOKEN}" for name in SECRETS} | {"state_url": STATE}
    logs.configure(Settings.model_validate({**secrets, "log_format": form}))
    for secret in secrets.values():
        try:
            raise RuntimeError(f"inside {secret}")
        except RuntimeError:
            logging.getLogger("losant_mcp.test").exception("with %s and \x1b[2J", secret)
    line = capsys.readouterr().err
    assert "[secret]" in line
    assert "sentinel" not in line
    assert "\x1b" not in line
    assert "\\u001b" not in line


def test_the_demo_has_nothing_to_do_with_the_environment(sandbox: Sandbox) -> None:
    """The tour runs, and prints no token, where a real Losant is set up."""
    ended = as_process("demo", LOSANT_API_TOKEN=TOKEN, LOSANT_API_URL=sandbox.url)
    assert ended.returncode == 0, ended.stderr
    assert "sentinel" not in ended.stdout + ended.stderr
    assert not sandbox.requests


def test_the_sandbox_prints_no_token_but_its_own(sandbox: Sandbox) -> None:
    """The sandbox's line holds tokens of the sandbox, which open nothing else."""
    ended = as_process("sandbox", "--port", sandbox.url.rpartition(":")[2], LOSANT_API_TOKEN=TOKEN)
    assert ended.returncode == 2
    assert "sentinel" not in ended.stdout + ended.stderr
    claims = sandbox.tokens["full"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["name"] == "Sandbox User"
