"""Data tables and their columns.

Not documented, and chosen here: reserved names are refused exactly as written (``ID`` is a
name like any other); a default is refused on a column that is not optional, and where it is
not of the column's type; removing a column that is not there is a 404; ``filter`` without
``filterField`` filters nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from losant_mcp.api.tables import MAX_COLUMNS, RESERVED_COLUMNS
from losant_mcp.sandbox.call import Answer, Call, Handler, invalid, iso, not_found
from losant_mcp.sandbox.listing import Condition, Listing, both, globbed, page

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column; its cells are in the SQL column ``sql``. ``default`` None is no default."""

    position: int
    name: str
    data_type: str
    constraint: str
    default: str | int | float | bool | None = None

    @property
    def sql(self) -> str:
        """The SQL column's name."""
        return f"c{self.position}"

    def holds(self, value: object) -> bool:
        """Whether the value, which is not null, is of the column's type."""
        fits = isinstance(value, _TYPES[self.data_type])
        return fits and (self.data_type == "boolean" or not isinstance(value, bool))

    def shown(self) -> dict[str, Any]:
        """The column as Losant tells it."""
        shown: dict[str, Any] = {
            "name": self.name,
            "dataType": self.data_type,
            "constraint": self.constraint,
        }
        if self.default is not None:
            shown["defaultValue"] = self.default
        return shown


def find_table(call: Call) -> sqlite3.Row:
    """The table in the path. Raises Problem 404."""
    found: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM data_tables WHERE id = ? AND applicationId = ?",
        (call.path["dataTableId"], call.application_id),
    ).fetchone()
    if found is None:
        raise not_found("Data Table")
    return found


def columns_of(db: sqlite3.Connection, table_id: str) -> list[Column]:
    """The columns of a table, in their order."""
    found = db.execute(
        'SELECT position, name, dataType, "constraint", defaultValue FROM data_table_columns'
        " WHERE dataTableId = ? ORDER BY position",
        (table_id,),
    )
    return [
        Column(position, name, data_type, constraint, json.loads(default or "null"))
        for position, name, data_type, constraint, default in found
    ]


def create_rows(db: sqlite3.Connection, table_id: str, columns: Sequence[Column]) -> None:
    """Make the SQL table that holds the rows, with what its constraints need."""
    cells = "".join(f", {column.sql}" for column in columns)
    # The cells have no declared type, so that SQLite converts nothing.
    db.execute(
        f"CREATE TABLE rows_{table_id} (id TEXT NOT NULL PRIMARY KEY, createdAt INTEGER NOT NULL,"
        f" updatedAt INTEGER NOT NULL{cells})"
    )
    # "What changed last?" is asked of whole tables, before and after every load of one.
    db.execute(f"CREATE INDEX rows_{table_id}_updated ON rows_{table_id} (updatedAt)")
    for column in columns:
        _constrain(db, table_id, column)


def _constrain(db: sqlite3.Connection, table_id: str, column: Column) -> None:
    # Rows from before the column have null there; SQL lets any number of nulls be unique.
    if column.constraint == "unique":
        db.execute(
            f"CREATE UNIQUE INDEX rows_{table_id}_{column.sql} ON rows_{table_id} ({column.sql})"
        )


def _add(db: sqlite3.Connection, table_id: str, column: Column) -> None:
    default = None if column.default is None else json.dumps(column.default)
    db.execute(
        "INSERT INTO data_table_columns VALUES (?, ?, ?, ?, ?, ?)",
        (table_id, column.position, column.name, column.data_type, column.constraint, default),
    )


def _checked(body: dict[str, Any], position: int, others: Sequence[Column]) -> Column:
    """A column as a request describes it. Raises Problem 400."""
    column = Column(
        position, body["name"], body["dataType"], body["constraint"], body.get("defaultValue")
    )
    if column.name in RESERVED_COLUMNS:
        raise invalid(f"Column name {column.name} is reserved")
    if any(column.name == other.name for other in others):
        raise invalid(f"Column name {column.name} is used twice")
    if column.default is not None:
        if column.constraint != "optional":
            raise invalid(f"Column {column.name}: only an optional column has a default value")
        if not column.holds(column.default):
            raise invalid(f"Column {column.name}: the default value is no {column.data_type}")
    return column


# ---- handlers ------------------------------------------------------------------------------


def _shown(db: sqlite3.Connection, table: sqlite3.Row) -> dict[str, Any]:
    shown = {
        "id": table["id"],
        "dataTableId": table["id"],
        "applicationId": table["applicationId"],
        "creationDate": iso(table["creationDate"]),
        "lastUpdated": iso(table["lastUpdated"]),
        "name": table["name"],
        "columns": [column.shown() for column in columns_of(db, table["id"])],
    }
    if table["description"] is not None:
        shown["description"] = table["description"]
    return shown


def get_tables(call: Call) -> Answer:
    """A page of the application's tables."""
    condition: Condition = "applicationId = ?", [call.application_id]
    if "filter" in call.params and "filterField" in call.params:
        condition = both(condition, globbed("name", call.params["filter"]))
    listing = Listing(
        columns="*",
        source="data_tables",
        sort={name: name for name in ("name", "id", "creationDate", "lastUpdated")},
        item=lambda table: _shown(call.db, table),
        id="id",
    )
    return Answer(200, page(call, listing, condition))


def create_table(call: Call) -> Answer:
    """A new table; names need not be unique, as tables are told apart by id."""
    table_id = call.store.new_id(call.now)
    columns: list[Column] = []
    for position, column in enumerate(call.body.get("columns", ())):
        columns.append(_checked(column, position, columns))
    call.db.execute(
        "INSERT INTO data_tables (id, applicationId, name, description, creationDate, lastUpdated)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            table_id,
            call.application_id,
            call.body["name"],
            call.body.get("description"),
            call.now,
            call.now,
        ),
    )
    for added in columns:
        _add(call.db, table_id, added)
    create_rows(call.db, table_id, columns)
    return Answer(201, _shown(call.db, _table(call, table_id)))


def _table(call: Call, table_id: str) -> sqlite3.Row:
    found: sqlite3.Row = call.db.execute(
        "SELECT * FROM data_tables WHERE id = ?", (table_id,)
    ).fetchone()
    return found


def get_table(call: Call) -> Answer:
    """One table."""
    return Answer(200, _shown(call.db, find_table(call)))


def update_table(call: Call) -> Answer:
    """The table with another name or description; an empty body changes nothing."""
    table = find_table(call)
    for field in ("name", "description"):
        if field in call.body:
            call.db.execute(
                f"UPDATE data_tables SET {field} = ?, lastUpdated = ? WHERE id = ?",
                (call.body[field], call.now, table["id"]),
            )
    return Answer(200, _shown(call.db, _table(call, table["id"])))


def delete_table(call: Call) -> Answer:
    """The table is gone with its columns and rows."""
    table_id = find_table(call)["id"]
    call.db.execute(f"DROP TABLE rows_{table_id}")
    call.db.execute("DELETE FROM data_table_columns WHERE dataTableId = ?", (table_id,))
    call.db.execute("DELETE FROM data_tables WHERE id = ?", (table_id,))
    return Answer(200, {"success": True})


def add_column(call: Call) -> Answer:
    """The table with one more column, null in every row there is, whatever the constraint."""
    table_id = find_table(call)["id"]
    columns = columns_of(call.db, table_id)
    if len(columns) >= MAX_COLUMNS:
        raise invalid(f"A data table has at most {MAX_COLUMNS} columns")
    position = max((column.position for column in columns), default=-1) + 1
    column = _checked(call.body, position, columns)
    _add(call.db, table_id, column)
    call.db.execute(f"ALTER TABLE rows_{table_id} ADD COLUMN {column.sql}")
    _constrain(call.db, table_id, column)
    return _touched(call, table_id)


def remove_column(call: Call) -> Answer:
    """The table without the column and its data; adding it again brings nothing back."""
    table_id = find_table(call)["id"]
    name = call.params["columnName"]
    column = next((c for c in columns_of(call.db, table_id) if c.name == name), None)
    if column is None:
        raise not_found("Column")
    call.db.execute(f"DROP INDEX IF EXISTS rows_{table_id}_{column.sql}")
    call.db.execute(f"ALTER TABLE rows_{table_id} DROP COLUMN {column.sql}")
    call.db.execute(
        "DELETE FROM data_table_columns WHERE dataTableId = ? AND position = ?",
        (table_id, column.position),
    )
    return _touched(call, table_id)


def _touched(call: Call, table_id: str) -> Answer:
    call.db.execute("UPDATE data_tables SET lastUpdated = ? WHERE id = ?", (call.now, table_id))
    return Answer(200, _shown(call.db, _table(call, table_id)))


HANDLERS: dict[str, Handler] = {
    "dataTables.get": get_tables,
    "dataTables.post": create_table,
    "dataTable.get": get_table,
    "dataTable.patch": update_table,
    "dataTable.delete": delete_table,
    "dataTable.addColumn": add_column,
    "dataTable.removeColumn": remove_column,
}
