"""The corpus in every place of the demo where somebody's text can stand.

It is put straight into the database: Losant itself would refuse some of it, and whoever answers
in its place would not. Half a surrogate pair is no text for SQLite, so a stand-in is stored, and
``Wire`` puts the half back into the JSON on its way, escaped as every JSON writer does it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from losant_mcp.api.tables import RESERVED_COLUMNS
from losant_mcp.sandbox.demo.ids import APPLICATION_ID
from losant_mcp.sandbox.demo.write import insert
from losant_mcp.sandbox.store import Store
from losant_mcp.sandbox.tables import Column, create_rows
from tests.assembling import network
from tests.hostile.corpus import CORPUS, LARGE

# In the last plane of private use there is room for every half.
_STAND_IN = 0x100000
_HALF = re.compile("[\ud800-\udfff]")
_STOOD_IN = re.compile(f"[{chr(_STAND_IN + 0xD800)}-{chr(_STAND_IN + 0xDFFF)}]")

NAME_CHARACTERS = 255
SHORT = tuple(text for text in CORPUS if text not in LARGE)
COLUMNS = 40
_COLUMN_NAMES = [text for text in SHORT if text.strip() and text not in RESERVED_COLUMNS]


def storable(text: str) -> str:
    """The text with stand-ins for half surrogate pairs."""
    return _HALF.sub(lambda found: chr(_STAND_IN + ord(found[0])), text)


class Wire(httpx.AsyncBaseTransport):
    """The network, on which stand-ins become what they stand for."""

    def __init__(self) -> None:
        self._network = network()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and answer with what a hostile Losant would."""
        response = await self._network.handle_async_request(request)
        text = (await response.aread()).decode()
        spoilt = _STOOD_IN.sub(lambda found: f"\\u{ord(found[0]) - _STAND_IN:04x}", text)
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name not in ("content-length", "transfer-encoding", "content-encoding")
        ]
        return httpx.Response(response.status_code, headers=headers, content=spoilt.encode())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._network.aclose()


@dataclass(frozen=True)
class Planted:
    """Where to look: ids of objects whose every text is hostile."""

    table: str
    """It has ``COLUMNS`` columns, and a row for each string."""
    row: str
    column: str
    """The one column whose name Losant would take."""
    event: str
    device: str
    attribute: str
    """The one attribute whose name Losant would take."""
    names: tuple[str, ...]
    """Ids of tables without rows, one for each name."""

    def named(self, text: str) -> str:
        """The id of the table without rows that has this name."""
        return self.names[CORPUS.index(text)]


def plant(store: Store) -> Planted:
    """Put the corpus into the store, and say where."""
    with store.transaction(write=True) as db:
        now = store.clock()
        new_id: Callable[[], str] = store.new_id
        db.execute("UPDATE applications SET name = ?, description = ?", (_at(0), _at(31)))
        devices, attribute = _devices(db, new_id, now)
        events = _events(db, new_id, now, devices)
        table, rows, column = _table(db, new_id, now)
        names = _names(db, new_id, now)
        _jobs(db, new_id, now)
    return Planted(table, rows[0], column, events[0], devices[0], attribute, names)


def _at(number: int, most: int | None = None, among: Sequence[str] = CORPUS) -> str:
    return storable(among[number % len(among)])[:most]


def _name(number: int) -> str:
    return _at(number, NAME_CHARACTERS)


def _devices(db: sqlite3.Connection, new_id: Callable[[], str], now: int) -> tuple[list[str], str]:
    ids = [new_id() for _ in CORPUS]
    insert(
        db,
        "devices",
        [
            {
                "id": id,
                "applicationId": APPLICATION_ID,
                "name": _name(number),
                "description": _at(number + 1),
                "deviceClass": "standalone",
                "creationDate": now,
                "lastUpdated": now,
                "connected": 1,
                "connectedAt": now,
            }
            for number, id in enumerate(ids)
        ],
    )
    tags, attributes, points = [], [], []
    for number, id in enumerate(ids):
        tags.append({"deviceId": id, "key": _name(number + 2), "value": _name(number + 3)})
    for number, text in enumerate(["plain", *SHORT]):
        name = f"{number} {storable(text)}"[:NAME_CHARACTERS] if number else text
        attribute = {"deviceId": ids[0], "name": name}
        attributes.append(attribute | {"dataType": "string"})
        points.append({**_point(ids[0], name, now), "value": _at(number + 1)})
    insert(db, "device_tags", tags)
    insert(db, "device_attributes", attributes)
    insert(db, "points", points)
    return ids, str(attributes[0]["name"])


def _point(device: str, attribute: str, at: int) -> dict[str, Any]:
    return {"deviceId": device, "attribute": attribute, "time": at - 60_000}


def _events(
    db: sqlite3.Connection, new_id: Callable[[], str], now: int, devices: Sequence[str]
) -> list[str]:
    ids = [new_id() for _ in CORPUS]
    events, tags, updates = [], [], []
    for number, id in enumerate(ids):
        event: dict[str, Any] = {"id": id, "applicationId": APPLICATION_ID}
        # Each is the newest and the most severe at some moment, and none is a minute old.
        event |= {"creationDate": now - number * 100, "lastUpdated": now - number * 100}
        event |= {"sourceType": "device", "sourceId": devices[number], "sourceName": _at(number)}
        event |= {"level": 3, "state": 0, "subject": _name(number), "message": _at(number + 1)}
        data = {_name(number + 2): [_at(number + 3), {_name(number + 4): _at(number + 5)}]}
        events.append(event | {"data": json.dumps(data), "deviceId": devices[number]})
        tags.append({"eventId": id, "key": _name(number + 6), "value": _name(number + 7)})
        entry = {"comment": _at(number + 8), "sourceType": "user", "sourceName": _at(number + 9)}
        entry |= {"sourceId": devices[0], "creationDate": "2026-01-02T03:04:05.000Z"}
        updates.append({"eventId": id, "position": 0, "entry": json.dumps(entry)})
    insert(db, "events", events)
    insert(db, "event_tags", tags)
    insert(db, "event_updates", updates)
    return ids


def _table(
    db: sqlite3.Connection, new_id: Callable[[], str], now: int
) -> tuple[str, list[str], str]:
    """A table whose columns are called by a third of the corpus and whose cells hold all of it."""
    id = new_id()
    step = len(_COLUMN_NAMES) // COLUMNS
    names = ["plain", *(storable(name)[:NAME_CHARACTERS] for name in _COLUMN_NAMES[::step])]
    columns = [
        Column(number, name, "string", "optional") for number, name in enumerate(names[:COLUMNS])
    ]
    _store_table(db, id, "the hostile \u202etable", columns, now, len(CORPUS))
    rows = [new_id() for _ in CORPUS]
    cells = ", ".join("?" * COLUMNS)
    db.executemany(
        f"INSERT INTO rows_{id} VALUES (?, ?, ?, {cells})",
        [
            (row, now, now, _at(number), *(_at(number + n, 400, SHORT) for n in range(1, COLUMNS)))
            for number, row in enumerate(rows)
        ],
    )
    return id, rows, names[0]


def _names(db: sqlite3.Connection, new_id: Callable[[], str], now: int) -> tuple[str, ...]:
    """A table for each string as its name, with another as its description."""
    ids = tuple(new_id() for _ in CORPUS)
    for number, id in enumerate(ids):
        _store_table(db, id, _name(number), [], now, 0, _at(number + 1))
    return ids


def _store_table(
    db: sqlite3.Connection,
    id: str,
    name: str,
    columns: Sequence[Column],
    now: int,
    rows: int,
    description: str = "",
) -> None:
    table = {"id": id, "applicationId": APPLICATION_ID, "name": name, "description": description}
    counts = {"creationDate": now, "lastUpdated": now, "rowCount": rows}
    insert(db, "data_tables", [{**table, **counts}])
    db.executemany(
        "INSERT INTO data_table_columns VALUES (?, ?, ?, ?, ?, ?)",
        [(id, c.position, c.name, c.data_type, c.constraint, None) for c in columns],
    )
    create_rows(db, id, columns)


def _jobs(db: sqlite3.Connection, new_id: Callable[[], str], now: int) -> None:
    insert(
        db,
        "jobs",
        [
            {
                "id": new_id(),
                "jobId": new_id(),
                "applicationId": APPLICATION_ID,
                "name": _name(number),
                "status": "errored",
                "runQueuedAt": now,
                "runStartedAt": now,
                "runCompletedAt": now,
                "progress": json.dumps({"done": 0}),
                "error": json.dumps({"type": _name(number), "message": _at(number + 1)}),
                "input": json.dumps({_name(number): _at(number + 2)}),
                "output": json.dumps({_name(number + 3): _at(number + 4)}),
            }
            for number in range(0, len(CORPUS), 5)
        ],
    )
