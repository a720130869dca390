"""The advanced-query grammar that events, rows, devices and job logs share.

``parse_query`` checks a query fully and returns it as a tree (``query_tree``), which
the sandbox turns into SQL. Source of the grammar: the schemas ``advancedQuery``,
``advancedEventQuery``, ``advancedDeviceQuery`` and ``advancedApplicationJobLogQuery`` that the
official client publishes. Four rules are ours: a depth of at most 50; no unknown field in a
query over job logs, whose schema alone is open; no text that UTF-8 cannot carry; and, where the
columns of a table are known, no unknown column (Losant calls such a query invalid, too).

Meaning, as in MongoDB: all keys and operators of an object must hold; ``$ne``, ``$nin`` and
``$nor`` also match what is null or missing; values of different types are never equal and never
ordered; level and state are ordered by severity and by progress.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import model_validator

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
from losant_mcp.api.query_values import (
    COMPARISONS,
    ID_OPERATORS,
    SETS,
    TEXT_TESTS,
    VALUE_OPERATORS,
    at_most_100,
    join_path,
    kind_of,
    object_id_or_null,
    scalar,
    unicode_text,
    unknown_operator,
    value_set,
)

# Part of the grammar for its readers, wherever it is written down.
from losant_mcp.api.query_values import MAX_ITEMS as MAX_ITEMS
from losant_mcp.api.query_values import nearest as nearest
from losant_mcp.api.types import KEY, JsonObject, RequestRoot, is_object_id, is_unicode
from losant_mcp.errors import InvalidQuery

Kind = Literal["value", "id", "tags"]

LOGIC = ("$and", "$or", "$nor")
MAX_DEPTH = 50
MAX_TAG_TEXT = 255
MAX_LISTED = 300
"""Most characters of column names in an error."""

_key = re.compile(KEY[:-1] + r"\Z")
# The published pattern of a tag key lacks its final anchor, so "floor 8" passes there and here.
_tag_key = re.compile(KEY[:-1])


@dataclass(frozen=True)
class Subject:
    """What a query is about: its fields by name, and whether columns may be named as well."""

    name: str
    fields: Mapping[str, Kind]
    open: bool = False


def _fields(values: str, ids: str = "", tags: str = "") -> dict[str, Kind]:
    kinds: dict[str, Kind] = dict.fromkeys(values.split(), "value")
    kinds |= dict.fromkeys(ids.split(), "id")
    kinds |= dict.fromkeys(tags.split(), "tags")
    return kinds


EVENTS = Subject(
    "events",
    _fields(
        "id creationDate lastUpdated sourceId sourceType level state subject deviceId",
        "experienceUserId experienceGroupId",
        "eventTags",
    ),
)
DEVICES = Subject(
    "devices",
    _fields(
        "creationDate lastUpdated deletedAt name deviceClass attributeName disconnectedAt"
        " connectedAt connectionStatus",
        "id gatewayId parentId ancestorId experienceUserId experienceGroupId",
        "tags",
    ),
)
JOB_LOGS = Subject(
    "job logs",
    _fields(
        "runQueuedAt runStartedAt runCompletedAt status name resourceType",
        "id resourceId",
    ),
)
ROWS = Subject("rows", _fields("id createdAt updatedAt"), open=True)


# ---- the parser ----------------------------------------------------------------------------


def parse_query(query: object, subject: Subject, *, columns: Collection[str] | None = None) -> Node:
    """The query as a tree. Raises InvalidQuery, which names the path and the rule.

    ``columns`` are the table's columns where they are known; other names are then refused.
    """
    return _Parser(subject, columns).query(query, "", 0)


@dataclass(frozen=True)
class _Parser:
    subject: Subject
    columns: Collection[str] | None = field(default=None)

    def query(self, raw: object, path: str, depth: int) -> And:
        if not isinstance(raw, dict):
            raise InvalidQuery(path, f"must be an object, not {kind_of(raw)}")
        if depth > MAX_DEPTH:
            raise InvalidQuery(path, f"is nested deeper than {MAX_DEPTH} levels")
        return And(
            tuple(
                self.member(key, value, join_path(path, key), depth) for key, value in raw.items()
            )
        )

    def member(self, key: object, value: object, path: str, depth: int) -> Node:
        if not isinstance(key, str):
            raise InvalidQuery(path, "a field's name must be a string")
        if key in LOGIC:
            if not isinstance(value, list):
                raise InvalidQuery(path, f"must be an array of queries, not {kind_of(value)}")
            at_most_100(value, path)
            items = tuple(self.query(q, f"{path}[{i}]", depth + 1) for i, q in enumerate(value))
            return And(items) if key == "$and" else Or(items) if key == "$or" else Nor(items)
        kind = self.kind(key, path)
        if kind == "tags":
            return _tags(key, value, path)
        if kind == "id":
            return _id(key, value, path)
        return _value(key, value, path)

    def kind(self, name: str, path: str) -> Kind:
        if name.startswith("$"):
            raise InvalidQuery(
                path,
                "is no operator here",
                hint=f"Logical operators: {', '.join(LOGIC)}. Operators of a field go inside it: "
                '{"column": {"$gt": 5}}.',
            )
        if kind := self.subject.fields.get(name):
            return kind
        if not self.subject.open:
            raise InvalidQuery(
                path,
                f"{self.subject.name} cannot be queried by {name[:60]!r}"
                f"{nearest(name, self.subject.fields)}",
                hint=f"Fields: {', '.join(self.subject.fields)}.",
            )
        if not _key.match(name):
            raise InvalidQuery(
                path, "a column's name has 1 to 255 letters, digits, _ or -, and no dots"
            )
        if self.columns is not None and name not in self.columns:
            known = (*self.columns, *self.subject.fields)
            raise InvalidQuery(
                path,
                f"there is no column {name[:60]!r}{nearest(name, known)}",
                hint=f"Columns: {_listed(known)}",
            )
        return "value"


def _listed(names: tuple[str, ...]) -> str:
    text = ", ".join(names)
    return f"{text}." if len(text) <= MAX_LISTED else f"{text[:MAX_LISTED]}…"


def _value(name: str, raw: object, path: str) -> Node:
    if not isinstance(raw, dict):
        return Compare(name, "$eq", scalar(raw, path))
    ignore_case = raw.get("$ci", False)
    if not isinstance(ignore_case, bool):
        raise InvalidQuery(join_path(path, "$ci"), "must be true or false")
    tests: list[Node] = []
    for operator, value in raw.items():
        here = join_path(path, operator)
        if operator in COMPARISONS:
            tests.append(Compare(name, operator, scalar(value, here)))
        elif operator in TEXT_TESTS:
            if not isinstance(value, str) or not value:
                raise InvalidQuery(here, "must be a string that is not empty")
            tests.append(Text(name, operator, unicode_text(value, here), ignore_case))
        elif operator in SETS:
            tests.append(Among(name, value_set(value, here), operator == "$nin"))
        elif operator != "$ci":
            raise unknown_operator(operator, here, VALUE_OPERATORS)
    return tests[0] if len(tests) == 1 else And(tuple(tests))


def _id(name: str, raw: object, path: str) -> Node:
    if not isinstance(raw, dict):
        return Compare(name, "$eq", object_id_or_null(raw, path))
    if len(raw) != 1:
        raise InvalidQuery(
            path, "an id takes exactly one operator", hint=f"One of {', '.join(ID_OPERATORS)}."
        )
    [(operator, value)] = raw.items()
    here = join_path(path, operator)
    if operator in COMPARISONS:
        return Compare(name, operator, object_id_or_null(value, here))
    if operator in SETS:
        ids = value_set(value, here)
        for i, item in enumerate(ids):
            if not is_object_id(item):
                raise InvalidQuery(f"{here}[{i}]", "must be an id of 24 hexadecimal characters")
        return Among(name, ids, operator == "$nin")
    raise unknown_operator(operator, here, ID_OPERATORS)


def _tags(name: str, raw: object, path: str) -> Node:
    if isinstance(raw, dict) and ("$eq" in raw or "$ne" in raw):
        if len(raw) != 1:
            raise InvalidQuery(path, "$eq or $ne stands alone around a tag query")
        [(operator, inner)] = raw.items()
        test = _plain_tags(name, inner, join_path(path, operator))
        return test if operator == "$eq" else Nor((test,))
    return _plain_tags(name, raw, path)


def _plain_tags(name: str, raw: object, path: str) -> Node:
    if raw is None:
        return NoTags(name)
    if not isinstance(raw, dict):
        raise InvalidQuery(
            path,
            f"must be an object or null, not {kind_of(raw)}",
            hint='Write {"$tagKey": "floor", "$tagValue": "8"} or {"floor": "8"}.',
        )
    if "$tagKey" in raw or "$tagValue" in raw:
        for key in raw:
            if key not in ("$tagKey", "$tagValue"):
                here = join_path(path, key)
                raise InvalidQuery(here, "$tagKey and $tagValue mix with no other key")
        tests = {key: _tag_text(value, join_path(path, key)) for key, value in raw.items()}
        return HasTag(name, tests.get("$tagKey"), tests.get("$tagValue"))
    for key in raw:
        if not isinstance(key, str) or not _tag_key.match(key) or not is_unicode(key):
            raise InvalidQuery(join_path(path, key), "is neither a tag's key nor an operator here")
    return And(
        tuple(TagIs(name, key, _tag_text(v, join_path(path, key))) for key, v in raw.items())
    )


def _tag_text(raw: object, path: str) -> TagText:
    if raw is None or isinstance(raw, str):
        return TagText((_short(raw, path),))
    if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in SETS:
        raise InvalidQuery(path, 'must be a string, null, {"$in": [...]} or {"$nin": [...]}')
    [(operator, values)] = raw.items()
    here = join_path(path, operator)
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise InvalidQuery(here, "must be an array of strings")
    at_most_100(values, here)
    return TagText(tuple(_short(v, here) for v in values), operator == "$nin")


def _short(value: str | None, path: str) -> str | None:
    if value is None:
        return None
    if len(value) > MAX_TAG_TEXT:
        raise InvalidQuery(path, f"is longer than {MAX_TAG_TEXT} characters")
    return unicode_text(value, path)


# ---- the bodies that are a query -----------------------------------------------------------


class QueryBody(RequestRoot[JsonObject]):
    """A whole advanced query as a request body, checked when it is built."""

    subject: ClassVar[Subject]

    @model_validator(mode="after")
    def _check(self) -> QueryBody:
        parse_query(self.root, self.subject)
        return self


class AdvancedQuery(QueryBody):
    """A query over the rows of a data table."""

    subject = ROWS


class AdvancedEventQuery(QueryBody):
    """A query over events."""

    subject = EVENTS


class AdvancedDeviceQuery(QueryBody):
    """A query over devices."""

    subject = DEVICES


class AdvancedApplicationJobLogQuery(QueryBody):
    """A query over job logs."""

    subject = JOB_LOGS
