"""What the tests of queries share: values that are easy to get wrong, and what SQL finds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from losant_mcp.api.events import LEVELS, STATES
from losant_mcp.api.query import EVENTS, ROWS, parse_query
from losant_mcp.sandbox.events import FIELDS as EVENT_FIELDS
from losant_mcp.sandbox.query_sql import number, where
from losant_mcp.sandbox.rows import fields_of
from losant_mcp.sandbox.store import Store
from losant_mcp.sandbox.tables import Column, create_rows
from tests.sandbox.plain_query import Kinds, matches

TABLE = "5" * 24


COLUMNS = [
    Column(0, "word", "string", "optional"),
    Column(1, "amount", "number", "optional"),
    Column(2, "flag", "boolean", "optional"),
    Column(3, "WORD", "string", "optional"),
]
ROW_KINDS: Kinds = {
    "id": "id", "createdAt": "time", "updatedAt": "time",
    "word": "string", "amount": "number", "flag": "boolean", "WORD": "string",
}  # fmt: skip
EVENT_KINDS: Kinds = {
    "id": "id", "creationDate": "time", "lastUpdated": "time", "sourceId": "id",
    "sourceType": "string", "level": LEVELS, "state": STATES, "subject": "string",
    "deviceId": "id", "experienceUserId": "id", "experienceGroupId": "id", "eventTags": "tags",
}  # fmt: skip

IDS = [f"{i:024x}" for i in (0xA, 0xB, 0xABCDEF, 0xFACADE, 0x1A, 0xA1, 0xB2, 0x2B)]
WORDS = [
    "", "a", "A", "ab", "aB", "b", "ß", "SS", "ss", "É", "é", "a%b", "a_b", "*", "?", "[a]",
    "a\x00b", "b\x00", "5", "true", "null", "🜁x", "\u212a", "k", "\\", "'",
]  # fmt: skip
PARTS = ["a", "b", "A", "B", "ab", "s", "SS", "É", "\x00", "%", "_", "]", "\\", "k", "🜁"]
NUMBERS = [0, 1, -1, 5, 5.0, 1.5, 0.1, -0.0, 1e300, 2**53, 2**53 + 1, 2**70, -(2**70)]
TIMES = [0, 1, 1_750_000_000_000, 1_750_000_000_001]
DATES = ["1970-01-01", "2025-06-15T15:06:40Z", "2025-06-15T17:06:40.001+02:00", "1970-01-01T00:00"]


def new_database() -> Store:
    """A database with an empty table of rows."""
    store = Store()
    with store.transaction(write=True) as db:
        create_rows(db, TABLE, COLUMNS)
    return store


def store_rows(store: Store, items: Iterable[dict[str, Any]]) -> None:
    """Make these the only rows."""
    with store.transaction(write=True) as db:
        db.execute(f"DELETE FROM rows_{TABLE}")
        db.executemany(
            f"INSERT INTO rows_{TABLE}"
            " VALUES (:id, :createdAt, :updatedAt, :word, :amount, :flag, :WORD)",
            [
                {**item, "amount": None if item["amount"] is None else number(item["amount"])}
                for item in items
            ],
        )


def store_events(store: Store, items: Iterable[dict[str, Any]]) -> None:
    """Make these the only events."""
    with store.transaction(write=True) as db:
        db.execute("DELETE FROM events")
        db.execute("DELETE FROM event_tags")
        for item in items:
            stored = {name: value for name, value in item.items() if name != "eventTags"}
            stored |= {"level": LEVELS.index(item["level"]), "state": STATES.index(item["state"])}
            names = ", ".join(stored)
            places = ", ".join(f":{name}" for name in stored)
            db.execute(
                f"INSERT INTO events (applicationId, {names}) VALUES ('x', {places})", stored
            )
            db.executemany(
                "INSERT INTO event_tags VALUES (?, ?, ?)",
                [(item["id"], *tag) for tag in item["eventTags"].items()],
            )


def row(id: str, **cells: Any) -> dict[str, Any]:
    """A row of nulls but for these cells."""
    empty = {"word": None, "amount": None, "flag": None, "WORD": None}
    return {"id": id, "createdAt": 0, "updatedAt": 0, **empty, **cells}


def event(id: str, **fields: Any) -> dict[str, Any]:
    """An event but for these fields like all others."""
    plain = {"creationDate": 0, "lastUpdated": 0, "level": "info", "state": "new", "subject": "s"}
    return {"id": id, **plain, "eventTags": {}, **fields}


def check_rows(store: Store, query: dict[str, Any], items: Iterable[dict[str, Any]]) -> None:
    """Fails where SQL finds other rows than the plain evaluator."""
    sql, parameters = where(parse_query(query, ROWS), fields_of(COLUMNS))
    expected = {item["id"] for item in items if matches(query, item, ROW_KINDS)}
    _check(store, f"SELECT id FROM rows_{TABLE}", sql, parameters, expected)


def check_events(store: Store, query: dict[str, Any], items: Iterable[dict[str, Any]]) -> None:
    """Fails where SQL finds other events than the plain evaluator."""
    sql, parameters = where(parse_query(query, EVENTS), EVENT_FIELDS)
    expected = {item["id"] for item in items if matches(query, item, EVENT_KINDS)}
    _check(store, "SELECT e.id FROM events e", sql, parameters, expected)


def _check(store: Store, select: str, sql: str, parameters: list[Any], expected: set[str]) -> None:
    assert {hit[0] for hit in store.rows(f"{select} WHERE {sql}", *parameters)} == expected, sql
    # A condition that is NULL would be missing on both sides.
    others = {miss[0] for miss in store.rows(f"{select} WHERE NOT ({sql})", *parameters)}
    assert others == {one[0] for one in store.rows(select)} - expected, sql
