"""A real ``losant-mcp serve``, spoken to line by line, so that it can be killed at any moment."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.calling import JsonObject
from tests.cli.command import started
from tests.guard.adversary import phrase_in
from tests.guard.guarding import FIELD
from tests.served import Sandbox

LONG = 60.0
"""Seconds after which a message will not come any more."""

Told = TypeVar("Told")
Reply = Callable[[JsonObject], JsonObject]
"""From the parameters of a form to the client's result."""


def types_the_phrase(params: JsonObject) -> JsonObject:
    """Somebody who types what is asked for."""
    return {"action": "accept", "content": {FIELD: phrase_in(params["message"])}}


def answers(value: object) -> Reply:
    """Somebody whose client puts this into the form's field, whatever it is."""
    return lambda _: {"action": "accept", "content": {FIELD: value}}


class Wire:
    """One server process and its client, which speaks 2025-11-25 and has forms."""

    def __init__(self, sandbox: Sandbox, state: Path, *, file_bytes: int | None = None) -> None:
        command = ["serve", "--log-level", "error"]
        settings: dict[str, Any] = {
            "LOSANT_API_URL": sandbox.url,
            "LOSANT_API_TOKEN": sandbox.tokens["full"],
            "LOSANT_APPLICATION_ID": sandbox.application_id,
            "LOSANT_MCP_STATE_DIR": str(state),
        }
        self.process = started(*command, **settings)
        if file_bytes is not None:
            _limit(self.process, file_bytes)
        self._messages: queue.Queue[JsonObject | None] = queue.Queue()
        self._number = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._messages.put(json.loads(line))
        self._messages.put(None)

    def _send(self, message: JsonObject) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def _ask(self, method: str, params: JsonObject) -> int:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        return self._number

    def begin(self) -> None:
        """Shake hands."""
        about = {"name": "wire", "version": "1"}
        capabilities: JsonObject = {"elicitation": {"form": {}}}
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": about,
        }
        self._until(self._ask("initialize", params), None)
        self._send({"method": "notifications/initialized"})

    def call(self, tool: str, reply: Reply | None, **arguments: Any) -> JsonObject | None:
        """A tool's structured content or error text; None where the server died before.

        ``reply`` answers the forms; without it the call ends at the first one.
        """
        number = self._ask("tools/call", {"name": tool, "arguments": arguments})
        answer = self._until(number, reply)
        if answer is None or "elicitation/create" in answer.get("method", ""):
            return None
        result: JsonObject = answer["result"]
        if result.get("isError"):
            return {"status": "error", "message": result["content"][0]["text"]}
        content: JsonObject = result["structuredContent"]
        return content

    def _until(self, number: int, reply: Reply | None) -> JsonObject | None:
        while (message := self._messages.get(timeout=LONG)) is not None:
            if message.get("method") == "elicitation/create":
                if reply is None:
                    return message
                self._send({"id": message["id"], "result": reply(message["params"])})
            elif message.get("id") == number:
                return message
        return None

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=LONG)

    def close(self) -> None:
        """Kill it, and close the pipes."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            # What was written to a process that is gone is lost, and that is no failure.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _limit(process: subprocess.Popen[str], file_bytes: int) -> None:
    if sys.platform == "linux":
        import resource

        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


@contextmanager
def wired(sandbox: Sandbox, state: Path, **limits: int) -> Iterator[Wire]:
    """A server process that is ready; it is killed at the end."""
    wire = Wire(sandbox, state, **limits)
    try:
        wire.begin()
        yield wire
    finally:
        wire.close()


async def spoken(
    sandbox: Sandbox, state: Path, speak: Callable[[Wire], Told], **limits: int
) -> Told:
    """What is told to somebody who speaks to a server process of their own, off the event loop."""

    def run() -> Told:
        with wired(sandbox, state, **limits) as wire:
            return speak(wire)

    return await to_thread.run_sync(run)


@dataclass
class Trap:
    """Kills a process when the sandbox gets the n-th request of a kind, or has carried it out."""

    method: str = ""
    path: str = ""
    """How the path ends."""
    number: int = 1
    carried_out: bool = False
    victim: Wire | None = None
    sprung: threading.Event = field(default_factory=threading.Event)

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """The sandbox's application with this trap before it."""

        async def trapped(scope: Scope, receive: Receive, send: Send) -> None:
            if not self._is_due(scope):
                await app(scope, receive, send)
                return
            assert self.victim is not None
            if self.carried_out:
                await app(scope, receive, _into_nothing)
            self.victim.kill()
            self.sprung.set()
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return trapped

    def _is_due(self, scope: Scope) -> bool:
        if self.victim is None or scope["type"] != "http" or scope["method"] != self.method:
            return False
        if not scope["path"].endswith(self.path):
            return False
        self.number -= 1
        return self.number == 0


async def _into_nothing(message: Message) -> None:
    pass
