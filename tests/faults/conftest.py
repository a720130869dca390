"""A small demo, so that all of it can be compared before and after each of many calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from losant_mcp.sandbox.store import Store
from tests.calling import Mode
from tests.faults.line import shut_door, slammed_door
from tests.faults.serving import Serve, serving
from tests.served import Sandbox
from tests.tools.plausible import ids_in


@pytest.fixture(scope="session")
def demo_store(demo_store: Store) -> Iterator[Store]:
    """The demo with few events, rows and points, among them all that plausible calls reach."""
    store = demo_store.copy()
    ids = ids_in(store)
    with store.transaction(write=True) as db:
        db.execute(
            "DELETE FROM events WHERE id <> ? AND id NOT IN (SELECT id FROM (SELECT id,"
            " ROW_NUMBER() OVER (PARTITION BY level, state ORDER BY id) AS place FROM events)"
            " WHERE place <= 3)",
            (ids.event,),
        )
        for table in ("event_tags", "event_updates"):
            db.execute(f"DELETE FROM {table} WHERE eventId NOT IN (SELECT id FROM events)")
        db.execute(
            "DELETE FROM points WHERE attribute <> 'flow' OR deviceId <> ?"
            " OR time < (SELECT MAX(time) - 3600000 FROM points)",
            (ids.device,),
        )
        for row in db.execute("SELECT id FROM data_tables WHERE id <> ?", (ids.table,)).fetchall():
            db.execute(f"DELETE FROM rows_{row['id']}")
            db.execute("UPDATE data_tables SET rowCount = 0 WHERE id = ?", (row["id"],))
    store.rows("VACUUM")
    yield store
    store.close()


@pytest.fixture(scope="session")
def doors() -> Iterator[dict[str, int]]:
    """Ports where no request gets anywhere: one is shut, and one is slammed."""
    with shut_door() as shut, slammed_door() as slammed:
        yield {"shut": shut, "slammed": slammed}


@pytest.fixture
async def serve(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> AsyncIterator[Serve]:
    """Makes a server whose person agrees to everything, and which a fault may befall."""
    async with AsyncExitStack() as stack:
        yield serving(sandbox, mode, tmp_path / "state", stack)
