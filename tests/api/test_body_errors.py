"""What is said of a wrong body: the place, the rule, and nothing of what was sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from losant_mcp.api.body import parse_body
from losant_mcp.api.data import TimeSeriesQuery
from losant_mcp.api.events import EventPatch, EventPost, EventsExport
from losant_mcp.api.query import AdvancedEventQuery, AdvancedQuery
from losant_mcp.api.tables import DataTablePost, RowInsert
from losant_mcp.api.types import EMAIL, HTTP_URL
from losant_mcp.errors import InvalidQuery, InvalidRequest

NEW = {"level": "info", "subject": "s"}
EVENT_FIELDS = (
    "Fields: level, subject, state, message, data, deviceId, eventTags, creationDate, "
    "disableTagChangeTracking"
)
NAME = "must be a name of 1 to 255 letters, digits, _ or -"
CELL = "must be a string, a number or a boolean"
AGGREGATIONS = "FIRST, LAST, COUNT, MAX, MIN, MEDIAN, MEAN, SUM, STD_DEV"


def _id_of(case: Any) -> str:
    return case.__name__ if isinstance(case, type) else repr(case)[:90]


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("model", "body", "told", "hint"),
    [
        (EventPost, 5, "the body must be an object", ""),
        (EventPost, {}, "level is required; subject is required", ""),
        (
            EventPost,
            {**NEW, "level": "Warning"},
            "level must be info, warning, error or critical",
            "",
        ),
        (EventPost, {**NEW, "subject": ""}, "subject must not be empty", ""),
        (
            EventPost,
            {**NEW, "mesage": "x"},
            "mesage is no field here",
            f"{EVENT_FIELDS}; did you mean 'message'?",
        ),
        (EventPost, {**NEW, "zzz": "x"}, "zzz is no field here", EVENT_FIELDS),
        (
            EventPost,
            {**NEW, "eventTags": {"a b": "c", "d": ""}},
            f"eventTags.'a b' {NAME}; eventTags.d must not be empty",
            "",
        ),
        (
            EventPost,
            {**NEW, "creationDate": {"date": "x"}},
            "creationDate.$date is required; creationDate.date is no field here",
            "",
        ),
        (EventPost, {**NEW, "data": {1: 2}}, "data has a key that is not a string", ""),
        (EventPost, {**NEW, "data": {1, 2}}, "data must be JSON data", ""),
        (EventPost, {**NEW, "data": _nested(101)}, "data is nested deeper than 100 levels", ""),
        (
            EventPost,
            {**NEW, "data": {"\ud800": 1}},
            "data holds text that is not valid Unicode",
            "",
        ),
        (EventPost, {**NEW, "data": [1e999]}, "data holds a number that is not finite", ""),
        (EventPatch, {"deviceId": "x"}, "deviceId must be an id of 24 hexadecimal characters", ""),
        (
            DataTablePost,
            {"name": "t", "columns": [{"name": "a.b", "dataType": "text", "constraint": "unique"}]},
            f"columns[0].name {NAME}; columns[0].dataType must be string, number or boolean",
            "",
        ),
        (
            DataTablePost,
            {"name": "t", "columns": [{}] * 51},
            "columns has more than 50 items",
            "",
        ),
        (RowInsert, 5, "the body must be an object or an array", ""),
        (
            RowInsert,
            [{"a": 1}, {"b": []}, 5],
            f"[1].b {CELL}; [2] must be an object",
            "",
        ),
        (
            RowInsert,
            [{"a": {}}] * 30,
            "; ".join(f"[{i}].a {CELL}" for i in range(5)) + "; and 25 more",
            "",
        ),
        (
            TimeSeriesQuery,
            {"aggregation": "TIMEATVALUE"},
            f"aggregation must be {AGGREGATIONS} or NONE or an object",
            "",
        ),
        (
            TimeSeriesQuery,
            {"aggregation": {"type": "TIMEATVALUE"}},
            "aggregation.options is required",
            "",
        ),
        (TimeSeriesQuery, {"aggregation": {}}, "aggregation.type is required", ""),
        (
            TimeSeriesQuery,
            {"aggregation": {"type": "AVG"}},
            f"aggregation.type must be {AGGREGATIONS}, NONE, TIMEATVALUE",
            "",
        ),
        (
            EventsExport,
            {"email": "x", "callbackUrl": "ftp://x"},
            "email must be an e-mail address; callbackUrl must be an http or https URL",
            "",
        ),
    ],
    ids=_id_of,
)
def test_an_error_names_places_and_rules(
    model: type[BaseModel], body: Any, told: str, hint: str
) -> None:
    """At most five places are named as a person would write them, with what is allowed there."""
    assert _told(model, body) == (told, hint)


@pytest.mark.parametrize(
    "blank",
    [" ", "\t", "\n", "\x00", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\ufeff"],
    ids=lambda blank: f"{ord(blank):04x}",
)
def test_a_blank_is_one_in_every_language(blank: str) -> None:
    """An address with a blank is none, whatever the engine that reads the pattern takes for one."""
    body = {"email": f"{blank}@example.com", "callbackUrl": f"https://example.com/{blank}x"}
    told = "email must be an e-mail address; callbackUrl must be an http or https URL"
    assert _told(EventsExport, body) == (told, "")
    assert not re.search(EMAIL, body["email"])
    assert not re.search(HTTP_URL, body["callbackUrl"])


@pytest.mark.parametrize(
    ("model", "body", "told", "path"),
    [
        (AdvancedEventQuery, {"levle": 1}, "query.levle: ", "levle"),
        (EventsExport, {"query": {"$or": [{"levle": 1}]}}, "query.$or[0].levle: ", "$or[0].levle"),
        (TimeSeriesQuery, {"deviceQuery": {"nmae": 1}}, "deviceQuery.nmae: ", "nmae"),
    ],
    ids=_id_of,
)
def test_an_error_in_a_query_stays_one(
    model: type[BaseModel], body: Any, told: str, path: str
) -> None:
    """A query inside a body keeps its path, its rule and its hint."""
    with pytest.raises(InvalidQuery) as caught:
        parse_body(model, body)
    error = caught.value
    assert (str(error), error.path) == (told + error.rule, path)
    assert "cannot be queried by" in error.rule
    assert error.hint.startswith("Fields: ")


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (EventPost, {**NEW, "message": "hush" * 10_000}),
        (EventPost, {**NEW, "level": "hush"}),
        (EventPost, {**NEW, "deviceId": "hush"}),
        (EventPost, {**NEW, "creationDate": ["hush"]}),
        (RowInsert, {"a": ["hush"]}),
        (EventsExport, {"email": "hush", "callbackUrl": "hush"}),
        (AdvancedQuery, {"a": {"$in": [["hush"]]}}),
        (TimeSeriesQuery, {"aggregation": {"type": "hush"}}),
    ],
    ids=_id_of,
)
def test_an_error_does_not_repeat_what_was_sent(model: type[BaseModel], body: Any) -> None:
    """No value reaches the message or the errors behind it."""
    with pytest.raises(InvalidRequest) as caught:
        parse_body(model, body)
    error = caught.value
    assert "hush" not in f"{error} {error.hint}"
    assert len(f"{error} {error.hint}") < 400
    assert error.__suppress_context__


def _told(model: type[BaseModel], body: Any) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_body(model, body)
    return str(caught.value), caught.value.hint
