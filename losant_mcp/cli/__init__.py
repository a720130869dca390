"""The command line: serve, sandbox, demo, call, check, approve, backups, audit, keys and more.

One module a command, each loaded when its command is asked for, so that ``--version`` and
``--help`` answer at once. What goes wrong ends here as one or two lines on standard error:
exit code 2 where the command was not started, 1 where it ran and failed.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click

from losant_mcp import __version__
from losant_mcp.errors import LosantMcpError, describe

__all__ = ["cli", "main"]

COMMANDS: Mapping[str, str] = {
    "serve": "Serve MCP over standard input and output, or over HTTP.",
    "demo": "Take a tour on the embedded sandbox; no account needed.",
    "sandbox": "Serve the embedded sandbox's HTTP API alone.",
    "call": "Call one tool and print its result.",
    "check": "Check settings, token and connection.",
    "install": "Install it in Claude Desktop, Claude Code, VS Code or Cursor.",
    "approve": "Decide what an assistant asks for: approve or decline.",
    "backups": "List, show, restore and prune backups.",
    "audit": "Show the audit trail, or verify that it is whole.",
    "keys": "Add, list and remove the client keys of a hosted server.",
    "approvers": "Add, list and remove the approvers of a hosted server.",
    "openapi": "Write Losant's API as an OpenAPI 3.1 document.",
}
"""Every command with its one line of help; ``losant_mcp.cli.<name>.<name>`` is the command."""


class Commands(click.Group):
    """Finds commands by name and loads only the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, loaded."""
        if cmd_name not in COMMANDS:
            return None
        with _not_looking_for_garbage():
            command = getattr(import_module(f"losant_mcp.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:  # click's own signature
        """Run the command; its errors become a line or two."""
        try:
            return super().invoke(ctx)
        except (LosantMcpError, ExceptionGroup) as error:
            if not isinstance(sole := _sole(error), LosantMcpError):
                _end_with_bug()
            click.echo(f"losant-mcp: {describe(sole)}", err=True)
            ctx.exit(2)
        except (click.ClickException, click.exceptions.Exit, click.Abort, OSError):
            raise
        # The outermost boundary: a bug, whose traceback may quote a secret.
        except Exception:  # noqa: BLE001
            _end_with_bug()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="losant-mcp", message="%(prog)s %(version)s")
def cli() -> None:
    """Let an AI assistant work with Losant's events, data tables and data.

    Start with `losant-mcp demo`.
    """


def main() -> None:
    """Run the command line and exit."""
    # A server that is being built makes tens of thousands of objects more that stay.
    gc.set_threshold(100_000, 20, 20)
    for stream in (sys.stdout, sys.stderr):
        _never_fail_to_print(stream)
    cli(prog_name="losant-mcp")


@contextmanager
def _not_looking_for_garbage() -> Iterator[None]:
    """For loading: it makes some hundred thousand objects that all stay, and looking through them
    again and again is a tenth of the time until a server answers.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()


def _never_fail_to_print(stream: TextIO) -> None:
    # A Windows console, or a file there, may know no "°"; a question mark is better than a crash.
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def _sole(error: Exception) -> Exception:
    """What failed, without the task groups around it, where it failed alone."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        [error] = error.exceptions
    return error


def _end_with_bug() -> NoReturn:
    text = traceback.format_exc()
    for secret in _secrets():
        text = text.replace(secret, "[secret]")
    click.echo(f"{text}losant-mcp: this is a bug; nothing more was done.", err=True)
    sys.exit(1)


def _secrets() -> list[str]:
    """What may be secret in the environment, on the command line, and in the file named there."""
    # Loaded here: whatever command there was has loaded them, and `--version` need not.
    from losant_mcp.cli.options import is_secret, read_env_file
    from losant_mcp.config import Settings, variable

    words = [word for argument in sys.argv[1:] for word in argument.split("=", 1)]
    places: list[Mapping[str, str | None]] = [os.environ]
    with suppress(LosantMcpError):
        places += [
            read_env_file(Path(path)) for flag, path in pairwise(words) if flag == "--env-file"
        ]
    names = [variable(name) for name in Settings.model_fields if is_secret(name)]
    found = [*words, *(place.get(name) or "" for place in places for name in names)]
    return [secret for secret in found if len(secret) > 16]
