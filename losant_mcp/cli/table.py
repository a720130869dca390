"""Results as plain text for a terminal: aligned columns, and objects as a list of facts.

Text from the platform is cleaned once more here: a terminal obeys what a model only reads.
"""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from losant_mcp.text import one_line
from losant_mcp.tools.results import tidy

GAP = "  "
LEAST = 6
"""Columns are never narrowed below this, nor below their name where that is shorter."""

MOST = 2000
"""Characters of a cell where nothing limits the width."""


def render(result: Mapping[str, Any], width: int | None) -> str:
    """A tool's result as lines no wider than ``width``; None is as wide as the data."""
    if _is_table(result) and "returned" in result:
        return "\n".join(_listing(result, width))
    return "\n".join(_facts(result, width, ""))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None) -> list[str]:
    """The rows as aligned lines below the columns' names; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    names = [one_line(name, 40) for name in columns]
    sizes = [
        max(map(display_width, [name, *(row[i] for row in cells)])) for i, name in enumerate(names)
    ]
    if width is not None:
        _narrow(sizes, names, width)
    right = [
        bool(rows) and all(_is_number(row[i]) or row[i] is None for row in rows)
        for i in range(len(names))
    ]
    lines = [names, ["-" * size for size in sizes], *cells]
    return [
        GAP.join(
            _fit(cell, size, right=to_right)
            for cell, size, to_right in zip(line, sizes, right, strict=True)
        ).rstrip()
        for line in lines
    ]


def _listing(result: Mapping[str, Any], width: int | None) -> Iterator[str]:
    if result["columns"]:
        yield from table(result["columns"], result["rows"], width)
        yield ""
    yield f"{result['returned']} of {result['total']}"
    yield from _facts({k: v for k, v in result.items() if k not in _SHOWN}, width, "")
    if "next" in result:
        yield f"next{GAP}{json.dumps(tidy(result['next']), ensure_ascii=False)}"  # never cut


_SHOWN = {"columns", "rows", "returned", "total", "note", "next"}


def _facts(facts: Mapping[str, Any], width: int | None, indent: str) -> Iterator[str]:
    """``name  value`` lines; an object gets lines of its own, further in.

    Columns and rows among the facts are a table below them.
    """
    if _is_table(facts):
        inner = None if width is None else width - len(indent)
        rest = {name: value for name, value in facts.items() if name not in ("columns", "rows")}
        yield from _facts(rest, width, indent)
        yield ""
        for line in table(facts["columns"], facts["rows"], inner):
            yield indent + line
        yield ""
        return
    plain = [name for name, value in facts.items() if not _is_nested(value)]
    size = max((display_width(one_line(name, 40)) for name in plain), default=0)
    for name, value in facts.items():
        label = one_line(name, 40)
        if not _is_nested(value):
            room = None if width is None else max(width - len(indent) - size - len(GAP), LEAST)
            text = _cell(value)
            yield indent + _fit(label, size) + GAP + (text if room is None else _cut(text, room))
        elif isinstance(value, Mapping):
            yield f"{indent}{label}"
            yield from _facts(value, width, f"{indent}  ")
        elif isinstance(value[0], str):
            room = None if width is None else max(width - len(indent) - 2, LEAST)
            yield f"{indent}{label}"
            for text in map(_cell, value):
                yield f"{indent}  {text if room is None else _cut(text, room)}"
        else:
            yield f"{indent}{label}"
            keys = list(dict.fromkeys(key for item in value for key in item))
            rows = [[item.get(key) for key in keys] for item in value]
            inner = None if width is None else width - len(indent) - 2
            yield from (f"{indent}  {line}" for line in table(keys, rows, inner))


def _is_nested(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list) and any(
        len(value) > least and all(isinstance(item, kind) for item in value)
        for kind, least in ((Mapping, 0), (str, 1))
    )


def _is_table(facts: Mapping[str, Any]) -> bool:
    return isinstance(facts.get("columns"), list) and isinstance(facts.get("rows"), list)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return one_line(value, MOST)
    return one_line(json.dumps(value, ensure_ascii=False), MOST)


# ---- widths --------------------------------------------------------------------------------


def display_width(text: str) -> int:
    """How many columns of a terminal a cleaned text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _narrow(sizes: list[int], names: Sequence[str], width: int) -> None:
    """Take from the widest column, until the line fits or nothing can be taken."""
    least = [min(size, LEAST) for size in sizes]
    while sum(sizes) + len(GAP) * (len(sizes) - 1) > width:
        widest = max(range(len(sizes)), key=lambda i: sizes[i] - least[i])
        if sizes[widest] <= least[widest]:
            return
        sizes[widest] -= 1


def _cut(text: str, size: int) -> str:
    if display_width(text) <= size:
        return text
    while text and display_width(text) > size - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _fit(text: str, size: int, *, right: bool = False) -> str:
    text = _cut(text, size)
    padding = " " * (size - display_width(text))
    return padding + text if right else text + padding


# ---- JSON ----------------------------------------------------------------------------------


def to_json(value: Any) -> str:
    """The JSON value as indented text, cleaned; escaped where standard output has no UTF-8."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    return json.dumps(tidy(value), ensure_ascii=ascii_only, indent=2)


def terminal_width() -> int | None:
    """What a line may take; None, into a file or a pipe, where everything goes."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
