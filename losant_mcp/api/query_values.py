"""Literals, sets and operators inside an advanced query, and how an error shows them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from typing import Any

from losant_mcp.api.query_tree import Comparison, TextTest
from losant_mcp.api.types import Scalar, is_object_id, is_unicode
from losant_mcp.errors import InvalidQuery

COMPARISONS: tuple[Comparison, ...] = ("$eq", "$ne", "$gt", "$lt", "$gte", "$lte")
TEXT_TESTS: tuple[TextTest, ...] = ("$startsWith", "$endsWith", "$contains")
SETS = ("$in", "$nin")
VALUE_OPERATORS = (*COMPARISONS, *TEXT_TESTS, "$ci", *SETS)
ID_OPERATORS = (*COMPARISONS, *SETS)

MAX_ITEMS = 100


def scalar(raw: object, path: str) -> Scalar:
    """A literal."""
    if isinstance(raw, str):
        return unicode_text(raw, path)
    if raw is None or isinstance(raw, (bool, int)):
        return raw
    if isinstance(raw, float):
        if math.isfinite(raw):
            return raw
        raise InvalidQuery(path, "must be a finite number")
    raise InvalidQuery(
        path,
        f"must be a string, a number, true, false or null, not {kind_of(raw)}",
        hint=f"Operators: {', '.join(VALUE_OPERATORS)}.",
    )


def unicode_text(value: str, path: str) -> str:
    """Text that UTF-8 can carry."""
    if not is_unicode(value):
        raise InvalidQuery(path, "is not valid Unicode text")
    return value


def value_set(raw: object, path: str) -> tuple[str | int | float | bool, ...]:
    """The values of ``$in`` or ``$nin``."""
    if not isinstance(raw, list):
        raise InvalidQuery(path, f"must be an array, not {kind_of(raw)}")
    at_most_100(raw, path)
    values: list[str | int | float | bool] = []
    for i, item in enumerate(raw):
        value = scalar(item, f"{path}[{i}]")
        if value is None:
            hint = (
                'Add "$ne": null beside it.' if path.endswith("$nin") else "Ask for null in an $or."
            )
            raise InvalidQuery(f"{path}[{i}]", "null is not allowed in a set", hint=hint)
        values.append(value)
    return tuple(values)


def object_id_or_null(raw: object, path: str) -> str | None:
    """An id, or null where there is none."""
    if raw is None or is_object_id(raw):
        return raw
    raise InvalidQuery(path, "must be an id of 24 hexadecimal characters, or null")


def at_most_100(items: list[Any], path: str) -> None:
    """Nothing, or the error that says how to split a longer list and keep its meaning."""
    if len(items) > MAX_ITEMS:
        operator = path.rpartition(".")[2]
        joined_by = {"$in": "$or", "$nin": "$and", "$nor": "$and"}.get(operator, operator)
        raise InvalidQuery(
            path,
            f"has {len(items)} items; the limit is {MAX_ITEMS}",
            hint=f"Split them over several {operator} inside one {joined_by}.",
        )


def unknown_operator(operator: object, path: str, known: tuple[str, ...]) -> InvalidQuery:
    """The error for an operator that there is not; one that MongoDB has gets its way round."""
    advice = (
        f"; {_MONGODB[operator]}" if operator in _MONGODB else nearest(str(operator), known, 0.7)
    )
    return InvalidQuery(path, f"unknown operator{advice}", hint=f"Operators: {', '.join(known)}.")


_MONGODB: Mapping[object, str] = {
    "$exists": 'write {"$ne": null} or {"$eq": null}',
    "$regex": "write $startsWith, $endsWith or $contains, with $ci for any case",
    "$not": "put the whole condition into $nor",
    "$date": "write ms since the epoch",
}


def nearest(name: str, known: Collection[str], closeness: float = 0.6) -> str:
    """``; did you mean 'level'?`` for a name that is close to a known one, else nothing."""
    folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=closeness)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def join_path(path: str, key: object) -> str:
    """The path one step on; a key is shown up to 60 characters, the unprintable escaped.

    A key of several words is quoted, or it could pass for the beginning of our sentence.
    """
    name = str(key)[:60]
    if " " in name:
        name = repr(name)
    elif not name.isprintable():
        name = repr(name)[1:-1]
    return f"{path}.{name}" if path else name


def kind_of(raw: object) -> str:
    """What kind of JSON value it is, with its article."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if raw is None else names.get(type(raw), "a number")
