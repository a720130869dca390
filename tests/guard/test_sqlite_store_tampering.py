"""A database that was edited without the key: nothing in it says yes to anything."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from losant_mcp.guard.plans import digest
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.sqlite_store.schema import migrate
from losant_mcp.guard.store import NotOpen, StateUnavailable, binding_digest
from tests.guard.stored import (
    APPLICATION,
    KEY,
    LIMITS,
    Clock,
    a_binding,
    a_plan,
    a_store,
    approve,
    burn,
    edited,
    whole_database,
    write_database,
)


@pytest.fixture
async def whole(tmp_path: Path) -> bytes:
    """A database as the store leaves it, with an approved plan in it."""
    return await whole_database(tmp_path)


COLUMNS = {
    "status": "'running'",
    "principal": "'x'",
    "share": "'x'",
    "ends_at": "ends_at + 1",
    "finished_at": "0.5",
    "forms": "forms + 1",
    "refusal_seconds": "0.0",
    "noes_in_a_row": "99",
    "body": "replace(body, '\"approved\"', '\"pending\"')",
    "mac": "'x'",
}


def test_every_column_of_a_plan_is_edited_below() -> None:
    """The proof covers a column that is added later, too."""
    with closing(sqlite3.connect(":memory:")) as database:
        migrate(database)
        columns = {row[1] for row in database.execute("PRAGMA table_info(plans)")}
    assert set(COLUMNS) == columns - {"number", "id"}


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_plan_that_was_edited_is_refused(tmp_path: Path, whole: bytes, column: str) -> None:
    """Whichever column is changed without the key, the plan cannot be read, decided or burned."""
    path = tmp_path / "state.sqlite"
    with edited(path, whole) as database:
        [plan_id] = database.execute("SELECT id FROM plans").fetchone()
        database.execute(f"UPDATE plans SET {column} = {COLUMNS[column]}")
    store = a_store(path)
    for call in (
        store.plan(plan_id),
        store.decide(plan_id, "approved", way="page", by="eve"),
        store.burn(plan_id, binding_digest(a_binding()), LIMITS),
        store.finish(plan_id, "done", {}),
    ):
        with pytest.raises(StateUnavailable) as refusal:
            await call
        assert "tampering" in str(refusal.value)
    assert await store.spent("destroyed", "ann", APPLICATION) == 0
    await store.aclose()


async def test_a_yes_is_not_moved_to_another_plan(tmp_path: Path) -> None:
    """An approved row under another plan's id, or of another database, proves nothing."""
    path, clock = tmp_path / "state.sqlite", Clock()
    store = a_store(path, clock)
    wanted = await store.add_plan(a_plan("production"), LIMITS)
    approved = await approve(store, await store.add_plan(a_plan("test"), LIMITS))
    await store.aclose()
    with edited(path) as database:
        database.execute("DELETE FROM plans WHERE id = ?", (wanted.id,))
        database.execute("UPDATE plans SET id = ? WHERE id = ?", (wanted.id, approved.id))
    for key in (KEY, b"x" * 32):
        thief = SqliteStore(path, key=key, clock=clock)
        with pytest.raises(StateUnavailable):
            await thief.plan(wanted.id)
        with pytest.raises(StateUnavailable):
            await burn(thief, wanted)
        await thief.aclose()


async def test_an_old_yes_that_is_put_back_has_run_out(tmp_path: Path) -> None:
    """A copy of the file from before the burning is worth no more than its two minutes."""
    path, clock = tmp_path / "state.sqlite", Clock()
    store = a_store(path, clock)
    plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
    await store.aclose()
    copy = path.read_bytes()
    await burn(store, plan)
    await store.aclose()
    write_database(path, copy)
    clock.wait(120)
    with pytest.raises(NotOpen) as refusal:
        await burn(store, plan)
    assert refusal.value.plan.status == "expired"
    await store.aclose()


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_plan_of_the_wrong_type_is_refused(
    tmp_path: Path, whole: bytes, column: str
) -> None:
    """Bytes where there were words or numbers are tampering, and no crash."""
    path = tmp_path / "state.sqlite"
    with edited(path, whole) as database:
        [plan_id] = database.execute("SELECT id FROM plans").fetchone()
        database.execute(f"UPDATE plans SET {column} = x'00'")
    store = a_store(path)
    with pytest.raises(StateUnavailable):
        await store.plan(plan_id)
    await store.aclose()


@pytest.mark.parametrize(
    "edit",
    [
        "INSERT INTO meters VALUES ('x', 'x', 'destroyed', 'soon', 1)",
        "INSERT INTO meters VALUES ('x', 'x', 'destroyed', 1.5, 'many')",
        "INSERT INTO answers VALUES ('x', 'x', 'soon', 'declined', 1, 1.5)",
        "INSERT INTO answers VALUES ('x', 'x', 1.5, 'declined', 1, 'long')",
        "INSERT INTO streaks VALUES ('x', 'many', 0)",
        "INSERT INTO changes VALUES (1, 'x', 'x', 'soon', 'words', 'x')",
    ],
)
async def test_a_number_that_is_none_is_damage(tmp_path: Path, whole: bytes, edit: str) -> None:
    """What no sum can be made of is found when the database is opened."""
    path = tmp_path / "state.sqlite"
    with edited(path, whole) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute(edit)
    store = a_store(path)
    with pytest.raises(StateUnavailable) as refusal:
        await store.now()
    assert str(refusal.value) == "The guard's memory is damaged."
    await store.aclose()


async def test_words_about_a_change_that_were_edited_are_refused(tmp_path: Path) -> None:
    """Nobody is told what this server never did."""
    path = tmp_path / "state.sqlite"
    store = a_store(path)
    await store.note_change(APPLICATION, "table-1", "3 rows were deleted")
    await store.aclose()
    with edited(path) as database:
        database.execute("UPDATE changes SET words = replace(words, '3', '1')")
    with pytest.raises(StateUnavailable):
        await store.changes(APPLICATION, "table-1")
    await store.aclose()


@pytest.mark.parametrize("column", ["key", "value", "ends_at", "mac"])
async def test_a_fact_that_was_edited_is_refused(tmp_path: Path, whole: bytes, column: str) -> None:
    """Nobody sets a PIN, a session or its end by editing the file."""
    path = tmp_path / "state.sqlite"
    value = {"key": digest("session"), "value": '"mine"', "ends_at": 9e9, "mac": None}[column]
    with edited(path, whole) as database:
        database.execute(f"UPDATE facts SET {column} = ?", (value,))
    store = a_store(path)
    key = "session" if column == "key" else "pin"
    with pytest.raises(StateUnavailable):
        await store.recall(key)
    with pytest.raises(StateUnavailable):
        await store.forget(key)
    await store.aclose()
