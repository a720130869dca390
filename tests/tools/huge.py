"""Hostile amounts of data: long texts, fifty columns, hundred updates, long names."""

from __future__ import annotations

import json

from losant_mcp.sandbox.tables import Column, create_rows
from tests.served import Sandbox
from tests.tools.plausible import Ids, ids_in

TABLE = "5f0c0de03000000000000099"
EVENTS, ROWS = 40, 30


def fill(sandbox: Sandbox) -> Ids:
    """Make everything that the tools list large and many; returns what can be asked for."""
    ids, now = ids_in(sandbox.store), sandbox.store.clock()
    columns = [Column(n, f"c{n:02}_" + "n" * (n * 5), "string", "optional") for n in range(50)]
    with sandbox.store.transaction(write=True) as db:
        db.execute(
            "DELETE FROM events WHERE id NOT IN (SELECT id FROM events ORDER BY id DESC LIMIT ?)",
            (EVENTS,),
        )
        db.execute(
            "UPDATE events SET state = 0, subject = substr(subject || ?, 1, 255), message = ?,"
            " data = ?",
            ("s" * 255, "m" * 32_767, json.dumps({"k" * 500: ["d" * 3000] * 6})),
        )
        db.execute("DELETE FROM event_updates")
        entry = json.dumps({"comment": "c" * 5000, "data": {"deep": [{"x": "y" * 500}] * 5}})
        db.executemany(
            "INSERT INTO event_updates VALUES (?, ?, ?)",
            [(ids.event, position, entry) for position in range(100)],
        )
        db.execute("UPDATE devices SET name = substr(name || ?, 1, 255)", (" " + "d" * 255,))
        db.execute("UPDATE devices SET description = ?", ("x" * 32_767,))
        db.execute("UPDATE applications SET description = ?", ("a" * 32_767,))
        db.execute("UPDATE data_tables SET description = ?", ("t" * 32_767,))
        db.execute(
            "INSERT INTO data_tables VALUES (?, ?, ?, ?, ?, ?, ?)",
            (TABLE, ids.application, "w" * 255, "t" * 32_767, now, now, ROWS),
        )
        for column in columns:
            db.execute(
                "INSERT INTO data_table_columns VALUES (?, ?, ?, ?, ?, NULL)",
                (TABLE, column.position, column.name, column.data_type, column.constraint),
            )
        create_rows(db, TABLE, columns)
        db.executemany(
            f"INSERT INTO rows_{TABLE} VALUES (?, ?, ?{', ?' * 50})",
            [
                (f"5f0c0de05100000{n:09x}", now, now, *(["v" * (n * 37 % 700)] * 50))
                for n in range(ROWS)
            ],
        )
        output = json.dumps({"downloadUrls": ["https://files.example/" + "u" * 3000] * 20})
        db.executemany(
            "INSERT INTO jobs (id, jobId, applicationId, name, status, runQueuedAt, output)"
            " VALUES (?, ?, ?, ?, 'completed', ?, ?)",
            [
                (f"5f0c0de07000000{n:09x}", f"j{n}", ids.application, "J" * 255, now + n, output)
                for n in range(40)
            ],
        )
    return ids
