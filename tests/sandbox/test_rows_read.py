"""Reading rows: pages, order, fields, queries, CSV, and pages of a table of a million rows."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest

from losant_mcp.sandbox.rows import csv_rows
from tests.sandbox.conftest import Table, refused

ROWS: list[dict[str, Any]] = [
    {"code": "c", "size": 3, "note": "Copper pipe", "open": True},
    {"code": "a", "size": 10, "note": "copper wire", "open": False},
    {"code": "d", "size": 2, "note": None, "open": None},
    {"code": "b", "size": 3, "note": "100% wool", "open": True, "rate": None},
]


@pytest.fixture
def filled(table: Table) -> Table:
    """A table with four rows."""
    table.insert(*ROWS)
    return table


def codes(table: Table, **params: str | int) -> list[Any]:
    """The codes of a page."""
    answer = table.http.get(table.rows, params=params)
    assert answer.status_code == 200, answer.text
    return [row.get("code") for row in answer.json()["items"]]


def test_a_page_has_losants_envelope(filled: Table) -> None:
    """All defaults are told, and a query only where there was one."""
    page = filled.http.get(filled.rows).json()
    assert [row["code"] for row in page.pop("items")] == ["c", "a", "d", "b"]
    assert page == {
        "count": 4,
        "totalCount": 4,
        "limit": 1000,
        "offset": 0,
        "sortColumn": "id",
        "sortDirection": "asc",
        "dataTableId": filled.id,
        "applicationId": filled.sandbox.application_id,
    }
    query = {"size": 3}
    page = filled.http.post(f"{filled.rows}/query", json=query, params={"limit": 1}).json()
    assert (page["query"], page["count"], page["totalCount"]) == (query, 1, 2)


def test_rows_are_sorted_by_any_column(filled: Table) -> None:
    """Nulls come first in ascending order, and ties are broken by age."""
    assert codes(filled, sortColumn="code") == ["a", "b", "c", "d"]
    assert codes(filled, sortColumn="size") == ["d", "c", "b", "a"]
    assert codes(filled, sortColumn="size", sortDirection="desc") == ["a", "b", "c", "d"]
    assert codes(filled, sortColumn="open") == ["d", "a", "c", "b"]
    assert codes(filled, sortColumn="createdAt", sortDirection="desc") == ["b", "d", "a", "c"]
    assert refused(filled.http.get(filled.rows, params={"sortColumn": "nope"}), "nope")


def test_pages_join_without_gaps(filled: Table) -> None:
    """Limit and offset cut the same order into pieces, and a limit of 0 asks for the count."""
    assert [codes(filled, limit=2, offset=i) for i in (0, 2, 3, 4)] == [
        ["c", "a"], ["d", "b"], ["b"], [],
    ]  # fmt: skip
    page = filled.http.get(filled.rows, params={"limit": 0}).json()
    assert (page["items"], page["totalCount"]) == ([], 4)


def test_a_page_has_at_most_10000_rows_and_says_so(table: Table) -> None:
    """A larger limit is cut, and the envelope tells the limit that was used."""
    table.insert(*({"code": str(i), "size": i} for i in range(10_001)))
    page = table.sandbox.http(checked=False).get(table.rows, params={"limit": 50_000}).json()
    assert (page["limit"], page["count"], page["totalCount"]) == (10_000, 10_000, 10_001)


def test_only_the_fields_asked_for_come(filled: Table) -> None:
    """``includeFields`` picks columns and dates by name and ignores names that there are not."""
    params = {"includeFields": "id,size,nope"}
    for answer in (
        filled.http.get(filled.rows, params=params),
        filled.http.post(f"{filled.rows}/query", params=params, json={"size": {"$gt": 0}}),
    ):
        assert [set(row) for row in answer.json()["items"]] == [{"id", "size"}] * 4


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"size": 3}, "cb"),
        ({"size": {"$gt": 2, "$lt": 10}}, "cb"),
        ({"size": "3"}, ""),
        ({"size": {"$ne": "3"}}, "cadb"),
        ({"note": None}, "d"),
        ({"note": {"$ne": "Copper pipe"}}, "adb"),
        ({"note": {"$nin": ["Copper pipe"]}}, "adb"),
        ({"$nor": [{"note": "Copper pipe"}]}, "adb"),
        ({"note": {"$startsWith": "copper"}}, "a"),
        ({"note": {"$startsWith": "copper", "$ci": True}}, "ca"),
        ({"note": {"$contains": "%"}}, "b"),
        ({"note": {"$endsWith": "PIPE", "$ci": True}}, "c"),
        ({"open": True}, "cb"),
        ({"open": {"$ne": True}}, "ad"),
        ({"open": 1}, ""),
        ({"rate": {"$gte": None}}, "b"),
        ({"$or": [{"code": "a"}, {"size": {"$lt": 3}}]}, "ad"),
        ({"createdAt": {"$gt": "2020-01-01T00:00:00Z"}}, "cadb"),
        ({"createdAt": {"$lt": 1577836800000}}, ""),
        ({"id": {"$ne": "0" * 24}}, "cadb"),
        ({}, "cadb"),
    ],
)
def test_a_query_finds_what_it_means(filled: Table, query: dict[str, Any], expected: str) -> None:
    """Nulls match negations, types never mix, and text is compared exactly unless told."""
    assert "".join(filled.query(query)) == expected


def test_rows_are_found_by_their_ids(filled: Table) -> None:
    """``$in`` on row ids works, in any case of the letters."""
    wanted = [row[0] for row in filled.stored()][1:3]
    assert filled.query({"id": {"$in": [id.upper() for id in wanted]}}) == ["a", "d"]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"colour": "red"}, "colour"),
        ({"sise": 3}, "did you mean 'size'?"),
        ({"size": {"$exists": True}}, "$exists"),
        ({"size": {"$in": [None]}}, "null"),
        ({"createdAt": "last week"}, "ISO 8601"),
    ],
)
def test_a_wrong_query_is_refused(filled: Table, query: dict[str, Any], word: str) -> None:
    """An unknown column or operator is a 400 that names it."""
    assert refused(filled.http.post(f"{filled.rows}/query", json=query), word)


def test_rows_come_as_csv(filled: Table) -> None:
    """The CSV has a header, the matching rows in the order asked for, and empty cells for null."""
    options = {"sortColumn": "code", "sortDirection": "DESC", "limit": 2, "offset": 1}
    with filled.sandbox.store.transaction(write=False) as db:
        some = csv_rows(db, filled.id, {"size": {"$lte": 10}}, options)
        every = csv_rows(db, filled.id, None, {})
    lines = list(csv.reader(io.StringIO(some)))
    assert lines[0] == ["id", "createdAt", "updatedAt", "code", "size", "note", "open", "rate"]
    assert [line[3:] for line in lines[1:]] == [
        ["c", "3", "Copper pipe", "true", "2.5"],
        ["b", "3", "100% wool", "true", ""],
    ]
    assert len(list(csv.reader(io.StringIO(every)))) == 5


@pytest.mark.nightly
def test_a_page_at_the_end_of_a_million_rows_is_quick(table: Table) -> None:
    """The last page of a million rows by id takes less than 20 times the first one."""
    http = table.sandbox.http(checked=False)
    for start in range(0, 1_000_000, 25_000):
        rows = [{"code": str(start + i), "size": i} for i in range(25_000)]
        assert http.post(table.rows, json=rows).json()["count"] == 25_000

    def seconds(offset: int) -> float:
        best = 9.0
        for _ in range(5):
            start = time.perf_counter()
            page = http.get(table.rows, params={"offset": offset}).json()
            best = min(best, time.perf_counter() - start)
            assert (page["count"], page["totalCount"]) == (1000, 1_000_000)
            assert page["items"][0]["code"] == str(offset)
        return best

    assert seconds(999_000) < 20 * seconds(0)
