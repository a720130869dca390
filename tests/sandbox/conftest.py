"""What the sandbox's tests share: a table with every kind of column."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.served import Sandbox

COLUMNS: list[dict[str, Any]] = [
    {"name": "code", "dataType": "string", "constraint": "unique"},
    {"name": "size", "dataType": "number", "constraint": "required"},
    {"name": "note", "dataType": "string", "constraint": "optional"},
    {"name": "open", "dataType": "boolean", "constraint": "optional", "defaultValue": True},
    {"name": "rate", "dataType": "number", "constraint": "optional", "defaultValue": 2.5},
]


class Table:
    """A data table over HTTP, and what is really stored of it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = sandbox.http()
        self.tables = f"{sandbox.application_url}/data-tables"
        made = self.http.post(self.tables, json={"name": "parts", "columns": COLUMNS})
        assert made.status_code == 201, made.text
        self.made: dict[str, Any] = made.json()
        self.id: str = self.made["id"]
        self.url = f"{self.tables}/{self.id}"
        self.rows = f"{self.url}/rows"

    def insert(self, *rows: dict[str, Any]) -> list[str]:
        """Insert rows in bulk; returns their ids."""
        answer = self.http.post(self.rows, json=rows)
        assert answer.status_code == 201, answer.text
        ids: list[str] = answer.json()["rowIds"]
        return ids

    def query(self, query: dict[str, Any], **params: str | int) -> list[Any]:
        """The codes of the rows that match."""
        answer = self.http.post(f"{self.rows}/query", json=query, params=params)
        assert answer.status_code == 200, answer.text
        return [row.get("code") for row in answer.json()["items"]]

    def stored(self) -> list[tuple[Any, ...]]:
        """The cells that are stored, without dates, in the order of creation."""
        found = self.sandbox.store.rows(f"SELECT * FROM rows_{self.id} ORDER BY id")
        return [tuple(row)[:1] + tuple(row)[3:] for row in found]

    def counted(self) -> int:
        """The number of rows that is kept beside the table."""
        [row] = self.sandbox.store.rows("SELECT rowCount FROM data_tables WHERE id = ?", self.id)
        return int(row["rowCount"])


def refused(answer: httpx.Response, *words: str) -> bool:
    """Whether an answer is a 400 of type Validation that says these words."""
    body = answer.json()
    named = all(word in body["message"] for word in words)
    return answer.status_code == 400 and body["type"] == "Validation" and named


@pytest.fixture
def table(empty_sandbox: Sandbox) -> Table:
    """A new table without rows."""
    return Table(empty_sandbox)
