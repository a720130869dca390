"""``losant-mcp call``: one tool, by a real MCP client in this process."""

from __future__ import annotations

import difflib
import json
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any, NoReturn

import anyio
import click
from mcp import Client
from mcp.types import CallToolResult, ImageContent, TextContent

from losant_mcp.cli.connection import connect
from losant_mcp.cli.options import SettingsCommand, Source, takes_settings
from losant_mcp.cli.table import render, terminal_width, to_json
from losant_mcp.text import clean


@click.command(cls=SettingsCommand)
@takes_settings
@click.argument("tool")
@click.argument("arguments", metavar="[JSON]", default="{}")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--image",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the result's picture, a PNG, to this file.",
)
def call(source: Source, tool: str, arguments: str, as_json: bool, image: Path | None) -> None:
    """Call one tool and print its result.

    JSON is the tool's arguments as an object; "-" reads it from standard input.

    \b
    losant-mcp call --sandbox list_events '{"state": "new", "perPage": 5}'
    """
    given = _parse(sys.stdin.read() if arguments == "-" else arguments)
    result = anyio.run(_call, source, tool, given)
    text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        _fail(text)
    if image is not None:
        _write_picture(result, image)
    _print(result.structured_content or {}, as_json=as_json)


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"The arguments are not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise click.UsageError('The arguments must be a JSON object, such as {"perPage": 5}.')
    return value


async def _call(source: Source, name: str, arguments: dict[str, Any]) -> CallToolResult:
    async with (
        connect(source, quiet=True) as connection,
        Client(connection.server) as client,
    ):
        names = [tool.name for tool in (await client.list_tools()).tools]
        if name in names:
            return await client.call_tool(name, arguments)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    listed = f"Did you mean {', '.join(near)}?" if near else f"There are: {', '.join(names)}."
    text = f"No tool is called {name[:64]!r}. {listed} losant-mcp check says which are listed."
    return CallToolResult(content=[TextContent(text=text)], is_error=True)


def _write_picture(result: CallToolResult, path: Path) -> None:
    picture = next((part for part in result.content if isinstance(part, ImageContent)), None)
    if picture is None:
        _fail("--image: the result has no picture.")
    path.write_bytes(b64decode(picture.data))


def _fail(text: str) -> NoReturn:
    click.echo(clean(text), err=True)
    sys.exit(1)


def _print(result: dict[str, Any], *, as_json: bool) -> None:
    click.echo(to_json(result) if as_json else render(result, terminal_width()))
