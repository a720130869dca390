"""The child's loop: frames in, one reply each, until the parent closes the pipe.

A thread reads, so that an interrupt is heard while a statement runs, and so that the process
ends at once when its parent is gone, whatever it is doing.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import Any, BinaryIO

from losant_mcp.analysis.child import limits, wire

EXIT_FAILED = 70
"""The exit code of a child whose DuckDB cannot go on."""

_DEPTH = 5_000


class _Running:
    """Which request runs, so that an interrupt stops that one or none."""

    def __init__(self) -> None:
        self.engine: Any = None  # made after the process is confined
        self._number: int | None = None
        self._lock = threading.Lock()

    def begin(self, number: int | None) -> None:
        """From now on that request runs; None: none does."""
        with self._lock:
            self._number = number
            self.engine.begin()

    def interrupt(self, number: int) -> None:
        """Stop the request, if it runs."""
        with self._lock:
            if number == self._number:
                self.engine.interrupt()


def main() -> None:
    """Serve the parent. The first frame says how much memory there is, and the time zone."""
    reading, writing = _take_pipes()
    frames: queue.SimpleQueue[tuple[wire.Message, bytes]] = queue.SimpleQueue()
    running = _Running()
    threading.Thread(target=_read, args=(reading, frames, running), daemon=True).start()
    first, _ = frames.get()
    # A statement may nest 500 levels of a few objects each.
    sys.setrecursionlimit(_DEPTH)
    from losant_mcp.analysis.child.engine import Engine

    limits.confine(first["process_memory"])
    engine = Engine(memory=first["memory"], time_zone=first["time_zone"])
    running.engine = engine
    _reply(writing, {"ok": True})
    while True:
        message, body = frames.get()
        running.begin(message.pop("number"))
        answer, content = _serve(engine, message, body)
        running.begin(None)
        _reply(writing, answer, content)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent; what anything else prints goes nowhere."""
    reading = os.fdopen(os.dup(0), "rb")
    writing = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return reading, writing


def _read(
    reading: BinaryIO,
    frames: queue.SimpleQueue[tuple[wire.Message, bytes]],
    running: _Running,
) -> None:
    try:
        while True:
            header, body = wire.sizes(_exactly(reading, wire.PREFIX))
            message = wire.unpack(_exactly(reading, header))
            content = _exactly(reading, body)
            if message.get("op") == "interrupt":
                running.interrupt(message["number"])
            else:
                frames.put((message, content))
    finally:
        # The parent is gone, or talks nonsense.
        os._exit(0)


def _exactly(reading: BinaryIO, size: int) -> bytes:
    found = reading.read(size)
    if len(found) < size:
        raise EOFError
    return found


def _serve(engine: Any, message: wire.Message, body: bytes) -> tuple[wire.Message, bytes]:
    """The reply to a request. Ends the process where DuckDB cannot go on."""
    from losant_mcp.analysis.child.problems import Problem

    given = dict(message)
    operation, discarded = given.pop("op"), given.pop("drop")
    try:
        freed = {"memory": engine.drop(discarded)} if discarded else {}
        if operation == "query":
            answer, content = engine.query(given.pop("sql"), given.pop("views"), **given)
            return {"ok": True, **freed, **answer}, content
        if operation == "page":
            answer = engine.page(given["table"], given["start"], body)
        elif operation == "rest":
            answer = {"peak": limits.peak()}
        else:
            answer = getattr(engine, operation)(**given)
        return {"ok": True, **freed, **answer}, b""
    except Problem as problem:
        error = {"kind": problem.kind, "message": str(problem), "hint": problem.hint}
        return {"ok": False, "error": error}, b""
    except MemoryError:
        return {"ok": False, "error": {"kind": "memory", "message": "", "hint": ""}}, b""
    except BaseException:  # noqa: BLE001 - the outermost boundary: a fresh child beats a broken one
        os._exit(EXIT_FAILED)


def _reply(writing: BinaryIO, answer: wire.Message, content: bytes = b"") -> None:
    writing.write(wire.pack(answer, content))
    writing.flush()


if __name__ == "__main__":
    main()
