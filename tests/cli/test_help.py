"""Help: every command and setting is told, at once, and without anybody's secrets."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from losant_mcp import __version__
from losant_mcp.cli import COMMANDS, cli
from losant_mcp.cli.options import flag
from losant_mcp.config import Settings, variable
from tests.cli.command import ROOT, Run
from tests.documents.parts import command_words

GROUPS = ("backups", "audit", "keys", "approvers")
WITHOUT_SETTINGS = {("demo",), ("sandbox",), ("openapi",), *((group,) for group in GROUPS)}
KEYS = {(group, name) for group in GROUPS[2:] for name in ("add", "list", "remove")}
"""They need to know a file, and nothing of Losant."""
WITH_SETTINGS = [words for words in command_words() if words not in WITHOUT_SETTINGS | KEYS]


def test_the_version_is_one_line(run: Run) -> None:
    """`--version` prints the name and the version."""
    assert run("--version").stdout == f"losant-mcp {__version__}\n"


def test_help_lists_every_command(run: Run) -> None:
    """`--help` names each command with what it does."""
    told = run("--help")
    assert told.exit_code == 0
    assert all(f"{name} " in told.stdout and line in told.stdout for name, line in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(run: Run, name: str) -> None:
    """A command's help begins with the line that the list of commands shows."""
    told = run(name, "--help")
    assert told.exit_code == 0
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("words", list(command_words()), ids=" ".join)
def test_every_option_explains_itself(run: Run, words: tuple[str, ...]) -> None:
    """No option of a command, or of a group's command, is without a word."""
    command: click.Command | None = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    assert command.help
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert all(option.help for option in options)


@pytest.mark.parametrize("words", WITH_SETTINGS, ids=" ".join)
def test_every_setting_is_a_flag(run: Run, words: tuple[str, ...]) -> None:
    """A command that reads settings has a flag for each, named like its variable."""
    told = run(*words, "--help").stdout
    for setting in Settings.model_fields:
        assert f"{flag(setting)} " in told
        assert variable(setting) in told
    assert flag("result_tokens") == "--result-tokens"
    assert flag("api_url") == "--api-url"


def test_help_loads_neither_the_server_nor_a_sandbox() -> None:
    """`--help` and `--version` answer at once, since they load no command."""
    code = (
        "import sys; from losant_mcp.cli import cli; cli(['--help'], standalone_mode=False);"
        "sys.exit(any(name in sys.modules for name in ('mcp', 'httpx', 'starlette', 'pydantic')))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_an_unknown_command_is_an_error(run: Run) -> None:
    """A misspelt command exits with 2 and says so."""
    told = run("serv")
    assert told.exit_code == 2
    assert "No such command 'serv'" in told.stderr
