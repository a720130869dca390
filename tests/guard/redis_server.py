"""A real Redis for tests: a process of its own that keeps nothing on the disk."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import RedisError

SECRET = SecretStr("a secret that all replicas share, of 32 bytes or more")
ANOTHER_SECRET = SecretStr("another secret, which is as long as it has to be")

START_SECONDS = 20.0


class RedisServer:
    """``redis-server`` in a folder, reached by a port of loopback. ``options`` are its own."""

    def __init__(self, folder: Path, *options: str, password: str = "") -> None:
        self._folder = folder
        self._options = [*options, *(["--requirepass", password] if password else [])]
        self._password = password
        self.port = _free_port()
        self.process = self._start()

    @property
    def url(self) -> SecretStr:
        """Its address."""
        login = f":{self._password}@" if self._password else ""
        return SecretStr(f"redis://{login}127.0.0.1:{self.port}/0")

    @property
    def client(self) -> Redis:
        """Somebody who looks into it; close it."""
        return Redis.from_url(self.url.get_secret_value(), protocol=2)

    def free_port(self) -> int:
        """A port for something more."""
        return _free_port()

    def empty(self) -> None:
        """Let it forget everything."""
        with contextlib.closing(self.client) as client:
            client.flushall()

    def stop(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=30)

    def start_again(self) -> None:
        """Another process at the same address, with what the first one kept."""
        self.stop()
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        program = shutil.which("redis-server")
        assert program is not None
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)]
        process = subprocess.Popen(
            [program, *options, "--save", "", *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_SECONDS
        with contextlib.closing(self.client) as client:
            while True:
                assert process.poll() is None, "redis-server ended at its start"
                with contextlib.suppress(RedisError):
                    if client.ping():
                        return process
                assert time.monotonic() < end, "redis-server does not answer"
                time.sleep(0.01)


@contextlib.contextmanager
def redis_server(*options: str, password: str = "") -> Iterator[RedisServer]:
    """A running Redis; the test is skipped where there is none to start."""
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server on this machine")
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder), *options, password=password)
        try:
            yield server
        finally:
            server.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
