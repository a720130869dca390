"""Two processes with many threads on one file, and processes that are killed or have no room."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from anyio import to_thread

from losant_mcp.guard.plans import Plan
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.store import NotOpen
from tests.guard.children import Child, race
from tests.guard.stored import APPLICATION, KEY, LIMITS, ROOMY, a_plan, approve, burn, edited

THREADS = "5"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store lies."""
    return tmp_path / "state.sqlite"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """An empty store by the system's clock, which the other processes use as well."""
    sqlite = SqliteStore(path, key=KEY)
    yield sqlite
    await sqlite.aclose()


async def _race(*tasks: tuple[str, ...]) -> Counter[object]:
    results = await to_thread.run_sync(lambda: race(*tasks))
    return Counter(result for one in results for result in one)


async def _approved(store: SqliteStore, target: str, destroys: int = 2) -> Plan:
    return await approve(store, await store.add_plan(a_plan(target, destroys=destroys), ROOMY))


async def test_ten_burnings_of_one_plan_are_one_run(store: SqliteStore, path: Path) -> None:
    """Whichever thread of whichever process wins, the others find a running plan."""
    plan = await _approved(store, "table-1")
    task = ("burn", str(path), THREADS, plan.id)
    assert await _race(task, task) == {"running": 1, "NotOpen": 9}
    assert await store.spent("destroyed", "ann", APPLICATION) == 2
    stored = await store.plan(plan.id)
    assert stored is not None
    assert stored.status == "running"


async def test_ten_plans_burned_at_once_keep_within_the_budget(
    store: SqliteStore, path: Path
) -> None:
    """Of ten plans over 30 objects each, three fit into a hundred; the others have failed."""
    plans = [await _approved(store, f"table-{n}", destroys=30) for n in range(10)]
    ids = [plan.id for plan in plans]
    results = await _race(
        ("burn", str(path), THREADS, *ids[:5]), ("burn", str(path), THREADS, *ids[5:])
    )
    assert results == {"running": 3, "BudgetSpent": 7}
    assert await store.spent("destroyed", "ann", APPLICATION) == 90
    stored = [await store.plan(plan.id) for plan in plans]
    assert Counter(plan.status for plan in stored if plan) == {"running": 3, "failed": 7}


async def test_two_processes_spend_one_budget(store: SqliteStore, path: Path) -> None:
    """Of twenty times 7, fourteen fit into a hundred."""
    await store.now()
    results = await _race(("spend", str(path), "10"), ("spend", str(path), "10"))
    assert results == {"spent": 14, "BudgetSpent": 6}
    assert await store.spent("destroyed", "ann", "application") == 98


async def test_a_database_that_two_processes_make_at_once_is_one(
    store: SqliteStore, path: Path
) -> None:
    """Ten equal calls on a file that is not there yet share one question."""
    results = await _race(("add", str(path), THREADS), ("add", str(path), THREADS))
    assert list(results.values()) == [10]
    assert [plan.id for plan in await store.pending_plans()] == list(results)


async def test_of_yes_and_no_at_once_one_stands(store: SqliteStore, path: Path) -> None:
    """Every other answer finds the plan decided."""
    plan = await store.add_plan(a_plan(), LIMITS)
    task = ("decide", str(path), THREADS, plan.id)
    results = await _race(task, task)
    stored = await store.plan(plan.id)
    assert stored is not None
    assert results == {stored.status: 1, "NotOpen": 9}


async def test_a_key_works_for_one_caller(store: SqliteStore, path: Path) -> None:
    """Of ten who drop a fact at once, one is told that it was there."""
    await store.remember("key", "hash")
    results = await _race(("forget", str(path), THREADS), ("forget", str(path), THREADS))
    assert results == {True: 1, False: 9}


@pytest.mark.parametrize("journal", ["wal", "delete"])
async def test_a_kill_in_the_middle_of_a_transaction_undoes_it(
    store: SqliteStore, path: Path, journal: str
) -> None:
    """The plan is approved as before, nothing is reserved, and the database is free at once."""
    plan = await _approved(store, "table-1")
    await store.remember("pin", "hash")
    await store.aclose()
    with edited(path) as database:
        assert database.execute(f"PRAGMA journal_mode = {journal}").fetchone() == (journal,)
    child = Child("die", str(path), plan.id)
    await to_thread.run_sync(child.wait_until_ready)
    await to_thread.run_sync(child.kill)
    half_done = path.with_name("state.sqlite-wal") if journal == "wal" else path
    assert half_done.stat().st_size > 1_000_000
    assert await store.plan(plan.id) == plan
    assert await store.recall("pin") == "hash"
    assert await store.spent("destroyed", "ann", APPLICATION) == 0
    assert (await burn(store, plan)).status == "running"


async def test_without_room_on_the_disk_nothing_is_approved_or_burned(
    store: SqliteStore, path: Path
) -> None:
    """A write that fails is told as such, and the plan is what it was."""
    pytest.importorskip("resource", reason="only POSIX can limit the size of files")
    plan = await _approved(store, "table-1")
    await store.aclose()
    child = Child("fill", str(path), plan.id)
    told = await to_thread.run_sync(child.told)
    await to_thread.run_sync(child.end)
    assert len(told) == 2
    assert all("cannot be read and written" in words for words in told)
    assert await store.plan(plan.id) == plan
    assert await store.pending_plans() == []
    await burn(store, plan)
    with pytest.raises(NotOpen):
        await burn(store, plan)
