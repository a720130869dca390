"""Rows and tables brought back: cell by cell, once, and around whatever is there meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from losant_mcp.api.tables import (
    DataTable,
    DataTableColumn,
    DataTablePatch,
    DataTablePost,
    RowInsert,
)
from losant_mcp.client import LosantClient
from losant_mcp.guard.backup_manifest import BackupDamaged
from losant_mcp.guard.restore import RestoreStopped
from losant_mcp.guard.store import BudgetSpent, GuardError
from tests.guard.backing_up import backups_in, contents, tables_of
from tests.guard.restoring import Case, writing_nothing
from tests.served import Sandbox

TABLES = ["sites", "assets", "parts", "maintenance_log", "shift_notes"]
NEW = ("id", "createdAt", "updatedAt")
"""What Losant sets itself."""


@pytest.fixture
def case(losant: LosantClient, sandbox: Sandbox, tmp_path: Path) -> Case:
    """A backup folder beside the demo."""
    return Case(losant, sandbox, backups_in(tmp_path))


async def _truncated(case: Case, name: str) -> tuple[DataTable, list[dict[str, Any]]]:
    """A table that was backed up and emptied, and the rows that it had."""
    table = await case.table(name)
    rows = await case.rows(table)
    await case.back_up("rows", rows, table=table)
    await case.client.data_table_rows_truncate(**case.at, dataTableId=table.id)
    assert await case.rows(table) == []
    return table, rows


async def _make(case: Case, name: str, *columns: tuple[str, str, str]) -> DataTable:
    made = [DataTableColumn(name=n, dataType=t, constraint=c) for n, t, c in columns]  # type: ignore[arg-type]
    return await case.client.data_tables_post(
        **case.at, body=DataTablePost(name=name, columns=made)
    )


async def _insert(case: Case, table: DataTable, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), 1000):
        await case.client.data_table_rows_post(
            **case.at, dataTableId=table.id, body=RowInsert(rows[start : start + 1000])
        )


# ---- there and back ------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
async def test_every_row_of_a_truncated_table_comes_back(case: Case, name: str) -> None:
    """Every cell is as it was, in the order that it had, and the budget was asked for each row."""
    table, rows = await _truncated(case, name)
    outcome = await case.restore()
    assert (outcome.restored, outcome.already, outcome.problem_count) == (len(rows), 0, 0)
    assert outcome.target_id == table.id
    after = await case.rows(table)
    cells = [{k: v for k, v in row.items() if k not in NEW} for row in rows]
    assert [{k: v for k, v in row.items() if k not in NEW} for row in after] == cells
    assert {row["id"] for row in after}.isdisjoint({row["id"] for row in rows})
    assert sum(batch.count for batch in case.written) == len(rows)
    assert {(batch.what, batch.meter, batch.target_id) for batch in case.written} == {
        ("rows", "created_rows", table.id)
    }


@pytest.mark.parametrize("name", TABLES)
async def test_a_deleted_table_comes_back(case: Case, name: str) -> None:
    """Name, description, columns, constraints, defaults and rows are as they were."""
    table = await case.table(name)
    rows = await case.rows(table)
    await case.back_up("table", rows, table=table)
    await case.client.data_table_delete(**case.at, dataTableId=table.id)
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (len(rows), 0)
    again = await case.table(name)
    assert again.id == outcome.target_id != table.id
    assert (again.description, again.columns) == (table.description, table.columns)
    assert contents(await case.rows(again), without=NEW) == contents(rows, without=NEW)
    assert [batch.what for batch in case.written][:2] == ["table", "rows"]


@pytest.mark.parametrize("kind", ["rows", "table"])
async def test_a_second_restore_makes_no_duplicates(case: Case, kind: Any, tmp_path: Path) -> None:
    """What was restored is known after a restart, too, and nothing is written again."""
    table = await case.table("assets")
    rows = await case.rows(table)
    await case.back_up(kind, rows, table=table)
    await case.client.data_table_delete(**case.at, dataTableId=table.id)
    if kind == "rows":
        table = await _remade(case, table)
    first = await case.restore(target=table.id if kind == "rows" else None)
    await case.restarted(tmp_path)
    with writing_nothing(case):
        second = await case.restore(target=table.id if kind == "rows" else None)
    assert (second.restored, second.already, second.target_id) == (0, 200, first.target_id)


async def _remade(case: Case, table: DataTable) -> DataTable:
    columns = [(c.name, c.dataType, c.constraint or "") for c in table.columns]
    return await _make(case, "assets by hand", *columns)


async def test_rows_that_were_deleted_again_come_back_again(case: Case) -> None:
    """A restored row that is gone is restored once more; those that are there stay alone."""
    table, _ = await _truncated(case, "sites")
    await case.restore()
    for row in (await case.rows(table))[:3]:
        await case.client.data_table_row_delete(**case.at, dataTableId=table.id, rowId=row["id"])
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (3, 17)
    assert len(await case.rows(table)) == 20


async def test_rows_that_never_went_are_left_alone(case: Case) -> None:
    """After a run that stopped half-way, only what is really gone comes back."""
    table = await case.table("parts")
    rows = await case.rows(table)
    await case.back_up("rows", rows, table=table)
    query = {"id": {"$in": [row["id"] for row in rows[:70]]}}
    await case.client.data_table_rows_delete(**case.at, dataTableId=table.id, body=query)
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (70, 230)
    after = await case.rows(table)
    assert contents(after, without=NEW) == contents(rows, without=NEW)
    assert {row["id"] for row in rows[70:]} <= {row["id"] for row in after}


async def test_a_single_row_comes_back_without_reading_the_table(case: Case) -> None:
    """For a few rows, the thousands of others are not read."""
    table = await case.table("shift_notes")
    row = (await case.rows(table))[2500]
    await case.back_up("rows", [row], table=table)
    await case.client.data_table_row_delete(**case.at, dataTableId=table.id, rowId=row["id"])
    asked = len(case.sandbox.requests)
    outcome = await case.restore()
    assert outcome.restored == 1
    assert len(case.sandbox.requests) - asked <= 5
    assert (await case.restore()).already == 1


async def test_a_table_whose_deletion_failed_is_not_made_again(case: Case) -> None:
    """Where the table is still there with its rows, nothing is written."""
    table = await case.table("parts")
    await case.back_up("table", await case.rows(table), table=table)
    with writing_nothing(case):
        outcome = await case.restore()
    assert (outcome.already, outcome.target_id) == (300, table.id)


async def test_progress_is_told(case: Case) -> None:
    """Long restores say how far they are."""
    await _truncated(case, "shift_notes")
    told: list[tuple[float, float | None]] = []

    async def progress(done: float, total: float | None, what: str) -> None:
        told.append((done, total))

    await case.restore(progress=progress)
    assert told == [(n * 1000, 5000) for n in range(1, 6)]


# ---- what is in the way --------------------------------------------------------------------


async def test_rows_that_clash_are_told_one_by_one(case: Case) -> None:
    """A row whose unique cell is taken is reported with who has it; all others come back."""
    table, rows = await _truncated(case, "maintenance_log")
    taken = [rows[i] for i in (0, 1, 700, 1499)]
    changed = [{k: v for k, v in row.items() if k not in NEW} for row in taken]
    for row in changed:
        row["summary"] = "somebody else's"
    await _insert(case, table, changed)
    others = {row["ticket"]: row["id"] for row in await case.rows(table)}
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (1496, 4)
    assert [(problem.id, problem.why) for problem in outcome.problems] == [
        (row["id"], "conflict") for row in taken
    ]
    assert others[taken[0]["ticket"]] in outcome.problems[0].text
    assert len(await case.rows(table)) == 1500
    kept = [row for row in await case.rows(table) if row["id"] in others.values()]
    assert {row["summary"] for row in kept} == {"somebody else's"}
    # With the one row out of the way, its place is filled, and nothing else is written.
    await case.client.data_table_row_delete(
        **case.at, dataTableId=table.id, rowId=others[taken[2]["ticket"]]
    )
    again = await case.restore()
    assert (again.restored, again.already, again.problem_count) == (1, 1496, 3)


async def test_a_table_full_of_clashes_takes_few_requests(case: Case) -> None:
    """Rows that somebody brought back by hand are found in groups, not one by one."""
    table, rows = await _truncated(case, "assets")
    await _insert(case, table, [{k: v for k, v in r.items() if k not in NEW} for r in rows])
    asked = len(case.sandbox.requests)
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (0, 200)
    assert len(case.sandbox.requests) - asked < 10
    assert len(await case.rows(table)) == 200


async def test_rows_that_losant_refuses_for_another_reason_are_found(case: Case) -> None:
    """Where one row of many is refused, halving finds it, and all others come back."""
    table = await _make(case, "readings", ("at", "string", "optional"))
    await _insert(case, table, [{"at": f"day {n}"} for n in range(50)])
    rows = await case.rows(table)
    rows[17]["at"] = 5
    await case.back_up("rows", rows, table=table)
    await case.client.data_table_rows_truncate(**case.at, dataTableId=table.id)
    outcome = await case.restore()
    assert outcome.restored == 49
    assert [(problem.id, problem.why) for problem in outcome.problems] == [
        (rows[17]["id"], "refused")
    ]


async def test_a_table_that_takes_nothing_is_given_up(case: Case) -> None:
    """Where every single row is refused, a restore does not ask for all of them."""
    table = await _make(case, "readings", ("at", "string", "optional"))
    await case.back_up("rows", [{"id": f"{n:024x}", "at": n} for n in range(1500)], table=table)
    with pytest.raises(RestoreStopped) as caught:
        await case.restore()
    assert caught.value.known.restored == 0
    assert len(case.sandbox.requests) < 300


async def test_a_name_that_is_taken_gets_a_suffix(case: Case) -> None:
    """The other table is not touched, and the outcome says how the restored one is called."""
    table = await case.table("sites")
    rows = await case.rows(table)
    await case.back_up("table", rows, table=table)
    await case.client.data_table_delete(**case.at, dataTableId=table.id)
    other = await _make(case, "SITES", ("x", "string", "optional"))
    outcome = await case.restore()
    assert outcome.target_name.startswith("sites (restored 20")
    assert any("another table has its name" in note for note in outcome.notes)
    assert len(await case.rows(await case.table(outcome.target_name))) == 20
    assert await case.rows(other) == []


async def test_rows_from_before_a_strict_column_come_back(case: Case) -> None:
    """A re-created column that was empty in some rows is optional, and it is said."""
    table = await _make(case, "readings", ("at", "string", "required"))
    await _insert(case, table, [{"at": "old"}])
    table = await case.client.data_table_add_column(
        **case.at,
        dataTableId=table.id,
        body=DataTableColumn(name="serial", dataType="string", constraint="unique"),
    )
    await _insert(case, table, [{"at": "new", "serial": "a"}])
    rows = await case.rows(table)
    await case.back_up("table", rows, table=table)
    await case.client.data_table_delete(**case.at, dataTableId=table.id)
    outcome = await case.restore()
    again = await case.table("readings")
    assert [c.constraint for c in again.columns] == ["required", "optional"]
    assert contents(await case.rows(again), without=NEW) == contents(rows, without=NEW)
    assert any("serial was unique, and is optional now" in note for note in outcome.notes)


async def test_empty_cells_stay_empty_in_spite_of_defaults(case: Case) -> None:
    """A default fills in what is absent in new rows, and never what was empty in old ones."""
    table, rows = await _truncated(case, "assets")
    await case.client.data_table_delete(**case.at, dataTableId=table.id)
    target = await case.client.data_tables_post(
        **case.at,
        body=DataTablePost(
            name="assets",
            columns=[
                DataTableColumn.model_validate(c.model_dump(exclude_none=True))
                for c in table.columns
            ]
            + [
                DataTableColumn(
                    name="owner", dataType="string", constraint="optional", defaultValue="nobody"
                )
            ],
        ),
    )
    await case.restore(target=target.id)
    after = await case.rows(target)
    assert {row.pop("owner") for row in after} == {None}
    assert contents(after, without=NEW) == contents(rows, without=NEW)


async def test_a_column_that_is_gone_is_left_out_and_named(case: Case) -> None:
    """Rows come back without the cells that have no place any more."""
    table, rows = await _truncated(case, "parts")
    await case.client.data_table_remove_column(
        **case.at, dataTableId=table.id, columnName="category"
    )
    outcome = await case.restore()
    assert outcome.restored == 300
    assert any("category" in note for note in outcome.notes)
    after = await case.rows(table)
    assert contents(after, without=NEW) == contents(rows, without=(*NEW, "category"))


# ---- refused as a whole --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data_type", "constraint", "name"),
    [("string", "required", "brandNew"), ("number", "optional", "category")],
)
async def test_a_table_that_does_not_fit_is_refused(
    case: Case, data_type: Any, constraint: Any, name: str
) -> None:
    """A strict column that the backup lacks, or one of another type, stops it before a write."""
    table, _ = await _truncated(case, "parts")
    if name == "category":
        await case.client.data_table_remove_column(**case.at, dataTableId=table.id, columnName=name)
    await case.client.data_table_add_column(
        **case.at,
        dataTableId=table.id,
        body=DataTableColumn(name=name, dataType=data_type, constraint=constraint),
    )
    with writing_nothing(case), pytest.raises(GuardError) as caught:
        await case.restore()
    assert name in str(caught.value)


async def test_rows_whose_table_is_gone_are_not_restored_elsewhere(case: Case) -> None:
    """Without its table, a backup of rows waits for a person to name another one."""
    table, _ = await _truncated(case, "parts")
    await case.client.data_table_delete(**case.at, dataTableId=table.id)
    with writing_nothing(case), pytest.raises(GuardError):
        await case.restore()


async def test_a_damaged_backup_writes_nothing(case: Case, tmp_path: Path) -> None:
    """A flipped bit, or a damaged journal, stops a restore before the first write."""
    await _truncated(case, "sites")
    journal = tmp_path / f"{case.manifest.id}.journal"
    head = json.dumps({"backup": case.manifest.id, "sha256": case.manifest.sha256})
    odd = ['{"begun": ["x"], "to": "t", "at": "soon"}', '{"restored": [["a", "b"]], "to": "t"}']
    for lines in (['{"backup": "another"}'], *([head, line] for line in (*odd, "{}", "[]"))):
        journal.write_text("".join(f"{line}\n" for line in lines))
        with writing_nothing(case), pytest.raises(BackupDamaged):
            await case.restore()
    journal.unlink()
    path = tmp_path / f"{case.manifest.id}.jsonl.gz"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    with writing_nothing(case), pytest.raises(BackupDamaged):
        await case.restore()


async def test_a_backup_of_another_losant_is_refused(case: Case) -> None:
    """Rows of one API URL are never written to another one."""
    table = await case.table("sites")
    await case.back_up("rows", [], table=table, api_url="https://api.losant.com")
    with writing_nothing(case), pytest.raises(GuardError):
        await case.restore()


async def test_a_budget_that_is_spent_stops_before_the_first_write(case: Case) -> None:
    """Where the callback refuses the first batch, its own error comes and nothing is written."""
    await _truncated(case, "sites")
    case.fail_at = 0
    with writing_nothing(case), pytest.raises(BudgetSpent):
        await case.restore()


async def test_a_renamed_table_keeps_its_new_name(case: Case) -> None:
    """Rows go back into the same table, whatever it is called now."""
    table, rows = await _truncated(case, "sites")
    await case.client.data_table_patch(
        **case.at, dataTableId=table.id, body=DataTablePatch(name="places")
    )
    outcome = await case.restore()
    assert (outcome.target_name, outcome.restored) == ("places", len(rows))
    names = [t.name for t in await tables_of(case.client, case.sandbox.application_id)]
    assert "sites" not in names
