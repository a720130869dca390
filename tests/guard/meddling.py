"""Somebody else at Losant, who changes things while the guard plans, asks and runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mcp.types import ElicitResult

from tests.guard.guarding import Answer, Guarded, accept
from tests.served import Sandbox

TANKS = {"north": 3, "south": 5, "east": 7, "west": 8, "hill": 20, "dam": 30}
"""The rows of the table ``tanks``: four are below ten."""
LOW = {"level": {"$lt": 10}}
OTHERS = {"hill", "dam"}

moments = pytest.mark.parametrize(
    ("mode", "moment"),
    [
        ("auto", "while the person reads"),
        ("legacy", "while the person reads"),
        # Nothing of the protocol is left after the yes.
        ("auto", "after the backup"),
    ],
    indirect=["mode"],
)
"""When something happens, on the versions on which that can differ."""


class Somebody:
    """Another user with a token of their own client; by HTTP, as the guard never sees them."""

    def __init__(self, guarded: Guarded) -> None:
        self._sandbox = guarded.sandbox
        self._http = guarded.sandbox.http()
        self.tables = f"{guarded.sandbox.application_url}/data-tables"
        self.events = f"{guarded.sandbox.application_url}/events"
        self.table = ""
        self.rows: dict[str, str] = {}
        """The ids of the tanks."""

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    # ---- the table of tanks ----------------------------------------------------------------

    def make_tanks(self) -> str:
        """A small table with six rows; its id."""
        columns = [
            {"name": "name", "dataType": "string", "constraint": "optional"},
            {"name": "level", "dataType": "number", "constraint": "optional"},
        ]
        made = self._ask("POST", self.tables, {"name": "tanks", "columns": columns})
        self.table = made["id"]
        for name, level in TANKS.items():
            self.add(name, level)
        return self.table

    def add(self, name: str, level: int) -> None:
        """One more tank."""
        row = self._ask("POST", f"{self.tables}/{self.table}/rows", {"name": name, "level": level})
        self.rows[name] = row["id"]

    def add_many(self, number: int, name: Callable[[], str]) -> None:
        """As many more tanks."""
        rows = [{"name": name(), "level": 1} for _ in range(number)]
        self._ask("POST", f"{self.tables}/{self.table}/rows", rows)

    def set(self, name: str, level: int) -> None:
        """Another level."""
        self._ask("PATCH", f"{self.tables}/{self.table}/rows/{self.rows[name]}", {"level": level})

    def remove(self, name: str) -> None:
        """One tank fewer."""
        self._ask("DELETE", f"{self.tables}/{self.table}/rows/{self.rows[name]}")

    def rename(self, name: str = "reservoirs") -> None:
        """Another name for the table."""
        self._ask("PATCH", f"{self.tables}/{self.table}", {"name": name})

    def add_column(self) -> None:
        """A further column, which changes no row's date."""
        column = {"name": "note", "dataType": "string", "constraint": "optional"}
        self._ask("POST", f"{self.tables}/{self.table}/column", column)

    def remove_column(self) -> None:
        """The column ``level`` is gone."""
        path = f"{self.tables}/{self.table}/column?columnName=level"
        self._ask("DELETE", path)

    def make_anew(self) -> None:
        """The table is deleted, and another one has its name, columns and rows."""
        self._ask("DELETE", f"{self.tables}/{self.table}")
        self.make_tanks()

    def left(self) -> dict[str, int]:
        """The tanks that are stored, with their levels."""
        columns = self._sandbox.store.rows(
            "SELECT name, position FROM data_table_columns WHERE dataTableId = ?", self.table
        )
        sql = {row["name"]: f"c{row['position']}" for row in columns}
        found = self._sandbox.store.rows(
            f"SELECT {sql['name']}, {sql.get('level', 'NULL')} FROM rows_{self.table}"
        )
        return {row[0]: row[1] for row in found}

    def has_column(self, name: str) -> bool:
        """Whether the table has this column."""
        return bool(
            self._sandbox.store.rows(
                "SELECT 1 FROM data_table_columns WHERE dataTableId = ? AND name = ?",
                self.table,
                name,
            )
        )

    # ---- events ----------------------------------------------------------------------------

    def change_event(self, event_id: str, **fields: Any) -> None:
        """Something about an event is different."""
        self._ask("PATCH", f"{self.events}/{event_id}", fields)

    def remove_event(self, event_id: str) -> None:
        """An event is gone."""
        self._ask("DELETE", f"{self.events}/{event_id}")

    def raise_event(self, **fields: Any) -> str:
        """A new event; its id."""
        made = self._ask("POST", self.events, {"level": "info", "subject": "New", **fields})
        return str(made["id"])


MANY = {"subject": "Many"}
EVENTS = 120
"""More than are deleted without a job."""


def raise_many(sandbox: Sandbox, fault: str | None = None) -> None:
    """So many events more, past the limit on new ones; ``fault`` befalls Losant's jobs."""
    now = sandbox.store.clock()
    with sandbox.store.transaction(write=True) as db:
        for _ in range(EVENTS):
            db.execute(
                "INSERT INTO events (id, applicationId, creationDate, lastUpdated, level, state,"
                " subject) VALUES (?, ?, ?, ?, 1, 0, 'Many')",
                (sandbox.store.new_id(), sandbox.application_id, now, now),
            )
        if fault is not None:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('job_fault', ?)", (fault,))


def meanwhile(happens: Callable[[], object], answer: Answer) -> Answer:
    """A person who answers so, after something happened while they read."""

    def read_and_answer(question: str, schema: dict[str, Any]) -> ElicitResult:
        happens()
        return answer(question, schema)

    return read_and_answer


def agree(question: str, schema: dict[str, Any]) -> ElicitResult:
    """Somebody who reads what is to be typed, and types it; or says a plain yes."""
    phrase: Any = True
    if schema["properties"]["confirmation"]["type"] == "string":
        phrase = question.rpartition("To agree, type: ")[2]
    return accept(phrase)(question, schema)
