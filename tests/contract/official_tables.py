"""The official client drives the operations on data tables and their rows."""

from __future__ import annotations

from losant_rest import Client

from tests.client.calls import Ids
from tests.contract.official import count, drives, exported_file
from tests.served import Sandbox


@drives("dataTables.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    page = official.data_tables.get(applicationId=ids.application, filterField="name", filter="s*")
    names = sandbox.store.rows("SELECT name FROM data_tables WHERE name LIKE 's%' ORDER BY name")
    assert [table["name"] for table in page["items"]] == [row["name"] for row in names]


@drives("dataTables.post")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    columns = [{"name": "n", "dataType": "number", "constraint": "optional", "defaultValue": 7}]
    made = official.data_tables.post(
        applicationId=ids.application, dataTable={"name": "Official", "columns": columns}
    )
    assert made["columns"] == columns
    assert count(sandbox, "data_table_columns WHERE dataTableId = ?", made["id"]) == 1


@drives("dataTable.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    table = official.data_table.get(applicationId=ids.application, dataTableId=ids.table)
    stored = count(sandbox, "data_table_columns WHERE dataTableId = ?", ids.table)
    assert len(table["columns"]) == stored


@drives("dataTable.patch")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    table = official.data_table.patch(
        applicationId=ids.application, dataTableId=ids.table, dataTable={"name": "Places"}
    )
    assert table["name"] == "Places"
    assert count(sandbox, "data_tables WHERE id = ? AND name = 'Places'", ids.table) == 1


@drives("dataTable.delete")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    answer = official.data_table.delete(applicationId=ids.application, dataTableId=ids.table)
    assert answer == {"success": True}
    assert count(sandbox, "data_tables WHERE id = ?", ids.table) == 0
    assert count(sandbox, "sqlite_master WHERE name = ?", f"rows_{ids.table}") == 0


@drives("dataTable.addColumn")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    column = {"name": "fresh", "dataType": "boolean", "constraint": "optional"}
    table = official.data_table.add_column(
        applicationId=ids.application, dataTableId=ids.table, dataTableColumn=column
    )
    assert table["columns"][-1] == column
    where = "data_table_columns WHERE dataTableId = ? AND name = 'fresh'"
    assert count(sandbox, where, ids.table) == 1


@drives("dataTable.removeColumn")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    table = official.data_table.remove_column(
        applicationId=ids.application, dataTableId=ids.table, columnName="notes"
    )
    assert "notes" not in {column["name"] for column in table["columns"]}
    where = "data_table_columns WHERE dataTableId = ? AND name = 'notes'"
    assert count(sandbox, where, ids.table) == 0


def site(code: str) -> dict[str, str]:
    """A row for the demo's table of sites."""
    return {"siteCode": code, "name": code, "kind": "pump", "district": "North"}


@drives("dataTableRows.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    page = official.data_table_rows.get(
        applicationId=ids.application,
        dataTableId=ids.table,
        sortColumn="siteCode",
        sortDirection="desc",
        limit=3,
        offset=1,
        includeFields="id,siteCode",
    )
    assert page["totalCount"] == count(sandbox, f"rows_{ids.table}")
    codes = [row["siteCode"] for row in page["items"]]
    assert len(codes) == 3
    assert codes == sorted(codes, reverse=True)
    assert all(set(row) == {"id", "siteCode"} for row in page["items"])


@drives("dataTableRows.post")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    before = count(sandbox, f"rows_{ids.table}")
    where = {"applicationId": ids.application, "dataTableId": ids.table}
    one = official.data_table_rows.post(**where, dataTableRow=site("ONE"))
    assert one["siteCode"] == "ONE"
    many = official.data_table_rows.post(**where, dataTableRow=[site("TWO"), site("THREE")])
    assert many["count"] == len(many["rowIds"]) == 2
    for row_id in (one["id"], *many["rowIds"]):
        assert count(sandbox, f"rows_{ids.table} WHERE id = ?", row_id) == 1
    assert count(sandbox, f"rows_{ids.table}") == before + 3


@drives("dataTableRows.query")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    query = {"$nor": [{"id": ids.row}]}
    page = official.data_table_rows.query(
        applicationId=ids.application, dataTableId=ids.table, query=query, limit=2
    )
    assert page["totalCount"] == count(sandbox, f"rows_{ids.table}") - 1
    assert page["count"] == 2


@drives("dataTableRows.delete")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    before = count(sandbox, f"rows_{ids.table}")
    query = {"id": {"$ne": ids.row}}
    answer = official.data_table_rows.delete(
        applicationId=ids.application, dataTableId=ids.table, query=query, limit=4
    )
    assert answer == {"removed": 4}
    assert count(sandbox, f"rows_{ids.table}") == before - 4
    assert count(sandbox, f"rows_{ids.table} WHERE id = ?", ids.row) == 1


@drives("dataTableRows.export")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    answer = official.data_table_rows.export(
        applicationId=ids.application,
        dataTableId=ids.table,
        exportData={"query": {"id": ids.row}},
    )
    assert answer["jobQueued"] is True
    assert ids.row in exported_file(official, sandbox, ids)


@drives("dataTableRows.truncate")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    answer = official.data_table_rows.truncate(applicationId=ids.application, dataTableId=ids.table)
    assert answer == {"success": True}
    assert count(sandbox, f"rows_{ids.table}") == 0
    assert count(sandbox, "data_tables WHERE id = ?", ids.table) == 1


@drives("dataTableRow.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    row = official.data_table_row.get(
        applicationId=ids.application, dataTableId=ids.table, rowId=ids.row
    )
    assert row["id"] == ids.row
    assert {"createdAt", "updatedAt", "siteCode"} <= set(row)


@drives("dataTableRow.patch")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    path = {"applicationId": ids.application, "dataTableId": ids.table, "rowId": ids.row}
    before = official.data_table_row.get(**path)
    after = official.data_table_row.patch(**path, dataTableRow={"notes": "official"})
    assert after["notes"] == "official"
    assert after["siteCode"] == before["siteCode"]
    assert official.data_table_row.get(**path) == after
    assert any("official" in tuple(row) for row in sandbox.store.rows(
        f"SELECT * FROM rows_{ids.table} WHERE id = ?", ids.row
    ))  # fmt: skip


@drives("dataTableRow.delete")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    answer = official.data_table_row.delete(
        applicationId=ids.application, dataTableId=ids.table, rowId=ids.row
    )
    assert answer == {"success": True}
    assert count(sandbox, f"rows_{ids.table} WHERE id = ?", ids.row) == 0
