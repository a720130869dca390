"""Writing rows: inserts, updates and deletes, and what a refusal leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Table, refused


def test_one_row_is_answered_whole(table: Table) -> None:
    """Inserting an object is a 201 with the row, defaults filled in, absent cells null."""
    answer = table.http.post(table.rows, json={"code": "a", "size": 1})
    row = answer.json()
    assert answer.status_code == 201
    assert {k: v for k, v in row.items() if k not in ("id", "createdAt", "updatedAt")} == {
        "code": "a", "size": 1, "note": None, "open": True, "rate": 2.5,
    }  # fmt: skip
    assert row["createdAt"] == row["updatedAt"]
    assert table.stored() == [(row["id"], "a", 1, None, 1, 2.5)]
    assert table.http.get(f"{table.rows}/{row['id']}").json() == row


def test_an_explicit_null_stays_null(table: Table) -> None:
    """A default is used for an absent cell only."""
    table.insert({"code": "a", "size": 1, "open": None, "rate": None})
    assert table.stored()[0][1:] == ("a", 1, None, None, None)


def test_many_rows_are_answered_by_number_and_ids(table: Table) -> None:
    """Inserting an array is a 201 with count, date and ids in the order given."""
    answer = table.http.post(table.rows, json=[{"code": str(i), "size": i} for i in range(3)])
    body = answer.json()
    assert (answer.status_code, set(body)) == (201, {"createdAt", "count", "rowIds"})
    assert body["count"] == 3
    assert [(row[0], row[1]) for row in table.stored()] == [
        (id, str(i)) for i, id in enumerate(body["rowIds"])
    ]
    assert table.counted() == 3


@pytest.mark.parametrize("count", [0, 1])
def test_an_array_is_answered_as_an_array(table: Table, count: int) -> None:
    """An array of no row or of one row gets the answer of a bulk insert."""
    answer = table.http.post(table.rows, json=[{"code": "a", "size": 1}] * count).json()
    assert (answer["count"], len(answer["rowIds"])) == (count, count)


def test_a_bulk_insert_names_at_most_1000_ids(table: Table) -> None:
    """The count tells all rows, the ids the first 1,000, as the published schema caps them."""
    rows = [{"code": str(i), "size": i} for i in range(1001)]
    answer = table.http.post(table.rows, json=rows).json()
    assert (answer["count"], len(answer["rowIds"]), table.counted()) == (1001, 1000, 1001)
    assert answer["rowIds"] == [row[0] for row in table.stored()[:1000]]


def test_an_insert_holds_at_most_25000_rows(table: Table) -> None:
    """One row more than the cap refuses all of them."""
    rows = [{"code": str(i), "size": 1} for i in range(25_001)]
    assert refused(table.http.post(table.rows, json=rows), "25000")
    assert table.stored() == []
    assert table.http.post(table.rows, json=rows[:25_000]).json()["count"] == 25_000
    assert table.counted() == 25_000


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"size": 1}, "code"),
    ({"code": None, "size": 1}, "code"),
    ({"code": "b"}, "size"),
    ({"code": "b", "size": None}, "size"),
    ({"code": "b", "size": "1"}, "size"),
    ({"code": "b", "size": True}, "size"),
    ({"code": 1, "size": 1}, "code"),
    ({"code": "b", "size": 1, "open": 1}, "open"),
    ({"code": "b", "size": 1, "open": "true"}, "open"),
    ({"code": "b", "size": 1, "note": {"deep": 1}}, "note"),
    ({"code": "b", "size": 1, "note": ["x"]}, "note"),
    ({"code": "b", "size": 1, "a b": "x"}, "a b"),
    ({"code": "b", "size": 10**400}, "size"),
    ({"code": "a", "size": 1}, "unique"),
]


@pytest.mark.parametrize(("row", "word"), WRONG)
@pytest.mark.parametrize("bulk", [False, True])
def test_a_wrong_row_stores_nothing(
    table: Table, row: dict[str, Any], word: str, bulk: bool
) -> None:
    """A row that breaks a rule is refused, with every row that came along."""
    table.insert({"code": "a", "size": 1})
    before = table.stored()
    body = [{"code": "good", "size": 1}, row] if bulk else row
    assert refused(table.http.post(table.rows, json=body), word)
    assert table.stored() == before
    assert table.counted() == 1


def test_an_insert_may_not_clash_with_itself(table: Table) -> None:
    """Two rows of one insert with the same unique value are refused together."""
    rows = [{"code": "x", "size": 1}, {"code": "x", "size": 2}]
    assert refused(table.http.post(table.rows, json=rows), "code", "unique")
    assert table.stored() == []


def test_an_empty_text_is_not_null(table: Table) -> None:
    """A required or unique column takes the empty text."""
    assert table.insert({"code": "", "size": 0})


def test_unique_texts_are_told_apart_exactly(table: Table) -> None:
    """Case, blanks and composed letters make values different."""
    codes = ["a", "A", "a ", "é", "e\u0301"]
    table.insert(*({"code": code, "size": 1} for code in codes))
    assert [row[1] for row in table.stored()] == codes


def test_unknown_columns_are_ignored(table: Table) -> None:
    """Cells of columns that the table does not have, its own dates among them, are dropped."""
    row = {"code": "a", "size": 1, "color": "red", "id": "0" * 24, "createdAt": "2020-01-01"}
    made = table.http.post(table.rows, json=row).json()
    assert "color" not in made
    assert made["id"] != "0" * 24
    assert not made["createdAt"].startswith("2020")
    changed = table.http.patch(f"{table.rows}/{made['id']}", json={"color": "blue", "size": 2})
    assert (changed.status_code, changed.json()["size"]) == (200, 2)


def test_numbers_are_doubles(table: Table) -> None:
    """A number comes back as JavaScript would write it."""
    table.insert(
        *({"code": str(i), "size": n} for i, n in enumerate([5.0, 1.5, 2**53, 2**70, -0.25, 1e300]))
    )
    rows = table.http.get(table.rows).json()["items"]
    sizes = [row["size"] for row in rows]
    assert [(type(size), size) for size in sizes] == [
        (int, 5), (float, 1.5), (int, 2**53), (float, float(2**70)), (float, -0.25), (float, 1e300),
    ]  # fmt: skip


def test_texts_come_back_as_they_were(table: Table) -> None:
    """Any Unicode text, of any length, is stored unchanged."""
    notes = ["\x00", "a\u0000b", "🜁", "\u202e", "'; DROP TABLE x; --", "x" * 100_000]
    table.insert(*({"code": str(i), "size": 1, "note": n} for i, n in enumerate(notes)))
    assert [row["note"] for row in table.http.get(table.rows).json()["items"]] == notes


# ---- updates -------------------------------------------------------------------------------


def test_an_update_changes_the_given_cells_only(table: Table) -> None:
    """The other cells stay, ``updatedAt`` moves, and no default comes back."""
    [row_id] = table.insert({"code": "a", "size": 1, "note": "n", "open": None})
    before = table.http.get(f"{table.rows}/{row_id}").json()
    answer = table.http.patch(f"{table.rows}/{row_id}", json={"size": 2, "note": None}).json()
    assert answer == before | {"size": 2, "note": None, "updatedAt": answer["updatedAt"]}
    assert answer["updatedAt"] >= before["updatedAt"]
    assert table.stored() == [(row_id, "a", 2, None, None, 2.5)]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"code": None}, "code"),
        ({"size": None}, "size"),
        ({"size": "2"}, "size"),
        ({"code": "b"}, "unique"),
        ({"note": 5}, "note"),
    ],
)
def test_a_wrong_update_changes_nothing(table: Table, change: dict[str, Any], word: str) -> None:
    """An update that breaks a rule is refused whole."""
    [row_id, _] = table.insert({"code": "a", "size": 1}, {"code": "b", "size": 1})
    before = table.stored()
    answer = table.http.patch(f"{table.rows}/{row_id}", json={"rate": 9, **change})
    assert refused(answer, word)
    assert table.stored() == before


def test_a_row_may_keep_its_unique_value(table: Table) -> None:
    """Updating a row with the value that it has already is no clash."""
    [row_id] = table.insert({"code": "a", "size": 1})
    assert table.http.patch(f"{table.rows}/{row_id}", json={"code": "a"}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_row_that_is_not_there_is_not_found(table: Table, method: str) -> None:
    """An unknown row is a 404 for every method, and the others stay."""
    table.insert({"code": "a", "size": 1})
    before = table.stored()
    answer = table.http.request(method, f"{table.rows}/{'0' * 24}", json={"size": 2})
    assert (answer.status_code, answer.json()["type"]) == (404, "NotFound")
    assert (table.stored(), table.counted()) == (before, 1)


# ---- deletes -------------------------------------------------------------------------------


def test_a_row_is_deleted(table: Table) -> None:
    """Deleting one row leaves the others."""
    [first, second] = table.insert({"code": "a", "size": 1}, {"code": "b", "size": 1})
    assert table.http.delete(f"{table.rows}/{first}").json() == {"success": True}
    assert [row[0] for row in table.stored()] == [second]
    assert table.counted() == 1


def fill(table: Table, count: int) -> None:
    """Insert rows with sizes 0, 1, 2 …"""
    table.insert(*({"code": f"{i:05}", "size": i} for i in range(count)))


def test_a_bulk_delete_takes_what_matches(table: Table) -> None:
    """Only matching rows go, and the answer counts them."""
    fill(table, 10)
    answer = table.http.post(f"{table.rows}/delete", json={"size": {"$gte": 4}})
    assert (answer.status_code, answer.json()) == (200, {"removed": 6})
    assert [row[2] for row in table.stored()] == [0, 1, 2, 3]
    assert table.counted() == 4


def test_a_bulk_delete_takes_1000_rows_unless_told_otherwise(table: Table) -> None:
    """The limit is 1,000 by default, and the oldest rows go first."""
    fill(table, 1500)
    assert table.http.post(f"{table.rows}/delete").json() == {"removed": 1000}
    assert table.stored()[0][2] == 1000
    url = f"{table.rows}/delete"
    assert table.http.post(url, params={"limit": 100}, json={}).json() == {"removed": 100}
    assert table.http.post(url, params={"limit": 0}, json={}).json() == {"removed": 0}
    assert table.http.post(url, params={"limit": 10_000}, json={}).json() == {"removed": 400}
    assert (table.stored(), table.counted()) == ([], 0)


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ({"nope": 1}, {}),
        ({"size": {"$like": 1}}, {}),
        ({"createdAt": {"$lt": "soon"}}, {}),
        ({}, {"limit": "10001"}),
        ({}, {"limit": "-1"}),
        ([], {}),
    ],
)
def test_a_wrong_bulk_delete_deletes_nothing(
    table: Table, query: Any, params: dict[str, str]
) -> None:
    """A query or limit that breaks a rule is refused before anything goes."""
    fill(table, 3)
    assert refused(table.http.post(f"{table.rows}/delete", json=query, params=params))
    assert len(table.stored()) == 3


def test_truncating_empties_the_table_and_keeps_its_columns(table: Table) -> None:
    """All rows go, the table stays, and values that were unique may come again."""
    fill(table, 5)
    answer = table.http.post(f"{table.rows}/truncate", json={"size": 1})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (table.stored(), table.counted()) == ([], 0)
    fill(table, 5)
    assert table.http.get(table.url).json()["columns"] == table.made["columns"]
