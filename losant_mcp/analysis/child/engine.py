"""One locked DuckDB in memory: tables made of pages, and statements over views of them.

What is locked, in the order in which it counts: the process is confined (`limits`), the
statement is checked on its parse tree (`statement`), the configuration forbids files, network,
extensions and its own change, and each statement runs in a transaction that is rolled back.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import duckdb

from losant_mcp.analysis.child import pivot, statement
from losant_mcp.analysis.child.pages import Staging
from losant_mcp.analysis.child.problems import MEMORY, TIME, Columns, Problem, explain
from losant_mcp.analysis.child.quoting import identifier, literal
from losant_mcp.analysis.child.values import convert, expression

Json = dict[str, Any]  # JSON data

THREADS = 2
_CHUNK = 500
_COUNT_SECONDS = 3.0
"""A result that is too long to show is only counted for so long."""

_LOCKS = (
    ("temp_directory", "''"),
    ("max_temp_directory_size", "'0KB'"),
    ("autoinstall_known_extensions", "false"),
    ("autoload_known_extensions", "false"),
    ("allow_community_extensions", "false"),
    ("allow_extension_repositories", "'forbidden'"),
    ("allow_unsigned_extensions", "false"),
    ("allow_persistent_secrets", "false"),
    ("python_enable_replacements", "false"),
    ("python_scan_all_frames", "false"),
    ("max_expression_depth", "500"),
    # From here on no file can be opened, not even by a function that was overlooked.
    ("enable_external_access", "false"),
    ("disabled_filesystems", "'LocalFileSystem'"),
    ("lock_configuration", "true"),
)


class Engine:
    """A connection; one call at a time, except for ``interrupt``."""

    def __init__(self, *, memory: int, time_zone: str = "system") -> None:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": THREADS,
            "memory_limit": f"{memory}B",
        }
        self._connection = duckdb.connect(":memory:", config=config)
        self._staging: dict[str, Staging] = {}
        self._columns: dict[str, list[str]] = {}
        self._expired = threading.Event()
        self._alarms = threading.Lock()
        if time_zone != "system":
            self._connection.execute(f"SET TimeZone = {literal(time_zone)}")
        for name, value in _LOCKS:
            self._connection.execute(f"SET {name} = {value}")

    def interrupt(self) -> None:
        """Stop what runs; from another thread."""
        self._expired.set()
        self._connection.interrupt()

    def begin(self) -> None:
        """Forget an interrupt that came too late for the call that it was meant for."""
        self._expired.clear()

    # ---- tables ----------------------------------------------------------------------------

    def create(self, table: str, columns: list[Json], stamp: str) -> Json:
        """Make an empty table for pages; ``stamp`` is its column of the newest change."""
        with self._problems():
            self._staging[table] = Staging(self._connection, table, columns, stamp)
            self._columns[table] = [column["name"] for column in columns]
            return {"memory": self.memory()}

    def page(self, table: str, start: int, body: bytes) -> Json:
        """Take a page whose first item is number ``start``: how many items it has, of how many."""
        with self._problems():
            return self._staging[table].take(start, body)

    def finish(self, table: str) -> Json:
        """Close a table: rows, those that came twice, the newest stamp, misfits, and memory."""
        with self._problems():
            return {**self._staging.pop(table).finish(), "memory": self.memory()}

    def drop(self, tables: Sequence[str]) -> int:
        """Forget tables; how many bytes the others take."""
        for table in tables:
            self._staging.pop(table, None)
            self._columns.pop(table, None)
            self._connection.execute(f"DROP TABLE IF EXISTS {identifier(table)}")
        return self.memory()

    def check(self) -> Json:
        """Show that statements still run, on all threads."""
        with self._problems():
            self._connection.execute("SELECT count(DISTINCT range) FROM range(10000)").fetchall()
        return {"memory": self.memory()}

    def memory(self) -> int:
        """The bytes that tables take."""
        found = self._connection.execute(
            "SELECT sum(memory_usage_bytes) FROM duckdb_memory()"
        ).fetchone()
        return int(found[0] or 0) if found else 0

    # ---- statements ------------------------------------------------------------------------

    def tables(self, sql: str) -> Json:
        """The tables that a statement names. Raises Problem where it may not run."""
        with self._problems():
            return {"tables": self._read(sql)[1]}

    def _read(self, sql: str) -> tuple[str, list[str]]:
        """The text of a statement that may run, and the tables it names."""
        text = statement.single(self._connection, sql)
        if pivot.is_open(self._connection, text):
            return text, pivot.tables(self._connection, text)
        return text, statement.read(self._connection, text).tables

    def query(
        self, sql: str, views: Sequence[Json], *, seconds: float, rows: int, size: int
    ) -> tuple[Json, bytes]:
        """Run a statement over the views: its columns and total, and the first rows as JSON.

        At most ``rows`` of them and about ``size`` bytes. What it did is rolled back.
        """
        with self._problems(partial(self._called, sql, views)):
            try:
                with self._alarm(seconds, self.interrupt):
                    self._connection.execute("BEGIN TRANSACTION")
                    for view in views:
                        self._view(view)
                    names = {statement.folded(view["name"]) for view in views}
                    return self._answer(sql, names, rows, size)
            finally:
                self._roll_back()

    def _called(self, sql: str, views: Sequence[Json]) -> dict[str, list[str]]:
        """The columns of each view, by its name and by what the statement calls it."""
        known = {view["name"].lower(): self._columns.get(view["table"], []) for view in views}
        text = statement.single(self._connection, sql)
        if pivot.is_open(self._connection, text):
            return known
        aliases = statement.aliases(statement.parse(self._connection, text))
        return known | {alias: known[name] for alias, name in aliases.items() if name in known}

    def _roll_back(self) -> None:
        """End the transaction. An interrupt that comes so late hits the ROLLBACK itself, and
        DuckDB then refuses every statement until one goes through.
        """
        while True:
            # Also ends a result that was not read to its end.
            self._connection.abort()
            try:
                self._connection.execute("ROLLBACK")
            except duckdb.InterruptException:
                continue
            except duckdb.TransactionException:  # none is open any more, or none was begun
                return
            return

    def _view(self, view: Json) -> None:
        source = f"SELECT * FROM memory.main.{identifier(view['table'])}"  # noqa: S608 - quoted
        if view.get("where"):
            source += f" WHERE {view['where']}"
        self._connection.execute(f"CREATE TEMPORARY VIEW {identifier(view['name'])} AS {source}")

    def _answer(self, sql: str, views: set[str], rows: int, size: int) -> tuple[Json, bytes]:
        connection = self._connection
        text, tables = self._read(sql)
        # What else lies here was not loaded for this statement, and may be for other eyes.
        if strange := [name for name in tables if statement.folded(name) not in views]:
            raise Problem("invalid", f"there is no table {strange[0]!r}")
        if pivot.is_open(connection, text):
            text = pivot.close(connection, text).sql
        relation = connection.sql(text)
        names, kinds = _unique(relation.columns), [str(kind) for kind in relation.types]
        del relation
        places = ", ".join(f"c{i}" for i in range(len(names)))
        shown = ", ".join(expression(i, kind) for i, kind in enumerate(kinds))
        inner = f"(\n{text}\n) AS result({places})"
        connection.execute(f"SELECT {shown} FROM {inner}")  # noqa: S608 - a checked statement
        found, complete = self._fetch(kinds, rows, size)
        total = len(found) if complete else self._count(inner)
        body = json.dumps(found, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        columns = [list(pair) for pair in zip(names, kinds, strict=True)]
        return {"columns": columns, "total": total}, body.encode("utf-8", "replace")

    def _fetch(self, kinds: Sequence[str], rows: int, size: int) -> tuple[list[list[Any]], bool]:
        """The first rows, and whether these are all."""
        found: list[list[Any]] = []
        while len(found) < rows and size > 0:
            # One row more than is wanted tells whether there are more.
            chunk = self._connection.fetchmany(min(_CHUNK, rows - len(found) + 1))
            if not chunk:
                return found, True
            for row in convert(chunk, kinds):
                if size <= 0 or len(found) == rows:
                    return found, False
                found.append(row)
                size -= len(json.dumps(row))
        return found, not self._connection.fetchmany(1)

    def _count(self, source: str) -> int | None:
        """How many rows the result has; None where counting takes too long."""
        self._connection.abort()
        try:
            with self._alarm(_COUNT_SECONDS, self._connection.interrupt):
                row = self._connection.execute(f"SELECT count(*) FROM {source}").fetchone()  # noqa: S608 - a checked statement
        except (duckdb.InterruptException, duckdb.OutOfMemoryException):
            if self._expired.is_set():
                raise
            return None
        return int(row[0]) if row else None

    # ---- what every call shares ------------------------------------------------------------

    @contextmanager
    def _alarm(self, seconds: float, ring: Callable[[], None]) -> Iterator[None]:
        """Call ``ring`` from another thread after so long, but never after the block."""
        live = True

        def go_off() -> None:
            with self._alarms:
                if live:
                    ring()

        timer = threading.Timer(seconds, go_off)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # there is no room for the stack of a thread
            raise MemoryError from None
        try:
            yield
        finally:
            timer.cancel()
            with self._alarms:
                live = False

    @contextmanager
    def _problems(self, columns: Callable[[], Columns] = dict) -> Iterator[None]:
        """DuckDB's errors as problems. Those after which it cannot go on pass.

        ``columns`` are those that a statement can name.
        """
        try:
            yield
        except (duckdb.FatalException, duckdb.InternalException):
            raise
        except duckdb.Error as error:
            raise explain(error, expired=self._expired.is_set(), columns=columns) from None
        except MemoryError:
            raise Problem("memory", MEMORY) from None
        if self._expired.is_set():
            raise Problem("time", TIME)


def _unique(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that came before."""
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        chosen, number = name, 2
        while chosen in taken:
            chosen, number = f"{name}_{number}", number + 1
        taken.add(chosen)
        found.append(chosen)
    return found
