"""``losant-mcp keys``: who may call a server that is hosted with ``--auth keys``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from losant_mcp.cli.kept_file import WIDTH, check_applications, takes_file
from losant_mcp.cli.table import table
from losant_mcp.config import TOOLSETS, Access, Toolset
from losant_mcp.hosting.keys import KeyFile

_takes_file = takes_file("keys_file", "the keys' hashes")


@click.group()
def keys() -> None:
    """Add, list and remove the client keys of a hosted server."""


@keys.command("add")
@_takes_file
@click.option(
    "--access",
    type=click.Choice(get_args(Access)),
    default="read",
    show_default=True,
    help="What the key may do, within what the server may.",
)
@click.option(
    "--application",
    "applications",
    multiple=True,
    metavar="ID",
    help="The only applications that it reaches; give it once for each.",
)
@click.option(
    "--toolset",
    "toolsets",
    multiple=True,
    type=click.Choice(TOOLSETS),
    help="The only toolsets that it sees; give it once for each.",
)
@click.argument("name")
def add_key(
    path: Path,
    name: str,
    access: Access,
    applications: tuple[str, ...],
    toolsets: tuple[Toolset, ...],
) -> None:
    """Add a key and print it, this once.

    NAME is for people, logs and the audit, such as alice or night-shift. What is backed up for a
    key belongs to its name, so a new key of the same name finds it.
    """
    check_applications(applications)
    key = KeyFile(path).add(name, access, applications, toolsets)
    click.echo(key)
    click.echo(f"This is the key of {name}. It is shown now and never again.", err=True)


@keys.command("list")
@_takes_file
def list_keys(path: Path) -> None:
    """List the keys: their names and what each may do."""
    found = [
        (
            key.name,
            key.access,
            ", ".join(key.applications) or "the server's",
            ", ".join(key.toolsets) or "the server's",
            f"{key.created:%Y-%m-%d}",
        )
        for key in KeyFile(path).entries()
    ]
    if not found:
        click.echo("There are no keys.")
    for line in table(("name", "access", "applications", "toolsets", "created"), found, WIDTH):
        click.echo(line)


@keys.command("remove")
@_takes_file
@click.argument("name")
def remove_key(path: Path, name: str) -> None:
    """Remove a key: a running server refuses it within seconds."""
    KeyFile(path).remove(name)
    click.echo(f"The key of {name} is worth nothing any more.")
