"""``losant-mcp demo``: a tour that a newcomer watches, by a real MCP client over stdio.

What it shows is in ``tour``, how it looks in ``screen``.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter

import anyio
import click

from losant_mcp import __version__
from losant_mcp.cli.screen import Screen

ARGUMENTS = ["-m", "losant_mcp", "serve", "--sandbox", "--log-level", "warning"]


@click.command()
def demo() -> None:
    """Take a tour on the embedded sandbox; no account needed.

    An MCP client starts `losant-mcp serve --sandbox` and asks what an operator would ask after
    a bad night, and then tries to empty a table. It takes a few seconds and leaves nothing behind.
    """
    screen = Screen(color=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    screen.title(f"losant-mcp {__version__}: what an AI assistant sees of Losant")
    screen.say(
        "Cedar Creek Utilities, a small town's waterworks, had a bad night. This tour runs on"
        " the embedded sandbox: no Losant account, and nothing leaves this machine."
    )
    if not anyio.run(_tour, screen):
        sys.exit(1)


async def _tour(screen: Screen) -> bool:
    screen.step("Connect")
    screen.command("losant-mcp serve --sandbox")
    # Loaded after the first lines are on the screen: the SDK takes a second.
    from mcp import Client, MCPError, StdioServerParameters

    from losant_mcp.cli.person import Person
    from losant_mcp.cli.steps import STEPS
    from losant_mcp.cli.tour import Failed, Tour

    started = perf_counter()
    server = StdioServerParameters(command=sys.executable, args=ARGUMENTS)
    person = Person(screen)
    problem = ""
    try:
        async with Client(server, read_timeout_seconds=30, elicitation_callback=person) as client:
            screen.result(
                f"Connected in {perf_counter() - started:.1f} s,"
                f" protocol {client.protocol_version}."
            )
            tour = Tour(client, screen, person)
            try:
                for step in STEPS:
                    await step(tour)
            except (Failed, MCPError) as error:
                problem = str(error)
    except* (OSError, MCPError) as group:
        problem = f"the server did not start ({group.exceptions[0]})"
    if problem:
        screen.fail(problem)
    return not problem
