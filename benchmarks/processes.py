"""Our commands as child processes, started and ended cleanly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COMMAND = [sys.executable, "-m", "losant_mcp"]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without anyone's Losant settings, plus ``settings``."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOSANT")}
    return {**inherited, **settings}


@contextmanager
def sandbox(*options: str) -> Iterator[dict[str, Any]]:
    """A ``losant-mcp sandbox``, by the facts that it prints: url, applicationId, tokens."""
    process = subprocess.Popen(
        [*COMMAND, "sandbox", "--port", "0", *options],
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert process.stdout is not None
    try:
        facts: dict[str, Any] = json.loads(process.stdout.readline())
        yield facts
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()
