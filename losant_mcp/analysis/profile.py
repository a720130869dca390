"""What is in a data table: each column's range and most frequent values, over all rows.

One SELECT, composed here and run by the workbench, so that every figure is of the same moment.
Optionally a text is looked for in every column, in any case: which column holds it, how often,
and in which rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from losant_mcp.analysis.child.quoting import identifier, literal
from losant_mcp.analysis.loading import Progress, TooLarge, TooMany, no_progress
from losant_mcp.analysis.sources import Column, table_columns
from losant_mcp.analysis.tokens import estimate
from losant_mcp.analysis.workbench import Answer, Check, Workbench
from losant_mcp.api.tables import DataTable
from losant_mcp.api.times import iso, read_date
from losant_mcp.api.types import JsonObject
from losant_mcp.client import LosantClient
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import NOTE, clean, one_line

TOKENS = 1500
MOST_SEARCH_CHARACTERS = 200

_TOP = 5
_IDS = 3
# A number column with so few values is one of choices, whose counts tell more than quartiles.
_CHOICES = 5
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class ColumnProfile:
    """One column. ``top`` are values with their counts, the most frequent first.

    Minimum and maximum are the column's own values; ``mean`` and ``quartiles`` are of numbers.
    ``found`` is how many cells contain what was searched for, ``equal`` how many are just that,
    ``row_ids`` and ``example`` where.
    """

    name: str
    type: str
    filled: int
    distinct: int
    minimum: Any  # a cell
    maximum: Any  # a cell
    mean: float | None
    quartiles: list[float] | None
    top: list[tuple[Any, int]]
    found: int = 0
    equal: int = 0
    row_ids: tuple[str, ...] = ()
    example: str | None = None


@dataclass(frozen=True)
class Profile:
    """A table's profile; ``partial`` says why it is not of one moment, and is empty otherwise.

    ``nothing`` says why a query selects no row.
    """

    table: DataTable
    rows: int
    columns: list[ColumnProfile]
    dates: dict[str, tuple[str | None, str | None]]
    """The first and the last createdAt and updatedAt."""
    partial: str
    search: str | None = None
    nothing: str = ""


async def profile(
    workbench: Workbench,
    client: LosantClient,
    application_id: str,
    table: DataTable,
    *,
    search: str | None = None,
    query: JsonObject | None = None,
    progress: Progress = no_progress,
    check: Check | None = None,
) -> Profile:
    """Profile a table, or its rows that match ``query``; look for ``search`` in every column.

    Raises InvalidRequest for a search that cannot be one, and what the workbench raises.
    """
    columns = table_columns(table.columns)
    wanted = None if search is None else _searchable(search)
    try:
        answer = await workbench.query(
            client,
            application_id,
            statement(table.id, columns, wanted),
            prefilter=None if query is None else {table.id: query},
            progress=progress,
            check=check,
            rows=len(columns) + 1,
            tables=[table],
        )
    except (TooMany, TooLarge) as error:
        hint = 'Profile some of its rows: query {"createdAt": {"$gte": "-7d"}}.'
        raise InvalidRequest(str(error), hint=hint) from None
    return _read(answer, table, columns, wanted)


def _searchable(search: str) -> str:
    text = clean(search).strip()
    if not text or len(text) > MOST_SEARCH_CHARACTERS:
        raise InvalidRequest(
            f"search must have 1 to {MOST_SEARCH_CHARACTERS} characters that can be seen.",
            hint="Give a part of the value; case does not matter.",
        )
    return text


# ---- the statement -------------------------------------------------------------------------


def statement(table: str, columns: Sequence[Column], search: str | None) -> str:
    """The SELECT that makes the profile: a row per column, of any type as text or JSON."""
    source = identifier(table)
    parts = [
        _part(source, i, column, search)
        for i, column in enumerate(columns)
        if column.name != "id" or search is not None
    ]
    return " UNION ALL ".join(parts)


def _part(source: str, place: int, column: Column, search: str | None) -> str:
    cell = identifier(column.name)
    number = column.type == "DOUBLE"
    quartiles = f"quantile_cont({cell}, {list(_QUARTILES)})" if number else "NULL::DOUBLE[]"
    counted = column.type in ("DOUBLE", "VARCHAR", "BOOLEAN")
    top = (
        "(SELECT to_json(list({'v': v, 'n': n} ORDER BY n DESC, v)) FROM"  # noqa: S608 - quoted
        f" (SELECT {cell} AS v, count(*) AS n FROM {source} WHERE {cell} IS NOT NULL"
        f" GROUP BY 1 ORDER BY n DESC, v LIMIT {_TOP}))"
        if counted and column.name != "id"
        else "NULL::JSON"
    )
    return (
        f"SELECT {place} AS place, count(*) AS n, count({cell}) AS filled,"  # noqa: S608 - quoted
        f" count(DISTINCT {cell}) AS dist,"
        f" to_json(min({cell})) AS low, to_json(max({cell})) AS high,"
        f" {f'avg({cell})' if number else 'NULL::DOUBLE'} AS mean, {quartiles} AS quart,"
        f" {top} AS top, {_hits(source, cell, search)} FROM {source}"
    )


def _hits(source: str, cell: str, search: str | None) -> str:
    if search is None:
        return "0 AS found, 0 AS equal, NULL::VARCHAR[] AS ids, NULL::VARCHAR AS example"
    wanted = f"lower({literal(search)})"
    text = f"lower({cell}::VARCHAR)"
    hit = f"contains({text}, {wanted})"
    first = f"FROM {source} WHERE {hit} ORDER BY id LIMIT"
    return (
        f"count_if({hit}) AS found,"  # noqa: S608 - quoted
        f" count_if({text} = {wanted}) AS equal,"
        f" (SELECT list(id) FROM (SELECT id {first} {_IDS})) AS ids,"
        f" (SELECT {cell}::VARCHAR {first} 1) AS example"
    )


# ---- the answer ----------------------------------------------------------------------------


def _read(
    answer: Answer, table: DataTable, columns: Sequence[Column], search: str | None
) -> Profile:
    own: list[ColumnProfile] = []
    dates: dict[str, tuple[str | None, str | None]] = {}
    rows = 0
    names = [name for name, _ in answer.columns]
    for line in answer.rows:
        cells = dict(zip(names, line, strict=True))
        column = columns[cells["place"]]
        rows = cells["n"]
        if column.type == "TIMESTAMPTZ":
            dates[column.key] = (_date(cells["low"]), _date(cells["high"]))
        elif column.name != "id" or cells["found"]:
            own.append(_column(column, cells))
    return Profile(
        table=table,
        rows=rows,
        columns=own,
        dates=dates,
        partial="; ".join(answer.partial.values()),
        search=search,
        nothing="".join(
            f"The query selects none of the rows. {w}" for w in answer.nothing.values()
        ),
    )


def _date(cell: str | None) -> str | None:
    """A moment as Losant writes it."""
    at = read_date(cell)
    return cell if at is None else iso(at)


def _column(column: Column, cells: Mapping[str, Any]) -> ColumnProfile:
    types = {"DOUBLE": "number", "BOOLEAN": "boolean"}
    return ColumnProfile(
        name=column.key,
        type=types.get(column.type, "string"),
        filled=cells["filled"],
        distinct=cells["dist"],
        minimum=cells["low"],
        maximum=cells["high"],
        mean=cells["mean"],
        quartiles=cells["quart"],
        top=[(each["v"], each["n"]) for each in cells["top"] or ()],
        found=cells["found"],
        equal=cells["equal"],
        row_ids=tuple(cells["ids"] or ()),
        example=cells["example"],
    )


# ---- in words ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Size:
    """How much is told of each column."""

    top: int
    characters: int
    digits: int = 6
    quartiles: bool = True
    ends: bool = True


_SIZES = (
    _Size(5, 40),
    _Size(4, 30),
    _Size(3, 24),
    _Size(3, 16, digits=5),
    _Size(2, 16, digits=4),
    _Size(2, 12, digits=4, ends=False),
    _Size(1, 12, digits=4, ends=False),
    _Size(1, 8, digits=3, ends=False, quartiles=False),
    _Size(0, 8, digits=3, ends=False, quartiles=False),
)
COLUMNS = ["column", "type", "nulls", "distinct", "min", "max", "mean", "quartiles", "top"]


def report(found: Profile, *, tokens: int = TOKENS) -> JsonObject:
    """The profile as a result of at most about ``tokens``; ``truncated`` says what had to go."""
    made: JsonObject = {}
    for columns in (len(found.columns), 30, 20, 12, 8, 4, 2, 1):
        if columns > len(found.columns):
            continue
        for size in _SIZES:
            made = _told(found, size, columns)
            if estimate(made) <= tokens:
                return made
    return made


def _told(found: Profile, size: _Size, columns: int) -> JsonObject:
    own = [column for column in found.columns if column.name != "id"]
    made: JsonObject = {
        "note": NOTE,
        "dataTableId": found.table.id,
        "name": one_line(found.table.name, 60),
        "rowCount": found.rows,
        "complete": not found.partial,
    }
    if found.partial:
        made["incomplete"] = found.partial
    if found.nothing:
        made["hint"] = found.nothing.rstrip()
    if found.search is not None:
        made["search"] = _search(found)
    for name, (first, last) in found.dates.items():
        made[name] = [first, last]
    made["columns"] = COLUMNS
    made["rows"] = [_line(found, column, size) for column in own[:columns]]
    if left_out := own[columns:]:
        names = ", ".join(one_line(column.name, 60) for column in left_out)
        made["truncated"] = one_line(f"{len(left_out)} columns left out: {names}", 300)
    return made


def _line(found: Profile, column: ColumnProfile, size: _Size) -> list[Any]:
    number = column.type == "number"
    few = column.distinct <= _CHOICES
    # Where the values themselves are told, their ends say nothing more.
    ends = column.filled and (number or (size.ends and not few and column.type == "string"))
    quartiles = column.quartiles if number and not few and size.quartiles else None
    shown = [] if number and not few else column.top[: size.top]
    # Where no value comes twice, they are examples, and their counts would only fill the page.
    once = all(count == 1 for _, count in shown)
    top = [_cell(v, size) if once else [_cell(v, size), count] for v, count in shown]
    return [
        one_line(column.name, 255),
        column.type,
        found.rows - column.filled,
        column.distinct,
        _cell(column.minimum, size) if ends else None,
        _cell(column.maximum, size) if ends else None,
        None if column.mean is None else _rounded(column.mean, size.digits),
        None if quartiles is None else [_rounded(value, size.digits) for value in quartiles],
        top or None,
    ]


def _search(found: Profile) -> JsonObject:
    hits = sorted(
        (column for column in found.columns if column.found),
        key=lambda column: (-column.equal, -column.found, column.name),
    )
    if not hits:
        return {"found": 0, "hint": "No column has it. Try a shorter part of it."}
    return {
        "found": sum(column.found for column in hits),
        "columns": ["column", "cells", "equal", "example", "rowIds"],
        "rows": [
            [
                one_line(c.name, 255),
                c.found,
                c.equal,
                one_line(c.example or "", 60),
                list(c.row_ids),
            ]
            for c in hits[:5]
        ],
        **({"moreColumns": len(hits) - 5} if len(hits) > 5 else {}),
    }


def _cell(value: Any, size: _Size) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return _rounded(value, size.digits)
    return one_line(str(value), size.characters)


def _rounded(value: float, digits: int) -> float:
    """The number with so many significant digits; a whole number of up to 15 stays as it is."""
    if float(value).is_integer() and abs(value) < 1e15:
        return int(value)
    return float(f"{value:.{digits}g}")
