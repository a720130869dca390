"""What ``keys`` and ``approvers`` share: which file they are about, and ids of applications."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from losant_mcp.api.types import is_object_id
from losant_mcp.cli.options import flag
from losant_mcp.config import variable
from losant_mcp.errors import ConfigurationError

Command = Callable[..., Any]  # what click makes a command of

WIDTH = 80
"""How wide their lists are."""


def takes_file(setting: str, what: str) -> Callable[[Command], Command]:
    """An option for the file that a server's setting names, and that holds ``what``."""
    return click.option(
        flag(setting),
        "path",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=variable(setting),
        required=True,
        help=f"The file that holds {what}. [{variable(setting)}]",
    )


def check_applications(ids: Iterable[str]) -> None:
    """Raise ConfigurationError unless each can be the id of an application."""
    for text in ids:
        if not is_object_id(text):
            raise ConfigurationError(
                f"--application: {text[:60]!r} is no id.",
                hint="An id has 24 hexadecimal characters.",
            )
