"""The file by which a browser finds the page: it holds the one-time key, for its owner's eyes.

A key on a command line could be read by everybody on the machine, and one in a tool's result by
the model. A file of mode 0600 in the state folder is seen by neither.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from losant_mcp.guard import durable
from losant_mcp.guard.plans import PLAN_SECONDS
from losant_mcp.guard.state_dir import StateDir
from losant_mcp.http.pages import content_policy_of_file, render


class Redirects:
    """The redirect files of one state folder."""

    def __init__(self, state_dir: StateDir) -> None:
        self._folder = state_dir.path / "pages"

    def write(self, url: str) -> Path:
        """A fresh file that leads a browser to the URL."""
        durable.make_folder(self._folder)
        # Its name is on a command line, so that it says nothing.
        path = self._folder / f"approve-{secrets.token_hex(8)}.html"
        page = render("redirect", there=url, policy=content_policy_of_file())
        descriptor = durable.open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as file:
            file.write(page.encode())
        return path

    def sweep(self) -> None:
        """Remove what a process that was killed left behind: nothing in it works any more."""
        oldest = time.time() - PLAN_SECONDS
        with suppress(OSError):
            for path in self._folder.glob("approve-*.html"):
                if path.lstat().st_mtime < oldest:
                    durable.remove(path)
