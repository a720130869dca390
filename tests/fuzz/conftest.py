"""A demo that is small, so that after each of a thousand cases it can be read to the last byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from losant_mcp.sandbox.store import Store

EVENTS = 60
ROWS = 40


@pytest.fixture(scope="session")
def demo_store(demo_store: Store) -> Iterator[Store]:
    """The demo with its newest events, some rows of each table, and two hours of points."""
    store = demo_store.copy()
    tables = store.rows("SELECT id FROM data_tables")
    with store.transaction(write=True) as db:
        db.execute("DELETE FROM points WHERE time < (SELECT max(time) FROM points) - 7200000")
        db.execute(
            "DELETE FROM events WHERE id NOT IN"
            " (SELECT id FROM events ORDER BY creationDate DESC LIMIT ?)",
            (EVENTS,),
        )
        for name in ("event_tags", "event_updates"):
            db.execute(f"DELETE FROM {name} WHERE eventId NOT IN (SELECT id FROM events)")
        for table in tables:
            rows = f"rows_{table['id']}"
            kept = f"SELECT id FROM {rows} ORDER BY id LIMIT {ROWS}"
            db.execute(f"DELETE FROM {rows} WHERE id NOT IN ({kept})")
            counted = f"(SELECT count(*) FROM {rows})"
            db.execute(f"UPDATE data_tables SET rowCount = {counted} WHERE id = ?", (table["id"],))
    store.rows("VACUUM")
    yield store
    store.close()
