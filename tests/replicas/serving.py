"""Replicas as they are deployed: processes of their own, one Redis, one volume, one sandbox."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
from anyio import to_thread
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from losant_mcp.guard import backup_volume
from losant_mcp.guard.backup_volume import BackupVolume
from losant_mcp.guard.redis_store import RedisStore
from losant_mcp.guard.state_dir import open_backup_dir
from losant_mcp.hosting.keys import KeyFile
from tests.calling import Mode
from tests.cli.command import ROOT, environment
from tests.guard.asking import yes_to
from tests.guard.guarding import FIELD
from tests.guard.redis_server import SECRET, RedisServer
from tests.served import Sandbox

PHRASE = "To agree, type: "

START_SECONDS = 60.0
END_SECONDS = 40.0

COMMAND = [sys.executable, "-m", "losant_mcp", "serve"]
_HURRY = """
from losant_mcp.guard.redis_store import pulse
pulse.LIFE_SECONDS, pulse.BEAT_SECONDS = 2.0, 0.3
from losant_mcp.cli import main
main()
"""
HURRIED = [sys.executable, "-c", _HURRY, "serve"]
"""The same command, but taken for dead two seconds after its end rather than two minutes."""


@dataclass
class Replica:
    """One server's process; ``log`` is what it wrote to standard error."""

    command: list[str]
    settings: dict[str, str]
    log: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it is served; no trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Start the process."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.command, "--http", f"127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=environment(**self.settings),
            )

    def wait(self) -> None:
        """Wait until it serves."""
        process = self.process
        assert process is not None
        assert process.stdout is not None
        late = threading.Timer(START_SECONDS, process.kill)
        late.start()
        line = process.stdout.readline()
        late.cancel()
        assert json.loads(line or "{}") == {"url": f"{self.url}/mcp"}, self.log.read_text()

    def end(self, with_signal: int = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; the exit code."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(with_signal)
        try:
            return process.wait(timeout=END_SECONDS)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()

    @asynccontextmanager
    async def client(self, key: str, mode: Mode = "auto") -> AsyncIterator[Client]:
        """An MCP client of this replica, whose person says yes to everything."""
        async with client_of(self.url, key, mode) as client:
            yield client

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """What it says of its readiness."""
        async with httpx2.AsyncClient(verify=False, timeout=30) as http:
            answer = await http.get(f"{self.url}/readyz")
            return answer.status_code, answer.json()

    async def metrics(self) -> list[str]:
        """The lines that it tells Prometheus."""
        async with httpx2.AsyncClient(verify=False, timeout=30) as http:
            answer = await http.get(f"{self.url}/metrics")
            assert answer.status_code == 200
            return answer.text.splitlines()


@dataclass
class Fleet:
    """Two replicas, what they share, and the keys of their callers."""

    replicas: list[Replica]
    redis: RedisServer
    keys: dict[str, str] = field(default_factory=dict)

    async def restart(self, number: int) -> int:
        """Restart a replica as a deployment does; its exit code."""
        replica = self.replicas[number]
        code = await to_thread.run_sync(replica.end)
        await to_thread.run_sync(replica.begin)
        await to_thread.run_sync(replica.wait)
        return code


@contextlib.contextmanager
def running_fleet(
    sandbox: Sandbox, redis: RedisServer, folder: Path, command: list[str], **settings: str
) -> Iterator[Fleet]:
    """Two replicas that serve during the block, each with a folder of its own."""
    keys = KeyFile(folder / "keys.json")
    names = {name: keys.add(name, "full") for name in ("ann", "bob")}
    shared = {
        "LOSANT_API_TOKEN": sandbox.tokens["full"],
        "LOSANT_API_URL": sandbox.url,
        "LOSANT_APPLICATION_ID": sandbox.application_id,
        "LOSANT_MCP_ALLOWED_HOSTS": "127.0.0.1",
        "LOSANT_MCP_ASK": "form",
        "LOSANT_MCP_AUTH": "keys",
        "LOSANT_MCP_BACKUP_DIR": str(folder / "volume"),
        "LOSANT_MCP_KEYS_FILE": str(folder / "keys.json"),
        "LOSANT_MCP_LOG_LEVEL": "warning",
        "LOSANT_MCP_POLL_SECONDS": "3600",
        "LOSANT_MCP_STATE_KEY": SECRET.get_secret_value(),
        "LOSANT_MCP_STATE_URL": redis.url.get_secret_value(),
        **settings,
    }
    replicas = [
        Replica(
            command,
            {**shared, "LOSANT_MCP_STATE_DIR": str(folder / name)},
            folder / f"{name}.log",
            redis.free_port(),
        )
        for name in ("one", "two")
    ]
    try:
        for replica in replicas:
            replica.begin()
        for replica in replicas:
            replica.wait()
        yield Fleet(replicas, redis, names)
    finally:
        for replica in replicas:
            if replica.process is not None:
                replica.end(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)


async def settle_volume(sandbox: Sandbox, redis: RedisServer, folder: Path) -> None:
    """The volume is one on which replicas of this key have been before."""
    ahead = 0.0
    store = RedisStore(redis.url, SECRET, sandbox.url, clock=lambda now: now + ahead)
    volume = BackupVolume(open_backup_dir(folder / "volume", sandbox.url), store, SECRET)
    await to_thread.run_sync(volume.prepare)
    await volume.look()
    ahead = backup_volume.STANDING_SECONDS
    assert await volume.look() == "shared"
    await store.aclose()


@asynccontextmanager
async def client_of(url: str, key: str, mode: Mode = "auto") -> AsyncIterator[Client]:
    """An MCP client of this address, whose person says yes to everything."""

    async def agree(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        if PHRASE in params.message:
            return yes_to(params.message)
        return ElicitResult(action="accept", content={FIELD: True})

    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, verify=False) as http,
        Client(
            streamable_http_client(f"{url}/mcp", http_client=http),
            mode=mode,
            elicitation_callback=agree,
        ) as client,
    ):
        yield client


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Wait until what is awaited says so."""
    with anyio.fail_after(seconds):
        while not await condition():  # noqa: ASYNC110 - it happens in another process
            await anyio.sleep(0.05)


def rows_of(sandbox: Sandbox, table: str = "parts") -> int:
    """How many rows are stored."""
    [found] = sandbox.store.rows("SELECT id FROM data_tables WHERE name = ?", table)
    [counted] = sandbox.store.rows(f'SELECT count(*) AS n FROM "rows_{found["id"]}"')
    return int(counted["n"])


def a_part(number: str) -> dict[str, Any]:
    """A new row of the table of parts."""
    return {"partNumber": number, "description": "A valve", "category": "valves"}
