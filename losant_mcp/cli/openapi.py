"""``losant-mcp openapi``: Losant's API as a document that other tools read."""

from __future__ import annotations

import json
from typing import TextIO

import click


@click.command("openapi")
@click.option(
    "--output",
    # Written beside the file and put in its place at the end: a broken pipe breaks no document.
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    metavar="FILE",
    help="Write to this file instead of standard output.",
)
def openapi(output: TextIO) -> None:
    """Write Losant's API as an OpenAPI 3.1 document.

    It has every operation that the tools, the client and the sandbox are made of: paths,
    parameters, bodies, answers, the scopes that a token needs, and what each operation does to
    data. The sandbox answers as it says.
    """
    # Late, since the options above must load without pydantic.
    from losant_mcp.api.openapi import openapi as document

    click.echo(json.dumps(document(), indent=2), file=output)
