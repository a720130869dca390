"""What SQL can be asked about: data tables, events and devices, and what their columns are.

A data table goes by its exact name, by its name in another case where only one fits, or by its
id. ``events`` and ``devices`` are reserved: a data table called so goes by its id.

Columns are named as at Losant. SQL minds no case, Losant does: of columns that differ by case
only, each after the first gets ``_2``, ``_3`` behind its name. Numbers are DOUBLE, which is what
Losant stores, so whole numbers up to 2^53 are exact; the type never depends on the data.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from losant_mcp.api.endpoint import Endpoint
from losant_mcp.api.endpoints import (
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    DEVICES_GET,
    EVENTS_GET,
)
from losant_mcp.api.query import DEVICES, EVENTS, ROWS, Subject
from losant_mcp.api.query_values import nearest
from losant_mcp.api.tables import Column as TableColumn
from losant_mcp.api.tables import DataTable
from losant_mcp.api.times import HOUR, iso, read_date
from losant_mcp.api.types import JsonObject
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import PAGE_SIZE
from losant_mcp.errors import UnknownName
from losant_mcp.text import one_line

Kind = Literal["rows", "events", "devices"]
Reserved = Literal["events", "devices"]
RESERVED: tuple[Reserved, ...] = ("events", "devices")

CELLS = 40_000
MOST_ROWS = 5_000
"""A page of rows has about so many cells, and at most so many rows."""

_TYPES = {"string": "VARCHAR", "number": "DOUBLE", "boolean": "BOOLEAN"}
_SHOWN = 8


@dataclass(frozen=True)
class Column:
    """A column: where it is in Losant's item, what SQL calls it, and its type.

    ``sql`` makes the value of JSON where a cast would not; ``{}`` is the JSON.
    """

    key: str
    name: str
    type: str
    sql: str = ""

    def to_json(self) -> JsonObject:
        """The column as the child takes it."""
        return {"key": self.key, "name": self.name, "type": self.type, "sql": self.sql}


@dataclass(frozen=True)
class Stamp:
    """What shows that a collection has changed: how many there are, and the newest change (ms)."""

    count: int
    newest: int | None


@dataclass(frozen=True)
class Window:
    """Events from ``start`` on, and before ``end``, in ms; an open end is None."""

    start: int
    end: int | None = None

    def widened(self) -> Window:
        """The window in full hours, so that the next question finds its events loaded."""
        end = None if self.end is None else self.end + -self.end % HOUR
        return Window(self.start - self.start % HOUR, end)

    def query(self) -> JsonObject:
        """The window as an advanced query."""
        end = {} if self.end is None else {"$lt": self.end}
        return {"creationDate": {"$gte": self.start, **end}}

    def sql(self) -> str:
        """The window as a condition on a view."""
        tests = [f"\"creationDate\" >= TIMESTAMPTZ '{iso(self.start)}'"]
        if self.end is not None:
            tests.append(f"\"creationDate\" < TIMESTAMPTZ '{iso(self.end)}'")
        return " AND ".join(tests)


@dataclass(frozen=True)
class Source:
    """One collection, narrowed by a query where one was given (``narrowed``).

    ``id`` is a data table's, or the reserved name; ``name`` is for people. ``where`` narrows
    what is loaded to what was asked for. What is not ``kept`` is loaded for one statement.
    """

    kind: Kind
    application_id: str
    id: str
    name: str
    columns: tuple[Column, ...]
    query: JsonObject | None = None
    where: str = ""
    kept: bool = True
    narrowed: bool = False

    @property
    def key(self) -> str:
        """What makes two sources the same load."""
        columns = [column.to_json() for column in self.columns]
        return json.dumps([self.kind, self.id, self.query, columns], sort_keys=True)

    @property
    def page_size(self) -> int:
        """How many items to ask for at once: narrow rows come in fewer, larger pages.

        The largest limit that Losant takes is not documented; a workflow may ask for 10,000 rows,
        its command line asks for 1,000 of anything, and an answer has at most 20 MB.
        """
        if self.kind != "rows":
            return PAGE_SIZE
        return max(PAGE_SIZE, min(MOST_ROWS, CELLS // len(self.columns)))

    @property
    def stamp_column(self) -> str:
        """The column of the newest change."""
        return "updatedAt" if self.kind == "rows" else "lastUpdated"

    @property
    def endpoint(self) -> Endpoint:
        """The operation that pages are read with."""
        if self.kind == "rows":
            return DATA_TABLE_ROWS_GET if self.query is None else DATA_TABLE_ROWS_QUERY
        return EVENTS_GET if self.kind == "events" else DEVICES_GET

    @property
    def types(self) -> dict[str, str]:
        """The types of a data table's own columns, as Losant calls them."""
        names = {sql: name for name, sql in _TYPES.items()} if self.kind == "rows" else {}
        return {c.key: names[c.type] for c in self.columns if c.type in names}

    async def count(self, client: LosantClient, query: JsonObject) -> int:
        """How many another query would select."""
        return (await replace(self, query=query).stamp(client)).count

    async def stamp(self, client: LosantClient) -> Stamp:
        """How many there are now, and the newest change."""
        if self.kind == "rows":
            view: dict[str, Any] = {
                "applicationId": self.application_id,
                "dataTableId": self.id,
                "sortColumn": "updatedAt",
                "sortDirection": "desc",
                "limit": 1,
                "includeFields": "id,updatedAt",
            }
            page = (
                await client.data_table_rows_get(**view)
                if self.query is None
                else await client.data_table_rows_query(**view, body=self.query)
            )
            newest = page.items[0].get("updatedAt") if page.items else None
            return Stamp(page.totalCount, read_date(newest))
        common: dict[str, Any] = {
            "applicationId": self.application_id,
            "sortField": "lastUpdated",
            "sortDirection": "desc",
            "perPage": 1,
            "query": self.query,
        }
        if self.kind == "events":
            events = await client.events_get(**common)
            return Stamp(
                events.totalCount, read_date(events.items[0].lastUpdated if events.items else None)
            )
        devices = await client.devices_get(**common, excludeConnectionInfo=True)
        return Stamp(
            devices.totalCount, read_date(devices.items[0].lastUpdated if devices.items else None)
        )

    async def unchanged(self, client: LosantClient) -> bool:
        """Whether the table still has the columns that it is read by."""
        if self.kind != "rows":
            return True
        table = await client.data_table_get(applicationId=self.application_id, dataTableId=self.id)
        return table_columns(table.columns) == self.columns

    async def read(self, client: LosantClient, *, start: int, size: int) -> bytes:
        """A page as it comes, sorted by id."""
        path = {"applicationId": self.application_id}
        if self.kind == "rows":
            view = {"sortColumn": "id", "sortDirection": "asc", "limit": size, "offset": start}
            path["dataTableId"] = self.id
            return await client.read_raw(self.endpoint, path, view, self.query)
        numbered = {
            "sortField": "id",
            "sortDirection": "asc",
            "page": start // size,
            "perPage": size,
            "query": self.query,
        }
        return await client.read_raw(self.endpoint, path, numbered)


# ---- columns -------------------------------------------------------------------------------

_JSON = "nullif({}::VARCHAR, 'null')::JSON"
_MOMENT = "TIMESTAMPTZ"

# A key with one value, as nearly all have, is that value; with several, a list of them.
_TAGS = """to_json(map_from_entries(list_transform(list_sort(list_distinct(list_transform(
    from_json({}, '[{"key":"VARCHAR"}]'), lambda t: t.key))),
  lambda k: {'k': k, 'v': list_transform(list_filter(
    from_json({}, '[{"key":"VARCHAR","value":"VARCHAR"}]'), lambda t: t.key = k),
    lambda t: t.value)}).list_transform(
  lambda e: {'k': e.k, 'v': if(len(e.v) = 1, to_json(e.v[1]), to_json(e.v))})))"""

EVENT_COLUMNS = (
    *(Column(name, name, "VARCHAR") for name in ("id", "level", "state", "subject", "message")),
    Column("creationDate", "creationDate", _MOMENT),
    Column("lastUpdated", "lastUpdated", _MOMENT),
    *(
        Column(name, name, "VARCHAR")
        for name in ("deviceId", "deviceName", "sourceType", "sourceId", "sourceName")
    ),
    *(Column(name, name, "JSON", _JSON) for name in ("eventTags", "data", "updates")),
)

DEVICE_COLUMNS = (
    *(Column(name, name, "VARCHAR") for name in ("id", "name", "description", "deviceClass")),
    Column("creationDate", "creationDate", _MOMENT),
    Column("lastUpdated", "lastUpdated", _MOMENT),
    Column("parentId", "parentId", "VARCHAR"),
    Column("gatewayId", "gatewayId", "VARCHAR"),
    Column("tags", "tags", "JSON", _TAGS),
    Column(
        "attributes",
        "attributes",
        "JSON",
        "to_json(map_from_entries(list_transform(from_json({}, "
        '\'[{"name":"VARCHAR","dataType":"VARCHAR"}]\'), '
        "lambda a: {'k': a.name, 'v': a.dataType})))",
    ),
    Column(
        "connectionInfo",
        "connected",
        "BOOLEAN",
        "CASE {}->>'$.connected' WHEN '1' THEN true WHEN 'true' THEN true"
        " WHEN '0' THEN false WHEN 'false' THEN false END",
    ),
    Column(
        "connectionInfo",
        "connectionTime",
        _MOMENT,
        "TRY_CAST({}->>'$.time' AS TIMESTAMPTZ)",
    ),
)
"""``connected`` changes without a trace in ``lastUpdated``, so devices are never kept."""


def table_columns(columns: Sequence[TableColumn]) -> tuple[Column, ...]:
    """The columns of a data table: id, its own as they are defined, createdAt, updatedAt."""
    taken = {"id", "createdat", "updatedat"}
    own = []
    for column in columns:
        # No statement may hold a NUL character.
        name, number = (plain := column.name.replace("\0", "\ufffd")), 2
        while name.lower() in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name.lower())
        own.append(Column(column.name, name, _TYPES.get(column.dataType, "VARCHAR")))
    return (
        Column("id", "id", "VARCHAR"),
        *own,
        Column("createdAt", "createdAt", _MOMENT),
        Column("updatedAt", "updatedAt", _MOMENT),
    )


# ---- names ---------------------------------------------------------------------------------


def resolve(name: str, tables: Sequence[DataTable]) -> DataTable | Reserved:
    """What a name in a statement stands for. Raises UnknownName, listing candidates."""
    if name in RESERVED:
        return name
    if found := [table for table in tables if table.id.lower() == name.lower()]:
        return found[0]
    exact = [table for table in tables if table.name == name]
    if len(exact) == 1:
        return exact[0]
    near = exact or [table for table in tables if table.name.casefold() == name.casefold()]
    reserved = [word for word in RESERVED if not exact and word == name.casefold()]
    if len(near) + len(reserved) == 1:
        return near[0] if near else reserved[0]
    shown = one_line(name, 60)
    if near or reserved:
        ids = ", ".join(f"{one_line(table.name, 40)!r} is {table.id}" for table in near[:_SHOWN])
        raise UnknownName(
            f"{len(near) + len(reserved)} tables may be meant by {shown!r}: {ids}"
            f"{'; ' + reserved[0] + ' is reserved' if reserved else ''}.",
            hint='Write the name exactly as it is, or the id, in quotes: FROM "5f0c…".',
        )
    raise unknown_table(name, [*(table.name for table in tables), *RESERVED])


def unknown_table(name: str, known: Collection[str]) -> UnknownName:
    """The error for a name that is no table's."""
    names = [one_line(other, 60) for other in known]
    guess = nearest(one_line(name, 60), names)
    some = ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
    return UnknownName(
        f"There is no table {one_line(name, 60)!r}{guess or '.'}",
        hint=f"There are: {some}. Quote names with blanks or capitals that matter.",
    )


def source_of(
    what: DataTable | Reserved,
    application_id: str,
    *,
    window: Window,
    query: JsonObject | None,
) -> Source:
    """The source that a name stands for, narrowed by the window and a checked query."""
    if isinstance(what, DataTable):
        return Source(
            "rows",
            application_id,
            what.id,
            what.name,
            table_columns(what.columns),
            query=query or None,
            narrowed=bool(query),
        )
    if what == "devices":
        return Source(
            "devices",
            application_id,
            what,
            what,
            DEVICE_COLUMNS,
            query=query or None,
            kept=False,
            narrowed=bool(query),
        )
    wide = window.widened().query()
    return Source(
        "events",
        application_id,
        what,
        what,
        EVENT_COLUMNS,
        query={"$and": [wide, query]} if query else wide,
        where=window.sql(),
        narrowed=bool(query),
    )


SUBJECTS: Mapping[Kind, Subject] = {"rows": ROWS, "events": EVENTS, "devices": DEVICES}
"""Which advanced query narrows each."""
