"""What is wrong with a statement, in words that help to write a better one.

DuckDB's messages are good; what is added is the way out, and what is taken away is advice that
nobody here can follow ("SET max_expression_depth").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

import duckdb

from losant_mcp.text import quoted

Kind = str
"""invalid (the statement), time, memory, page (what Losant sent), or gone (a table)."""


class Problem(Exception):
    """A request that cannot be answered; the parent gets kind, message and hint."""

    def __init__(self, kind: Kind, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.hint = hint


TIME = "it took too long"
MEMORY = "it needs more memory than there is"

_ADVICE: tuple[tuple[str, str], ...] = (
    (r"Deprecated lambda arrow", "Write lambdas as lambda x: x + 1."),
    (r"Malformed JSON", "A value of a JSON column is text by ->>: eventTags->>'site'."),
    (
        r"json_extract\w*\(JSON, BOOLEAN|[\"'][-+*/]\(STRING_LITERAL, ",
        "An arrow needs parentheses around it: (data->>'reading')::DOUBLE > 5.",
    ),
    (
        r"[\"'][-+]\(.*(TIMESTAMP|DATE)",
        "Add and subtract spans, now() - INTERVAL 7 DAY; date_diff('day', a, b) counts.",
    ),
    (
        r"Could not convert|Conversion|out of range|invalid .* format|Failed to cast",
        "TRY_CAST(x AS type) gives NULL for what does not fit.",
    ),
    (
        r"Cannot (compare|mix values|cast)|No function matches|Could not choose a best candidate",
        (
            "Cast to the type that is meant: number columns are DOUBLE (x::BIGINT where a whole"
            " number is needed), dates in text columns need x::TIMESTAMPTZ or x::DATE."
        ),
    ),
    (r"must appear in the GROUP BY", "GROUP BY ALL groups by every column without an aggregate."),
    (r"Cannot mix aggregates", "Aggregate in a WITH first, then use windows over its result."),
    (r"Ambiguous reference", "Put the table's name or alias before the column."),
    (r"Values were not provided", "There are no parameters: write the values out."),
)
_NOISE = (
    r"Use \"?SET .*",
    r"Use SET .*",
    r"or SET \w+=.*",
    r"Possible solutions:.*",
    r"\n\nLINE \d+:.*",
    r"Candidate functions:.*",
    r"You might need to add explicit type casts\.",
    r"In order to select one, please add explicit type casts\.",
)
_noise = re.compile("|".join(_NOISE), re.DOTALL)
_DESCRIBE = "DESCRIBE shows the columns of a table."
_DIALECT = 'The dialect is DuckDB\'s. Quote names with blanks, dashes or dots: "my table".'
_type = re.compile(r"^\w[\w ]* Error: ")
_column = re.compile(r'column "?([^"]+?)"? not found', re.IGNORECASE)
_column_of = re.compile(r'"([^"]+)" does not have a column named "([^"]+)"')
_column_to_join = re.compile(r'Column "([^"]+)" does not exist on (?:left|right) side of join')
_candidates = re.compile(r"Candidate bindings: (.*)")
# A cell that a cast failed at, as DuckDB repeats it: whole, and with its own quotes in quotes.
# Before it and behind it are only words of DuckDB's and of the statement.
_cell = re.compile(
    r"([^'\"{\[]*)(['\"].*['\"])"
    r"(?= to | as |, expected| when casting| can't be cast| not recognized|\s*\Z)",
    re.DOTALL,
)
_AT_WORK = (duckdb.InvalidInputException, duckdb.NotImplementedException)
"""What else fails while rows are read: a cell may stand anywhere in it, but for these."""
_of_the_statement = re.compile("Division by zero|More than one row|Map keys must be unique")
# DuckDB escapes nothing: a name that is more than a name is not worth offering.
_name = re.compile(r'"[\w .-]{1,255}"')
_OFFERED = 3

Columns = Mapping[str, Sequence[str]]
"""The columns of tables, by the names that a statement has for them, in lower case."""


def explain(error: duckdb.Error, *, expired: bool, columns: Callable[[], Columns]) -> Problem:
    """The problem that an error of DuckDB's stands for; ``columns`` are those that may be meant."""
    text = str(error)
    if isinstance(error, duckdb.InterruptException) or expired:
        return Problem("time", TIME)
    if isinstance(error, duckdb.OutOfMemoryException):
        return Problem("memory", MEMORY)
    if isinstance(error, duckdb.BinderException) and (missing := _missing(text, columns)):
        return missing
    hint = next((advice for pattern, advice in _ADVICE if re.search(pattern, text)), "")
    if isinstance(error, duckdb.ParserException) and not hint:
        hint = _DIALECT
    told = message = _noise.sub("", _type.sub("", text))
    if isinstance(error, duckdb.ConversionException) and (cell := _cell.match(told)):
        message = cell[1] + quoted(cell[2][1:-1], 60) + told[cell.end() :]
    elif isinstance(error, (duckdb.ConversionException, *_AT_WORK)):
        message = told if _of_the_statement.match(told) else f"DuckDB says {quoted(told, 200)}"
    return Problem("invalid", " ".join(message.split()).rstrip(" .,;:!"), hint)


def _missing(text: str, columns: Callable[[], Columns]) -> Problem | None:
    """The problem of a column that is not there, and which one may be meant."""
    if found := _column.search(text):
        near = _candidates.search(text)
        names = [name[1:-1] for name in _name.findall(near[1])] if near else []
        # DuckDB has candidates for everything, also for a text in the quotes of a name.
        otherwise = f"A text stands in single quotes. {_DESCRIBE}"
        return _no_column(found[1], "here", _near(found[1], names), otherwise)
    # Of these, DuckDB does not say what else there is.
    if found := _column_of.search(text):
        table, name = found.groups()
        return _no_column(name, f"in {table!r}", _near(name, columns().get(table.lower(), ())))
    if found := _column_to_join.search(text):
        known = [column for table in columns().values() for column in table]
        return _no_column(found[1], "to join by", _near(found[1], known))
    return None


def _no_column(name: str, where: str, near: Sequence[str], hint: str = _DESCRIBE) -> Problem:
    if near:
        hint = f"Did you mean {', '.join(near)}?"
    return Problem("invalid", f"there is no column {name!r} {where}", hint)


def _near(name: str, known: Sequence[str]) -> list[str]:
    """Those of the known names that the name may stand for, in quotes."""
    by_form = {column.lower(): f'"{column}"' for column in known}
    wanted = name.lower()
    close = get_close_matches(wanted, by_form, _OFFERED)
    holding = [form for form in by_form if len(wanted) > 2 and wanted in form]
    forms = list(dict.fromkeys([*close, *holding]))[:_OFFERED]
    return [by_form[form] for form in forms if _name.fullmatch(by_form[form])]
