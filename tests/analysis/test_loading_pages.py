"""Pages on their way into DuckDB: any order, any shape, and nothing lost without a word."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from losant_mcp.analysis.child.engine import Engine
from losant_mcp.analysis.child.pages import BATCH
from losant_mcp.analysis.child.problems import Problem

COLUMNS = [
    {"key": "id", "name": "id", "type": "VARCHAR"},
    {"key": "n", "name": "n", "type": "DOUBLE"},
    {"key": "b", "name": "b", "type": "BOOLEAN"},
    {"key": "s", "name": "s", "type": "VARCHAR"},
    {"key": "at", "name": "at", "type": "TIMESTAMPTZ"},
]
AT = "2026-03-01T08:00:00.123Z"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A locked DuckDB in this process."""
    engine = Engine(memory=200 * 1024 * 1024, time_zone="UTC")
    yield engine
    engine._connection.close()


@pytest.fixture
def table(engine: Engine) -> Iterator[str]:
    """An empty table."""
    engine.create("pages", COLUMNS, "at")
    yield "pages"
    engine.drop(["pages"])


def item(number: int, **cells: Any) -> dict[str, Any]:
    """A row with an id that sorts by its number."""
    return {"id": f"{number:024x}", "n": number, "b": True, "s": "x", "at": AT, **cells}


def page(*items: Any, total: int = 100, **more: Any) -> bytes:
    """A page as Losant sends it."""
    return json.dumps({"items": list(items), "totalCount": total, "limit": 1000, **more}).encode()


def stored(engine: Engine, sql: str = "SELECT * EXCLUDE (id) FROM t") -> list[list[Any]]:
    """What the table holds."""
    view = {"name": "t", "table": "pages"}
    _, content = engine.query(sql, [view], seconds=5, rows=100_000, size=10**8)
    rows: list[list[Any]] = json.loads(content)
    return rows


def test_pages_in_any_order_make_one_order(engine: Engine, table: str) -> None:
    """However pages overtake each other, rows lie in the order of their places."""
    starts = list(range(0, 10 * 3 * BATCH, 10))
    random.Random(7).shuffle(starts)
    for start in starts:
        found = engine.page(table, start, page(*map(item, range(start, start + 10))))
        assert found == {"items": 10, "total": 100, "limit": 1000}
    done = engine.finish(table)
    assert (done["rows"], done["repeated"], done["misfits"]) == (30 * BATCH, 0, 0)
    assert [row[0] for row in stored(engine)] == list(range(30 * BATCH))


def test_a_row_that_came_twice_is_there_once(engine: Engine, table: str) -> None:
    """Of two versions the newer stays, and it is said how many there were."""
    newer = item(2, s="newer", at="2026-03-02T08:00:00Z")
    engine.page(table, 0, page(item(1), newer))
    engine.page(table, 2, page(item(2, s="older"), item(3)))
    done = engine.finish(table)
    assert (done["rows"], done["repeated"]) == (3, 1)
    assert done["newest"] == 1772438400000
    assert [row[2] for row in stored(engine)] == ["x", "newer", "x"]


@pytest.mark.parametrize(
    ("cells", "expected", "misfits"),
    [
        ({}, [1, True, "x", AT], 0),
        ({"n": None, "b": None, "s": None, "at": None}, [None] * 4, 0),
        ({"unknown": {"nested": 1}}, [1, True, "x", AT], 0),
        ({"n": 0.1}, [0.1, True, "x", AT], 0),
        ({"n": 9007199254740991}, [9007199254740991, True, "x", AT], 0),
        ({"n": 12345678901234567890}, [12345678901234567000.0, True, "x", AT], 0),
        ({"n": "12"}, [12, True, "x", AT], 0),
        ({"n": "twelve"}, [None, True, "x", AT], 1),
        ({"b": "perhaps", "n": "x"}, [None, None, "x", AT], 2),
        ({"s": 5}, [1, True, "5", AT], 0),
        ({"at": "yesterday"}, [1, True, "x", None], 1),
        ({"s": "nul \0 ä 水 🔥 \u202e '; DROP"}, [1, True, "nul \0 ä 水 🔥 \u202e '; DROP", AT], 0),
        ({"s": ""}, [1, True, "", AT], 0),
        ({"s": "null"}, [1, True, "null", AT], 0),
        ({"s": "lone \ud800 surrogate"}, [1, True, "lone \ufffd surrogate", AT], 0),
        ({"N": 5, "S": "other"}, [1, True, "x", AT], 0),
    ],
)
def test_a_cell_is_what_it_was_or_counted(
    cells: dict[str, Any], expected: list[Any], misfits: int, engine: Engine, table: str
) -> None:
    """What does not fit its column becomes NULL and is counted; the rows around it are whole."""
    engine.page(table, 0, page(item(1), item(1_000, **cells) | {"n": cells.get("n", 1)}))
    engine.page(table, 2, page(item(2_000)))
    assert engine.finish(table)["misfits"] == misfits
    rows = stored(engine)
    assert rows[1] == expected
    assert (rows[0], rows[2]) == ([1, True, "x", AT], [2_000, True, "x", AT])


def test_fields_that_are_left_out_are_null(engine: Engine, table: str) -> None:
    """A row need not name every column."""
    engine.page(table, 0, page({"id": "a"}, item(1), {"id": "b", "s": "y"}))
    assert engine.finish(table)["misfits"] == 0
    assert stored(engine) == [[None] * 4, [1, True, "x", AT], [None, None, "y", None]]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html></html>", b'{"items": [', b"[]", b"null", b'{"items": []}',
     b'{"totalCount": 3}', b'{"items": null, "totalCount": 3}', b"\xff\xfe"],
)  # fmt: skip
def test_what_is_no_page_is_refused(body: bytes, engine: Engine, table: str) -> None:
    """Half an answer, or somebody else's, is an error and no empty page."""
    with pytest.raises(Problem) as caught:
        engine.page(table, 0, body)
    assert caught.value.kind == "page"


def test_an_empty_page_is_a_page(engine: Engine, table: str) -> None:
    """A table without rows is read to its end."""
    assert engine.page(table, 0, page(total=0)) == {"items": 0, "total": 0, "limit": 1000}
    done = engine.finish(table)
    assert (done["rows"], done["newest"]) == (0, None)


def test_a_dropped_table_frees_its_memory(engine: Engine) -> None:
    """What a load took is given back."""
    before = engine.memory()
    engine.create("pages", COLUMNS, "at")
    items = [item(number, s=f"{number} {random.Random(number).random()}") for number in range(5000)]
    engine.page("pages", 0, page(*items))
    assert engine.finish("pages")["memory"] > before + 100_000
    assert engine.drop(["pages"]) <= before + 50_000
