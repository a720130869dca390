"""A world for an adversary: what is stored in it, and what a person's yes to a call covers.

Two applications with two small tables and four events each, so that a step takes milliseconds.
Everything stored is one flat map of keys to values: what a step removed or changed is then a
comparison of two maps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mcp.types import ElicitResult

from losant_mcp.api.events import LEVELS
from losant_mcp.guard.plans import Operation
from losant_mcp.sandbox.demo.ids import APPLICATION_ID
from losant_mcp.sandbox.demo.write import insert
from losant_mcp.sandbox.store import Store
from tests.served import Sandbox

HERE = APPLICATION_ID
ELSEWHERE = "5b0000000000000000000002"
APPLICATIONS = (HERE, ELSEWHERE)

JsonObject = dict[str, Any]
Key = tuple[str, ...]
Snapshot = Mapping[Key, Any]
"""By key: event, row, cell, table and column."""
Covers = Callable[[Key], bool]

ROW_QUERIES: list[dict[str, Any]] = [
    {"level": {"$lt": 10}},
    {"level": {"$gte": 10}},
    {"name": "north"},
    {"$or": [{"name": "north"}, {"name": "dam"}]},
    {"$nor": []},
    {"id": {}},
]
EVENT_QUERIES: list[dict[str, Any]] = [
    {"level": "info"},
    {"level": {"$in": ["info", "error"]}},
    {"level": {"$ne": "critical"}},
    {},
    {"$nor": []},
    {"id": {}},
]


def prepare(sandbox: Sandbox) -> None:
    """Put the world into an empty sandbox."""
    now = sandbox.store.clock()
    other = {"id": ELSEWHERE, "name": "Other", "creationDate": now, "lastUpdated": now}
    with sandbox.store.transaction(write=True) as db:
        insert(db, "applications", [other])
    http = sandbox.http()
    for application in APPLICATIONS:
        at = f"/applications/{application}"
        for name in ("tanks", "sites"):
            columns = [
                {"name": "name", "dataType": "string", "constraint": "optional"},
                {"name": "level", "dataType": "number", "constraint": "optional"},
            ]
            made = http.post(f"{at}/data-tables", json={"name": name, "columns": columns}).json()
            rows = [{"name": n, "level": x} for n, x in (("north", 3), ("east", 7), ("dam", 30))]
            http.post(f"{at}/data-tables/{made['id']}/rows", json=rows)
        for level in LEVELS:
            http.post(f"{at}/events", json={"level": level, "subject": f"It is {level}"})


def look(store: Store) -> Snapshot:
    """Everything that is stored."""
    found: dict[Key, Any] = {("event", row["id"]): tuple(row) for row in store.rows(_EVENTS)}
    columns: dict[str, dict[str, str]] = {}
    for row in store.rows("SELECT * FROM data_table_columns"):
        columns.setdefault(row["dataTableId"], {})[row["name"]] = f"c{row['position']}"
        found["column", row["dataTableId"], row["name"]] = (row["dataType"], row["constraint"])
    for table in store.rows("SELECT id, name FROM data_tables"):
        found["table", table["id"]] = table["name"]
        for row in store.rows(f"SELECT * FROM rows_{table['id']}"):
            found["row", table["id"], row["id"]] = row["createdAt"]
            for name, sql in columns.get(table["id"], {}).items():
                found["cell", table["id"], row["id"], name] = row[sql]
    return found


_EVENTS = "SELECT id, level, applicationId, state, subject, message, data FROM events"


def rows_of(world: Snapshot, table: str) -> list[Key]:
    """The rows of a table."""
    return [key for key in world if key[:2] == ("row", table)]


def removed(before: Snapshot, after: Snapshot) -> set[Key]:
    """What is gone."""
    return set(before) - set(after)


def changed(before: Snapshot, after: Snapshot) -> set[Key]:
    """What is there with another value."""
    return {key for key, value in before.items() if key in after and after[key] != value}


def covered(operation: Operation, world: Snapshot) -> Covers:
    """What a yes to this operation, given now, lets be removed or changed."""
    target, parent = operation.target_id, operation.parent_id
    match operation.action:
        case "delete_event" | "update_event":
            return {("event", target)}.__contains__
        case "delete_events" | "update_events":
            ids = {key for key in world if key[0] == "event" and _means(operation, world[key])}
            return ids.__contains__
        case "delete_row" | "update_row":
            return lambda key: key[0] in ("row", "cell") and key[1:3] == (parent, target)
        case "delete_rows" | "truncate_rows":
            rows = {
                key[2]
                for key in world
                if key[:2] == ("row", target) and _matches(operation, world, target, key[2])
            }
            return lambda key: key[0] in ("row", "cell") and key[1] == target and key[2] in rows
        case "delete_data_table":
            return lambda key: key[0] != "event" and key[1] == target
        case "remove_data_table_column":
            name = (operation.change or {})["columnName"]
            return lambda key: key[0] in ("column", "cell") and key[1] == target and key[-1] == name
        case "update_data_table" | "add_data_table_column":
            return lambda key: key == ("table", target)
        case _:  # restoring writes values back, and never removes
            return lambda key: False


def _means(operation: Operation, event: tuple[Any, ...]) -> bool:
    level = LEVELS[event[1]]
    if event[2] != operation.application_id:
        return False
    match dict(operation.selection).get("query"):
        case {"level": {"$in": list(levels)}}:
            return level in set(levels)
        case {"level": {"$ne": other}}:
            return bool(level != other)
        case {"level": str(wanted)}:
            return bool(level == wanted)
        case _:
            return True


def _matches(operation: Operation, world: Snapshot, table: str, row: str) -> bool:
    name = world.get(("cell", table, row, "name"))
    level = world.get(("cell", table, row, "level"))
    match operation.selection.get("query"):
        case {"level": {"$lt": bound}}:
            return level is not None and bool(level < bound)
        case {"level": {"$gte": bound}}:
            return level is not None and bool(level >= bound)
        case {"name": wanted}:
            return bool(name == wanted)
        case {"$or": _}:
            return name in ("north", "dam")
        case _:
            return True


# ---- calls ---------------------------------------------------------------------------------

TOOLS = (
    "delete_event",
    "delete_events",
    "delete_row",
    "delete_rows",
    "truncate_rows",
    "delete_data_table",
    "remove_data_table_column",
    "update_event",
    "update_events",
    "update_row",
    "update_data_table",
    "add_data_table_column",
    "restore_backup",
)
"""Every guarded tool."""


def arguments_for(tool: str, n: tuple[int, ...], world: Snapshot, backups: list[str]) -> JsonObject:
    """Arguments drawn from what is in the world, mostly fitting together, by small numbers."""
    tables = [key[1] for key in world if key[0] == "table"]
    table = _pick([*tables, *tables, "tanks", "0" * 24], n[1])
    rows = [key[2] for key in world if key[0] == "row" and (n[2] % 5 == 4 or key[1] == table)]
    events = [key[1] for key in world if key[0] == "event"]
    row, event = _pick([*rows, "0" * 24], n[2]), _pick([*events, "0" * 24], n[1])
    of_table: JsonObject = {"dataTableId": table}
    given: JsonObject
    match tool:
        case "delete_event":
            given = {"eventId": event}
        case "update_event":
            given = {"eventId": event, "state": _pick(["new", "acknowledged", "resolved"], n[2])}
        case "delete_events":
            given = {"query": _pick(EVENT_QUERIES, n[1])}
        case "update_events":
            given = {"query": _pick(EVENT_QUERIES, n[1]), "level": _pick(list(LEVELS), n[2])}
        case "delete_row":
            given = {**of_table, "rowId": row}
        case "update_row":
            given = {**of_table, "rowId": row, "row": {"level": n[2]}}
        case "delete_rows":
            given = {**of_table, "query": _pick(ROW_QUERIES, n[2])}
        case "remove_data_table_column":
            given = {**of_table, "columnName": _pick(["name", "level", "id"], n[2])}
        case "update_data_table":
            given = {**of_table, _pick(["name", "description"], n[2]): f"x{n[2]}"}
        case "add_data_table_column":
            constraint = _pick(["optional", "required", "unique"], n[2])
            given = {
                **of_table, "name": f"c{n[2]}", "dataType": "number", "constraint": constraint,
            }  # fmt: skip
        case "restore_backup":
            given = {"backupId": _pick([*backups, "bak_" + "a" * 26], n[1])}
        case _:
            given = of_table
    if tool.endswith("_events") and n[2] % 2:
        given["all"] = True
    return {"applicationId": APPLICATIONS[n[0] % 4 == 3], **given}


T = TypeVar("T")


def _pick(choices: list[T], number: int) -> T:
    return choices[number % len(choices)]


# ---- answers -------------------------------------------------------------------------------


def phrase_in(question: str) -> str:
    """What the person is asked to type."""
    return question.rpartition("To agree, type: ")[2]


def wrong_answer(number: int, question: str, schema: dict[str, Any]) -> ElicitResult:
    """One of the many answers that are no yes."""
    [name] = schema["properties"]
    right: Any = True
    wrong: list[Any] = ["true", "yes", 1, False, 0, "True", ["true"]]
    if schema["properties"][name]["type"] == "string":
        right = phrase_in(question)
        wrong = [True, "", "yes", f"{right}.", right[:-1], right.swapcase(), [right], f"x {right}"]
    contents: list[dict[str, Any] | None] = [
        {name: value} for value in wrong if (type(value), value) != (type(right), right)
    ]
    contents += [{name: right, "also": 1}, {f"{name} ": right}, {}, None]
    if number % 4 < 2:
        return ElicitResult(action="decline" if number % 4 else "cancel")
    return ElicitResult(action="accept", content=contents[number // 4 % len(contents)])


@dataclass
class Person:
    """Whoever sits before the forms; ``willing`` for one call of theirs, else never."""

    willing: bool = False
    number: int = 0
    asked: list[str] = field(default_factory=list)

    def answer(self, question: str, schema: dict[str, Any]) -> ElicitResult:
        """The right answer where they are willing, else a wrong one of many."""
        self.asked.append(question)
        [name] = schema["properties"]
        if not self.willing:
            return wrong_answer(self.number, question, schema)
        plain = schema["properties"][name]["type"] == "boolean"
        return ElicitResult(action="accept", content={name: True if plain else phrase_in(question)})


def signature(tool: str, arguments: Mapping[str, Any]) -> str:
    """The same for the same call."""
    return json.dumps([tool, arguments], sort_keys=True)
