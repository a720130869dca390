"""The types of tool arguments, and how arguments are read: strictly, with errors that help.

A type carries a marker that says how its value is resolved before the tool runs: a name becomes
an id, a relative time an absolute one.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, WithJsonSchema

from losant_mcp.api.body import parse_body
from losant_mcp.api.query import Subject
from losant_mcp.api.query_values import nearest
from losant_mcp.api.types import is_object_id
from losant_mcp.errors import InvalidQuery, InvalidRequest
from losant_mcp.text import one_line

RefKind = Literal["application", "table", "device", "event", "row", "job"]


@dataclass(frozen=True)
class Ref:
    """The argument names an object; tables and devices by id or by exact name."""

    kind: RefKind


@dataclass(frozen=True)
class When:
    """The argument is a time; the tool gets ms since the epoch."""


@dataclass(frozen=True)
class Unbound:
    """The argument exists only where the server is not bound to one application."""


Marker = Ref | When | Unbound

ApplicationId = Annotated[str, Ref("application")]
TableId = Annotated[str, Ref("table"), Field(description="Table id or exact name")]
DeviceId = Annotated[str, Ref("device"), Field(description="Device id or exact name")]
DeviceIds = Annotated[
    list[str], Ref("device"), Field(max_length=1000, description="Device ids or exact names")
]
EventId = Annotated[str, Ref("event")]
RowId = Annotated[str, Ref("row")]
JobId = Annotated[str, Ref("job")]
if TYPE_CHECKING:
    Time = int
else:
    # Of any form where it comes in; ms since the epoch in the tool.
    Time = Annotated[str | int | float, When(), WithJsonSchema({"type": "string"})]

RowQuery = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "description": 'By column: {"cost": {"$gt": 5}}; {} is all'}),
]
"""An advanced query over rows; the tool checks it against the table's columns."""


def query_over(subject: Subject) -> WithJsonSchema:
    """The schema of an advanced query, with the fields of what it is about."""
    fields = f"Fields: {' '.join(subject.fields)}"
    return WithJsonSchema({"type": "object", "description": fields})


AnyJson = Annotated[Any, WithJsonSchema({"type": "object"})]
"""Any JSON value."""

Value = Annotated[
    str | int | float | bool,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}),
]

FINDERS: Mapping[RefKind, str] = {
    "application": "list_applications",
    "table": "list_data_tables",
    "device": "list_devices",
    "event": "list_events",
    "row": "list_rows or query_rows",
    "job": "list_jobs without jobId",
}

MAX_NAME = 255

_no_id = re.compile(r"(.)\1{23}|(0?123456789){1,3}.*|(abcdef|deadbeef).*", re.IGNORECASE)
_placeholder = re.compile(
    r"[<{\[].*|.*[>}\]]|(your|my|the|some|example|sample|test)?[-_ ]*"
    r"(application|app|data[-_ ]?table|table|device|event|row|job)?[-_ ]*(id|uuid|here)"
    r"|x{3,}|\.{2,}|\?+|null|none|undefined|n/?a|todo|placeholder|string|abc123.*",
    re.IGNORECASE,
)


def check_reference(name: str, value: str, kind: RefKind) -> None:
    """Refuse what is certainly no id and no name. Raises InvalidRequest naming the finder.

    A table or a device may be called anything, so of these only ids are looked at: of a name
    that is none, the lookup says what there is.
    """
    text = value.strip()
    finder = f"Find it with {FINDERS[kind]}."
    if not text:
        raise InvalidRequest(f"{name} is blank.", hint=finder)
    if is_object_id(text):
        if _no_id.fullmatch(text):
            raise InvalidRequest(f"{name} {text!r} is a placeholder.", hint=finder)
        return
    if kind in ("table", "device"):
        if len(text) > MAX_NAME:
            raise InvalidRequest(
                f"{name} has {len(text)} characters; no name has more than {MAX_NAME}.", hint=finder
            )
        return
    shown = one_line(text, 40)
    if _placeholder.fullmatch(text):
        raise InvalidRequest(f"{name} {shown!r} is a placeholder.", hint=finder)
    raise InvalidRequest(
        f"{name} must be an id of 24 hexadecimal characters, not {shown!r}.", hint=finder
    )


def parse_nested(arguments: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with JSON text parsed where an object, array, number or boolean is expected.

    Null for an argument means that it is left out: many models send every argument.
    """
    parsed: dict[str, Any] = {}
    for name, value in arguments.items():
        expected = properties.get(name, {}).get("type")
        if isinstance(value, str) and expected in _PARSED:
            # What cannot be parsed stays; the validation that follows says what was expected.
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(value)
        if expected == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is not None:
            parsed[name] = value
    return parsed


_PARSED = ("object", "array", "integer", "number", "boolean")


def check_known(given: Collection[str], known: Sequence[str]) -> None:
    """Refuse arguments that the tool does not have. Raises InvalidRequest listing the valid."""
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    named = ", ".join(f"{one_line(name, 40)!r}{_guess(name, known)}" for name in unknown[:3])
    more = f", and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    raise InvalidRequest(
        f"There is no argument {named}{more}.", hint=f"Valid: {', '.join(known) or 'none'}."
    )


def _guess(name: str, known: Sequence[str]) -> str:
    guess = nearest(name, known).removeprefix("; ")
    return f" ({guess})" if guess else ""


def read(model: type[Model], values: object) -> Model:
    """The values as ``model``, strictly.

    Raises InvalidRequest, or InvalidQuery, that says what is wrong where, and never repeats a
    value.
    """
    try:
        return parse_body(model, values)
    except InvalidQuery:
        raise
    except InvalidRequest as error:
        text = _pydantic_subject.sub(" should", str(error))
        raise InvalidRequest(text, hint=error.hint) from None


Model = TypeVar("Model", bound=BaseModel)
_pydantic_subject = re.compile(r" (Input|List|String|Dictionary) should")
