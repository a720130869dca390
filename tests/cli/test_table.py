"""Results as text: aligned, fitting, and inert in a terminal."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from losant_mcp.cli.table import display_width, render, table, to_json


def test_columns_are_aligned_and_numbers_stand_to_the_right() -> None:
    """Each column is as wide as its widest cell."""
    assert table(["name", "count"], [["pump", 7], ["boiler", None], ["tank", 120]], 80) == [
        "name    count",
        "------  -----",
        "pump        7",
        "boiler",
        "tank      120",
    ]


def test_a_table_is_narrowed_to_the_width_where_it_can_be() -> None:
    """The widest columns give way first, and what is cut ends in an ellipsis."""
    lines = table(["id", "text"], [["1", "a long text that does not fit"]], 20)
    assert lines[2] == "1   a long text tha…"
    assert all(display_width(line) <= 20 for line in lines)


def test_wide_characters_take_two_columns() -> None:
    """Alignment counts what a terminal shows, not characters."""
    lines = table(["name", "n"], [["ポンプ", 1], ["pump", 2]], 80)
    assert display_width(lines[2]) == display_width(lines[3])


def test_a_listing_says_how_to_go_on() -> None:
    """Below the rows stand the count, what was cut, and the next page's arguments, whole."""
    shown = render(
        {
            "note": "data",
            "columns": ["id"],
            "rows": [["a"]],
            "returned": 1,
            "total": 9,
            "truncated": "8 rows left out",
            "next": {"query": {"x" * 60: 1}, "offset": 1},
        },
        40,
    )
    assert shown.splitlines()[3:] == [
        "",
        "1 of 9",
        "truncated  8 rows left out",
        'next  {"query": {"' + "x" * 60 + '": 1}, "offset": 1}',
    ]


def test_an_object_is_a_list_of_facts() -> None:
    """Nested objects are indented, lists of objects are tables."""
    shown = render(
        {"event": {"level": "error", "data": {"limit": 95}, "updates": [{"by": "Ana"}]}}, 80
    )
    assert shown.splitlines() == [
        "event",
        "  level  error",
        "  data",
        "    limit  95",
        "  updates",
        "    by",
        "    ---",
        "    Ana",
    ]


def test_columns_and_rows_among_facts_are_a_table_below_them() -> None:
    """A digest has both: what is told in words stands first."""
    shown = render(
        {"lookFirst": ["a flood", "old"], "columns": ["n"], "rows": [[3]], "total": 3}, 9
    )
    assert shown.splitlines() == ["lookFirst", "  a flood", "  old", "total  3", "", "n", "-", "3"]


HOSTILE = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.lists(HOSTILE, min_size=1, max_size=4), HOSTILE)
def test_no_text_can_speak_to_the_terminal(cells: list[str], name: str) -> None:
    """Whatever a cell, a name or a fact holds, only printable characters come out."""
    shown = [
        *table([name] * len(cells), [cells], 60),
        *render({name: cells[0], "more": {name: cells}}, 60).splitlines(),
    ]
    assert all(line.isprintable() for line in shown)


def test_json_output_is_cleaned_deeply() -> None:
    """Names and texts at any depth lose their control characters, and no name its value."""
    value: dict[str, Any] = {"a\x1b[2J": ["\u202eevil", {"b": "\x9b31m"}], "n": 1, "\u200bn": 2}
    assert json.loads(to_json(value)) == {"a[2J": ["evil", {"b": "31m"}], "n": 1, "n'": 2}
