"""Column profiles equal what SQLite finds, fit their budget, and find values."""

from __future__ import annotations

import json
import random
import statistics
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from losant_mcp.analysis.profile import COLUMNS, ColumnProfile, Profile, profile, report
from losant_mcp.analysis.workbench import Workbench
from losant_mcp.api.tables import DataTable
from losant_mcp.client import LosantClient
from losant_mcp.errors import InvalidQuery, InvalidRequest
from tests.analysis.counting import tokens
from tests.served import Sandbox

MOST_TOKENS = 1500


@pytest.fixture
async def workbench() -> AsyncIterator[Workbench]:
    """A workbench of its own for the test."""
    async with Workbench(max_rows=10_000) as bench:
        yield bench


async def profiled(
    workbench: Workbench, losant: LosantClient, sandbox: Sandbox, name: str, **more: Any
) -> Profile:
    """The profile of the demo's table of that name."""
    tables = (await losant.data_tables_get(applicationId=sandbox.application_id)).items
    [table] = [table for table in tables if table.name == name]
    return await profile(workbench, losant, sandbox.application_id, table, **more)


def cells_of(sandbox: Sandbox, table: DataTable) -> dict[str, list[Any]]:
    """What is stored, by column; ids under ``id``."""
    columns = sandbox.store.rows(
        "SELECT name, position, dataType FROM data_table_columns WHERE dataTableId = ?", table.id
    )
    rows = sandbox.store.rows(f"SELECT * FROM rows_{table.id} ORDER BY id")
    found: dict[str, list[Any]] = {"id": [row["id"] for row in rows]}
    for column in columns:
        cells = [row[f"c{column['position']}"] for row in rows]
        if column["dataType"] == "boolean":
            cells = [None if cell is None else bool(cell) for cell in cells]
        found[column["name"]] = cells
    return found


def check(column: ColumnProfile, cells: list[Any]) -> None:
    """Every figure of a column is what plain Python makes of its cells."""
    filled = [cell for cell in cells if cell is not None]
    counts = Counter(filled)
    assert (column.filled, column.distinct) == (len(filled), len(counts))
    if filled:
        assert (column.minimum, column.maximum) == (min(filled), max(filled))
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: len(column.top)]
    assert column.top == most
    assert len(column.top) == min(5, len(counts))
    if column.type == "number":
        assert column.mean == pytest.approx(statistics.fmean(filled))
        assert column.quartiles == pytest.approx(
            statistics.quantiles(filled, n=4, method="inclusive")
        )


@pytest.mark.parametrize("name", ["sites", "assets", "maintenance_log", "shift_notes"])
async def test_a_profile_is_what_is_stored(
    losant: LosantClient, sandbox: Sandbox, workbench: Workbench, name: str
) -> None:
    """Nulls, distinct values, ranges, means, quartiles and top values are exact."""
    found = await profiled(workbench, losant, sandbox, name)
    stored = cells_of(sandbox, found.table)
    assert found.rows == len(stored["id"])
    assert found.partial == ""
    assert [column.name for column in found.columns] == [c.name for c in found.table.columns]
    for column in found.columns:
        check(column, stored[column.name])
    answer = report(found)
    assert answer["complete"] is True
    assert answer["rowCount"] == len(stored["id"])
    assert answer["columns"] == COLUMNS
    assert tokens(answer) < MOST_TOKENS


async def test_a_table_that_was_read_is_not_looked_up_again(
    workbench: Workbench, losant: LosantClient, sandbox: Sandbox
) -> None:
    """The columns of a profile are those of the table that it was given; no list is asked for."""
    page = await losant.data_tables_get(applicationId=sandbox.application_id)
    listed = len(sandbox.requests)
    found = await profile(workbench, losant, sandbox.application_id, page.items[0])
    assert [column.name for column in found.columns] == [c.name for c in page.items[0].columns]
    paths = [request.path for request in sandbox.requests[listed:]]
    assert paths
    assert not [path for path in paths if path.endswith("/data-tables")]


async def test_a_query_narrows_what_is_profiled(
    losant: LosantClient, sandbox: Sandbox, workbench: Workbench
) -> None:
    """Only the rows that match are counted, and a wrong column is refused."""
    query = {"kind": "boiler"}
    found = await profiled(workbench, losant, sandbox, "assets", query=query)
    kinds = cells_of(sandbox, found.table)["kind"]
    assert found.rows == kinds.count("boiler") > 0
    with pytest.raises(InvalidQuery):
        await profiled(workbench, losant, sandbox, "assets", query={"knd": "boiler"})


# ---- search --------------------------------------------------------------------------------


async def test_a_value_is_found_whatever_its_case(
    losant: LosantClient, sandbox: Sandbox, workbench: Workbench
) -> None:
    """Each column that has it is named with its cells, those that are just it, and rows."""
    found = await profiled(workbench, losant, sandbox, "sites", search="PUMPING station")
    stored = cells_of(sandbox, found.table)
    ids = [i for i, kind in zip(stored["id"], stored["kind"], strict=True) if "pump" in kind]
    answer = report(found)
    assert answer["search"] == {
        "found": len(ids),
        "columns": ["column", "cells", "equal", "example", "rowIds"],
        "rows": [["kind", len(ids), len(ids), "pumping station", ids[:3]]],
    }


async def test_a_search_is_text_and_nothing_else(
    losant: LosantClient, sandbox: Sandbox, workbench: Workbench
) -> None:
    """Quotes, wildcards and SQL are looked for as they are."""
    searches = ["'); DROP TABLE x; --", "100%", "_", "\\", '"', "❄ Größe", "1e9", "0", "a" * 200]
    for search in searches:
        found = await profiled(workbench, losant, sandbox, "shift_notes", search=search)
        notes = cells_of(sandbox, found.table)["note"]
        expected = sum(search.lower() in note.lower() for note in notes if note is not None)
        [note] = [column for column in found.columns if column.name == "note"]
        assert note.found == expected, search


async def test_numbers_booleans_and_ids_are_searched_as_well(
    losant: LosantClient, sandbox: Sandbox, workbench: Workbench
) -> None:
    """A value may stand in a column of any type, and an id is found, too."""
    year = report(await profiled(workbench, losant, sandbox, "sites", search="1958"))
    assert [row[0] for row in year["search"]["rows"]] == ["builtYear"]
    staffed = report(await profiled(workbench, losant, sandbox, "sites", search="TRUE"))
    assert staffed["search"]["rows"][0][:3] == ["staffed", 3, 3]
    [first] = sandbox.store.rows("SELECT id FROM data_tables WHERE name = 'sites'")
    [row] = sandbox.store.rows(f"SELECT MIN(id) AS id FROM rows_{first['id']}")
    by_id = report(await profiled(workbench, losant, sandbox, "sites", search=row["id"]))
    assert by_id["search"]["rows"] == [["id", 1, 1, row["id"], [row["id"]]]]
    assert "id" not in [line[0] for line in by_id["rows"]]


async def test_what_is_nowhere_is_said_to_be(
    losant: LosantClient, sandbox: Sandbox, workbench: Workbench
) -> None:
    """No hit is an answer with a hint, and an invisible search an error."""
    found = await profiled(workbench, losant, sandbox, "sites", search="Atlantis")
    assert report(found)["search"]["found"] == 0
    for search in ("", "  ", "\u200b", "x" * 201):
        with pytest.raises(InvalidRequest):
            await profiled(workbench, losant, sandbox, "sites", search=search)


# ---- budgets -------------------------------------------------------------------------------


def wide(kind: str, columns: int) -> Profile:
    """A profile of many columns full of long or strange values."""
    rng = random.Random(3)
    texts = {
        "words": lambda: " ".join("".join(rng.choices("abcdefgh", k=7)) for _ in range(12)),
        "ids": lambda: f"{rng.getrandbits(96):024x}",
        "other": lambda: "".join(rng.choices("漢字かなДЖ🔥%$#", k=60)),
    }
    own = []
    for i in range(columns):
        if i % 3 == 0:
            low, high = rng.uniform(-1e9, 0), rng.uniform(0, 1e9)
            quartiles = [rng.uniform(-1e6, 1e6) for _ in range(3)]
            own.append(
                ColumnProfile(
                    f"reading_{i}", "number", 99_000, 1234, low, high, high / 7, quartiles, []
                )
            )
        else:
            values = sorted(texts[kind]() for _ in range(7))
            top = [(value, rng.randrange(1, 9000)) for value in values[1:6]]
            own.append(
                ColumnProfile(
                    f"column_{i}", "string", 99_000, 777, values[0], values[6], None, None, top
                )
            )
    table = DataTable(id="5f0c0de03000000000000001", name="wide", columns=[])
    first, last = "2026-01-01T00:00:00Z", "2026-05-01T10:00:00.123Z"
    return Profile(table, 100_000, own, {"createdAt": (first, last)}, "")


@pytest.mark.parametrize("kind", ["words", "ids", "other"])
@pytest.mark.parametrize("columns", [1, 20, 50])
def test_a_wide_table_fits_its_budget(kind: str, columns: int) -> None:
    """Twenty columns are all told in 1,500 tokens; of fifty, what does not fit is named."""
    answer = report(wide(kind, columns))
    assert tokens(answer) < MOST_TOKENS
    if columns <= 20:
        assert len(answer["rows"]) == columns
        assert "truncated" not in answer
        assert any(line[8] for line in answer["rows"]) or columns == 1
    elif "truncated" in answer:
        assert answer["truncated"].startswith(f"{columns - len(answer['rows'])} columns left out")


def test_hostile_cells_come_out_as_data() -> None:
    """What cannot be seen is gone from values and names."""
    column = ColumnProfile(
        "a\u202eb", "string", 2, 2, "x\x1b[2J", "y\u200b", None, None, [("x\x1b[2J", 2)]
    )
    table = DataTable(id="5f0c0de03000000000000001", name="n\u202e", columns=[])
    answer = report(Profile(table, 2, [column], {}, "rows changed while they were read"))
    text = json.dumps(answer, ensure_ascii=False)
    assert not any(character in text for character in "\u202e\x1b\u200b")
    assert (answer["complete"], answer["incomplete"]) == (
        False,
        "rows changed while they were read",
    )
