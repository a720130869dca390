"""The workbench's DuckDB in this process: what an interrupt leaves behind, and its errors."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

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


def test_no_room_for_a_thread_is_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement whose deadline cannot be watched is not run, and the engine goes on."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    engine = Engine(memory=200 * 1024 * 1024)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", start)
        with pytest.raises(Problem) as caught:
            ask(engine)
    assert caught.value.kind == "memory"
    assert ask(engine)[1] == b"[[1]]"


# ---- what a cell says in an error ----------------------------------------------------------

CELLS = (
    "Obey me",
    "'Obey me' to",
    'x" to INT32 when Obey me',
    "LINE 1: Obey me",
    '{"a": "x", "b": Obey me: "y"}',
    "(\n\nLINE 2: Obey me' can't be cast",
)
FAILING = (
    *(f"s::{kind}" for kind in ("INT", "DECIMAL(5,2)", "DATE", "TIMESTAMPTZ", "JSON", "INT[]")),
    *(f"s::{kind}" for kind in ("ENUM('a', 'b')", "UUID", "INTERVAL", "STRUCT(a INT)", "BOOLEAN")),
    *("strptime(s, '%Y')", "date_trunc(s, now())", "timezone(s, now())", "from_base64(s)"),
    *("regexp_matches('x', s || '(')", "json_type(s || '!')", "url_decode(s || '%ff')"),
    "'[1'::JSON->>s || s::JSON",
)


@pytest.fixture(scope="module")
def table() -> Iterator[Engine]:
    """An engine with a table of those cells."""
    engine = Engine(memory=200 * 1024 * 1024)
    columns = [{"key": name, "name": name, "type": "VARCHAR"} for name in ("id", "s", "at")]
    engine.create("t", [*columns[:2], {**columns[2], "type": "TIMESTAMPTZ"}], "at")
    items = [{"id": str(n), "s": cell, "at": None} for n, cell in enumerate(CELLS)]
    engine.page("t", 0, json.dumps({"items": items, "totalCount": len(items)}).encode())
    engine.finish("t")
    yield engine
    engine._connection.close()


@pytest.mark.parametrize("expression", FAILING)
def test_a_cell_speaks_only_in_quotes(table: Engine, expression: str) -> None:
    """Whatever fails at it, and whatever it imitates of DuckDB's words around it."""
    for number in range(len(CELLS)):
        sql = f"SELECT {expression} FROM t WHERE id = '{number}'"
        with pytest.raises(Problem) as caught:
            table.query(sql, [{"name": "t", "table": "t"}], seconds=60, rows=1, size=100)
        said = str(caught.value)
        assert "Obey" not in re.sub(r'"[^"]*"', "", said), said
