"""A shell for what the documentation tells to type, in a folder of its own.

Our own commands run as processes, with a sandbox in Losant's place, at a terminal whose person
agrees. A server goes on until the block ends, and is asked something meanwhile.
"""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from losant_mcp.hosting.keys import KeyFile
from losant_mcp.sandbox.demo import APPLICATION_ID
from tests.cli.command import started
from tests.cli.pseudo_terminal import Terminal
from tests.documents.blocks import Typed
from tests.documents.words import CHECKS
from tests.hosting.serving import JSON_RPC, LIST_TOOLS, MODERN

PASSPHRASE = "seven herons over the weir"

ASKED = {
    "install": [("Write it?", "y")],
    "approvers": [("Passphrase of anna", PASSPHRASE), ("The same again", PASSPHRASE)],
}
"""What a command asks a person, and the answer."""

KEY = re.compile(r"lmk_[\w-]+")


class Shell:
    """Types commands, one after the other; what they began ends with ``opened``."""

    def __init__(self, folder: Path, opened: ExitStack, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.screen = ""
        self._opened = opened
        self._patch = patch
        self._real: dict[str, str] = {}

    def type(self, command: Typed) -> None:
        """Run a command, or begin it, with all that shows that it works."""
        match command.program, command.words:
            case "git", ("clone", *_, name):
                (self.folder / name).mkdir()
            case "cd", (name,):
                self.folder /= name
                assert self.folder.is_dir()
            case "claude", ("mcp", "add", "losant", *_):
                pass  # what it would start is started elsewhere
            case "losant-mcp", words:
                with self._patch.context() as patch:
                    for name, value in command.variables:
                        patch.setenv(name, self._real[value])
                    self._own(*words)
            case program, _:
                CHECKS[program](command)

    def _own(self, *words: str) -> None:
        match words[0]:
            case "sandbox":
                self._sandbox(list(words))
            case "serve":
                self._serve(list(words))
            case _:
                self._to_its_end(*words)

    def _to_its_end(self, *words: str) -> None:
        terminal = Terminal(*words, cwd=self.folder)
        for prompt, answer in ASKED.get(words[0], ()):
            terminal.sees(prompt)
            terminal.types(answer)
        code = terminal.ends()
        self.screen += terminal.screen
        assert code == 0, terminal.screen

    def _sandbox(self, words: list[str]) -> None:
        """On a free port; what comes after it is told that one, and its token."""
        port = words.index("--port") + 1
        told = self._begun([*words[:port], "0", *words[port + 1 :]])
        assert told["applicationId"] == APPLICATION_ID
        self._real[f"http://127.0.0.1:{words[port]}"] = told["url"]
        self._real["..."] = told["tokens"]["full"]

    def _serve(self, words: list[str]) -> None:
        """On a free port; holders of a key see their tools, and approvers where they log in."""
        given = dict(pairwise(words))
        if (found := KEY.search(self.screen)) is None:  # another page has it made
            key = KeyFile(self.folder / given["--keys-file"]).add("alice", "write")
        else:
            key = found[0]
        host, _, port = given["--http"].rpartition(":")
        told = self._begun([word.replace(f"{host}:{port}", f"{host}:0") for word in words])
        address = httpx.URL(told["url"]).copy_with(host="127.0.0.1")
        names = {"host": given["--allowed-hosts"]} if "--allowed-hosts" in given else {}
        bearer = {"authorization": f"Bearer {key}"}
        with httpx.Client(timeout=30, verify=False) as http:  # noqa: S501 -- there is no TLS here
            listed = http.post(address, json=LIST_TOOLS, headers=JSON_RPC | MODERN | names | bearer)
            assert listed.status_code == 200, listed.text
            assert '"insert_rows"' in listed.text
            assert '"truncate_rows"' not in listed.text
            if "--approvers-file" in given:
                public = {"host": httpx.URL(given["--public-url"]).host}
                page = http.get(address.copy_with(path="/approvals"), headers=public)
                assert page.status_code in (200, 303), page.text

    def _begun(self, words: list[str]) -> dict[str, Any]:
        """Start a server; what it says once it is ready."""
        process = self._opened.enter_context(started(*words, cwd=self.folder))
        self._opened.callback(_end, process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        told: dict[str, Any] = json.loads(line)
        return told


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(timeout=20)
