"""Edits of JSON text: what is asked for changes, and not one character more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losant_mcp.cli.install_jsonc import NotJson, append, parse, put, remove, remove_element

COMMENTED = """\
// Mine; do not touch.
{
    /* servers */ "servers": {
        "one": {"command": "a", "args": ["x", "y"]}, // the first
        // "two" is older
        "two": { "url": "https://example.com/a,b" } // no comma here
    },
    "inputs": [
        { "id": "a" }, // trailing commas are welcome
    ],
}
"""

ADDED = """\
// Mine; do not touch.
{
    /* servers */ "servers": {
        "one": {"command": "a", "args": ["x", "y"]}, // the first
        // "two" is older
        "two": { "url": "https://example.com/a,b" }, // no comma here
        "losant": {
            "command": "losant-mcp"
        }
    },
    "inputs": [
        { "id": "a" }, // trailing commas are welcome
        {
            "id": "b"
        }
    ],
}
"""


def test_comments_order_and_spaces_stay() -> None:
    """What is added stands behind what was there, in the file's own indentation."""
    text = put(COMMENTED, ["servers", "losant"], {"command": "losant-mcp"})
    assert append(text, "inputs", {"id": "b"}) == ADDED


def test_what_was_added_is_removed_again() -> None:
    """Taking both out again leaves every comment, and no comma that strict JSON forbids."""
    text = remove_element(remove(ADDED, ["servers", "losant"]), "inputs", 1)
    # The comma behind the first input was a person's, before there was a second one.
    assert text == COMMENTED.replace('"a" }, // trailing', '"a" } // trailing')


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("{}", ["a"], '{\n  "a": 1\n}'),
        ("{ // empty\n}\n", ["a"], '{ // empty\n  "a": 1\n}\n'),
        ('{"b": 2}', ["a"], '{"b": 2, "a": 1}'),
        ('{"b": 2, }', ["a"], '{"b": 2, "a": 1}'),
        ('{"b":{"c":[]}}', ["b", "a"], '{"b":{"c":[], "a": 1}}'),
        ('{\n\t"b": 2\n}', ["a"], '{\n\t"b": 2,\n\t"a": 1\n}'),
        ('{\n\t"b": 2\n}', ["a", "c"], '{\n\t"b": 2,\n\t"a": {\n\t\t"c": 1\n\t}\n}'),
        ('{\r\n  "b": 2\r\n}\r\n', ["a"], '{\r\n  "b": 2,\r\n  "a": 1\r\n}\r\n'),
        ('{"a": [1, 2] /* x */}', ["a"], '{"a": 1 /* x */}'),
        ('{"a":  1}', ["a"], '{"a":  1}'),
    ],
)
def test_a_value_is_put(before: str, path: list[str], after: str) -> None:
    """Small files of every style keep it."""
    assert put(before, path, 1) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": 1}', "{}"),
        ('{"a": 1, "b": 2}', '{"b": 2}'),
        ('{"b": 2, "a": 1}', '{"b": 2}'),
        ('{"b": 2 /* c */, "a": 1}', '{"b": 2 /* c */}'),
        ('{\n  "a": 1\n}', "{\n}"),
        ('{\n  "a": 1,\n  "b": 2\n}', '{\n  "b": 2\n}'),
        ('{\r\n  "b": 2,\r\n  "a": 1\r\n}', '{\r\n  "b": 2\r\n}'),
        ('{\n  "b": 2, // b\n  "a": 1\n}', '{\n  "b": 2 // b\n}'),
        ('{\n  // a\n  "a": 1, "b": 2\n}', '{\n  // a\n  "b": 2\n}'),
        ('{\n  "b": 2 // b\n  , "a": 1 // a\n}', '{\n  "b": 2 // b\n// a\n}'),
        ('{\n  "a": 1 // mine\n  ,"b": 2\n}', '{\n  // mine\n  "b": 2\n}'),
        ('{"b": 2}', '{"b": 2}'),
    ],
)
def test_a_member_is_removed(before: str, after: str) -> None:
    """Its line and comma go with it; comments stay."""
    assert remove(before, ["a"]) == after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it ends too early"),
        ('{"a": 1', "it ends too early"),
        ('{\n"a": 1\n"b": 2}', "line 3 is not JSON"),
        ("{a: 1}", "line 1 is not JSON"),
        ("{'a': 1}", "line 1 is not JSON"),
        ('{"a": 1} {', "line 1 is not JSON"),
        ('{"a" 1}', "line 1 is not JSON"),
        ('{"\\q": 1}', "line 1 is not JSON"),
        ('{"a": nil}', "line 1 is not JSON"),
        ('{"a": 1, "a": 2}', "a is there twice"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_not_json_is_refused(text: str, why: str) -> None:
    """Nothing is guessed: the error says where reading ended."""
    with pytest.raises(NotJson) as caught:
        parse(text)
    assert str(caught.value) == why


def test_a_value_of_another_kind_on_the_way_is_refused() -> None:
    """Servers in a list, or a list of inputs that is none, are not overwritten."""
    with pytest.raises(NotJson, match="servers is not an object"):
        put('{"servers": []}', ["servers", "losant"], {})
    with pytest.raises(NotJson, match="it is not an object"):
        put("[]", ["servers"], {})
    with pytest.raises(NotJson, match="inputs is not an array"):
        append('{"inputs": {}}', "inputs", {})


NAMES = st.sampled_from(["a", "b", "mcpServers", 'quo"te', "ä", "//"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(NAMES, st.dictionaries(NAMES, JSON, max_size=3), max_size=4),
    NAMES,
    NAMES,
    JSON,
    st.sampled_from([None, 0, 2, "\t"]),
)
def test_an_edit_does_what_it_does_to_the_data(
    data: dict[str, dict[str, Any]], outer: str, inner: str, value: Any, indent: int | str | None
) -> None:
    """Putting and removing agree with the same change of the parsed data, in strict JSON."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    assert parse(text).data == data
    changed = {**data, outer: {**data.get(outer, {}), inner: value}}
    put_text = put(text, [outer, inner], value)
    assert json.loads(put_text) == changed
    assert list(json.loads(put_text)) == list(changed)
    del changed[outer][inner]
    assert json.loads(remove(put_text, [outer, inner])) == changed
