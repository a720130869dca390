"""What a state folder keeps by right: an end of every plan, a backup of every change, one audit.

It is looked at once its server has gone, as whoever looks after the machine would.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.plans import OPEN
from tests.soak.person import Tally

CHANGES = (
    *("delete_row", "delete_rows", "truncate_rows", "delete_data_table", "restore_backup"),
    *("update_row", "update_event", "update_events"),
)
"""What leaves a backup: two files. A call that failed, or was left, may have left one, too."""


def check_state(folder: Path, tally: Tally) -> None:
    """Finished plans are purged, backups are no more than changes, and the audit is whole."""
    [database] = folder.rglob("state.sqlite")
    state = database.parent
    with closing(sqlite3.connect(database)) as connection:
        plans = [json.loads(body) for (body,) in connection.execute("SELECT body FROM plans")]
    finished = [plan for plan in plans if plan["status"] not in (*OPEN, "running")]
    assert finished
    for plan in finished:
        assert not plan["planned"]["items"], plan["status"]
        assert not plan["shown"]["samples"], plan["status"]
    tried = sum(number for (name, _), number in tally.ends.items() if name in CHANGES)
    assert len([*(state / "backups").iterdir()]) <= 2 * tried + 1
    keys = state / "keys"
    audit = AuditLog(
        state / "audit.jsonl", key=(keys / "audit").read_bytes(), head_path=keys / "audit-head"
    )
    assert audit.verify().ok
