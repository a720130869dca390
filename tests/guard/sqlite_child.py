"""What other processes do to a store in the tests: ``python -m tests.guard.sqlite_child TASK …``.

A task says ``ready`` on stdout, waits for a line on stdin, and prints its result as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from pydantic import SecretStr

from losant_mcp.guard.origins import claim_origin
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.sqlite_store.database import Transaction
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from losant_mcp.guard.store import GuardError, StateStore, StateUnavailable, binding_digest
from tests.guard.stored import KEY, LIMITS, a_binding, a_plan


def main() -> None:
    """Run the task of the command line."""
    task, *arguments = sys.argv[1:]
    TASKS[task](*arguments)


def ready() -> None:
    """Tell the test, and wait for it."""
    print("ready", flush=True)  # noqa: T201 -- the test reads it
    sys.stdin.readline()


def tell(result: object) -> None:
    """Print the result."""
    print(json.dumps(result), flush=True)  # noqa: T201 -- the test reads it


def store_at(path: str) -> SqliteStore:
    """The store, by the system's clock."""
    return SqliteStore(Path(path), key=KEY)


def shared_store_at(url: str) -> StateStore:
    """The store on a Redis, by its clock."""
    from losant_mcp.guard.redis_store import RedisStore
    from tests.guard.redis_server import SECRET

    return RedisStore(SecretStr(url), SECRET, "https://api.losant.com")


def race(path: str, threads: int, attempt: Callable[[StateStore, int], Awaitable[object]]) -> None:
    """Try it in so many threads at once, and tell what each of them got.

    They share a store in a file; connections to a Redis belong to one thread's event loop.
    """
    shared = None if path.startswith("redis://") else store_at(path)
    results: list[object] = [None] * threads
    start = threading.Barrier(threads)

    def run(number: int) -> None:
        start.wait()

        async def once() -> None:
            store = shared or shared_store_at(path)
            try:
                results[number] = await attempt(store, number)
            except GuardError as error:
                results[number] = type(error).__name__
            if store is not shared:
                await store.aclose()

        anyio.run(once)

    ready()
    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if shared is not None:
        anyio.run(shared.aclose)
    tell(results)


def burn(path: str, threads: str, *plan_ids: str) -> None:
    """Burn the plans, one a thread and in turn."""

    async def attempt(store: StateStore, number: int) -> object:
        plan_id = plan_ids[number % len(plan_ids)]
        plan = await store.burn(plan_id, binding_digest(a_binding()), LIMITS)
        return plan.status

    race(path, int(threads), attempt)


def spend(path: str, threads: str) -> None:
    """Spend 7 of 100."""

    async def attempt(store: StateStore, number: int) -> object:
        await store.spend("destroyed", "ann", "application", 7, 100)
        return "spent"

    race(path, int(threads), attempt)


def add(path: str, threads: str) -> None:
    """Plan the same call."""

    async def attempt(store: StateStore, number: int) -> object:
        return (await store.add_plan(a_plan(), LIMITS)).id

    race(path, int(threads), attempt)


def decide(path: str, threads: str, plan_id: str) -> None:
    """Answer one plan, half the threads with yes and half with no."""

    async def attempt(store: StateStore, number: int) -> object:
        decision = "approved" if number % 2 else "declined"
        return (await store.decide(plan_id, decision, way="page", by="ann")).status  # type: ignore[arg-type] # two literals, joined to str

    race(path, int(threads), attempt)


def forget(path: str, threads: str) -> None:
    """Drop one fact."""

    async def attempt(store: StateStore, number: int) -> object:
        return await store.forget("key")

    race(path, int(threads), attempt)


def die(path: str, plan_id: str) -> None:
    """Burn a plan, and wait to be killed before its transaction is committed."""
    store = store_at(path)
    connection = threading.Event()

    def step(tx: Transaction) -> None:
        tx.execute("UPDATE plans SET status = 'running', body = '{}', mac = 'x'")
        tx.execute("INSERT INTO meters VALUES ('x', 'x', 'destroyed', ?, 50)", tx.now)
        tx.execute("DELETE FROM facts")
        # More than the page cache holds, so that the file itself is changed already.
        tx.execute("INSERT INTO facts VALUES ('x', zeroblob(8000000), NULL, NULL)")
        ready()
        connection.wait()

    store._database.run(step)


def fill(path: str, plan_id: str) -> None:
    """Use a database on a disk that is full, as far as this process can tell."""
    import resource
    import signal

    store = store_at(path)

    async def attempt() -> list[str]:
        await store.now()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        refused = []
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: store.add_plan(a_plan("x" * 200_000), LIMITS),
            lambda: store.burn(plan_id, binding_digest(a_binding()), LIMITS),
        ]
        for call in calls:
            try:
                await call()
            except StateUnavailable as error:
                refused.append(str(error))
        return refused

    tell(anyio.run(attempt))


def origin(folder: str) -> None:
    """Be alive under a name, and a parent to a child that inherits what it can."""
    claimed = claim_origin(Path(folder))
    child = os.fork() if hasattr(os, "fork") else 1
    if not child:
        sys.stdin.close()
        threading.Event().wait(60)
        os._exit(0)
    tell([claimed.name, child])
    ready()


def key(base: str) -> None:
    """Draw the key, at the same time as others."""
    state = open_state_dir(Path(base), "https://api.losant.com")
    ready()
    tell(StateDir(state.path).key().hex())


TASKS: dict[str, Callable[..., None]] = {
    task.__name__: task for task in (burn, spend, add, decide, forget, die, fill, origin, key)
}

if __name__ == "__main__":
    main()
