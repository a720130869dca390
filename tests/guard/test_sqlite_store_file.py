"""The database file: private, whole, untouched by others, and refused in every other case."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from losant_mcp.guard.plans import PLAN_SECONDS, Shown
from losant_mcp.guard.sqlite_store import database
from losant_mcp.guard.sqlite_store.database import Database, Transaction
from losant_mcp.guard.sqlite_store.schema import VERSION
from losant_mcp.guard.store import GuardError, StateUnavailable
from tests.guard.stored import (
    KEY,
    LIMITS,
    Clock,
    a_binding,
    a_plan,
    a_store,
    edited,
    whole_database,
    write_database,
)
from tests.guard.stores import CALLS

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


@pytest.fixture
async def whole(tmp_path: Path) -> bytes:
    """A database as the store leaves it, with an approved plan in it."""
    return await whole_database(tmp_path)


# ---- what cannot be used -------------------------------------------------------------------


def _below_a_file(path: Path, whole: bytes) -> None:
    path.parent.rmdir()
    path.parent.write_bytes(whole)


def _no_folder(path: Path, whole: bytes) -> None:
    path.parent.rmdir()


def _a_folder(path: Path, whole: bytes) -> None:
    path.mkdir()


def _no_database(path: Path, whole: bytes) -> None:
    write_database(path, os.urandom(8192))


def _damaged_inside(path: Path, whole: bytes) -> None:
    content = bytearray(whole)
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    write_database(path, bytes(content))


def _cut_short(path: Path, whole: bytes) -> None:
    write_database(path, whole[:5000])


def _without_its_clock(path: Path, whole: bytes) -> None:
    with edited(path, whole) as database:
        database.execute("DELETE FROM clock")


def _of_a_newer_version(path: Path, whole: bytes) -> None:
    with edited(path, whole) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")


def _of_somebody_else(path: Path, whole: bytes) -> None:
    with edited(path) as database:
        database.execute("CREATE TABLE plans (anything)")


def _open_to_others(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    path.chmod(0o640)


def _a_link(path: Path, whole: bytes) -> None:
    write_database(path.with_name("elsewhere.sqlite"), whole)
    path.symlink_to("elsewhere.sqlite")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_below_a_file, "cannot be read and written: Not a directory."),
        (_no_folder, "cannot be read and written: No such file or directory."),
        (_a_folder, "cannot be read and written: state.sqlite is not a regular file."),
        (_no_database, "is damaged."),
        (_damaged_inside, "is damaged."),
        (_cut_short, "is damaged."),
        (_without_its_clock, "is damaged."),
        (_of_somebody_else, "cannot be read and written: table plans already exists."),
        (
            _of_a_newer_version,
            (
                f"was written by a newer version of losant-mcp (format {VERSION + 1}; this one "
                f"knows {VERSION})."
            ),
        ),
        pytest.param(
            _open_to_others,
            "cannot be read and written: state.sqlite is open to other users or belongs to one.",
            marks=posix,
        ),
        pytest.param(
            _a_link,
            "cannot be read and written: state.sqlite is not a regular file.",
            marks=posix,
        ),
    ],
)
async def test_what_cannot_be_used_is_unavailable(
    tmp_path: Path, whole: bytes, spoil: Callable[[Path, bytes], None], words: str
) -> None:
    """Every method says so, every time, with what a person can do about it and no path."""
    path = tmp_path / "state" / "state.sqlite"
    path.parent.mkdir(0o700)
    spoil(path, whole)
    store = a_store(path)
    for name, call in [*CALLS.items(), *CALLS.items()]:
        with pytest.raises(StateUnavailable) as refusal:
            await call(store)
        assert (name, str(refusal.value)) == (name, f"The guard's memory {words}")
        assert refusal.value.hint
        assert str(tmp_path) not in str(refusal.value) + refusal.value.hint
    await store.aclose()


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root writes to every folder"
)
async def test_a_read_only_folder_is_unavailable(tmp_path: Path, whole: bytes) -> None:
    """Nothing is decided by a database that cannot be written."""
    path = tmp_path / "state" / "state.sqlite"
    path.parent.mkdir(0o700)
    write_database(path, whole)
    path.parent.chmod(0o500)
    store = a_store(path)
    for call in CALLS.values():
        with pytest.raises(StateUnavailable):
            await call(store)
    await store.aclose()
    path.parent.chmod(0o700)


async def test_a_database_that_another_process_holds_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that never ends makes the store unavailable for now, and a retry may help."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    store = a_store(tmp_path / "state.sqlite")
    await store.now()
    with edited(tmp_path / "state.sqlite") as other:
        other.execute("BEGIN IMMEDIATE")
        for call in CALLS.values():
            with pytest.raises(StateUnavailable) as refusal:
                await call(store)
            assert str(refusal.value) == "The guard's memory is busy: another process holds it."
            assert refusal.value.retry
    await store.add_plan(a_plan(), LIMITS)
    await store.aclose()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows renames no open file")
@pytest.mark.parametrize("anew", [False, True])
async def test_a_database_that_was_taken_away_is_missed(tmp_path: Path, anew: bool) -> None:
    """A running server does not go on alone with a file that nobody else sees any more."""
    path = tmp_path / "state.sqlite"
    store = a_store(path)
    await store.now()
    path.rename(tmp_path / "gone.sqlite")
    if anew:
        other = a_store(path)
        await other.now()
        await other.aclose()
    for call in CALLS.values():
        with pytest.raises(StateUnavailable) as refusal:
            await call(store)
        assert refusal.value.hint == "Restart the server."
    await store.aclose()


async def test_a_newer_version_beside_a_running_server_is_noticed(tmp_path: Path) -> None:
    """What another version made of the file while this one runs is not written over."""
    path = tmp_path / "state.sqlite"
    store = a_store(path)
    await store.now()
    with edited(path) as other:
        other.execute(f"PRAGMA user_version = {VERSION + 1}")
    for call in CALLS.values():
        with pytest.raises(StateUnavailable):
            await call(store)
    await store.aclose()


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (GuardError("no"), True),
        (StateUnavailable("broken"), False),
        (KeyError("a bug"), False),
    ],
)
def test_a_step_is_kept_by_a_no_and_undone_by_a_failure(
    tmp_path: Path, end: Exception, kept: bool
) -> None:
    """What is written before a refusal counts; what is written before a failure never was."""
    steps = Database(
        tmp_path / "state.sqlite",
        key=KEY,
        clock=Clock(),
        steady=None,
        clock_went_back=lambda before, now: None,
    )

    def step(tx: Transaction) -> None:
        tx.execute("INSERT INTO streaks VALUES ('x', 1, 0)")
        raise end

    with pytest.raises(type(end)):
        steps.run(step)
    assert steps.run(lambda tx: len(tx.rows("SELECT * FROM streaks"))) == kept
    steps.close()


# ---- who may look, and how it is written ---------------------------------------------------


@posix
async def test_every_file_of_the_database_is_private(tmp_path: Path) -> None:
    """Whatever the umask, nobody else may read the database, its log or its index."""
    before = os.umask(0)
    try:
        store = a_store(tmp_path / "state.sqlite")
        await store.add_plan(a_plan(), LIMITS)
        assert _modes(tmp_path) == {
            "state.sqlite": 0o600,
            "state.sqlite-wal": 0o600,
            "state.sqlite-shm": 0o600,
        }
        await store.aclose()
    finally:
        os.umask(before)


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.parametrize("marked", [False, True])
async def test_without_shared_memory_there_is_no_write_ahead_log(
    tmp_path: Path, whole: bytes, marked: bool
) -> None:
    """Where the log's index cannot be made, a journal does, also for a file marked for a log."""
    path = tmp_path / "state.sqlite"
    path.with_name("state.sqlite-shm").mkdir()
    if marked:
        assert whole[18:20] == b"\x02\x02"
        write_database(path, whole)
    for _ in range(2):
        store = a_store(path)
        plan = await store.add_plan(a_plan("table-9"), LIMITS)
        other = a_store(path)
        assert await other.plan(plan.id) == plan
        await other.aclose()
        await store.aclose()
    with edited(path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_the_journal_that_the_file_has_is_kept(tmp_path: Path, whole: bytes) -> None:
    """A file that was once made without a write-ahead log stays without it."""
    path = tmp_path / "state.sqlite"
    with edited(path, whole) as database:
        assert database.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    store = a_store(path)
    await store.remember("key", "value")
    assert not path.with_name("state.sqlite-wal").exists()
    await store.aclose()


async def test_an_expired_plan_is_purged_even_if_nobody_looks_at_it(tmp_path: Path) -> None:
    """Somebody else's next plan sweeps what is past its time, and its bytes are overwritten."""
    clock = Clock()
    store = a_store(tmp_path / "state.sqlite", clock)
    await store.add_plan(a_plan(), LIMITS)
    clock.wait(PLAN_SECONDS)
    unsampled = replace(a_plan(binding=a_binding("bob")), shown=Shown("Production"))
    await store.add_plan(unsampled, LIMITS)
    await store.aclose()
    content = (tmp_path / "state.sqlite").read_bytes()
    assert b"Production" in content
    assert b"secret" not in content
