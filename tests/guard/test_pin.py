"""The approval PIN: kept as a hash, compared in constant time, never guessed for free."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from losant_mcp.guard.pin import is_pin, is_pin_set, problem_with, set_pin
from losant_mcp.guard.sqlite_store import SqliteStore


@pytest.fixture
async def memory(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store in a fresh file."""
    store = SqliteStore(tmp_path / "state.sqlite", key=bytes(32))
    yield store
    await store.aclose()


async def test_without_a_pin_nothing_is_one(memory: SqliteStore) -> None:
    """No PIN that was never set is right, the empty one least of all."""
    assert not await is_pin_set(memory)
    assert not await is_pin(memory, "")
    assert not await is_pin(memory, "None")


async def test_a_pin_is_known_again_and_kept_as_a_hash(memory: SqliteStore, tmp_path: Path) -> None:
    """The right PIN is right, nothing else is, and the database does not have it."""
    await set_pin(memory, "grüne Wiese 7")
    assert await is_pin_set(memory)
    assert await is_pin(memory, "grüne Wiese 7")
    assert await is_pin(memory, "gru\u0308ne Wiese 7")  # the same letters, typed otherwise
    for wrong in ("", "grüne Wiese 8", "GRÜNE WIESE 7", "grüne Wiese 7 ", "x" * 100_000, "\ud800"):
        assert not await is_pin(memory, wrong)
    await memory.aclose()
    with sqlite3.connect(tmp_path / "state.sqlite") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    assert "Wiese" not in dump
    assert "scrypt" in dump


async def test_a_new_pin_replaces_the_old_one(memory: SqliteStore) -> None:
    """After a change only the new PIN is right, and equal PINs have unequal hashes."""
    await set_pin(memory, "first pin")
    first = await memory.recall("approval-pin")
    await set_pin(memory, "first pin")
    assert await memory.recall("approval-pin") != first
    await set_pin(memory, "second pin")
    assert not await is_pin(memory, "first pin")
    assert await is_pin(memory, "second pin")


@pytest.mark.parametrize(
    "pin", ["", "12345", " 123456", "123456 ", "aaaaaaa", "1\n23456", "x" * 129]
)
async def test_a_weak_pin_is_refused(memory: SqliteStore, pin: str) -> None:
    """Short, blank or uniform PINs are refused with the reason, and none is set."""
    assert problem_with(pin).startswith("A PIN ")
    with pytest.raises(ValueError):
        await set_pin(memory, pin)
    assert not await is_pin_set(memory)
