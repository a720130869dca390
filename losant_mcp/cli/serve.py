"""``losant-mcp serve``: MCP over standard input and output, or over HTTP."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import sys
from collections.abc import Callable

import anyio
import anyio.abc
import click

from losant_mcp.cli import logs
from losant_mcp.cli.connection import Connection, connect
from losant_mcp.cli.options import SettingsCommand, Source, takes_settings
from losant_mcp.cli.signals import SIGNALS, signalled
from losant_mcp.cli.telemetry import start_telemetry

RUN_SECONDS = 20.0
"""How long a deletion or change that is under way may go on after a signal."""

log = logging.getLogger(__name__)


@click.command(cls=SettingsCommand)
@takes_settings
def serve(source: Source) -> None:
    """Serve MCP over standard input and output, or over HTTP.

    An MCP client starts this command and speaks to it; standard output carries the protocol and
    nothing else, logs go to standard error. It ends when its input ends.

    With --http HOST:PORT it serves many clients at /mcp, beside /healthz, /readyz and /metrics;
    standard output then carries one line of JSON, its url, and it ends on SIGTERM or Ctrl-C.
    """
    settings = source.settings()
    logs.configure(settings)  # what telemetry says is a log line, too
    end_telemetry = start_telemetry()
    try:
        if settings.http is None:
            anyio.run(_serve, source, end_telemetry)
        else:
            # Loaded here: over stdio there is no web server.
            from losant_mcp.cli.hosted import serve_http

            anyio.run(serve_http, source, SIGNALS, backend_options={"use_uvloop": has_uvloop()})
    finally:
        end_telemetry()


def has_uvloop() -> bool:
    """Whether the faster event loop is installed; Windows has none."""
    return importlib.util.find_spec("uvloop") is not None


async def _serve(source: Source, at_exit: Callable[[], None]) -> None:
    async with connect(source) as connection, anyio.create_task_group() as tasks:
        tools = await connection.server.list_tools()
        log.info("serving %d tools of %s", len(tools), connection.settings.api_url)
        await tasks.start(_end_on_signal, connection, at_exit)
        gc.freeze()  # what is there now stays, and need not be looked through again
        try:
            await connection.server.run_stdio_async()
        except* (BrokenPipeError, ConnectionResetError):
            log.info("the client has gone")
        tasks.cancel_scope.cancel()


async def _end_on_signal(
    connection: Connection,
    at_exit: Callable[[], None],
    *,
    task_status: anyio.abc.TaskStatus[None],
) -> None:
    asked = signalled(SIGNALS)
    task_status.started()
    await asked.wait()
    with anyio.move_on_after(RUN_SECONDS):
        await connection.guard.idle()
    with anyio.move_on_after(1):
        await connection.client.aclose()
    at_exit()
    logging.shutdown()
    sys.stderr.flush()
    # A thread of the SDK waits for a line of standard input, and nothing can call it back, so
    # that an orderly end would last until the client writes once more.
    os._exit(0)
