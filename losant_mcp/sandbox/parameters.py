"""Query parameters: from the query string to the values that the catalogue's rows promise.

A parameter that the operation does not have is refused rather than ignored: Losant's own
behaviour is not documented, and a misspelt filter that is silently dropped does harm.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from pydantic_core import from_json

from losant_mcp.api.endpoint import Endpoint, Param
from losant_mcp.api.query import parse_query
from losant_mcp.errors import InvalidRequest
from losant_mcp.sandbox.call import Problem, invalid

IGNORED = frozenset({"_actions", "_links", "_embedded", "losantdomain"})
"""What the official clients may send with any request."""

MAX_INTEGER = 2**31 - 1

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_bracket = re.compile(r"\[([^\[\]]*)\]")


def parse_parameters(endpoint: Endpoint, query_string: str) -> dict[str, Any]:
    """The parameters by name, with defaults; a blank one counts as absent.

    ``json`` gives the JSON object (an advanced query, already checked), ``strings`` a list of
    strings, ``tags`` a list of ``{key?, value?}``. Raises Problem 400.
    """
    given: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for key, value in parse_qsl(query_string, keep_blank_values=True):
        name = key.partition("[")[0]
        if name not in IGNORED and value:
            given.setdefault(name, []).append((tuple(_bracket.findall(key)), value))
    known = {param.name: param for param in endpoint.params}
    for name in given.keys() - known.keys():
        raise invalid(f"unknown query parameter {name[:60]!r}; known: {', '.join(known) or 'none'}")
    values: dict[str, Any] = {}
    for param in endpoint.params:
        if param.name in given:
            values[param.name] = _value(param, given[param.name])
        elif param.required:
            raise invalid(f"query parameter {param.name} is required")
        elif param.default is not None:
            values[param.name] = param.default
    return values


def _value(param: Param, given: list[tuple[tuple[str, ...], str]]) -> Any:
    if param.kind == "tags":
        return _tags(param, given)
    if param.kind == "strings":
        values = [part for _, text in given for part in text.split(",") if part]
        for value in values:
            _check(param, value)
        return values
    if len(given) > 1 or given[0][0]:
        raise invalid(f"query parameter {param.name} takes one plain value")
    text = given[0][1]
    if param.kind == "integer":
        if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > MAX_INTEGER:
            raise invalid(f"query parameter {param.name} must be an integer, 0 or greater")
        return int(text)
    if param.kind == "boolean":
        if text.lower() not in _BOOLEANS:
            raise invalid(f"query parameter {param.name} must be true or false")
        return _BOOLEANS[text.lower()]
    if param.kind == "json":
        return _query(param, text)
    _check(param, text)
    return text


def _check(param: Param, value: str) -> None:
    if param.enum and value not in param.enum:
        raise invalid(f"query parameter {param.name} must be one of {', '.join(param.enum)}")
    if param.form and not re.fullmatch(param.form, value):
        raise invalid(f"query parameter {param.name} must match {param.form}")


def _query(param: Param, text: str) -> Any:
    assert param.subject is not None
    try:
        query = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise invalid(f"query parameter {param.name} is not JSON: {error}") from error
    try:
        parse_query(query, param.subject)
    except InvalidRequest as error:
        raise refused(error) from error
    return query


def refused(error: InvalidRequest) -> Problem:
    """400, in the words of the rule that is broken."""
    return invalid(f"{error} {error.hint}".strip())


def _tags(param: Param, given: list[tuple[tuple[str, ...], str]]) -> list[dict[str, str]]:
    """``tagFilter[0][key]=floor&tagFilter[0][value]=8`` as ``[{"key": "floor", "value": "8"}]``."""
    tags: dict[str, dict[str, str]] = {}
    for brackets, text in given:
        if len(brackets) != 2 or brackets[1] not in ("key", "value"):
            raise invalid(f"query parameter {param.name} is written {param.name}[0][key]=...")
        tags.setdefault(brackets[0], {})[brackets[1]] = text
    return list(tags.values())
