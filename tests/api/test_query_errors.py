"""What the advanced-query grammar refuses: the path, the rule and the hint, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.api.query import DEVICES, EVENTS, JOB_LOGS, ROWS, Subject, parse_query
from losant_mcp.errors import InvalidQuery

ID = "575ec8687ae143cd83dc4a97"

VALUE_OPERATORS = (
    "Operators: $eq, $ne, $gt, $lt, $gte, $lte, $startsWith, $endsWith, $contains, $ci, $in, $nin."
)
ID_OPERATORS = "Operators: $eq, $ne, $gt, $lt, $gte, $lte, $in, $nin."
LOGIC = (
    'Logical operators: $and, $or, $nor. Operators of a field go inside it: {"column": {"$gt": 5}}.'
)
EVENT_FIELDS = (
    "Fields: id, creationDate, lastUpdated, sourceId, sourceType, level, state, subject, "
    "deviceId, experienceUserId, experienceGroupId, eventTags."
)
JOB_FIELDS = (
    "Fields: runQueuedAt, runStartedAt, runCompletedAt, status, name, resourceType, id, resourceId."
)
COLUMN_NAME = "a column's name has 1 to 255 letters, digits, _ or -, and no dots"
TAG_FORM = 'Write {"$tagKey": "floor", "$tagValue": "8"} or {"floor": "8"}.'
EXISTS = 'write {"$ne": null} or {"$eq": null}'
REGEX = "write $startsWith, $endsWith or $contains, with $ci for any case"
NOT = "put the whole condition into $nor"
ONE_TAG_TEST = 'must be a string, null, {"$in": [...]} or {"$nin": [...]}'
SCALAR = "must be a string, a number, true, false or null, not"
NO_ID = "must be an id of 24 hexadecimal characters"

Told = tuple[str, str, str, str]


def _refusal(query: object, subject: Subject, **known: Any) -> Told:
    with pytest.raises(InvalidQuery) as caught:
        parse_query(query, subject, **known)
    error = caught.value
    return str(error), error.path, error.rule, error.hint


def _told(path: str, rule: str, hint: str = "") -> Told:
    return f"query{'.' + path if path else ''}: {rule}", path, rule, hint


def _id_of(case: object) -> str:
    return repr(case)[:90]


@pytest.mark.parametrize(
    ("query", "path", "rule", "hint"),
    [
        # A query is an object.
        ([], "", "must be an object, not an array", ""),
        ("a", "", "must be an object, not a string", ""),
        (None, "", "must be an object, not null", ""),
        (True, "", "must be an object, not a boolean", ""),
        (5, "", "must be an object, not a number", ""),
        ({"$or": [5]}, "$or[0]", "must be an object, not a number", ""),
        ({"$or": {}}, "$or", "must be an array of queries, not an object", ""),
        ({"$nor": None}, "$nor", "must be an array of queries, not null", ""),
        # Names.
        ({"$gt": 5}, "$gt", "is no operator here", LOGIC),
        ({"$not": {}}, "$not", "is no operator here", LOGIC),
        ({"$or": [{}, {"$exists": 1}]}, "$or[1].$exists", "is no operator here", LOGIC),
        ({"tags.region": 1}, "tags.region", COLUMN_NAME, ""),
        ({"": 1}, "", COLUMN_NAME, ""),
        ({"a\n": 1}, "a\\n", COLUMN_NAME, ""),
        ({"All rows go": 1}, "'All rows go'", COLUMN_NAME, ""),
        ({"x" * 256: 1}, "x" * 60, COLUMN_NAME, ""),
        ({"\ud800": 1}, "\\ud800", COLUMN_NAME, ""),
        ({1: 1}, "1", "a field's name must be a string", ""),
        # Literals.
        ({"a": []}, "a", f"{SCALAR} an array", VALUE_OPERATORS),
        ({"a": float("nan")}, "a", "must be a finite number", ""),
        ({"a": "\ud800"}, "a", "is not valid Unicode text", ""),
        # Operators and their operands.
        ({"a": {"$exists": True}}, "a.$exists", f"unknown operator; {EXISTS}", VALUE_OPERATORS),
        ({"a": {"$regex": "x"}}, "a.$regex", f"unknown operator; {REGEX}", VALUE_OPERATORS),
        ({"a": {"$not": {}}}, "a.$not", f"unknown operator; {NOT}", VALUE_OPERATORS),
        ({"a": {"$GT": 1}}, "a.$GT", "unknown operator; did you mean '$gt'?", VALUE_OPERATORS),
        (
            {"a": {"$date": 1}},
            "a.$date",
            "unknown operator; write ms since the epoch",
            VALUE_OPERATORS,
        ),
        ({"a": {"$neq": 1}}, "a.$neq", "unknown operator; did you mean '$ne'?", VALUE_OPERATORS),
        ({"a": {"$elemMatch": 1}}, "a.$elemMatch", "unknown operator", VALUE_OPERATORS),
        ({"a": {"gt": 1}}, "a.gt", "unknown operator; did you mean '$gt'?", VALUE_OPERATORS),
        ({"a": {"b": 1}}, "a.b", "unknown operator", VALUE_OPERATORS),
        ({"a": {"$gt": {}}}, "a.$gt", f"{SCALAR} an object", VALUE_OPERATORS),
        ({"a": {"$eq": [1]}}, "a.$eq", f"{SCALAR} an array", VALUE_OPERATORS),
        ({"a": {"$contains": ""}}, "a.$contains", "must be a string that is not empty", ""),
        ({"a": {"$startsWith": 5}}, "a.$startsWith", "must be a string that is not empty", ""),
        ({"a": {"$endsWith": None}}, "a.$endsWith", "must be a string that is not empty", ""),
        ({"a": {"$contains": "\ud800"}}, "a.$contains", "is not valid Unicode text", ""),
        ({"a": {"$ci": 1, "$contains": "x"}}, "a.$ci", "must be true or false", ""),
        # Sets.
        ({"a": {"$in": "x"}}, "a.$in", "must be an array, not a string", ""),
        (
            {"a": {"$in": [1, None]}},
            "a.$in[1]",
            "null is not allowed in a set",
            "Ask for null in an $or.",
        ),
        (
            {"a": {"$nin": [None]}},
            "a.$nin[0]",
            "null is not allowed in a set",
            'Add "$ne": null beside it.',
        ),
        ({"a": {"$nin": [[]]}}, "a.$nin[0]", f"{SCALAR} an array", VALUE_OPERATORS),
        ({"a": {"$in": ["\ud800"]}}, "a.$in[0]", "is not valid Unicode text", ""),
    ],
    ids=_id_of,
)
def test_a_query_over_rows_is_refused(query: object, path: str, rule: str, hint: str) -> None:
    """The error names the place, the rule, and the operators where one was wrong."""
    assert _refusal(query, ROWS) == _told(path, rule, hint)


@pytest.mark.parametrize(
    ("operator", "query", "advice"),
    [
        ("$and", {"$and": [{}] * 101}, "Split them over several $and inside one $and."),
        ("$or", {"$or": [{}] * 101}, "Split them over several $or inside one $or."),
        ("$nor", {"$nor": [{}] * 101}, "Split them over several $nor inside one $and."),
        ("a.$in", {"a": {"$in": [1] * 101}}, "Split them over several $in inside one $or."),
        ("a.$nin", {"a": {"$nin": [1] * 101}}, "Split them over several $nin inside one $and."),
    ],
)
def test_a_list_of_101_is_refused(operator: str, query: object, advice: str) -> None:
    """The limit is 100, and the advice keeps the meaning."""
    told = _told(operator, "has 101 items; the limit is 100", advice)
    assert _refusal(query, ROWS) == told


@pytest.mark.parametrize("levels", [51, 5000])
def test_a_query_nested_too_deep_is_refused(levels: int) -> None:
    """Level 51 is refused at once, however many more there are."""
    query: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        query = {"$nor": [query]}
    assert _refusal(query, ROWS) == _told(
        ".".join(["$nor[0]"] * 51), "is nested deeper than 50 levels"
    )


@pytest.mark.parametrize(
    ("value", "path", "rule", "hint"),
    [
        ("my device", "parentId", f"{NO_ID}, or null", ""),
        (ID + "\n", "parentId", f"{NO_ID}, or null", ""),
        ("\u0663" * 24, "parentId", f"{NO_ID}, or null", ""),
        (5, "parentId", f"{NO_ID}, or null", ""),
        ({"$gt": 5}, "parentId.$gt", f"{NO_ID}, or null", ""),
        (
            {},
            "parentId",
            "an id takes exactly one operator",
            "One of $eq, $ne, $gt, $lt, $gte, $lte, $in, $nin.",
        ),
        (
            {"$gt": ID, "$lt": ID},
            "parentId",
            "an id takes exactly one operator",
            "One of $eq, $ne, $gt, $lt, $gte, $lte, $in, $nin.",
        ),
        ({"$contains": "5"}, "parentId.$contains", "unknown operator", ID_OPERATORS),
        ({"$ci": True}, "parentId.$ci", "unknown operator", ID_OPERATORS),
        ({"$in": [ID, "x"]}, "parentId.$in[1]", NO_ID, ""),
        (
            {"$in": [None]},
            "parentId.$in[0]",
            "null is not allowed in a set",
            "Ask for null in an $or.",
        ),
    ],
    ids=_id_of,
)
def test_an_id_is_refused(value: object, path: str, rule: str, hint: str) -> None:
    """An id takes one operator, without the text operators, and only ids and null."""
    assert _refusal({"parentId": value}, DEVICES) == _told(path, rule, hint)


@pytest.mark.parametrize(
    ("value", "path", "rule", "hint"),
    [
        ("floor", "tags", "must be an object or null, not a string", TAG_FORM),
        ([], "tags", "must be an object or null, not an array", TAG_FORM),
        ({"$ne": "x"}, "tags.$ne", "must be an object or null, not a string", TAG_FORM),
        ({"$eq": None, "floor": "8"}, "tags", "$eq or $ne stands alone around a tag query", ""),
        ({"$eq": {"$eq": {}}}, "tags.$eq.$eq", "is neither a tag's key nor an operator here", ""),
        ({"$in": []}, "tags.$in", "is neither a tag's key nor an operator here", ""),
        ({" floor": "8"}, "tags.' floor'", "is neither a tag's key nor an operator here", ""),
        ({"a\ud800": "8"}, "tags.a\\ud800", "is neither a tag's key nor an operator here", ""),
        (
            {"$tagKey": "a", "floor": "8"},
            "tags.floor",
            "$tagKey and $tagValue mix with no other key",
            "",
        ),
        ({"floor": 8}, "tags.floor", ONE_TAG_TEST, ""),
        ({"floor": {}}, "tags.floor", ONE_TAG_TEST, ""),
        ({"floor": {"$eq": "8"}}, "tags.floor", ONE_TAG_TEST, ""),
        ({"floor": {"$in": [], "$nin": []}}, "tags.floor", ONE_TAG_TEST, ""),
        ({"$tagKey": {"$in": "x"}}, "tags.$tagKey.$in", "must be an array of strings", ""),
        ({"$tagKey": {"$in": [None]}}, "tags.$tagKey.$in", "must be an array of strings", ""),
        (
            {"$tagValue": {"$nin": ["x"] * 101}},
            "tags.$tagValue.$nin",
            "has 101 items; the limit is 100",
            "Split them over several $nin inside one $and.",
        ),
        ({"$tagValue": "x" * 256}, "tags.$tagValue", "is longer than 255 characters", ""),
        ({"floor": {"$in": ["x" * 256]}}, "tags.floor.$in", "is longer than 255 characters", ""),
        ({"floor": "\ud800"}, "tags.floor", "is not valid Unicode text", ""),
    ],
    ids=_id_of,
)
def test_a_tag_query_is_refused(value: object, path: str, rule: str, hint: str) -> None:
    """A tag query has three forms, which do not mix, and compares strings only."""
    assert _refusal({"tags": value}, DEVICES) == _told(path, rule, hint)


@pytest.mark.parametrize(
    ("subject", "query", "path", "rule", "hint"),
    [
        (
            EVENTS,
            {"$or": [{}, {"levle": "info"}]},
            "$or[1].levle",
            "events cannot be queried by 'levle'; did you mean 'level'?",
            EVENT_FIELDS,
        ),
        (
            EVENTS,
            {"message": "x"},
            "message",
            "events cannot be queried by 'message'",
            EVENT_FIELDS,
        ),
        (EVENTS, {"data": None}, "data", "events cannot be queried by 'data'", EVENT_FIELDS),
        (
            EVENTS,
            {"deviceName": "x"},
            "deviceName",
            "events cannot be queried by 'deviceName'; did you mean 'deviceId'?",
            EVENT_FIELDS,
        ),
        (
            JOB_LOGS,
            {"Status": "failed"},
            "Status",
            "job logs cannot be queried by 'Status'; did you mean 'status'?",
            JOB_FIELDS,
        ),
    ],
    ids=_id_of,
)
def test_an_unknown_field_is_refused(
    subject: Subject, query: object, path: str, rule: str, hint: str
) -> None:
    """The error names the nearest field and lists all of them."""
    assert _refusal(query, subject) == _told(path, rule, hint)


def test_an_unknown_column_is_refused() -> None:
    """Where the columns are known, the error names the nearest one and lists all of them."""
    told = _refusal({"$and": [{"prize": 5}]}, ROWS, columns=["site", "price"])
    assert told == _told(
        "$and[0].prize",
        "there is no column 'prize'; did you mean 'price'?",
        "Columns: site, price, id, createdAt, updatedAt.",
    )


def test_a_long_list_of_columns_is_cut() -> None:
    """A table with many columns does not make a long error."""
    columns = [f"column_{i:03}" for i in range(50)]
    message, path, _rule, hint = _refusal({"zzz": 5}, ROWS, columns=columns)
    assert (message, path) == ("query.zzz: there is no column 'zzz'", "zzz")
    assert hint == f"Columns: {', '.join(columns)[:300]}…"


def test_a_long_name_is_not_repeated_whole() -> None:
    """An absurd name is shown up to 60 characters."""
    told = _refusal({"y" * 100_000: 5}, EVENTS)
    assert told == _told("y" * 60, f"events cannot be queried by '{'y' * 60}'", EVENT_FIELDS)
