"""Answers of Redis that never come: what was carried out is found out, and never done twice."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator

import anyio
import anyio.abc
import pytest
from pydantic import SecretStr

from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.redis_store import RedisStore, connection
from losant_mcp.guard.shared_state import shared_store
from losant_mcp.guard.store import StateUnavailable
from tests.guard.redis_server import SECRET, RedisServer
from tests.guard.stored import APPLICATION, LIMITS, a_plan, approve, burn
from tests.guard.stores import API_URL, CALLS


class Line:
    """A line to a Redis on which answers can be lost. Let others come through ``url``."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._port = 0
        self.loses: bytes | None = None
        """The command whose answer is lost, together with the connection; it is carried out."""

    @property
    def url(self) -> SecretStr:
        """Its address."""
        return SecretStr(f"redis://127.0.0.1:{self._port}/0")

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Line]:
        """The line, during the block."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        self._port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 -- not of Django
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._carry)
            yield self
            tasks.cancel_scope.cancel()

    async def _carry(self, near: anyio.abc.SocketStream) -> None:
        async with near, await anyio.connect_tcp("127.0.0.1", self._server.port) as far:
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    asked = await near.receive()
                    await far.send(asked)
                    answered = await far.receive()
                    if self.loses and self.loses in asked:
                        self.loses = None
                        return
                    await near.send(answered)


async def test_a_step_whose_answer_was_lost_is_looked_up(redis: RedisServer) -> None:
    """A burning that was carried out is one, a spending counts once, and neither is repeated."""
    async with (
        Line(redis).open() as line,
        contextlib.aclosing(RedisStore(line.url, SECRET, API_URL)) as store,
    ):
        plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
        line.loses = b"EVALSHA"
        assert (await burn(store, plan)).status == "running"
        assert line.loses is None
        line.loses = b"EVALSHA"
        assert await store.spend("destroyed", "ann", APPLICATION, 5, 100) == 7
        assert await store.spent("destroyed", "ann", APPLICATION) == 7


async def test_a_look_whose_answer_was_lost_is_repeated(redis: RedisServer) -> None:
    """A connection that ended meanwhile is no reason to fail."""
    async with (
        Line(redis).open() as line,
        contextlib.aclosing(RedisStore(line.url, SECRET, API_URL)) as store,
    ):
        await store.remember("pin", "hash")
        line.loses = b"TIME"
        assert await store.recall("pin") == "hash"
        assert line.loses is None


async def test_a_redis_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each call gives up by itself, with words for it."""
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.05)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as silent:
        port = silent.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 -- not of Django
        url = SecretStr(f"redis://127.0.0.1:{port}/0")
        async with contextlib.aclosing(RedisStore(url, SECRET, API_URL)) as store:
            for call in CALLS.values():
                with pytest.raises(StateUnavailable) as refusal:
                    await call(store)
                assert "Redis, it does not answer" in str(refusal.value)


def test_without_the_client_the_settings_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError) as refusal:
        shared_store(Settings(state_key=SECRET, state_url=SecretStr("redis://127.0.0.1")))
    assert refusal.value.hint == "Install it with: pip install 'losant-mcp[redis]'"
