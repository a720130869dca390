"""The demo: Cedar Creek Utilities, a small town's waterworks with a bad night behind it.

Everything is drawn from one seeded generator and placed relative to the store's clock, so two
databases seeded at the same moment are equal, ids included. Nothing moves by itself afterwards.
"""

from __future__ import annotations

import random

from losant_mcp.sandbox.demo import alarms, fleet, records, series, shift_notes
from losant_mcp.sandbox.demo.ids import APPLICATION_ID
from losant_mcp.sandbox.demo.places import DAY
from losant_mcp.sandbox.demo.write import insert
from losant_mcp.sandbox.store import Store

__all__ = ["APPLICATION_ID", "seed"]


def seed(store: Store, *, empty: bool = False) -> str:
    """The demo application's id; its data is made unless ``empty``, and never made twice."""
    with store.transaction(write=True) as db:
        if db.execute("SELECT 1 FROM applications WHERE id = ?", (APPLICATION_ID,)).fetchone():
            return APPLICATION_ID
        now = store.clock()
        application = {
            "id": APPLICATION_ID,
            "name": "Cedar Creek Utilities",
            "description": "Pumping stations, boilers and reservoirs of a small town's waterworks",
            "creationDate": now - 420 * DAY,
            "lastUpdated": now - 31 * DAY,
        }
        insert(db, "applications", [application])
        if not empty:
            rng = random.Random(20260131)
            devices = fleet.seed(db, now)
            series.seed(db, devices, now, rng)
            alarms.seed(db, devices, now, rng)
            assets = records.seed(db, devices, now, rng)
            shift_notes.seed(db, assets, now, rng)
    return APPLICATION_ID
