"""What is wrong with a statement, in words that help to write a better one.

DuckDB's messages are good; what is added is the way out, and what is taken away is advice that
nobody here can follow ("SET max_expression_depth").
"""

from __future__ import annotations

import re

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
    (
        r"Could not convert|Conversion|out of range|invalid .* format|Failed to cast",
        "TRY_CAST(x AS type) gives NULL for what does not fit.",
    ),
    (
        r"Cannot (compare|mix|cast)|No function matches|Could not choose a best candidate",
        (
            "Cast to the type that is meant: number columns are DOUBLE (x::BIGINT where a whole"
            " number is needed), dates in text columns need x::TIMESTAMPTZ or x::DATE."
        ),
    ),
    (r"must appear in the GROUP BY", "GROUP BY ALL groups by every column without an aggregate."),
    (r"Ambiguous reference", "Put the table's name or alias before the column."),
    (r"does not have a column named", "DESCRIBE shows the columns of a table."),
    (r"Values were not provided", "There are no parameters: write the values out."),
)
_NOISE = (
    r"Use \"?SET .*",
    r"Use SET .*",
    r"or SET \w+=.*",
    r"Possible solutions:.*",
    r"LINE \d+:.*",
    r"Candidate functions:.*",
    r"You might need to add explicit type casts\.",
    r"In order to select one, please add explicit type casts\.",
)
_noise = re.compile("|".join(_NOISE), re.DOTALL)
_DIALECT = 'The dialect is DuckDB\'s. Quote names with blanks, dashes or dots: "my table".'
_type = re.compile(r"^\w[\w ]* Error: ")
_column = re.compile(r'column "?([^"]+?)"? not found', re.IGNORECASE)
_candidates = re.compile(r"Candidate bindings: (.*)")
# A cell that could not be cast, as DuckDB repeats it: whole, and with its own quotes in quotes.
_cell = re.compile(r"(?<=string )'.*'(?= to )|(?<=: )\".*\"(?=, expected)", re.DOTALL)
# DuckDB escapes nothing: a name that is more than a name is not worth offering.
_name = re.compile(r'"[\w .-]{1,255}"')


def explain(error: duckdb.Error, *, expired: bool) -> Problem:
    """The problem that an error of DuckDB's stands for."""
    text = str(error)
    if isinstance(error, duckdb.InterruptException) or expired:
        return Problem("time", TIME)
    if isinstance(error, duckdb.OutOfMemoryException):
        return Problem("memory", MEMORY)
    hint = next((advice for pattern, advice in _ADVICE if re.search(pattern, text)), "")
    if isinstance(error, duckdb.ParserException) and not hint:
        hint = _DIALECT
    if found := _column.search(text):
        near = _candidates.search(text)
        names = _name.findall(near[1]) if near else []
        hint = f"Did you mean {', '.join(names)}?" if names else ""
        message = f"there is no column {found[1]!r} here"
    else:
        told = _noise.sub("", _type.sub("", text))
        message = _cell.sub(lambda cell: quoted(cell[0][1:-1], 60), told, count=1)
    return Problem("invalid", " ".join(message.split()).rstrip(" .,;:"), hint)
