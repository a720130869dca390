"""An advanced query as the SQL of one condition, for rows, events, devices and job logs alike.

``where`` takes the tree that ``api.query`` makes and says which SQL stands for each field. Its
condition is true or false, never NULL, so that ``$ne``, ``$nin`` and ``$nor`` match what is
null, as in MongoDB.

What Losant does not document, and what is done here:

- A value of another type than the field's equals nothing and is ordered against nothing (it is
  no error). A date is the exception: a number is ms since the epoch, a string must be ISO 8601
  and is that time (UTC if it names no zone), any other string is a 400.
- Comparing with null: ``$gte`` and ``$lte`` match null, ``$gt`` and ``$lt`` match nothing.
- A level or state that does not exist equals nothing and is ordered against nothing.
- ``$ci`` changes nothing for ``$eq``, ``$ne``, ``$in`` and the like.
- Text operators see an id, a level or a state as its text, and match no number, boolean or date.
- ``$or: []`` adds no condition. ``$in: []`` matches nothing, ``$nin: []`` everything.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Literal

from losant_mcp.api.query_tree import (
    Among,
    And,
    Compare,
    HasTag,
    Node,
    Nor,
    NoTags,
    Or,
    TagIs,
    TagText,
    Text,
)
from losant_mcp.api.types import Scalar, is_object_id
from losant_mcp.sandbox.call import invalid

FieldType = Literal["string", "number", "boolean", "time", "rank", "id"]
Bound = str | int | float


@dataclass(frozen=True, slots=True)
class Field:
    """Which SQL stands for a field, and what it holds.

    Booleans are stored as 0 and 1, times as ms, ids in lower case, and a ``rank`` as a place in
    ``ranks``. A field with many values (a device's attribute names) has a ``source``, such as
    ``FROM device_attributes a WHERE a.deviceId = devices.id``; ``sql`` is then one value, and
    the field matches where one of its values does.
    """

    sql: str
    type: FieldType = "string"
    ranks: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags in a table with the columns ``key`` and ``value``; ``owner`` joins it to ``id``."""

    table: str
    owner: str
    id: str


Fields = Mapping[str, Field | Tags]


def where(node: Node, fields: Fields) -> tuple[str, list[Bound]]:
    """The condition and its parameters. Raises Problem 400 for a date that is none."""
    condition = _condition(node, fields, negated=False)
    if isinstance(condition, bool):
        return str(int(condition)), []
    if isinstance(condition, _In):
        condition = condition.sql(negated=False)
    return condition.text, list(condition.parameters)


def number(value: int | float) -> int | float:
    """The value as Losant keeps numbers: as a double, whole ones without a fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    if isinstance(value, int) and abs(value) > 2**53:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def time(text: str) -> int:
    """Ms since the epoch of an ISO 8601 date. Raises Problem 400."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"{text[:60]!r} is not a date in ISO 8601") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return math.floor(at.timestamp() * 1000)


# ---- conditions ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sql:
    """A condition. ``kind`` tells where it needs parentheses, ``depth`` how deep its tree is."""

    text: str
    parameters: tuple[Bound, ...] = ()
    kind: Literal["atom", "and", "or"] = "atom"
    depth: int = 4


@dataclass(frozen=True, slots=True)
class _In:
    """The field is one of the values: kept apart so that an ``$or`` of many becomes one."""

    field: Field
    values: tuple[Bound, ...]

    def sql(self, *, negated: bool) -> _Sql:
        if self.field.type == "id":
            # Ids are safe to write out, and there may be more of them than SQLite has variables.
            ids = [v for v in self.values if is_object_id(v)]
            others = tuple(v for v in self.values if v not in set(ids))
            places = [*(f"'{v}'" for v in ids), *("?" * len(others))]
        else:
            others = self.values
            places = ["?"] * len(others)
        test = f"{self.field.sql} IN ({', '.join(places)})"
        return _atom(self.field, test, others, negated)


_Condition = _Sql | _In | bool


def _condition(node: Node, fields: Fields, *, negated: bool) -> _Condition:
    """The condition, or its opposite: negation goes down to the leaves, so nothing nests for it."""
    match node:
        case And(items):
            return _join([_condition(i, fields, negated=negated) for i in items], any=negated)
        case Or(items):
            if not items:
                return not negated
            return _join([_condition(i, fields, negated=negated) for i in items], any=not negated)
        case Nor(items):
            return _join([_condition(i, fields, negated=not negated) for i in items], any=negated)
        case HasTag() | TagIs() | NoTags():
            tags = fields[node.field]
            assert isinstance(tags, Tags)
            return _tagged(node, tags, negated)
    field = fields[node.field]
    assert isinstance(field, Field)
    match node:
        case Compare():
            return _compare(node, field, negated)
        case Text():
            return _text(node, field, negated)
        case Among(values=values, negated=none):
            return _among(field, values, negated is not none)


def _join(conditions: Iterable[_Condition], *, any: bool) -> _Condition:
    """All of the conditions, or any of them, with constants folded away."""
    sets: dict[Field, list[Bound]] = {}
    parts: list[_Sql] = []
    for condition in conditions:
        if isinstance(condition, bool):
            if condition is any:
                return any
        elif isinstance(condition, _In) and any:
            sets.setdefault(condition.field, []).extend(condition.values)
        elif isinstance(condition, _In):
            parts.append(condition.sql(negated=False))
        else:
            parts.append(condition)
    merged = [_In(field, tuple(dict.fromkeys(values))) for field, values in sets.items()]
    if len(merged) == 1 and not parts:
        return merged[0]
    parts += [one.sql(negated=False) for one in merged]
    return _balanced(parts, "or" if any else "and") if parts else not any


def _balanced(parts: list[_Sql], kind: Literal["and", "or"]) -> _Sql:
    """The parts joined as a tree that is as shallow as it can be.

    SQLite allows an expression 1,000 levels and its parser a stack of 100 entries, while a
    query may nest 50 levels of 100 items. The two shallowest parts are joined first (as in
    Huffman's codes), and the deeper of two stands left, where it takes the least stack.
    """
    order = count()
    heap = [(part.depth, next(order), part) for part in parts]
    heapq.heapify(heap)
    while len(heap) > 1:
        _, _, right = heapq.heappop(heap)
        _, _, left = heapq.heappop(heap)
        left_text = f"({left.text})" if (kind, left.kind) == ("and", "or") else left.text
        bare = right.kind == "atom" or (kind, right.kind) == ("or", "and")
        right_text = right.text if bare else f"({right.text})"
        joined = _Sql(
            f"{left_text} {kind.upper()} {right_text}",
            left.parameters + right.parameters,
            kind,
            left.depth + 1,
        )
        heapq.heappush(heap, (joined.depth, next(order), joined))
    return heap[0][2]


def _atom(field: Field, test: str, parameters: tuple[Bound, ...], negated: bool) -> _Sql:
    """``test`` of a field, false where the field is null; negated, the very opposite."""
    if field.source:
        text = f"EXISTS (SELECT 1 {field.source} AND {test})"
    else:
        text = f"({field.sql} IS NOT NULL AND {test})"
    return _Sql(f"NOT {text}" if negated else text, parameters)


def _null(field: Field, negated: bool) -> _Sql:
    if field.source:
        return _Sql(f"{'' if negated else 'NOT '}EXISTS (SELECT 1 {field.source})")
    return _Sql(f"{field.sql} IS {'NOT ' if negated else ''}NULL")


# ---- values --------------------------------------------------------------------------------

_ORDERS = {"$gt": ">", "$lt": "<", "$gte": ">=", "$lte": "<="}


def _bound(field: Field, value: Scalar) -> Bound | None:
    """The value as the field stores it; None where no such field can hold it."""
    kind = field.type
    if isinstance(value, bool):
        return int(value) if kind == "boolean" else None
    if isinstance(value, str):
        if kind == "time":
            return time(value)
        if kind == "rank":
            return field.ranks.index(value) if value in field.ranks else None
        if kind == "id":
            return value.lower() if is_object_id(value) else value
        return value if kind == "string" else None
    if value is not None and kind in ("number", "time"):
        return number(value)
    return None


def _compare(node: Compare, field: Field, negated: bool) -> _Condition:
    negated = negated is not (node.operator == "$ne")
    if node.value is None:
        return negated if node.operator in ("$gt", "$lt") else _null(field, negated)
    value = _bound(field, node.value)
    if value is None:
        return negated
    if order := _ORDERS.get(node.operator):
        return _atom(field, f"{field.sql} {order} ?", (value,), negated)
    one = _In(field, (value,))
    return one.sql(negated=True) if negated else one


def _among(field: Field, values: tuple[str | int | float | bool, ...], negated: bool) -> _Condition:
    bound = tuple(b for b in (_bound(field, value) for value in values) if b is not None)
    if not bound:
        return negated
    some = _In(field, bound)
    return some.sql(negated=True) if negated else some


def _text(node: Text, field: Field, negated: bool) -> _Condition:
    if field.type == "rank":
        fitting = tuple(rank for rank, name in enumerate(field.ranks) if _fits(node, name))
        some = _In(field, fitting)
        return negated if not fitting else some.sql(negated=True) if negated else some
    if field.type not in ("string", "id"):
        return negated
    sql, value = field.sql, node.value
    if node.ignore_case:
        sql, value = f"casefold({sql})", value.casefold()
    if node.operator == "$endsWith":
        # As bytes, since substr() of a text stops at a NUL character; that of no bytes is NULL.
        length = len(value.encode())
        test = f"substr(CAST({sql} AS BLOB), -{length}) IS CAST(? AS BLOB)"
    else:
        # LIKE folds ASCII case and GLOB has wildcards; instr() compares bytes.
        test = f"instr({sql}, ?) {'= 1' if node.operator == '$startsWith' else '> 0'}"
    return _atom(field, test, (value,), negated)


def _fits(node: Text, name: str) -> bool:
    value = node.value
    if node.ignore_case:
        name, value = name.casefold(), value.casefold()
    if node.operator == "$startsWith":
        return name.startswith(value)
    return name.endswith(value) if node.operator == "$endsWith" else value in name


# ---- tags ----------------------------------------------------------------------------------


def _tagged(node: HasTag | TagIs | NoTags, tags: Tags, negated: bool) -> _Condition:
    key, value = f"{tags.table}.key", f"{tags.table}.value"
    if isinstance(node, NoTags):
        return _some_tag(tags, "", (), not negated)
    if isinstance(node, HasTag):
        tests = [(key, node.key), (value, node.value)]
        sql = [_one_of(column, test) for column, test in tests if test is not None]
        text = "".join(f" AND {part}" for part, _ in sql)
        return _some_tag(tags, text, tuple(p for _, some in sql for p in some), negated)
    if node.value.values == (None,):
        return _some_tag(tags, f" AND {key} = ?", (node.key,), not negated)
    texts = tuple(text for text in node.value.values if text is not None)
    test, parameters = _one_of(value, TagText(texts))
    inverse = negated is not node.value.negated  # so that a missing tag passes $nin
    return _some_tag(tags, f" AND {key} = ? AND {test}", (node.key, *parameters), inverse)


def _one_of(column: str, test: TagText) -> tuple[str, tuple[str, ...]]:
    """The test of a text that is never null."""
    texts = tuple(text for text in test.values if text is not None)
    places = ", ".join("?" * len(texts))
    return f"{column} {'NOT IN' if test.negated else 'IN'} ({places})", texts


def _some_tag(tags: Tags, test: str, parameters: tuple[Bound, ...], negated: bool) -> _Sql:
    text = f"EXISTS (SELECT 1 FROM {tags.table} WHERE {tags.table}.{tags.owner} = {tags.id}{test})"
    return _Sql(f"NOT {text}" if negated else text, parameters)
