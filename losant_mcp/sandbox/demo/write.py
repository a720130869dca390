"""Writing many rows at once: the fastest way into SQLite that Python has."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from losant_mcp.api.tables import Constraint, DataType
from losant_mcp.sandbox.demo.ids import APPLICATION_ID, demo_id
from losant_mcp.sandbox.demo.places import DAY
from losant_mcp.sandbox.tables import Column, create_rows


def insert(db: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert objects that all have the same keys, which are the table's columns."""
    columns = ", ".join(rows[0])
    places = ", ".join(f":{name}" for name in rows[0])
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)


def create_table(
    db: sqlite3.Connection,
    number: int,
    name: str,
    description: str,
    columns: Sequence[tuple[str, DataType, Constraint, Any]],
    rows: Sequence[tuple[int, tuple[Any, ...]]],
    now: int,
) -> None:
    """Store a data table; ``rows`` are (creation time, cells), ``columns`` end with the default."""
    id = demo_id("table", number)
    table = {
        "id": id,
        "applicationId": APPLICATION_ID,
        "name": name,
        "description": description,
        "creationDate": now - (380 - number) * DAY,
        "lastUpdated": now - (90 - number) * DAY,
        "rowCount": len(rows),
    }
    insert(db, "data_tables", [table])
    db.executemany(
        "INSERT INTO data_table_columns VALUES (?, ?, ?, ?, ?, ?)",
        [
            (id, i, *column[:3], None if column[3] is None else json.dumps(column[3]))
            for i, column in enumerate(columns)
        ],
    )
    cells = "".join(f", c{i}" for i in range(len(columns)))
    create_rows(db, id, [Column(i, *column) for i, column in enumerate(columns)])
    places = ", ".join("?" * (3 + len(columns)))
    db.executemany(
        f"INSERT INTO rows_{id} (id, createdAt, updatedAt{cells}) VALUES ({places})",
        [
            (demo_id("row", i, number), at, at, *values)
            for i, (at, values) in enumerate(rows, start=1)
        ],
    )
