"""``losant-mcp serve``: MCP over standard input and output."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from types import FrameType

import anyio
import anyio.abc
import click

from losant_mcp.cli.connection import Connection, connect
from losant_mcp.cli.options import SettingsCommand, Source, takes_settings

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)

RUN_SECONDS = 20.0
"""How long a deletion or change that is under way may go on after a signal."""

log = logging.getLogger(__name__)


@click.command(cls=SettingsCommand)
@takes_settings
def serve(source: Source) -> None:
    """Serve MCP over standard input and output.

    An MCP client starts this command and speaks to it; standard output carries the protocol and
    nothing else, logs go to standard error. It ends when its input ends.
    """
    anyio.run(_serve, source)


async def _serve(source: Source) -> None:
    async with connect(source) as connection, anyio.create_task_group() as tasks:
        tools = await connection.server.list_tools()
        log.info("serving %d tools of %s", len(tools), connection.settings.api_url)
        await tasks.start(_end_on_signal, connection)
        gc.freeze()  # what is there now stays, and need not be looked through again
        try:
            await connection.server.run_stdio_async()
        except* (BrokenPipeError, ConnectionResetError):
            log.info("the client has gone")
        tasks.cancel_scope.cancel()


async def _end_on_signal(
    connection: Connection, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    loop = asyncio.get_running_loop()
    asked = anyio.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(asked.set)

    # Not loop.add_signal_handler nor anyio's receiver: Windows has neither.
    for number in SIGNALS:
        signal.signal(number, ask)
    task_status.started()
    await asked.wait()
    with anyio.move_on_after(RUN_SECONDS):
        await connection.guard.idle()
    with anyio.move_on_after(1):
        await connection.client.aclose()
    logging.shutdown()
    sys.stderr.flush()
    # A thread of the SDK waits for a line of standard input, and nothing can call it back, so
    # that an orderly end would last until the client writes once more.
    os._exit(0)
