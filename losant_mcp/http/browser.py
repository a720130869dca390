"""Opening the person's own browser, from a process whose standard output belongs to a protocol."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

# Isolated (-I): in the folder of a stranger's repository, a file webbrowser.py would be imported.
_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


class Browser:
    """The default browser of the person who runs this process.

    ``patience`` is for how many seconds one may say that it cannot be started.
    """

    def __init__(self, *, patience: float = 2.0) -> None:
        self._patience = patience

    def is_there(self) -> bool:
        """Whether there is a screen on which one could open."""
        return bool(sys.executable) and has_screen(os.environ, sys.platform)

    def open(self, file: Path) -> bool:
        """Open a file in it, or in the one that BROWSER names; whether that went well.

        Blocks no longer than its patience. Nothing of the browser reaches our standard streams, and
        it lives on when the server ends. A browser that is confined (a snap, say) may start and
        not be allowed to read the file; that cannot be seen from here.
        """
        # The browser and what it starts need no token of ours.
        environ = {k: v for k, v in os.environ.items() if not k.upper().startswith("LOSANT")}
        try:
            process = _start([sys.executable, "-I", "-c", _OPEN, file.as_uri()], environ)
        except OSError:
            return False
        try:
            return process.wait(self._patience) == 0
        except subprocess.TimeoutExpired:
            # Some browsers stay in the foreground. Somebody must wait for them, or they never go.
            Thread(target=process.wait, name="browser", daemon=True).start()
            return True


def has_screen(environ: Mapping[str, str], platform: str) -> bool:
    """Whether a browser with windows can open.

    Without a screen, a Linux machine has at best a browser in text mode, and it would take over
    the terminal of the client.
    """
    if platform in ("darwin", "win32", "cygwin"):
        return True
    return any(environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


def _start(command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # The command is this interpreter and a file's name; no shell sees it.
    return subprocess.Popen(  # noqa: S603
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(sys.executable).parent,
        close_fds=True,
        start_new_session=os.name != "nt",
        creationflags=_DETACHED,
    )


# Windows: no window of its own, and no share in the client's console and its Ctrl+C.
_DETACHED = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(
    subprocess, "CREATE_NEW_PROCESS_GROUP", 0
)
