"""Bodies: null is not absence, nothing is coerced, nothing can change, and checking is cheap."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from losant_mcp.api.body import parse_body
from losant_mcp.api.data import DevicesDataExport, LastValueQuery, TimeSeriesQuery
from losant_mcp.api.events import Event, EventPatch, EventPost, EventsExport
from losant_mcp.api.query import AdvancedQuery
from losant_mcp.api.tables import (
    DataTableColumn,
    DataTablePatch,
    DataTableRowsExport,
    RowInsert,
    RowUpdate,
)
from losant_mcp.errors import InvalidRequest

ID = "575ec8687ae143cd83dc4a97"
NEW = {"level": "info", "subject": "s"}


def _id_of(case: Any) -> str:
    return case.__name__ if isinstance(case, type) else repr(case)[:90]


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


# ---- null and absence ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (EventPatch, {"deviceId": None}),
        (EventPatch, {"data": None}),
        (EventPost, {**NEW, "data": None}),
        (RowInsert, {"a": None}),
        (RowUpdate, {"a": None, "b": 1}),
        (AdvancedQuery, {"a": None}),
    ],
    ids=_id_of,
)
def test_null_is_kept_where_it_means_something(model: type[BaseModel], body: Any) -> None:
    """Null detaches a device, empties a cell or is data, and is sent as null."""
    assert _sent(model, body) == body


@pytest.mark.parametrize(
    ("model", "body", "told"),
    [
        (EventPatch, {"state": None}, "state may be left out, but may not be null"),
        (EventPost, {**NEW, "deviceId": None}, "deviceId may be left out, but may not be null"),
        (DataTablePatch, {"name": None}, "name may be left out, but may not be null"),
        (TimeSeriesQuery, {"end": None}, "end may be left out, but may not be null"),
        (EventsExport, {"query": None}, "query may be left out, but may not be null"),
        (EventPost, {**NEW, "subject": None}, "subject must be a string"),
        (
            DataTableColumn,
            {"name": "a", "dataType": "string", "constraint": "optional", "defaultValue": None},
            "defaultValue may be left out, but may not be null",
        ),
    ],
    ids=_id_of,
)
def test_null_is_refused_where_it_means_nothing(
    model: type[BaseModel], body: Any, told: str
) -> None:
    """Null is not a way to leave a field out."""
    assert _told(model, body) == (told, "")


@pytest.mark.parametrize("model", [EventPatch, DataTablePatch, TimeSeriesQuery, LastValueQuery])
def test_what_is_absent_stays_absent(model: type[BaseModel]) -> None:
    """No default is ever sent."""
    assert _sent(model, {}) == {}


# ---- exactness ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        0,
        1,
        1.0,
        -0.0,
        2.5,
        10**30,
        1e300,
        "",
        "5",
        "true",
        "null",
        "1.0",
        "\u0663",
        None,
    ],
    ids=repr,
)
def test_a_cell_stays_what_it_is(value: object) -> None:
    """No union turns true into 1, 1.0 into 1, or a text into the number that it spells."""
    for body in ({"a": value}, [{"a": value}, {"b": value}]):
        assert json.dumps(_sent(RowInsert, body)) == json.dumps(body)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (EventPost, {**NEW, "creationDate": {"$date": "2026-01-01T00:00:00.000Z"}}),
        (EventPost, {**NEW, "creationDate": "1465790400000"}),
        (EventPost, {**NEW, "creationDate": 1465790400000}),
        (EventPost, {**NEW, "creationDate": 1465790400000.0}),
        (EventPost, {**NEW, "data": {"a": [1, 1.0, True, None, {"b": ""}]}}),
        (EventPost, {**NEW, "data": _nested(100)}),
        (TimeSeriesQuery, {"start": 1.0, "end": 0, "limit": 5}),
        (TimeSeriesQuery, {"aggregation": {"type": "TIMEATVALUE", "options": {"value": True}}}),
        (TimeSeriesQuery, {"aggregation": {"type": "TIMEATVALUE", "options": {"value": 1}}}),
        (TimeSeriesQuery, {"aggregation": {"type": "TIMEATVALUE", "options": {"value": "1"}}}),
        (TimeSeriesQuery, {"aggregation": {"type": "MEAN", "options": {}}}),
        (TimeSeriesQuery, {"aggregation": {"type": "NONE"}}),
        (TimeSeriesQuery, {"aggregation": "NONE", "deviceTags": [{}, {"key": "a"}]}),
        (DevicesDataExport, {"options": {"includeDate": False, "later": [1, None]}}),
        (DataTableRowsExport, {"queryOptions": {"sortDirection": "", "limit": 1.0, "x": None}}),
        (DataTableRowsExport, {"query": {"$or": [{"a": {"$in": [True, 1, 1.0]}}]}}),
        (AdvancedQuery, {"a": {"$gt": 1, "$lt": 1.0}, "$and": []}),
        (RowInsert, []),
        (RowInsert, {}),
    ],
    ids=_id_of,
)
def test_a_body_is_sent_as_it_was_given(model: type[BaseModel], body: Any) -> None:
    """What goes out is what came in, to the last type."""
    assert json.dumps(_sent(model, body), sort_keys=True) == json.dumps(body, sort_keys=True)


@pytest.mark.parametrize(
    ("model", "body", "told"),
    [
        (
            EventPost,
            {**NEW, "disableTagChangeTracking": 1},
            "disableTagChangeTracking must be a boolean",
        ),
        (EventPost, {**NEW, "subject": 5}, "subject must be a string"),
        (TimeSeriesQuery, {"start": "5"}, "start must be a number"),
        (TimeSeriesQuery, {"limit": True}, "limit must be a number"),
        (TimeSeriesQuery, {"attributes": "a"}, "attributes must be an array"),
        (LastValueQuery, {"deviceIds": (ID,)}, "deviceIds must be an array"),
    ],
    ids=_id_of,
)
def test_nothing_is_coerced(model: type[BaseModel], body: Any, told: str) -> None:
    """A value of another type is refused, not turned into the right one."""
    assert _told(model, body) == (told, "")


# ---- immutability ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (parse_body(EventPatch, {"state": "new"}), "state"),
        (parse_body(RowInsert, {"a": 1}), "root"),
        (parse_body(AdvancedQuery, {"a": 1}), "root"),
        (Event(id=ID), "state"),
    ],
    ids=_id_of,
)
def test_a_model_cannot_change(model: BaseModel, field: str) -> None:
    """What was checked stays what it was."""
    before = model.model_dump()
    with pytest.raises(ValidationError):
        setattr(model, field, None)
    assert model.model_dump() == before


# ---- cost --------------------------------------------------------------------------------------


def test_importing_the_catalogue_builds_no_validator() -> None:
    """Validators are built on first use, so that a start does not pay for them."""
    script = """
import losant_mcp.api.endpoints
from losant_mcp.api.types import RequestModel, RequestRoot, ResponseModel
def below(model):
    for child in model.__subclasses__():
        yield child
        yield from below(child)
ours = {m for base in (RequestModel, RequestRoot, ResponseModel) for m in below(base)}
models = [m for m in ours if m.__module__ != "losant_mcp.api.types" or m.model_fields]
print(len(models) > 40, [m.__name__ for m in models if m.__pydantic_complete__])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "True []"


def test_25_000_rows_are_checked_quickly() -> None:
    """The largest insert is checked by pydantic's core: no Python is run for a row or a cell."""
    rows = [
        {"site": f"s{i}", "price": i * 1.5, "ok": True, "n": i, "x": None} for i in range(25_000)
    ]
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        calls[event] += event == "call"

    sys.setprofile(count)
    try:
        parsed = parse_body(RowInsert, rows)
    finally:
        sys.setprofile(None)
    assert len(parsed.root) == 25_000
    assert 0 < calls["call"] < 100


def _sent(model: type[BaseModel], body: Any) -> Any:
    parsed: Any = parse_body(model, body)
    return parsed.to_json()


def _told(model: type[BaseModel], body: Any) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_body(model, body)
    return str(caught.value), caught.value.hint
