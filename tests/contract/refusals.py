"""What we refuse although the published schema lets it pass, each with its reason.

Anything else that a request model refuses or accepts, the schema refuses or accepts as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from losant_mcp.api.query import JOB_LOGS, LOGIC

Json = Any


@dataclass(frozen=True)
class Refusal:
    """A kind of body that we refuse: which, why, and the smallest example of it."""

    name: str
    why: str
    covers: Callable[[str, Json], bool]
    schema: str
    example: Callable[[], Json]
    told: str
    """What ``parse_body`` says of the example."""


def _parts(value: Json) -> Iterator[Json]:
    """The value, its keys and everything inside, without recursion."""
    stack = [value]
    while stack:
        part = stack.pop()
        yield part
        if isinstance(part, dict):
            stack += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            stack += part


def _not_finite(schema: str, body: Json) -> bool:
    return any(isinstance(p, float) and not math.isfinite(p) for p in _parts(body))


def _not_unicode(schema: str, body: Json) -> bool:
    return any(isinstance(p, str) and re.search("[\ud800-\udfff]", p) for p in _parts(body))


def _nested(levels: int, leaf: Json, wrap: Callable[[Json], Json]) -> Json:
    for _ in range(levels):
        leaf = wrap(leaf)
    return leaf


def _depth(body: Json, counts: Callable[[Json], list[Json]]) -> int:
    deepest, stack = 0, [(body, 0)]
    while stack:
        part, depth = stack.pop()
        deepest = max(deepest, depth)
        stack += [(inner, depth + 1) for inner in counts(part)]
    return deepest


def _queries_inside(query: Json) -> list[Json]:
    if not isinstance(query, dict):
        return []
    lists = [query[key] for key in LOGIC if isinstance(query.get(key), list)]
    return [inner for items in lists for inner in items]


def _deep_query(schema: str, body: Json) -> bool:
    if not isinstance(body, dict):
        return False
    queries = (
        [body] if schema.startswith("advanced") else [body.get("query"), body.get("deviceQuery")]
    )
    return any(_depth(query, _queries_inside) > 50 for query in queries)


def _values_inside(part: Json) -> list[Json]:
    return list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []


def _deep_data(schema: str, body: Json) -> bool:
    return isinstance(body, dict) and _depth(body.get("data"), _values_inside) > 100


def _unknown_job_log_field(schema: str, body: Json) -> bool:
    if schema != "advancedApplicationJobLogQuery":
        return False
    stack = [body]
    while stack:
        query = stack.pop()
        if isinstance(query, dict) and query.keys() - {*LOGIC, *JOB_LOGS.fields}:
            return True
        stack += _queries_inside(query)
    return False


def _field_unlike(name: str, pattern: str) -> Callable[[str, Json], bool]:
    def covers(schema: str, body: Json) -> bool:
        if not isinstance(body, dict) or schema == "dataTableRowInsertUpdate":
            return False
        text = body.get(name)
        published = schema.endswith("Export")
        return published and isinstance(text, str) and re.fullmatch(pattern, text) is None

    return covers


def _rows(schema: str, body: Json) -> list[Json]:
    if not schema.startswith("dataTableRowInsert"):
        return []
    return body if isinstance(body, list) else [body]


REFUSALS = (
    Refusal(
        "not finite",
        "RFC 8259: JSON has no NaN and no Infinity, so they cannot be sent",
        _not_finite,
        "dataTableRowInsert",
        lambda: {"a": float("nan")},
        "a must be a finite number",
    ),
    Refusal(
        "not Unicode",
        "a lone surrogate has no UTF-8 form (RFC 8259, section 8), so it cannot be sent",
        _not_unicode,
        "dataTableRowInsert",
        lambda: {"a": "\ud800"},
        "a is not valid Unicode text",
    ),
    Refusal(
        "query nested deeper than 50",
        "the schema sets no bound; a bound keeps parsers and the sandbox's SQL from overflowing",
        _deep_query,
        "advancedQuery",
        lambda: _nested(51, {"a": 1}, lambda inner: {"$and": [inner]}),
        f"query.{'.'.join(['$and[0]'] * 51)}: is nested deeper than 50 levels",
    ),
    Refusal(
        "data nested deeper than 100",
        "MongoDB nests no deeper, and serialisers overflow a little further down",
        _deep_data,
        "eventPost",
        lambda: {
            "level": "info",
            "subject": "s",
            "data": _nested(101, 1, lambda inner: [inner]),
        },
        "data is nested deeper than 100 levels",
    ),
    Refusal(
        "unknown field in a job log query",
        "the three other queries are closed; this one lacks additionalProperties: false, and a "
        "misspelt field would match every job",
        _unknown_job_log_field,
        "advancedApplicationJobLogQuery",
        lambda: {"stauts": "failed"},
        "query.stauts: job logs cannot be queried by 'stauts'; did you mean 'status'?",
    ),
    Refusal(
        "callbackUrl that is not http(s)",
        "the format uri allows any scheme; a callback is an HTTP request",
        _field_unlike("callbackUrl", r"https?://\S+"),
        "eventsExport",
        lambda: {"callbackUrl": "ftp://example.com"},
        "callbackUrl must be an http or https URL",
    ),
    Refusal(
        "email without the shape of one",
        "the format email is unasserted in the comparison, but Losant asks for it",
        _field_unlike("email", r"[^@\s]+@[^@\s]+"),
        "eventsExport",
        lambda: {"email": "night shift"},
        "email must be an e-mail address",
    ),
    Refusal(
        "more than 25,000 rows",
        "drift_after_4_2_0: the client's next version publishes this limit",
        lambda schema, body: len(_rows(schema, body)) > 25_000,
        "dataTableRowInsert",
        lambda: [{}] * 25_001,
        "the body has more than 25000 items",
    ),
    Refusal(
        "a row of more than 50 values",
        "drift_after_4_2_0: maxProperties 50; a table has at most 50 columns",
        lambda schema, body: any(
            isinstance(row, dict) and len(row) > 50 for row in _rows(schema, body)
        ),
        "dataTableRowInsertUpdate",
        lambda: {f"c{i}": i for i in range(51)},
        "the body has more than 50 items",
    ),
)


def refusals_of(schema: str, body: Json) -> list[str]:
    """The names of the deliberate refusals that cover this body."""
    return [refusal.name for refusal in REFUSALS if refusal.covers(schema, body)]
