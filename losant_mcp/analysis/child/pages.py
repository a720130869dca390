"""Pages of JSON into a table: the way in that was the fastest of those measured.

Measured on two cores, pages of 1,000 rows x 8 columns (227 KB), rows a second of one core:
``executemany`` 1,100; an INSERT of literals 2,900; ``json.loads`` and DuckDB's appender 50,000;
``json.loads`` and a list parameter per column 60,000; ``from_json`` of one whole page at a time
75,000 to 200,000; its items unnested first, then ``from_json`` item by item, eight pages in one
INSERT: 250,000 to 450,000, which is what is done here. ``read_json`` of a file comes near
(250,000), but needs the file system, which is locked. Several pages at once matter more than
the expression: an INSERT costs as much as parsing a page.

Pages come in any order and go in by their place, so a table is in the order of its ids.

``from_json_strict`` takes no item that lacks a field or holds a value of another type. Where it
refuses, texts are cast one by one, and what cannot be cast is counted and becomes NULL.
"""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb

from losant_mcp.analysis.child.problems import Problem
from losant_mcp.analysis.child.quoting import identifier, literal

Json = dict[str, Any]  # JSON data

BATCH = 8
"""Pages in one INSERT."""

_LONE = re.compile("[\ud800-\udfff]")


class Staging:
    """A table that is being filled.

    A column has a ``key`` in the item, a ``name``, a ``type``, and where it is not simply cast,
    ``sql``: an expression in which ``{}`` is the value's JSON.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, columns: list[Json], stamp: str
    ) -> None:
        self._connection = connection
        self._table = identifier(table)
        self._columns = columns
        self._stamp = identifier(stamp)
        self._waiting: dict[int, tuple[str, int]] = {}
        self._next = 0
        self._misfits = 0
        keys = {column["key"] for column in columns}
        plain = not any(column.get("sql") for column in columns)
        # A struct's fields are told apart without regard to case; JSON's keys are not.
        self._distinct = len({key.lower() for key in keys}) == len(keys)
        self._strict = plain and self._distinct
        made = ", ".join(f"{identifier(c['name'])} {c['type']}" for c in columns)
        connection.execute(f"CREATE TABLE {self._table} ({made})")

    def take(self, start: int, body: bytes) -> Json:
        """Keep a page until its turn; says how many items it has, and what Losant counted."""
        text = body.decode("utf-8", "replace")
        try:
            found = self._measured(text)
        except duckdb.InvalidInputException:
            # A lone surrogate is JSON to everybody but DuckDB.
            text = _without_surrogates(text)
            found = self._measured(text)
        items, total, limit, size = found
        if not items and self._kind_of_items(text) != "ARRAY":
            items = None  # the length of what is no list is 0
        if items is None or total is None:
            raise Problem("page", "items or totalCount is missing")
        self._waiting[start] = (text, items)
        self._write(everything=False)
        return {"items": items, "total": int(float(total)), "limit": _whole(limit or size)}

    def _measured(self, text: str) -> tuple[Any, ...]:
        row = self._connection.execute(
            "SELECT json_array_length($1, '$.items'), f[1]->>'$', f[2]->>'$', f[3]->>'$' FROM"
            " (SELECT json_extract($1, ['$.totalCount', '$.limit', '$.perPage']) AS f)",
            [text],
        ).fetchone()
        assert row is not None
        return row

    def _kind_of_items(self, text: str) -> str | None:
        row = self._connection.execute("SELECT json_type($1, '$.items')", [text]).fetchone()
        return row[0] if row else None

    def finish(self) -> Json:
        """Write what waits, drop what came twice: rows, repeated ones, newest stamp, misfits."""
        self._write(everything=True)
        rows, distinct, newest = self._counted()
        if distinct < rows:
            self._connection.execute(
                f"DELETE FROM {self._table} WHERE rowid IN (SELECT place FROM (SELECT rowid AS"  # noqa: S608 - quoted names
                f" place, row_number() OVER (PARTITION BY id ORDER BY {self._stamp} DESC, rowid)"
                f" AS n FROM {self._table}) WHERE n > 1)"
            )
        return {
            "rows": distinct,
            "repeated": rows - distinct,
            "newest": newest,
            "misfits": self._misfits,
        }

    def _counted(self) -> tuple[int, int, int | None]:
        row = self._connection.execute(
            f"SELECT count(*), count(DISTINCT id), epoch_ms(max({self._stamp}))"  # noqa: S608 - quoted names
            f" FROM {self._table}"
        ).fetchone()
        assert row is not None
        return row

    # ---- writing ---------------------------------------------------------------------------

    def _write(self, *, everything: bool) -> None:
        """Write the pages whose turn it is; of those behind a gap, only at the end."""
        ready: list[int] = []
        at = self._next
        while at in self._waiting and self._waiting[at][1]:
            ready.append(at)
            at += self._waiting[at][1]
        if everything:
            ready = sorted(self._waiting)
        while len(ready) >= BATCH or (everything and ready):
            batch, ready = ready[:BATCH], ready[BATCH:]
            pages = [self._waiting.pop(start) for start in batch]
            self._next = batch[-1] + pages[-1][1]
            self._insert([text for text, _ in pages])

    def _insert(self, pages: list[str]) -> None:
        if self._strict:
            try:
                self._connection.execute(self._strict_sql(), [pages])
            except (duckdb.InvalidInputException, duckdb.ConversionException):
                self._strict = False
            else:
                return
        try:
            self._connection.execute(self._loose_sql("CAST"), [pages])
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            self._misfits += self._count_misfits(pages)
            self._connection.execute(self._loose_sql("TRY_CAST"), [pages])

    def _strict_sql(self) -> str:
        shape = json.dumps({column["key"]: column["type"] for column in self._columns})
        return (
            f"INSERT INTO {self._table} SELECT unnest(from_json_strict(item, {literal(shape)}))"  # noqa: S608 - quoted names
            f" FROM {_ITEMS}"
        )

    def _loose_sql(self, cast: str) -> str:
        cells = ", ".join(
            column["sql"].replace("{}", self._value(column))
            if column.get("sql")
            else f"{cast}({self._value(column)} AS {column['type']})"
            for column in self._columns
        )
        return f"INSERT INTO {self._table} SELECT {cells} FROM {self._source()}"  # noqa: S608 - quoted names

    def _count_misfits(self, pages: list[str]) -> int:
        tests = [
            f"count(*) FILTER ({self._value(column)} IS NOT NULL"
            f" AND TRY_CAST({self._value(column)} AS {column['type']}) IS NULL)"
            for column in self._columns
            if not column.get("sql")
        ]
        counted = self._connection.execute(
            f"SELECT {' + '.join(tests)} FROM {self._source()}",  # noqa: S608 - quoted names
            [pages],
        ).fetchone()
        return int(counted[0]) if counted else 0

    def _value(self, column: Json) -> str:
        """The SQL of a cell before it is cast: text, or the JSON that an expression works on."""
        kind = "JSON" if column.get("sql") else "VARCHAR"
        if self._distinct:
            return f"x.{identifier(column['key'])}"
        pointer = "/" + column["key"].replace("~", "~0").replace("/", "~1")
        return f"(item->{literal(pointer)})" if kind == "JSON" else f"(item->>{literal(pointer)})"

    def _source(self) -> str:
        if not self._distinct:
            return _ITEMS
        shape = json.dumps({c["key"]: "JSON" if c.get("sql") else "VARCHAR" for c in self._columns})
        return f"(SELECT from_json(item, {literal(shape)}) AS x FROM {_ITEMS})"  # noqa: S608 - quoted names


_ITEMS = (
    "(SELECT unnest(json_extract(page, '$.items[*]')) AS item"
    " FROM (SELECT unnest($1::VARCHAR[]) AS page))"
)


def _whole(value: str | None) -> int | None:
    return None if value is None else int(float(value))


def _without_surrogates(text: str) -> str:
    """The JSON with U+FFFD for lone surrogates, as ``client.content`` reads it.

    Raises Problem where it is no JSON.
    """
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise Problem("page", "it is not JSON") from None
    return _LONE.sub("\ufffd", json.dumps(parsed, ensure_ascii=False))
