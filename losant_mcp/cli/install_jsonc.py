"""Edits of JSON text that leave everything else as it stands: comments, order, spaces.

Clients let people write comments and trailing commas into their configuration, which no parse
and dump would keep. So the text is read into a tree that knows where each value stands, and
only the characters of the value in question are replaced. No library of Python's does that
without a JavaScript engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_PLAIN = re.compile(r"[^\s,:\[\]{}\"/]+")
_INDENT = re.compile(r'^([ \t]+)["{}\[\]/]', re.MULTILINE)

Path = Sequence[str]


class NotJson(ValueError):
    """The text is not JSON, even with comments and trailing commas; says where."""


@dataclass(slots=True)
class Value:
    """A value and where it stands; an object or array also has its items, in their order."""

    start: int
    end: int
    data: Any  # whatever JSON can hold
    kind: Literal["object", "array", "plain"] = "plain"
    items: list[Item] = field(default_factory=list)

    def item(self, key: str) -> Item | None:
        """The member of that name."""
        return next((item for item in self.items if item.key == key), None)


@dataclass(slots=True)
class Item:
    """A member of an object, or (without a key) an element; it begins at ``start``."""

    start: int
    value: Value
    key: str | None = None


def parse(text: str) -> Value:
    """The text as a tree. Raises NotJson."""
    try:
        value = _value(text, _after_blank(text, 0))
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    end = _after_blank(text, value.end)
    if end != len(text):
        raise _not_json(text, end)
    return value


def put(text: str, path: Path, data: object) -> str:
    """The text with the value at this path of names; objects on the way are made.

    Raises NotJson, also where something on the way is no object.
    """
    value = parse(text)
    for depth, key in enumerate(path):
        if value.kind != "object":
            raise NotJson(f"{'.'.join(path[:depth]) or 'it'} is not an object")
        found = value.item(key)
        if found is None:
            for name in reversed(path[depth + 1 :]):
                data = {name: data}
            return _insert(text, value, f"{json.dumps(key, ensure_ascii=False)}: ", data)
        value = found.value
    if value.data == data:
        return text
    new = _dump(text, data, _indent_at(text, value.start))
    return text[: value.start] + new + text[value.end :]


def append(text: str, key: str, data: object) -> str:
    """The text with one more element in the array of that name, which is made if missing."""
    found = parse(text).item(key)
    if found is None:
        return put(text, [key], [data])
    if found.value.kind != "array":
        raise NotJson(f"{key} is not an array")
    return _insert(text, found.value, "", data)


def remove(text: str, path: Path) -> str:
    """The text without the member at this path; as it was, if there is none."""
    value = parse(text)
    for key in path[:-1]:
        found = value.item(key)
        if found is None:
            return text
        value = found.value
    found = value.item(path[-1])
    return text if found is None else _cut(text, value, value.items.index(found))


def remove_element(text: str, key: str, index: int) -> str:
    """The text without one element of the array of that name."""
    found = parse(text).item(key)
    assert found is not None, "the caller has seen it"
    return _cut(text, found.value, index)


# ---- reading -------------------------------------------------------------------------------


def _value(text: str, at: int) -> Value:
    opening = text[at : at + 1]
    if opening == "{" or opening == "[":
        return _container(text, at)
    end, data = _plain(text, at, _STRING if opening == '"' else _PLAIN)
    return Value(at, end, data)


def _plain(text: str, at: int, form: re.Pattern[str]) -> tuple[int, Any]:
    found = form.match(text, at)
    if found is None:
        raise _not_json(text, at)
    try:
        return found.end(), json.loads(found[0])
    except ValueError:
        raise _not_json(text, at) from None


def _container(text: str, start: int) -> Value:
    is_object = text[start] == "{"
    closing = "}" if is_object else "]"
    items: list[Item] = []
    names: set[str | None] = set()
    at = _after_blank(text, start + 1)
    while not text.startswith(closing, at):
        item = _member(text, at) if is_object else Item(at, _value(text, at))
        if is_object and item.key in names:
            raise NotJson(f"{item.key} is there twice")
        names.add(item.key)
        items.append(item)
        at = _after_blank(text, item.value.end)
        if text.startswith(",", at):
            at = _after_blank(text, at + 1)
        elif not text.startswith(closing, at):
            raise _not_json(text, at)
    data = (
        {item.key: item.value.data for item in items}
        if is_object
        else [item.value.data for item in items]
    )
    return Value(start, at + 1, data, "object" if is_object else "array", items)


def _member(text: str, at: int) -> Item:
    end, key = _plain(text, at, _STRING)
    colon = _after_blank(text, end)
    if not text.startswith(":", colon):
        raise _not_json(text, colon)
    value = _value(text, _after_blank(text, colon + 1))
    return Item(at, value, key)


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None, "it also matches nothing"
    return found.end()


def _not_json(text: str, at: int) -> NotJson:
    line = text.count("\n", 0, at) + 1
    return NotJson(f"line {line} is not JSON" if text[at:] else "it ends too early")


# ---- writing -------------------------------------------------------------------------------


def _insert(text: str, into: Value, lead: str, data: object) -> str:
    """Put an item behind the last one, and behind the comments that belong to that one."""
    closing = into.end - 1
    if into.items and "\n" not in text[into.start : into.end]:
        last = into.items[-1].value.end
        comma = "" if _comma_after(text, last) is not None else ","
        tail = text[last:closing].rstrip()
        one_line = json.dumps(data, ensure_ascii=False)
        return f"{text[:last]}{comma}{tail} {lead}{one_line}{text[closing:]}"
    outer = _indent_at(text, into.start)
    inner = _indent_at(text, into.items[-1].start) if into.items else outer + _unit(text)
    line = _line_end(text)
    end = len(text[:closing].rstrip())
    item = f"{line}{inner}{lead}{_dump(text, data, inner)}{line}{outer}"
    if not into.items:
        return f"{text[:end]}{item}{text[closing:]}"
    last = into.items[-1].value.end
    comma = "" if _comma_after(text, last) is not None else ","
    return f"{text[:last]}{comma}{text[last:end]}{item}{text[closing:]}"


def _cut(text: str, container: Value, index: int) -> str:
    """Take an item out with its line and its comma, and no comment of its neighbours."""
    item = container.items[index]
    start, end = item.start, item.value.end
    comma = _comma_after(text, end)
    rest = text[end:] if comma is None else text[end:comma] + text[comma + 1 :]
    before = text[:start]
    if comma is None and index:
        # It was the last one, and the one before must not keep a comma that strict JSON forbids.
        previous = _comma_after(text, container.items[index - 1].value.end)
        assert previous is not None, "two items have a comma between them"
        before = text[:previous] + text[previous + 1 : start]
    line = before.rstrip(" \t")
    alone = line.endswith("\n") and re.match(r"[ \t]*(\r?\n|$)", rest)
    if alone:
        return (
            line.removesuffix("\n").removesuffix("\r") + rest[len(rest) - len(rest.lstrip(" \t")) :]
        )
    return (before if comma is not None else line) + rest.lstrip(" \t")


def _comma_after(text: str, at: int) -> int | None:
    comma = _after_blank(text, at)
    return comma if text.startswith(",", comma) else None


def _dump(text: str, data: object, indent: str) -> str:
    dumped = json.dumps(data, ensure_ascii=False, indent=_unit(text))
    return dumped.replace("\n", f"{_line_end(text)}{indent}")


def _unit(text: str) -> str:
    found = _INDENT.search(text)
    return found[1] if found else "  "


def _indent_at(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
