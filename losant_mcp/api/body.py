"""Checks a body and says what is wrong with it, in words that name the place and the rule.

Pydantic's own text repeats what was sent, names the arms of unions and loses an advanced
query's hint; this one is short and safe to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from losant_mcp.api.query_values import join_path, nearest
from losant_mcp.api.types import EMAIL, HTTP_URL, KEY, OBJECT_ID
from losant_mcp.errors import InvalidQuery, InvalidRequest

Model = TypeVar("Model", bound=BaseModel)

MAX_PROBLEMS = 5
"""How many problems a message names; the rest are counted."""


def parse_body(model: type[Model], raw: object) -> Model:
    """The body as ``model``.

    Raises InvalidQuery where an advanced query is at fault, InvalidRequest for anything else.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # Not chained: the original's text repeats what was sent.
        raise _explain(error, raw, model) from None


def _explain(error: ValidationError, raw: object, model: type[Model]) -> InvalidRequest:
    problems: dict[str, list[ErrorDetails]] = {}
    unknown = ""
    for detail in error.errors(include_url=False, include_input=False):
        cause = detail.get("ctx", {}).get("error")
        path = _path(detail, raw)
        if isinstance(cause, InvalidQuery):
            return _in_field(cause, path)
        if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1:
            unknown = unknown or path
        problems.setdefault(path, []).append(detail)
    # An arm of a union that does not fit at all is no news where another arm got further.
    told = [
        f"{path or 'the body'} {_rule(found)}"
        for path, found in problems.items()
        if not all(d["type"].endswith(("_type", "literal_error")) for d in found)
        or not any(_is_below(other, path) for other in problems)
    ]
    more = len(told) - MAX_PROBLEMS
    text = "; ".join(told[:MAX_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
    if not unknown:
        return InvalidRequest(text)
    fields = list(model.model_fields)
    return InvalidRequest(text, hint=f"Fields: {', '.join(fields)}{nearest(unknown, fields)}")


def _in_field(cause: InvalidQuery, path: str) -> InvalidQuery:
    """The same error; in a field of another name than ``query``, its path starts there."""
    if path in ("", "query"):
        return cause
    inner = f"{path}.{cause.path}" if cause.path else path
    found = InvalidQuery(cause.path, cause.rule, hint=cause.hint)
    found.args = (f"{inner}: {cause.rule}",)
    return found


def _path(detail: ErrorDetails, raw: object) -> str:
    """The place in the body, such as ``columns[2].name``: without pydantic's union labels."""
    path = ""
    for part in detail["loc"]:
        if isinstance(part, int) and isinstance(raw, list) and part < len(raw):
            path, raw = f"{path}[{part}]", raw[part]
        elif isinstance(raw, dict) and part in raw:
            path, raw = join_path(path, part), raw[part]
    match detail["type"]:
        case "missing":
            return join_path(path, detail["loc"][-1])
        case "union_tag_invalid" | "union_tag_not_found":
            return join_path(path, "type")
    return path


def _is_below(other: str, path: str) -> bool:
    return other != path and other.startswith(path) and (not path or other[len(path)] in ".[")


_KINDS = {
    "string_type": "a string",
    "int_type": "a number",
    "float_type": "a number",
    "bool_type": "a boolean",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "an array",
    "none_required": "null",
}
_PATTERNS = {
    KEY: "a name of 1 to 255 letters, digits, _ or -",
    OBJECT_ID: "an id of 24 hexadecimal characters",
    EMAIL: "an e-mail address",
    HTTP_URL: "an http or https URL",
}


def _rule(found: list[ErrorDetails]) -> str:
    """One rule for one place: what it must be, or what else is wrong with it."""
    wanted: list[str] = []
    others: list[str] = []
    for detail in found:
        kind, context = detail["type"], detail.get("ctx", {})
        if kind in _KINDS:
            wanted.append(_KINDS[kind])
        elif kind == "literal_error":
            wanted.append(context["expected"].replace("'", ""))
        elif kind == "union_tag_invalid":
            wanted.append(context["expected_tags"].replace("'", ""))
        elif kind == "string_pattern_mismatch":
            wanted.append(_PATTERNS.get(context["pattern"], "text of another form"))
        else:
            others.append(_other_rule(kind, context, detail["msg"]))
    if others:
        return others[0]
    names = list(dict.fromkeys(wanted))
    return f"must be {', '.join(names[:-1])} or {names[-1]}" if names[1:] else f"must be {names[0]}"


def _other_rule(kind: str, context: Mapping[str, Any], message: str) -> str:
    match kind:
        case "missing" | "union_tag_not_found":
            return "is required"
        case "extra_forbidden":
            return "is no field here"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"is longer than {context['max_length']} characters"
        case "too_long":
            return f"has more than {context['max_length']} items"
        case "string_unicode":
            return "is not valid Unicode text"
        case "finite_number":
            return "must be a finite number"
        case "value_error":
            return str(context["error"])
    return message
