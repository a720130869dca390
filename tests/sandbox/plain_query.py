"""What an advanced query means, item by item, told from the documentation alone.

A second opinion for the tests: it reads the query as JSON and shares no code with the sandbox.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Kinds = Mapping[str, str | tuple[str, ...]]
"""By field: string, number, boolean, time, id, tags, or the values of an order."""

ORDERS = {"$gt": operator.gt, "$lt": operator.lt, "$gte": operator.ge, "$lte": operator.le}


def matches(query: Mapping[str, Any], item: Mapping[str, Any], kinds: Kinds) -> bool:
    """Whether an item matches; dates of the item are ms, what it lacks is null."""
    for key, wanted in query.items():
        if key == "$and":
            holds = all(matches(q, item, kinds) for q in wanted)
        elif key == "$or":
            holds = not wanted or any(matches(q, item, kinds) for q in wanted)
        elif key == "$nor":
            holds = not any(matches(q, item, kinds) for q in wanted)
        elif kinds[key] == "tags":
            holds = _tags(wanted, item[key])
        else:
            holds = _field(wanted, item.get(key), kinds[key])
        if not holds:
            return False
    return True


def _field(wanted: Any, actual: Any, kind: str | tuple[str, ...]) -> bool:
    tests = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    ignore_case = tests.get("$ci", False)
    return all(
        _test(name, value, actual, kind, ignore_case)
        for name, value in tests.items()
        if name != "$ci"
    )


def _test(
    name: str, value: Any, actual: Any, kind: str | tuple[str, ...], ignore_case: bool
) -> bool:
    if name == "$ne":
        return not _equal(value, actual, kind)
    if name == "$eq":
        return _equal(value, actual, kind)
    if name == "$in":
        return any(_equal(one, actual, kind) for one in value)
    if name == "$nin":
        return not any(_equal(one, actual, kind) for one in value)
    if name in ORDERS:
        if value is None:
            return actual is None and name in ("$gte", "$lte")
        pair = _comparable(value, actual, kind)
        return pair is not None and bool(ORDERS[name](pair[1], pair[0]))
    if not isinstance(actual, str):
        return False
    text, part = (actual.casefold(), value.casefold()) if ignore_case else (actual, value)
    if name == "$startsWith":
        return text.startswith(part)
    return text.endswith(part) if name == "$endsWith" else part in text


def _equal(value: Any, actual: Any, kind: str | tuple[str, ...]) -> bool:
    if value is None or actual is None:
        return value is None and actual is None
    pair = _comparable(value, actual, kind)
    return pair is not None and pair[0] == pair[1]


def _comparable(value: Any, actual: Any, kind: str | tuple[str, ...]) -> tuple[Any, Any] | None:
    """Both sides as values that compare, or None where their types do not."""
    if actual is None:
        return None
    if isinstance(kind, tuple):
        return (kind.index(value), kind.index(actual)) if value in kind else None
    if kind == "time" and isinstance(value, str):
        at = datetime.fromisoformat(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return int(at.timestamp() * 1000), actual
    if kind == "id" and isinstance(value, str):
        return value.lower(), actual
    types = {bool: "boolean", int: "number", float: "number", str: "string"}
    if types[type(value)] != types[type(actual)]:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value), float(actual)  # Losant's numbers are doubles
    return value, actual


def _tags(wanted: Any, tags: Mapping[str, str]) -> bool:
    if isinstance(wanted, dict) and "$ne" in wanted:
        return not _tags(wanted["$ne"], tags)
    if isinstance(wanted, dict) and "$eq" in wanted:
        return _tags(wanted["$eq"], tags)
    if wanted is None:
        return not tags
    if "$tagKey" in wanted or "$tagValue" in wanted:
        return any(
            ("$tagKey" not in wanted or _tag_text(wanted["$tagKey"], key))
            and ("$tagValue" not in wanted or _tag_text(wanted["$tagValue"], value))
            for key, value in tags.items()
        )
    return all(_tag_text(test, tags.get(key)) for key, test in wanted.items())


def _tag_text(test: Any, text: str | None) -> bool:
    if isinstance(test, dict):
        return text in test["$in"] if "$in" in test else text not in test["$nin"]
    return bool(text == test)
