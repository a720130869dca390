"""Both stores on an empty memory, so that the same tests hold them against the same promises."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from losant_mcp.guard.redis_store import RedisStore
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.store import StateStore
from tests.guard.redis_server import SECRET, RedisServer
from tests.guard.stored import APPLICATION, KEY, LIMITS, Clock, a_plan

API_URL = "https://api.losant.com"

Kind = Literal["sqlite", "redis"]
KINDS: tuple[Kind, ...] = ("sqlite", "redis")


class OpenStore(Protocol):
    """Opens one more store on the same memory; close it."""

    def __call__(self, clock: Clock, steady: Clock | None = None) -> StateStore:
        """The store, by this clock, beside one that never jumps."""


NewMemory = Callable[[], AbstractContextManager[OpenStore]]
"""Makes an empty memory."""


Call = Callable[[StateStore], Awaitable[object]]
UNKNOWN = "apr_" + "a" * 26
"""The id of no plan."""
CALLS: dict[str, Call] = {
    "now": lambda s: s.now(),
    "add_plan": lambda s: s.add_plan(a_plan(), LIMITS),
    "plan": lambda s: s.plan(UNKNOWN),
    "pending_plans": lambda s: s.pending_plans(),
    "begin_question": lambda s: s.begin_question(UNKNOWN, "page"),
    "decide": lambda s: s.decide(UNKNOWN, "approved", way="page", by="ann"),
    "burn": lambda s: s.burn(UNKNOWN, "", LIMITS),
    "finish": lambda s: s.finish(UNKNOWN, "done", {}),
    "interrupt_orphans": lambda s: s.interrupt_orphans([]),
    "take_expired": lambda s: s.take_expired(),
    "fatigue": lambda s: s.fatigue("ann", ""),
    "unlock": lambda s: s.unlock(),
    "spend": lambda s: s.spend("destroyed", "ann", APPLICATION, 1, 9),
    "spent": lambda s: s.spent("destroyed", "ann", APPLICATION),
    "remember": lambda s: s.remember("key", "value"),
    "recall": lambda s: s.recall("key"),
    "forget": lambda s: s.forget("key"),
    "swap": lambda s: s.swap("key", None, "value"),
    "note_change": lambda s: s.note_change(APPLICATION, "table-1", "words"),
    "changes": lambda s: s.changes(APPLICATION, "table-1"),
}
"""Every method, called once; `test_store` sees that none is missing."""


@contextlib.contextmanager
def sqlite_memory() -> Iterator[OpenStore]:
    """A file that is not there yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite"
        yield lambda clock, steady=None: SqliteStore(path, key=KEY, clock=clock, steady=steady)


@contextlib.contextmanager
def redis_memory(server: RedisServer) -> Iterator[OpenStore]:
    """A Redis with nothing in it."""
    server.empty()
    yield lambda clock, steady=None: a_redis_store(server, clock, steady=steady)


def a_redis_store(
    server: RedisServer,
    clock: Clock | None = None,
    *,
    steady: Clock | None = None,
    replica: str = "",
) -> RedisStore:
    """A store on this Redis, by its own clock where none is given; close it."""
    return RedisStore(
        server.url,
        SECRET,
        API_URL,
        replica=replica,
        clock=None if clock is None else lambda _: clock(),
        steady=steady,
    )
