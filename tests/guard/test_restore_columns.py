"""A removed column brought back: its definition, and its values in the rows that are left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from losant_mcp.api.tables import DataTable, DataTableColumn, RowInsert, RowUpdate
from losant_mcp.client import LosantClient
from losant_mcp.guard.restore import RestoreStopped
from losant_mcp.guard.store import GuardError
from tests.guard.backing_up import backups_in, contents
from tests.guard.restoring import Case, writing_nothing
from tests.served import Sandbox

PATCH = "dataTableRow.patch"


@pytest.fixture
def case(losant: LosantClient, sandbox: Sandbox, tmp_path: Path) -> Case:
    """A backup folder beside the demo."""
    return Case(losant, sandbox, backups_in(tmp_path))


async def _removed(
    case: Case, name: str, column: str
) -> tuple[DataTable, list[dict[str, Any]], dict[str, Any]]:
    """A table whose column was backed up and removed, its rows before, and where it is."""
    table = await case.table(name)
    rows = await case.rows(table)
    values = [{"id": row["id"], column: row[column]} for row in rows]
    await case.back_up("column", values, table=table, column=column)
    at = {**case.at, "dataTableId": table.id}
    await case.client.data_table_remove_column(**at, columnName=column)
    return table, rows, at


@pytest.mark.parametrize(
    ("column", "constraint"),
    [
        ("inService", "optional"),
        ("criticality", "optional"),
        ("siteCode", "required"),
        ("serialNumber", "unique"),
    ],
)
async def test_every_value_comes_back(case: Case, column: str, constraint: str) -> None:
    """Cells are as they were; a strict column is optional now, and that is said."""
    table, rows, at = await _removed(case, "assets", column)
    outcome = await case.restore()
    # With a default in the sandbox or without: what was empty is empty.
    assert outcome.restored + outcome.already == 200
    assert outcome.problem_count == 0
    assert contents(await case.rows(table), without=["updatedAt"]) == contents(
        rows, without=["updatedAt"]
    )
    again = next(c for c in (await case.client.data_table_get(**at)).columns if c.name == column)
    before = next(c for c in table.columns if c.name == column)
    assert again.constraint == "optional"
    assert (again.dataType, again.defaultValue) == (before.dataType, before.defaultValue)
    told = [note for note in outcome.notes if f"column {column} was {constraint}" in note]
    assert bool(told) == (constraint != "optional")
    assert {batch.meter for batch in case.written} == {None, "overwritten"}
    with writing_nothing(case):
        assert (await case.restore()).already == 200


async def test_a_column_of_an_empty_table_is_as_strict_as_it_was(case: Case) -> None:
    """Where there are no rows, nothing speaks against the old constraint."""
    table, _, at = await _removed(case, "assets", "serialNumber")
    await case.client.data_table_rows_truncate(**at)
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (0, 200)
    assert {problem.why for problem in outcome.problems} == {"gone"}
    again = await case.client.data_table_get(**at)
    assert sorted(again.columns, key=lambda c: c.name) == sorted(
        table.columns, key=lambda c: c.name
    )


async def test_rows_that_are_gone_are_reported_and_new_ones_left_alone(case: Case) -> None:
    """Only rows that had a value get one."""
    table, rows, at = await _removed(case, "sites", "kind")
    await case.client.data_table_row_delete(**at, rowId=rows[5]["id"])
    body = RowInsert({"siteCode": "NEW", "name": "new", "district": "new"})
    new = await case.client.data_table_rows_post(**at, body=body)
    outcome = await case.restore()
    assert outcome.restored == 19
    assert [(problem.id, problem.why) for problem in outcome.problems] == [(rows[5]["id"], "gone")]
    [row] = [row for row in await case.rows(table) if row["id"] == new.id]
    assert row["kind"] is None


async def test_values_that_somebody_wrote_since_stay(case: Case) -> None:
    """A column that was added by hand gets values where it is empty, and keeps the others."""
    table, rows, at = await _removed(case, "sites", "kind")
    column = DataTableColumn(name="kind", dataType="string", constraint="optional")
    await case.client.data_table_add_column(**at, body=column)
    for row, value in ((rows[0], "mine"), (rows[1], rows[1]["kind"])):
        await case.client.data_table_row_patch(
            **at, rowId=row["id"], body=RowUpdate({"kind": value})
        )
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (18, 1)
    assert [(p.id, p.why) for p in outcome.problems] == [(rows[0]["id"], "conflict")]
    assert (await case.rows(table))[0]["kind"] == "mine"
    assert "column" not in [batch.what for batch in case.written]


async def test_a_column_of_another_type_is_refused(case: Case) -> None:
    """Where the name now stands for something else, nothing is written."""
    _, _, at = await _removed(case, "sites", "kind")
    column = DataTableColumn(name="kind", dataType="number", constraint="optional")
    await case.client.data_table_add_column(**at, body=column)
    with writing_nothing(case), pytest.raises(GuardError):
        await case.restore()


async def test_a_table_that_is_gone_is_refused(case: Case) -> None:
    """Values without their rows are not restored into anything else."""
    _, _, at = await _removed(case, "sites", "kind")
    await case.client.data_table_delete(**at)
    with writing_nothing(case), pytest.raises(GuardError):
        await case.restore()
    with writing_nothing(case), pytest.raises(GuardError):
        await case.restore(target=(await case.table("assets")).id)


async def test_an_interrupted_restore_goes_on(case: Case, tmp_path: Path) -> None:
    """What was set back already is seen, and defaults of the new column are nobody's values."""
    table, rows, _ = await _removed(case, "assets", "criticality")
    case.fail_at = 2
    with pytest.raises(RestoreStopped) as caught:
        await case.restore()
    assert 0 < caught.value.known.restored < 200
    case.fail_at = None
    await case.restarted(tmp_path)
    outcome = await case.restore()
    assert outcome.problem_count == 0
    assert contents(await case.rows(table), without=["updatedAt"]) == contents(
        rows, without=["updatedAt"]
    )
    assert [batch.what for batch in case.written].count("column") == 1


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "truncated_json"])
async def test_lost_answers_are_asked_again(case: Case, kind: str) -> None:
    """Setting a value twice does no harm, and a column is looked for before it is missed."""
    table, rows, _ = await _removed(case, "sites", "kind")
    rules = [{"endpoint": PATCH, "times": 3, "kind": kind}]
    if kind == "drop_after":
        rules.append({"endpoint": "dataTable.addColumn", "times": 1, "kind": kind})
    case.set_faults(*rules)
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (20, 0)
    assert contents(await case.rows(table), without=["updatedAt"]) == contents(
        rows, without=["updatedAt"]
    )


async def test_a_value_that_losant_refuses_is_reported(case: Case) -> None:
    """One refused cell does not stop the others."""
    table = await case.table("sites")
    rows = await case.rows(table)
    values: list[dict[str, Any]] = [{"id": r["id"], "kind": r["kind"]} for r in rows]
    values[7]["kind"] = 5
    await case.back_up("column", values, table=table, column="kind")
    at = {**case.at, "dataTableId": table.id}
    await case.client.data_table_remove_column(**at, columnName="kind")
    outcome = await case.restore()
    assert outcome.restored == 19
    assert [(p.id, p.why) for p in outcome.problems] == [(rows[7]["id"], "refused")]
