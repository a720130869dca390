"""``losant-mcp sandbox``: the embedded sandbox's HTTP API, for any client."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from types import FrameType

import click

from losant_mcp.cli.connection import open_store
from losant_mcp.cli.signals import SIGNALS
from losant_mcp.errors import ConfigurationError
from losant_mcp.sandbox.server import HOST, SandboxServer
from losant_mcp.sandbox.store import Store


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8700,
    show_default=True,
    help="Where to listen, on this machine only; 0 picks a free port.",
)
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep everything in this file, made if missing; in memory without it.",
)
@click.option("--empty", is_flag=True, help="No demo data: only the application and the tokens.")
def sandbox(port: int, database: Path | None, empty: bool) -> None:
    """Serve the embedded sandbox's HTTP API alone.

    When it is ready, standard output carries one line of JSON: url, applicationId and tokens
    (full, read, application, device, expired). It serves until SIGTERM or Ctrl-C.
    """
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()

    for number in SIGNALS:
        signal.signal(number, ask)
    store = open_store(database)
    try:
        server = _listen(store, port, empty=empty)
        with server:
            facts = {
                "url": server.url,
                "applicationId": server.application_id,
                "tokens": server.tokens,
            }
            click.echo(json.dumps(facts))
            # With a timeout, since on Windows a wait without one cannot be interrupted.
            while not asked.wait(0.5):
                pass
    finally:
        store.close()


def _listen(store: Store, port: int, *, empty: bool) -> SandboxServer:
    try:
        return SandboxServer(store, port=port, empty=empty)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {HOST}:{port}: {error.strerror or error}.",
            hint="Choose another --port; 0 picks a free one.",
        ) from None
