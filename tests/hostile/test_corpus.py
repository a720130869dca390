"""The corpus itself, and what of it a reader may still see."""

from __future__ import annotations

from pathlib import Path

import pytest

from losant_mcp.text import clean, one_line
from tests.calling import by_column, cells, result
from tests.guard.guarding import Guarded
from tests.hostile import corpus
from tests.hostile.corpus import CORPUS, LEGITIMATE
from tests.hostile.inertness import assert_inert
from tests.hostile.planting import COLUMNS, Planted


def test_the_corpus_is_large_and_can_be_read() -> None:
    """Many strings, none twice, and a file in which nothing hides."""
    assert len(CORPUS) >= 80
    assert len(set(CORPUS)) == len(CORPUS)
    assert Path(corpus.__file__).read_text(encoding="utf-8").isascii()


def test_every_string_is_made_inert() -> None:
    """As a text with lines, and on one line."""
    for text in CORPUS:
        assert_inert(clean(text))
        assert_inert(one_line(text, 100), lines=False)


async def test_what_honest_people_write_survives(guarded: Guarded, planted: Planted) -> None:
    """Emoji, Arabic, Hebrew, Persian, Hindi, Japanese and Vietnamese, as cell; one as subject."""
    client = await guarded.connect()
    stored, shown = next(iter(LEGITIMATE.items()))
    listed = await result(client, "list_events", fields=["subject"], query={"subject": stored})
    assert cells(listed, "subject") == [shown]
    sql = f'SELECT "plain" FROM "{planted.table}" ORDER BY id DESC LIMIT {len(LEGITIMATE)}'
    found = await result(client, "query_sql", sql=sql)
    assert cells(found, "plain")[::-1] == list(LEGITIMATE.values())


@pytest.mark.parametrize("mode", ["auto"])
async def test_a_cell_is_the_same_by_row_and_by_sql(guarded: Guarded, planted: Planted) -> None:
    """In columns of every name, also of one that no SQL and no JSON reader takes as it is."""
    client = await guarded.connect()
    row = (await result(client, "get_row", dataTableId=planted.table, rowId=planted.row))["row"]
    sql = f"SELECT * FROM \"{planted.table}\" WHERE id = '{planted.row}'"
    [cells_of] = by_column(await result(client, "query_sql", sql=sql))
    by_sql, by_row = (
        sorted(str(value) for name, value in found.items() if not name.endswith("At"))
        for found in (cells_of, row)
    )
    assert len(by_sql) == COLUMNS + 1
    assert by_sql == by_row
