"""``losant-mcp serve --http``: the server for many, from its settings to its orderly end."""

from __future__ import annotations

import gc
import json
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import anyio

from losant_mcp.cli import logs
from losant_mcp.cli.approving import approval_pages
from losant_mcp.cli.connection import Dial, dial_of, reach
from losant_mcp.cli.options import Source
from losant_mcp.cli.signals import signalled
from losant_mcp.config import Settings
from losant_mcp.hosting.address import parse_address
from losant_mcp.hosting.app import Hosting, check_hosting
from losant_mcp.hosting.listening import HttpServer
from losant_mcp.policy import Policy
from losant_mcp.prompts.files import read_files
from losant_mcp.server import policy_of

MOST_FILES = 65_536

log = logging.getLogger(__name__)


async def serve_http(source: Source, signals: Sequence[int]) -> None:
    """Serve until a signal; then let what is under way end. Raises ConfigurationError."""
    settings = source.settings()
    assert settings.http is not None, "or there is nothing to serve"
    address = parse_address(settings.http)
    check_hosting(settings, address)
    read_files()  # a wrong prompt file stops the start rather than the first caller
    _allow_many_files()
    async with _reached(source) as (settings, policy, dial), approval_pages(settings) as page:
        server = HttpServer(address)
        hosting = Hosting(settings, policy, dial, server.address, page=page)
        async with hosting, anyio.create_task_group() as tasks:
            asked = signalled(signals)
            await tasks.start(server.serve, hosting.app)
            log.info("serving %s, auth %s", settings.api_url, settings.auth)
            print(json.dumps({"url": f"{server.address.url}/mcp"}), flush=True)
            gc.freeze()  # what is there now stays, and need not be looked through again
            await asked.wait()
            log.info("ending: what is under way may finish")
            server.refuse_new()
            await hosting.finish()
            server.end()


def _allow_many_files() -> None:
    """Raise the soft limit of open files: a caller who writes takes some, and a client one."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with suppress(OSError, ValueError):  # macOS has limits that it does not tell
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@asynccontextmanager
async def _reached(source: Source) -> AsyncIterator[tuple[Settings, Policy, Dial]]:
    """The settings, the server's own policy, and what makes clients of Losant."""
    settings = source.settings()
    if settings.auth == "losant" and not source.sandbox:
        logs.configure(settings)
        yield settings, policy_of(settings), dial_of(settings)
        return
    async with reach(source) as reached:
        settings = reached.settings
        if settings.auth == "losant":  # on the sandbox: its own token is for nobody
            settings = settings.model_copy(update={"api_token": None})
        yield settings, reached.client.policy, reached.dial
