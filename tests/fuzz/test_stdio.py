"""Garbage on standard input of a real server: good requests between it are answered as ever."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.calling import JsonObject
from tests.cli.command import COMMAND, ROOT, environment
from tests.contract.instances import anything, strayed
from tests.fuzz.examples import examples

SECONDS = 60.0
MOST_MEGABYTES = 400
"""Of a server that has a sandbox in it, with room for a few huge lines."""

LIST: JsonObject = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
CALL: JsonObject = {
    "jsonrpc": "2.0",
    "id": "a",
    "method": "tools/call",
    "params": {"name": "list_applications", "arguments": {}},
}
DELETE: JsonObject = {
    **CALL,
    "params": {"name": "truncate_rows", "arguments": {"dataTableId": "sites"}},
}
HELLO: JsonObject = {
    "jsonrpc": "2.0",
    "id": "hello",
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "garbage", "version": "1"},
    },
}
READY: JsonObject = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def _line(message: Any) -> bytes:
    return json.dumps(message).encode()


def _deep(depth: int, bracket: str) -> bytes:
    return (bracket * depth).encode()


def _cut(line: bytes, at: int, put: bytes) -> bytes:
    at %= len(line) + 1
    return line[:at] + put + line[at + 1 :]


MESSAGES = st.sampled_from([LIST, CALL, DELETE, HELLO, READY])
PUT = st.sampled_from(
    [b"", b'"', b"{", b"}", b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"1e9"]
)
LINES = st.one_of(
    strayed(MESSAGES).map(_line),
    strayed(MESSAGES).map(_line),
    anything.map(_line),
    st.lists(MESSAGES, max_size=3).map(_line),
    st.builds(_cut, MESSAGES.map(_line), st.integers(0, 200), PUT),
    st.binary(max_size=60),
    st.builds(
        _deep, st.sampled_from([100, 5_000, 200_000]), st.sampled_from(["[", '{"a":', '"\\'])
    ),
    st.sampled_from([b"", b" ", b"\r", b"null", b"{}", b"[]", b"-0", b"NaN", b"x" * 2_000_000]),
).map(lambda line: line.replace(b"\n", b" "))


class Pipe:
    """One server, spoken to in bytes."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--sandbox", "--log-level", "error"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            # A call that got through may ask for a person's yes on a page; nobody is to see it.
            env=environment(BROWSER=f"{sys.executable} -c pass %s"),
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self.logged = bytearray()
        for read in (self._read_answers, self._read_log):
            threading.Thread(target=read, daemon=True).start()

    def _read_answers(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.logged += line

    def send(self, line: bytes) -> None:
        """Write one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def answer_to(self, number: str) -> JsonObject:
        """The answer to a request; every line before it must be a message of the protocol."""
        while line := self._lines.get(timeout=SECONDS):
            message: JsonObject = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            if "error" in message:
                assert "Traceback" not in message["error"]["message"]
                assert "this is a bug" not in message["error"]["message"]
            if message.get("id") == number:
                return message
        raise AssertionError(f"the server ended: {self.logged[-2000:].decode()}")

    def end(self) -> int:
        """Close its input; returns its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout=SECONDS)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A server that has shaken hands; killed at the end where it is still there."""
    pipe = Pipe()
    try:
        pipe.send(_line(HELLO))
        pipe.answer_to("hello")
        pipe.send(_line(READY))
        yield pipe
    finally:
        pipe.process.kill()
        pipe.process.wait()
        for stream in (pipe.process.stdin, pipe.process.stdout, pipe.process.stderr):
            assert stream is not None
            stream.close()


@examples(120)
def test_good_requests_are_answered_between_garbage(pipe: Pipe, fuzzing: settings) -> None:
    """After every few lines of garbage a call is answered as before; nothing is lost or deleted."""
    numbers = iter(range(10**9))

    def rows() -> Any:
        number = f"good {next(numbers)}"
        arguments = {"dataTableId": "sites", "limit": 1}
        pipe.send(
            _line({**CALL, "id": number, "params": {"name": "list_rows", "arguments": arguments}})
        )
        answer = pipe.answer_to(number)
        assert "structuredContent" in answer.get("result", {}), answer
        return answer["result"]["structuredContent"]

    expected = rows()

    @fuzzing
    @given(st.lists(LINES, min_size=1, max_size=4))
    def check(lines: list[bytes]) -> None:
        for line in lines:
            pipe.send(line)
        assert rows() == expected

    check()
    assert _megabytes(pipe.process.pid) < MOST_MEGABYTES
    assert pipe.end() == 0
    assert b"Traceback" not in pipe.logged


def _megabytes(pid: int) -> float:
    """The memory of a process at its highest; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0.0
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
