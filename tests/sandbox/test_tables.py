"""Data tables and columns: what is made, what is refused, and what a refusal leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import COLUMNS, Table, refused
from tests.served import Sandbox


def column(name: str = "extra", **changes: Any) -> dict[str, Any]:
    """A column's definition."""
    return {"name": name, "dataType": "string", "constraint": "optional", **changes}


def names(table: Table) -> list[str]:
    """The names of the table's columns as they are stored."""
    found = table.sandbox.store.rows(
        "SELECT name FROM data_table_columns WHERE dataTableId = ? ORDER BY position", table.id
    )
    return [row["name"] for row in found]


def test_a_new_table_is_told_whole(table: Table) -> None:
    """Creating a table answers with its id, dates and columns, and no description it has not."""
    made = table.made
    assert made["dataTableId"] == made["id"]
    assert made["applicationId"] == table.sandbox.application_id
    assert made["creationDate"] == made["lastUpdated"]
    assert made["columns"] == COLUMNS
    assert "description" not in made
    assert table.http.get(table.url).json() == made


def test_a_table_needs_no_more_than_a_name(empty_sandbox: Sandbox) -> None:
    """Columns are optional, and two tables may share a name."""
    http, url = empty_sandbox.http(), f"{empty_sandbox.application_url}/data-tables"
    first, second = (http.post(url, json={"name": "same"}).json() for _ in range(2))
    assert first["columns"] == []
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ([column("id")], "reserved"),
        ([column("createdAt")], "reserved"),
        ([column("updatedAt")], "reserved"),
        ([column("a"), column("a")], "twice"),
        ([column("a b")], "columns[0].name"),
        ([column("")], "columns[0].name"),
        ([column(dataType="date")], "dataType"),
        ([column(constraint="primary")], "constraint"),
        ([column(defaultValue=1)], "default"),
        ([column(dataType="number", defaultValue=True)], "default"),
        ([column(dataType="boolean", defaultValue=0)], "default"),
        ([column(constraint="required", defaultValue="x")], "default"),
        ([column(constraint="unique", defaultValue="x")], "default"),
        ([column(defaultValue=None)], "defaultValue"),
        ([column(f"c{i}") for i in range(51)], "50"),
    ],
)
def test_a_table_with_a_wrong_column_is_not_made(
    empty_sandbox: Sandbox, columns: list[dict[str, Any]], word: str
) -> None:
    """A column that breaks a rule refuses the whole table."""
    answer = empty_sandbox.http().post(
        f"{empty_sandbox.application_url}/data-tables", json={"name": "x", "columns": columns}
    )
    assert refused(answer, word)
    assert empty_sandbox.store.rows("SELECT * FROM data_tables") == []
    assert empty_sandbox.store.rows("SELECT * FROM data_table_columns") == []


def test_names_that_differ_in_case_are_different(table: Table) -> None:
    """``Code`` beside ``code`` and ``ID`` beside the reserved ``id`` are columns of their own."""
    for name in ("Code", "ID"):
        assert table.http.post(f"{table.url}/column", json=column(name)).status_code == 200
    table.insert({"code": "a", "Code": "b", "ID": "c", "size": 1})
    [row] = table.http.get(table.rows).json()["items"]
    assert (row["code"], row["Code"], row["ID"]) == ("a", "b", "c")
    assert table.query({"Code": "b", "ID": "c"}) == ["a"]


def test_patching_renames_and_describes(table: Table) -> None:
    """A patch changes what it gives, moves ``lastUpdated``, and keeps the rest."""
    answer = table.http.patch(table.url, json={"description": "spare parts"}).json()
    assert (answer["name"], answer["description"]) == ("parts", "spare parts")
    assert answer["lastUpdated"] >= answer["creationDate"]
    answer = table.http.patch(table.url, json={"name": "spares"}).json()
    assert (answer["name"], answer["description"]) == ("spares", "spare parts")
    assert table.http.patch(table.url, json={}).json() == answer


def test_patching_columns_is_refused(table: Table) -> None:
    """Columns have endpoints of their own; a patch that holds them changes nothing."""
    answer = table.http.patch(table.url, json={"name": "x", "columns": []})
    assert refused(answer, "columns")
    assert table.http.get(table.url).json() == table.made


def test_deleting_a_table_deletes_its_rows(table: Table) -> None:
    """A deleted table is gone with its columns and rows, and so are the endpoints below it."""
    table.insert({"code": "a", "size": 1})
    assert table.http.delete(table.url).json() == {"success": True}
    assert table.http.get(table.url).status_code == 404
    assert table.http.get(table.rows).status_code == 404
    store = table.sandbox.store
    assert store.rows("SELECT 1 FROM sqlite_master WHERE name LIKE ?", f"%{table.id}%") == []
    assert store.rows("SELECT 1 FROM data_table_columns") == []


@pytest.mark.parametrize("constraint", ["optional", "required", "unique"])
def test_a_new_column_is_null_in_the_rows_there_are(table: Table, constraint: str) -> None:
    """Whatever its constraint, an added column holds null in existing rows and no default."""
    table.insert({"code": "a", "size": 1}, {"code": "b", "size": 2})
    default = {"defaultValue": "x"} if constraint == "optional" else {}
    new = column(constraint=constraint, **default)
    answer = table.http.post(f"{table.url}/column", json=new)
    assert (answer.status_code, answer.json()["columns"][-1]) == (200, new)
    assert [row["extra"] for row in table.http.get(table.rows).json()["items"]] == [None, None]


def test_a_new_columns_constraint_holds_for_new_rows(table: Table) -> None:
    """An added unique column refuses the second of two equal values, and null."""
    table.insert({"code": "a", "size": 1})
    table.http.post(f"{table.url}/column", json=column(constraint="unique"))
    table.insert({"code": "b", "size": 1, "extra": "x"})
    before = table.stored()
    again = table.http.post(table.rows, json={"code": "c", "size": 1, "extra": "x"})
    assert refused(again, "extra", "unique")
    assert refused(table.http.post(table.rows, json={"code": "c", "size": 1}), "extra", "null")
    assert table.stored() == before


@pytest.mark.parametrize(
    ("new", "word"),
    [
        (column("code"), "twice"),
        (column("updatedAt"), "reserved"),
        (column(dataType="number", defaultValue="1"), "default"),
        ({"name": "extra", "dataType": "string"}, "constraint"),
    ],
)
def test_a_wrong_column_is_not_added(table: Table, new: dict[str, Any], word: str) -> None:
    """A column that breaks a rule leaves the table as it was."""
    assert refused(table.http.post(f"{table.url}/column", json=new), word)
    assert names(table) == [c["name"] for c in COLUMNS]


def test_a_table_has_at_most_50_columns(table: Table) -> None:
    """The fifty-first column is refused."""
    for i in range(45):
        answer = table.http.post(f"{table.url}/column", json=column(f"c{i}"))
        assert answer.status_code == 200
    assert refused(table.http.post(f"{table.url}/column", json=column("one_more")), "50")
    assert len(names(table)) == 50


@pytest.mark.parametrize("name", ["code", "note", "rate"])
def test_a_removed_column_takes_its_data_along(table: Table, name: str) -> None:
    """Removing a column, constrained or not, deletes its cells; adding it again restores none."""
    table.insert({"code": "a", "size": 1, "note": "n", "rate": 3})
    answer = table.http.delete(f"{table.url}/column", params={"columnName": name})
    assert name not in [c["name"] for c in answer.json()["columns"]]
    [row] = table.http.get(table.rows).json()["items"]
    assert name not in row
    assert (row["size"], row["open"]) == (1, True)
    table.http.post(f"{table.url}/column", json=column(name))
    [row] = table.http.get(table.rows).json()["items"]
    assert row[name] is None


def test_removing_a_column_that_is_not_there_changes_nothing(table: Table) -> None:
    """An unknown column is a 404, a missing or malformed name a 400."""
    url = f"{table.url}/column"
    assert table.http.delete(url, params={"columnName": "nope"}).status_code == 404
    assert refused(table.http.delete(url), "columnName")
    assert refused(table.http.delete(url, params={"columnName": "a b"}), "columnName")
    assert names(table) == [c["name"] for c in COLUMNS]


def test_tables_are_listed_by_name_in_pages(empty_sandbox: Sandbox) -> None:
    """The list is sorted by name, filters by glob on a named field, and echoes the request."""
    http, url = empty_sandbox.http(), f"{empty_sandbox.application_url}/data-tables"
    for name in ("beta", "alpha", "Alpine", "a*b"):
        http.post(url, json={"name": name})

    def listed(**params: str | int) -> list[str]:
        return [item["name"] for item in http.get(url, params=params).json()["items"]]

    assert listed() == ["Alpine", "a*b", "alpha", "beta"]
    assert listed(sortDirection="desc", perPage=1, page=1) == ["alpha"]
    assert listed(sortField="creationDate", sortDirection="asc")[0] == "beta"
    assert listed(filterField="name", filter="al*") == ["Alpine", "alpha"]
    assert listed(filterField="name", filter="alp") == []
    assert len(listed(filter="al*")) == 4
    page = http.get(url, params={"filterField": "name", "filter": "al*", "perPage": 1}).json()
    del page["items"]
    assert page == {
        "applicationId": empty_sandbox.application_id,
        "count": 1,
        "totalCount": 2,
        "page": 0,
        "perPage": 1,
        "sortField": "name",
        "sortDirection": "asc",
        "filterField": "name",
        "filter": "al*",
    }


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_table_of_another_application_is_not_found(table: Table, method: str) -> None:
    """A table is reached below its own application only."""
    other = "5e0000000000000000000001"
    with table.sandbox.store.transaction(write=True) as db:
        db.execute("INSERT INTO applications VALUES (?, 'Other', NULL, 0, 0)", (other,))
    url = f"/applications/{other}/data-tables/{table.id}"
    answer = table.http.request(method, url, json={"name": "mine"})
    assert (answer.status_code, answer.json()["type"]) == (404, "NotFound")
    assert table.http.get(table.url).json() == table.made
