"""The types of tool arguments, and how arguments are read: strictly, with errors that help.

A type carries a marker that says how its value is resolved before the tool runs: a name becomes
an id, a relative time an absolute one.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, WithJsonSchema

from losant_mcp.api.query import Subject
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import one_line

RefKind = Literal["application", "table", "device", "event", "row"]


@dataclass(frozen=True)
class Ref:
    """The argument names an object; tables and devices by id or by exact name."""

    kind: RefKind


@dataclass(frozen=True)
class When:
    """The argument is a time; the tool gets ms since the epoch."""


ApplicationId = Annotated[str, Ref("application")]
TableId = Annotated[str, Ref("table"), Field(description="Table id or exact name")]
DeviceId = Annotated[str, Ref("device"), Field(description="Device id or exact name")]
DeviceIds = Annotated[list[str], Ref("device"), Field(description="Device ids or exact names")]
EventId = Annotated[str, Ref("event")]
RowId = Annotated[str, Ref("row")]
Time = Annotated[str | int | float, When(), WithJsonSchema({"type": "string"})]
"""A time of any form in; ms since the epoch in the tool."""

Query = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
"""An advanced query; the tool checks it against what it is about."""


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
}

_object_id = re.compile(r"[A-Fa-f0-9]{24}\Z")
_placeholder = re.compile(
    r"[<{\[].*|.*[>}\]]|(your|my|the|some|example|sample|test)?[-_ ]*"
    r"(application|app|data[-_ ]?table|table|device|event|row)?[-_ ]*(id|uuid|here)"
    r"|x{3,}|\.{2,}|\?+|null|none|undefined|n/?a|todo|placeholder|string|(0{24}|1{24}|f{24})"
    r"|0?123456789.*|abc123.*",
    re.IGNORECASE,
)


def is_object_id(value: str) -> bool:
    """Whether the value has the form of an id."""
    return _object_id.match(value) is not None


def check_reference(name: str, value: str, kind: RefKind) -> None:
    """Refuse what is certainly no id and no name. Raises InvalidRequest naming the finder."""
    text = value.strip()
    finder = f"Find it with {FINDERS[kind]}."
    if not text:
        raise InvalidRequest(f"{name} is blank.", hint=finder)
    if _placeholder.fullmatch(text):
        raise InvalidRequest(f"{name} {one_line(text, 40)!r} is a placeholder.", hint=finder)
    if kind not in ("table", "device") and not is_object_id(text):
        raise InvalidRequest(
            f"{name} must be an id of 24 hexadecimal characters, not {one_line(text, 40)!r}.",
            hint=finder,
        )


def parse_nested(arguments: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with JSON text parsed where an object, array or number is expected.

    Null for an argument means that it is left out: many models send every argument.
    """
    parsed: dict[str, Any] = {}
    for name, value in arguments.items():
        if value is None:
            continue
        expected = properties.get(name, {}).get("type")
        if isinstance(value, str) and expected in ("object", "array", "integer", "number"):
            # What cannot be parsed stays; the validation that follows says what was expected.
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(value)
        parsed[name] = value
    return parsed


def readable(error: ValidationError, known: Collection[str]) -> str:
    """What is wrong with the arguments, without the values that were given."""
    lines = []
    unknown = []
    for item in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in item["loc"])
        match item["type"]:
            case "extra_forbidden" if len(item["loc"]) == 1:
                unknown.append(path)
            case "missing":
                lines.append(f"{path} is required")
            case "literal_error":
                lines.append(f"{path} must be one of {item['ctx']['expected']}")
            case "value_error":
                lines.append(f"{path}: {item['ctx']['error']}")
            case _:
                message = item["msg"]
                lines.append(f"{path}: {message[:1].lower()}{message[1:]}")
    for name in unknown[:3]:
        near = difflib.get_close_matches(name, known, n=1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        lines.insert(0, f"there is no argument {one_line(name, 40)!r}{guess}")
    more = f"; and {len(lines) - 5} more" if len(lines) > 5 else ""
    text = "Invalid arguments: " + "; ".join(dict.fromkeys(lines[:5])) + more + "."
    if unknown:
        text += f" Valid: {', '.join(known) or 'none'}."
    return text
