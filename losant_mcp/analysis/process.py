"""The child process as the parent sees it: started on first use, asked one thing at a time.

A call that is cancelled interrupts the child and throws its late reply away; where that does
not come soon, and where a call outlives its deadline, the child is killed. The next call starts
a new one, which knows nothing: ``generation`` says that tables are gone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import Process

from losant_mcp.analysis.child import wire
from losant_mcp.errors import LosantMcpError

GRACE = 1.0
"""Seconds beyond its deadline in which the child may still end a statement by itself."""

CHECK_SECONDS = 0.5
START_SECONDS = 30.0

_BOOT = (
    "import json, sys; sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path]; "
    "from losant_mcp.analysis.child.__main__ import main; main()"
)
# Windows starts nothing without the first; the second is the zone that "system" means.
_KEPT = ("SYSTEMROOT", "TZ")


class ChildGone(LosantMcpError):
    """The child ended before it answered; ``ours`` where this very call was the reason.

    ``reason`` is "time", "memory", "crash", "start" (it did not even start), or "restart":
    another call's child is gone.
    """

    def __init__(self, reason: str, *, ours: bool) -> None:
        super().__init__(f"The workbench's process ended ({reason}).")
        self.reason = reason
        self.ours = ours


class ChildProblem(LosantMcpError):
    """The child's own word that it cannot; ``kind`` is invalid, time, memory or page."""

    def __init__(self, kind: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class Child:
    """One process with one DuckDB; ``memory`` is DuckDB's, ``process_memory`` all of it, in bytes.

    Calls wait for each other. ``used`` is what tables took when the child last said so. Close it
    with ``aclose``.
    """

    def __init__(self, *, memory: int, process_memory: int, time_zone: str) -> None:
        self.generation = 0
        self.used = 0
        self.worn = False
        """Whether a statement was stopped in it, which may have left memory behind."""
        self._settings = {
            "memory": memory,
            "process_memory": process_memory,
            "time_zone": time_zone,
        }
        self._lock = anyio.Lock()
        self._process: Process | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._received = bytearray()
        self._number = 0
        self._discarded: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def pid(self) -> int | None:
        """The process's id, while there is one."""
        return self._process.pid if self._process else None

    async def call(
        self,
        message: wire.Message,
        body: bytes = b"",
        *,
        seconds: float = 60.0,
        generation: int | None = None,
    ) -> tuple[wire.Message, bytes]:
        """The child's answer. Raises ChildProblem, or ChildGone.

        ``generation`` is the one that the call's tables belong to; if it is over, nothing is
        asked. The time counts from when the call's turn has come.
        """
        async with self._lock:
            if generation is not None and generation != self.generation:
                raise ChildGone("restart", ours=False)
            if self._process is None:
                await self._start()
            discarded, self._discarded = self._discarded, []
            return await self._exchange({**message, "drop": discarded}, body, seconds)

    def discard(self, table: str) -> None:
        """Have a table dropped with the next call."""
        self._discarded.append(table)

    async def flush(self) -> None:
        """Have discarded tables dropped now, unless the child is busy, and drops them soon."""
        if self._discarded and self._process is not None and not self._lock.locked():
            with suppress(ChildGone, ChildProblem):
                await self.call({"op": "rest"}, seconds=5.0)

    async def check(self) -> None:
        """After a statement that had to be stopped: replace a child that does not work on."""
        self.worn = True
        if self._process is not None and not self._lock.locked():
            try:
                await self.call({"op": "check"}, seconds=CHECK_SECONDS)
            except ChildGone:
                pass
            except ChildProblem:
                await self.replace()

    async def replace(self) -> None:
        """End the child; the next call starts another one, and tables are loaded anew."""
        async with self._lock:
            await self._kill()

    async def _exchange(
        self, message: wire.Message, body: bytes, seconds: float
    ) -> tuple[wire.Message, bytes]:
        sent = False
        self._number += 1
        try:
            with anyio.fail_after(seconds):
                await self._send(wire.pack({**message, "number": self._number}, body))
                sent = True
                answer, content = await self._receive()
        except TimeoutError:
            await self._kill()
            raise ChildGone("time", ours=True) from None
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            raise ChildGone(await self._kill(), ours=True) from None
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._give_up(sent=sent)
            raise
        self.used = answer.pop("memory", self.used)
        if not answer.pop("ok"):
            error = answer["error"]
            raise ChildProblem(error["kind"], error["message"], error["hint"])
        return answer, content

    async def _give_up(self, *, sent: bool) -> None:
        """Have the child stop, so that the next call finds it ready; kill it where it does not."""
        try:
            with anyio.fail_after(GRACE):
                if sent:
                    await self._send(wire.pack({"op": "interrupt", "number": self._number}))
                    await self._receive()
                    return
        except (TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError, OSError):
            pass
        await self._kill()

    # ---- frames ----------------------------------------------------------------------------

    async def _send(self, frame: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        await self._process.stdin.send(frame)

    async def _receive(self) -> tuple[wire.Message, bytes]:
        """The next frame. What has come so far is kept where the wait is cancelled."""
        header, body = wire.sizes(await self._at_least(wire.PREFIX))
        end = wire.PREFIX + header + body
        frame = await self._at_least(end)
        del self._received[:end]
        return wire.unpack(frame[wire.PREFIX : wire.PREFIX + header]), frame[
            -body:
        ] if body else b""

    async def _at_least(self, size: int) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        while len(self._received) < size:
            self._received += await self._process.stdout.receive()
        return bytes(self._received[:size])

    # ---- its life --------------------------------------------------------------------------

    async def _start(self) -> None:
        self._received.clear()
        with anyio.CancelScope(shield=True):
            # Nothing else in it, and nothing of ours around it.
            self._folder = tempfile.TemporaryDirectory(
                prefix="losant-mcp-", ignore_cleanup_errors=True
            )
            paths = [os.path.abspath(path) for path in sys.path if path]  # noqa: PTH100, ASYNC240
            self._process = await anyio.open_process(
                [sys.executable, "-I", "-c", _BOOT, json.dumps(paths)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._folder.name,
                # Ctrl-C in a terminal is for the server, which then closes the pipe.
                start_new_session=True,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
            )
        try:
            await self._exchange(dict(self._settings), b"", START_SECONDS)
        except ChildGone:
            raise ChildGone("start", ours=True) from None

    async def _kill(self) -> str:
        """End the process; returns why it had ended by itself, if it had."""
        process, self._process = self._process, None
        self.generation += 1
        self.used = 0
        self.worn = False
        self._discarded.clear()
        if process is None:
            return "crash"
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                process.kill()
            await process.aclose()
            if self._folder is not None:
                self._folder.cleanup()
        return "memory" if process.returncode == wire.EXIT_MEMORY else "crash"

    async def aclose(self) -> None:
        """End the process."""
        await self._kill()
