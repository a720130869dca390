"""The workbench's DuckDB in this process: what an interrupt leaves behind."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from losant_mcp.analysis.child.engine import Engine
from losant_mcp.analysis.child.problems import Problem

STATEMENTS = 100


def ask(engine: Engine) -> tuple[dict[str, Any], bytes]:
    """The answer to the shortest of questions."""
    return engine.query("SELECT 1", [], seconds=60, rows=1, size=100)


def test_an_interrupt_at_any_moment_spoils_no_later_statement() -> None:
    """Also one that hits the end of the transaction leaves none open and none broken."""
    engine = Engine(memory=200 * 1024 * 1024)
    over = threading.Event()

    def ring() -> None:
        while not over.wait(0.000_05):
            engine.interrupt()

    thread = threading.Thread(target=ring)
    thread.start()
    try:
        for _ in range(STATEMENTS):
            engine.begin()
            with suppress(Problem):
                ask(engine)
    finally:
        over.set()
        thread.join()
    engine.begin()
    assert ask(engine) == ({"columns": [["1", "INTEGER"]], "total": 1}, b"[[1]]")
