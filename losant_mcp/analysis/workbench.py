"""The workbench: one SELECT over whole tables, answered exactly.

A principal (a token) and an application share one child process, and nobody else does. Tables
stay loaded there and are validated before each use by one small request each (`loading`); the
least recently used go where memory runs short. Calls that need the same table at once load it
once: the first one does, and where it is cancelled, the next one takes over.

Every request for data goes through the caller's own client, so its policy holds for what is
loaded already as well: a denied table cannot be validated.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

from losant_mcp.analysis.clauses import why_nothing
from losant_mcp.analysis.desk import Desk
from losant_mcp.analysis.loading import Loaded, Progress, no_progress
from losant_mcp.analysis.process import GRACE, Child, ChildGone, ChildProblem
from losant_mcp.analysis.sources import (
    RESERVED,
    SUBJECTS,
    Kind,
    Source,
    Window,
    resolve,
    source_of,
    unknown_table,
)
from losant_mcp.analysis.together import both
from losant_mcp.api.query import Subject, parse_query
from losant_mcp.api.tables import DataTable
from losant_mcp.api.times import DAY, to_ms
from losant_mcp.api.types import JsonObject
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import all_items, by_number
from losant_mcp.errors import InvalidRequest, LosantMcpError
from losant_mcp.text import one_line
from losant_mcp.tracing import span

MIB = 1024 * 1024

DEFAULT_DAYS = 30
"""Of events, where no window is given."""

MOST_ROWS = 1_000
MOST_BYTES = 2 * MIB
_STOPPED = ("time", "memory")

Check = Callable[[JsonObject, Subject, Sequence[str] | None, str], JsonObject]
"""A prefilter as it is sent; takes also what it is about, the columns, and its name in errors."""


@dataclass(frozen=True)
class Answer:
    """The result of a statement.

    ``columns`` are names and DuckDB types; ``rows`` the first of ``total`` (None: not counted).
    ``scanned`` says how many rows each table had, by its name in the statement; ``partial`` why
    a table is not as it was at one moment; ``nothing`` why a prefilter selects none of its rows.
    ``window`` is that of events, where they were asked.
    """

    columns: list[tuple[str, str]]
    rows: list[list[Any]]  # JSON values
    total: int | None
    scanned: dict[str, int]
    partial: dict[str, str]
    nothing: dict[str, str]
    window: Window | None

    @property
    def exact(self) -> bool:
        """Whether every table was as it is at one moment."""
        return not self.partial


class Workbench:
    """Answers SQL; use it as an async context manager, or close it with ``aclose``.

    ``memory`` is what one child's DuckDB may use, ``process_memory`` all of that process;
    ``seconds`` is the deadline of a statement, ``most_children`` how many are kept.
    """

    def __init__(
        self,
        *,
        max_rows: int = 1_000_000,
        time_zone: str = "system",
        seconds: float = 30.0,
        memory: int = 400 * MIB,
        process_memory: int = 768 * MIB,
        most_children: int = 8,
    ) -> None:
        self._max_rows = max_rows
        self._seconds = seconds
        self._memory = memory
        self._make = partial(
            Child, memory=memory, process_memory=process_memory, time_zone=time_zone
        )
        self._most = most_children
        self._desks: OrderedDict[tuple[str, str], Desk] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all child processes."""
        while self._desks:
            _, desk = self._desks.popitem()
            await desk.child.aclose()

    def invalidate(self, application_id: str, what: str) -> None:
        """Forget a data table (by id), "events" or "devices", since we have just changed it."""
        for (_, application), desk in self._desks.items():
            if application == application_id.lower():
                desk.forget(what)

    async def query(
        self,
        client: LosantClient,
        application_id: str,
        sql: str,
        *,
        prefilter: Mapping[str, JsonObject] | None = None,
        start: int | None = None,
        end: int | None = None,
        progress: Progress = no_progress,
        check: Check | None = None,
        rows: int = MOST_ROWS,
        tables: list[DataTable] | None = None,
    ) -> Answer:
        """Run one SELECT. ``start`` and ``end`` (ms) are the window of events, by creationDate.

        ``tables`` are those that it may name, where the caller has read them already.

        Raises InvalidRequest for a statement that cannot run, says why, and what to do; and the
        client's errors.
        """
        if start is None:
            now = to_ms(client.losant_now())
            start = (now if end is None else end) - DEFAULT_DAYS * DAY
        if end is not None and end <= start:
            raise InvalidRequest("The window of events is empty: its end is not after its start.")
        asked = _Asked(
            sql, dict(prefilter or {}), Window(start, end), check or _checked, rows, tables
        )
        for last in (False, False, True):
            async with self._desk(client, application_id) as desk:
                try:
                    return await self._run(client, application_id, desk, asked, progress)
                except ChildGone as gone:
                    if gone.ours:
                        raise self._stopped(gone.reason) from None
                    if last:
                        raise
        raise AssertionError

    @asynccontextmanager
    async def _desk(self, client: LosantClient, application_id: str) -> AsyncIterator[Desk]:
        """The desk of this principal and application; the least recently used make room."""
        key = (client.principal, application_id.lower())
        desk = self._desks.get(key)
        if desk is None:
            desk = self._desks[key] = Desk(self._make(), ceiling=self._memory // 2)
        self._desks.move_to_end(key)
        desk.users += 1
        try:
            idle = [k for k, other in self._desks.items() if not other.users]
            for spare in idle[: max(0, len(self._desks) - self._most)]:
                await self._desks.pop(spare).child.aclose()
            yield desk
        finally:
            desk.users -= 1

    async def _run(
        self,
        client: LosantClient,
        application_id: str,
        desk: Desk,
        asked: _Asked,
        progress: Progress,
    ) -> Answer:
        # The child, which may have to be started, and Losant are asked at the same time.
        names, tables = await both(
            lambda: self._tables_named(desk.child, asked.sql),
            lambda: _known_tables(client, application_id, asked),
        )
        sources = _sources(application_id, names, tables, asked)
        distinct = {source.key: source for source in sources.values()}
        async with desk.loaded(client, distinct, self._max_rows, progress) as loaded:
            found = {name: loaded[source.key] for name, source in sources.items()}
            answer, content = await self._ask(desk.child, asked, found)
        return Answer(
            columns=[(name, kind) for name, kind in answer["columns"]],
            rows=json.loads(content),
            total=answer["total"],
            scanned={name: table.rows for name, table in found.items()},
            partial={name: table.why for name, table in found.items() if table.why},
            nothing={
                name: await why_nothing(
                    source.query or {}, partial(source.count, client), source.types
                )
                for name, source in sources.items()
                if source.narrowed and not found[name].rows
            },
            window=asked.window if any(s.kind == "events" for s in sources.values()) else None,
        )

    async def _tables_named(self, child: Child, sql: str) -> list[str]:
        try:
            found, _ = await child.call({"op": "tables", "sql": sql}, seconds=self._seconds)
        except ChildProblem as problem:
            raise self._readable(problem) from None
        names: list[str] = found["tables"]
        return names

    async def _ask(
        self, child: Child, asked: _Asked, tables: Mapping[str, Loaded]
    ) -> tuple[dict[str, Any], bytes]:
        views = [
            {"name": name, "table": table.table, "where": table.source.where}
            for name, table in tables.items()
        ]
        generations = {table.generation for table in tables.values()}
        if len(generations) > 1:  # the child was replaced after the first table, which is gone
            raise ChildGone("restart", ours=False)
        worn = child.worn
        message = {
            "op": "query",
            "sql": asked.sql,
            "views": views,
            "seconds": self._seconds,
            "rows": asked.rows,
            "size": MOST_BYTES,
        }
        try:
            with span("sql"):
                seconds = self._seconds + GRACE
                return await child.call(
                    message, seconds=seconds, generation=next(iter(generations), None)
                )
        except ChildGone as gone:
            if worn and gone.reason in ("memory", "crash"):
                raise ChildGone("restart", ours=False) from None
            raise
        except ChildProblem as problem:
            if problem.kind == "memory":
                await child.replace()
                if worn:
                    # What an earlier, stopped statement left behind is not this one's fault.
                    raise ChildGone("restart", ours=False) from None
            elif problem.kind in _STOPPED:
                await child.check()
            raise self._readable(problem) from None

    def _readable(self, problem: ChildProblem) -> InvalidRequest:
        if problem.kind in _STOPPED:
            return self._stopped(problem.kind)
        message = str(problem)
        return InvalidRequest(f"{message[:1].upper()}{message[1:]}.", hint=problem.hint)

    def _stopped(self, reason: str) -> InvalidRequest:
        if reason == "time":
            return InvalidRequest(
                f"The statement was stopped: it took longer than {self._seconds:g} s.",
                hint="Filter before joining, join on equal columns, aggregate before sorting.",
            )
        if reason == "start":
            return InvalidRequest(
                "The workbench's process did not start, so SQL cannot be run.",
                hint="query_rows and list_events answer without it.",
            )
        needs = "needs more memory than" if reason == "memory" else "ended the engine within"
        return InvalidRequest(
            f"The statement was stopped: it {needs} the {self._memory // MIB} MB that it has.",
            hint="Filter or aggregate earlier, and make no long lists or texts.",
        )


@dataclass(frozen=True)
class _Asked:
    sql: str
    prefilter: dict[str, JsonObject]
    window: Window
    check: Check
    rows: int
    tables: list[DataTable] | None


def _checked(
    query: JsonObject, subject: Subject, columns: Sequence[str] | None, name: str
) -> JsonObject:
    parse_query(query, subject, columns=columns)
    return query


def _sources(
    application_id: str,
    names: Sequence[str],
    known: list[DataTable] | LosantMcpError,
    asked: _Asked,
) -> dict[str, Source]:
    """What each name in the statement stands for. Raises UnknownName, InvalidRequest.

    ``known`` may be why the tables are not known, which counts only where one is named.
    """
    tables = [] if isinstance(known, LosantMcpError) else known
    if isinstance(known, LosantMcpError) and {*names, *asked.prefilter} - set(RESERVED):
        raise known
    meant = {name: resolve(name, tables) for name in names}
    _check_one_form(meant)
    narrowed: dict[str, tuple[str, JsonObject]] = {}
    for name, query in asked.prefilter.items():
        what = resolve(name, tables)
        if what not in meant.values():
            raise _not_named(name, list(names))
        narrowed[_id(what)] = (name, query)
    found = {}
    for name, what in meant.items():
        checked: JsonObject | None = None
        if _id(what) in narrowed:
            given, query = narrowed[_id(what)]
            kind: Kind = "rows" if isinstance(what, DataTable) else what
            columns = [c.name for c in what.columns] if isinstance(what, DataTable) else None
            label = f"prefilter.{one_line(given, 40)}"
            checked = asked.check(query, SUBJECTS[kind], columns, label)
        found[name] = source_of(what, application_id, window=asked.window, query=checked)
    return found


def _id(what: DataTable | str) -> str:
    return what.id if isinstance(what, DataTable) else what


def _check_one_form(meant: Mapping[str, DataTable | str]) -> None:
    """Refuse two tables in one statement whose names SQL cannot tell apart."""
    forms: dict[str, str] = {}
    for name, what in meant.items():
        if forms.setdefault(name.lower(), _id(what)) != _id(what):
            raise InvalidRequest(
                f"SQL cannot tell {one_line(name, 60)!r} from a table whose name differs in case.",
                hint="Write the id of one of them, in quotes.",
            )


def _not_named(name: str, names: Sequence[str]) -> InvalidRequest:
    hint = unknown_table(name, names).hint if names else "It names none."
    return InvalidRequest(
        f"prefilter: the statement names no table {one_line(name, 60)!r}.", hint=hint
    )


async def _known_tables(
    client: LosantClient, application_id: str, asked: _Asked
) -> list[DataTable] | LosantMcpError:
    """The data tables, or why they cannot be read: a token may be for events alone."""
    if asked.tables is not None:
        return asked.tables
    try:
        return await all_items(
            by_number(partial(client.data_tables_get, applicationId=application_id))
        )
    except LosantMcpError as error:
        return error
