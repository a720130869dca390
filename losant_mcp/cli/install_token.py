"""A file that holds the token for a client that has no place for secrets: its owner's alone."""

from __future__ import annotations

import os
from pathlib import Path

import click
import platformdirs

from losant_mcp.cli.install_clients import TOKEN
from losant_mcp.cli.options import read_env_file
from losant_mcp.cli.terminal import hidden, require_person
from losant_mcp.config.loading import load_settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.durable import exposure, make_folder, write_whole


def own_token_file() -> Path:
    """Where the token is kept if the person names no file."""
    return platformdirs.user_config_path("losant-mcp", appauthor=False) / "token.env"


def check_token_file(path: Path) -> None:
    """The file holds a token, and nobody else may read it. Raises ConfigurationError."""
    exposed = exposure(path.stat())
    if exposed:
        raise ConfigurationError(
            f"{path} {exposed}, so a token is not safe in it.",
            hint=f"Make the file your own, and run: chmod 600 {path}",
        )
    if load_settings({}, file=read_env_file(path)).api_token is None:
        raise ConfigurationError(f"{path} has no line {TOKEN}=...")
    if os.name == "nt":
        click.echo(f"Make sure that only you may read {path}: its access rights are not checked.")


def ask_for_token(path: Path) -> None:
    """The person typed a token, and the file holds it. Raises ConfigurationError."""
    require_person(
        "nothing was written",
        hint=f"Name a file that holds {TOKEN} with --env-file, or install the --sandbox.",
    )
    token = hidden(f"Your Losant API token, to be kept in {path}")
    load_settings({}, flags={"api_token": token})
    if "'" in token:
        raise ConfigurationError("That is no token; nothing was written.")
    try:
        make_folder(path.parent)
        write_whole(path, f"{TOKEN}='{token}'\n".encode())
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror or type(error).__name__}."
        ) from None
