"""The sandbox as a server: in a thread, and how it ends."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from losant_mcp.client import LosantClient
from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store


def health(url: str) -> httpx.Response:
    """An answer of the server."""
    return httpx.get(f"{url}/sandbox/health")


def test_it_serves_from_start_to_stop() -> None:
    """Between start and stop it answers on a port of its own; afterwards nobody does."""
    store = Store()
    server = SandboxServer(store, empty=True)
    with server:
        assert server.url.startswith("http://127.0.0.1:")
        assert health(server.url).json() == {"status": "ok"}
    with pytest.raises(httpx.ConnectError):
        health(server.url)
    store.close()


async def test_it_is_an_async_context_manager() -> None:
    """In an event loop it starts and stops without blocking it."""
    store = Store()
    async with SandboxServer(store, empty=True) as server, httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/sandbox/health")
    assert answer.status_code == 200
    store.close()


async def test_an_idle_connection_is_the_clients_to_close(losant: LosantClient) -> None:
    """A server that closed it first might do so while a write is on its way into it."""
    store = Store()
    with SandboxServer(store, empty=True) as server:
        pool: Any = losant._http()._transport
        assert pool._pool._keepalive_expiry < server._server.config.timeout_keep_alive
    store.close()


def test_a_port_that_is_taken_is_an_error_at_once() -> None:
    """Asking for a port in use raises before anything runs."""
    store = Store()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):
        SandboxServer(store, port=taken.getsockname()[1], empty=True)
    store.close()


def test_a_database_in_a_file_is_opened_again(tmp_path: Path) -> None:
    """A file keeps what was stored, is not seeded twice, and its tokens stay good."""
    store = Store(tmp_path / "losant.db")
    with SandboxServer(store, empty=True) as server:
        headers = {"Authorization": f"Bearer {server.tokens['full']}"}
        url = f"/applications/{server.application_id}/data-tables"
        made = httpx.post(server.url + url, headers=headers, json={"name": "kept"})
        assert made.status_code == 201
    store.close()
    again = Store(tmp_path / "losant.db")
    with SandboxServer(again) as server:
        items = httpx.get(server.url + url, headers=headers).json()["items"]
    assert [item["name"] for item in items] == ["kept"]
    again.close()


def test_stopping_does_not_wait_for_slow_answers() -> None:
    """A request that would take a minute is cut off at the end."""
    store = Store()
    with SandboxServer(store, empty=True) as server:
        rule = {"kind": "latency", "ms": 60_000, "endpoint": "applications.get"}
        httpx.put(f"{server.url}/sandbox/faults", json=[rule])
        errors: list[Exception] = []

        def ask() -> None:
            try:
                httpx.get(f"{server.url}/applications", timeout=30)
            except httpx.HTTPError as error:
                errors.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        while not server.app.state.requests:
            thread.join(0.01)
        start = time.monotonic()
    assert time.monotonic() - start < 30
    thread.join()
    store.close()


def test_answers_are_not_delayed_by_the_network() -> None:
    """Small answers are not held up for 40 ms by Nagle's algorithm: it is off where they go out."""
    store = Store()
    with SandboxServer(store, empty=True) as server, httpx.Client(base_url=server.url) as http:
        http.get("/sandbox/health")
        [connection] = server._server.server_state.connections
        peer: Any = connection
        accepted = peer.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    store.close()
