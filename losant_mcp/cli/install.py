"""``losant-mcp install``: write the server into a client's own configuration.

The change is shown first, the old file is kept, and no token is written into the client's file:
it refers to one, or the server reads it from a file that only its owner may read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from losant_mcp.cli.install_clients import CLIENTS, TOKEN, Client, Scope, this_machine
from losant_mcp.cli.install_entry import Start, added, entry_of, removed, starting_words
from losant_mcp.cli.install_file import ConfigurationFile, read
from losant_mcp.cli.install_jsonc import NotJson
from losant_mcp.cli.install_token import ask_for_token, check_token_file, own_token_file
from losant_mcp.cli.options import (
    SettingsCommand,
    Source,
    flag,
    is_secret,
    read_env_file,
    takes_settings,
)
from losant_mcp.cli.terminal import end, require_person
from losant_mcp.config.loading import load_settings
from losant_mcp.errors import ConfigurationError


@click.command(cls=SettingsCommand)
@takes_settings
@click.argument("client_name", metavar="CLIENT", type=click.Choice(list(CLIENTS)))
@click.option(
    "--scope",
    type=click.Choice(["user", "project"]),
    default="user",
    help="For all you do, or for the project in this folder.",
)
@click.option(
    "--command",
    "start",
    type=click.Choice(["auto", "uvx", "path"]),
    default="auto",
    help="What the client starts: this installed command (path), or uvx.",
)
@click.option("--name", default="losant", show_default=True, help="What the server is called.")
@click.option("--remove", is_flag=True, help="Take the server out again.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--yes", is_flag=True, help="Write without asking.")
def install(
    source: Source,
    client_name: str,
    scope: Scope,
    start: Start,
    name: str,
    remove: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Install it in Claude Desktop, Claude Code, VS Code or Cursor.

    CLIENT is claude-desktop, claude-code, vscode or cursor. The change of its configuration
    file is shown, and written once you agree; the old file is kept beside it. Settings that are
    given as flags become the server's. No token is written there: the client is told where it
    finds one, or the server reads it from a file that only you may read (--env-file).
    """
    client = CLIENTS[client_name]
    path = client.file(scope, this_machine())
    if path is None:
        raise click.UsageError(f"{client.title} has no configuration for a project.")
    file = read(path)
    if remove:
        text = _edited(file, lambda text: removed(text, client, name))
        if _is_agreed(file, text, dry_run=dry_run, yes=yes):
            _write(file, text)
        return
    env_file = _check(client, source)
    entry = entry_of(client, source, env_file, starting_words(start, scope))
    text = _edited(
        file, lambda text: added(text, client, name, entry), entry.whole_file(client, name)
    )
    if not _is_agreed(file, text, dry_run=dry_run, yes=yes):
        return
    if env_file is not None and not env_file.exists():
        ask_for_token(env_file)
    _write(file, text)
    if entry.token and not client.inputs:
        click.echo(f"Set {TOKEN} in the environment that starts {client.title}.")
    click.echo(client.after)


def _check(client: Client, source: Source) -> Path | None:
    """The settings are ones that a server can start with. Returns the file of the token."""
    for attribute in source.flags:
        if is_secret(attribute):
            raise click.UsageError(
                f"{flag(attribute)} would stand where others may read it: leave it out."
            )
    load_settings({}, flags=source.flags, file=read_env_file(source.env_file))
    env_file = source.env_file
    if env_file is None and client.reference is None and not source.sandbox:
        env_file = own_token_file()
        if not env_file.exists():
            return env_file
    if env_file is not None and not source.sandbox:
        check_token_file(env_file)
    return env_file


def _edited(
    file: ConfigurationFile, edit: Callable[[str], str], snippet: object | None = None
) -> str:
    try:
        return edit(file.text)
    except NotJson as error:
        if snippet is not None:
            click.echo(json.dumps(snippet, indent=2, ensure_ascii=False))
        todo = "Put in what is printed above" if snippet is not None else "Take the server out"
        raise ConfigurationError(
            f"{file.path} cannot be changed without harm: {error}.",
            hint=f"{todo} with an editor, or correct the file and run the command again.",
        ) from None


def _is_agreed(file: ConfigurationFile, text: str, *, dry_run: bool, yes: bool) -> bool:
    """Show the change. Whether it is to be written; a person's no ends the command."""
    if text == file.text:
        click.echo(f"Nothing to change in {file.path}.")
        return False
    for line in file.change(text):
        color = {"+": "green", "-": "red"}.get(line[0])
        click.secho(line, fg=color)
    if dry_run:
        return False
    if not yes:
        require_person("nothing was written", hint="Run it in a terminal, or add --yes.")
        if not click.confirm("Write it?"):
            end("Nothing was written.")
    return True


def _write(file: ConfigurationFile, text: str) -> None:
    copy = file.write(text)
    click.echo(f"Written: {file.path}")
    if copy is not None:
        click.echo(f"The old file is kept as {copy.name} beside it.")
