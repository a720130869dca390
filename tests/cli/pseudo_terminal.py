"""A command at a real pseudo-terminal, and a person who reads it and types."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from tests.cli.command import COMMAND, ROOT, environment

needs_terminal = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals here")


class Terminal:
    """A command at a pseudo-terminal, and the person who types."""

    def __init__(self, *arguments: str, cwd: Path = ROOT) -> None:
        self._ours, theirs = os.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            cwd=cwd,
            env=environment(COLUMNS="80"),
        )
        os.close(theirs)
        self.screen = ""

    def sees(self, text: str) -> None:
        """Wait until this is on the screen, after what was waited for before."""
        deadline = time.monotonic() + 30
        seen = ""
        while text not in seen:
            ready, _, _ = select.select([self._ours], [], [], deadline - time.monotonic())
            chunk = self._read() if ready else b""
            assert chunk, f"never saw {text!r} in:\n{self.screen}"
            seen += chunk.decode()
            self.screen += chunk.decode()

    def types(self, text: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{text}\n".encode())

    def interrupts(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def ends(self) -> int:
        """Wait for the end; the exit code."""
        while chunk := self._read():
            self.screen += chunk.decode()
        os.close(self._ours)
        return self._process.wait(30)

    def _read(self) -> bytes:
        try:
            return os.read(self._ours, 65536)
        except OSError:  # Linux: the other side is closed
            return b""


async def dialogue(*arguments: str, lines: Iterable[tuple[str, str]] = ()) -> tuple[int, str]:
    """Wait for each prompt and answer it; the exit code, and all that was on the screen."""

    def talk() -> tuple[int, str]:
        terminal = Terminal(*arguments)
        for prompt, answer in lines:
            terminal.sees(prompt)
            terminal.types(answer)
        return terminal.ends(), terminal.screen

    return await run_sync(talk)
