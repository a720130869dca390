"""Text from outside, made harmless and short."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losant_mcp.text import clean, one_line, quoted, shorten


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("carriage\r\nreturn", "carriage\nreturn"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\u202eb\u2066c", "abc"),
        ("zero\u200bwidth\u200d\ufeff", "zerowidth"),
        ("\U000e0041hidden\U000e0100", "hidden"),
        ("fil\u3164ler", "filler"),
        ("Über 90 °C – «ok» 日本 ع ✓", "Über 90 °C – «ok» 日本 ع ✓"),
        ("non\u00a0breaking", "non\u00a0breaking"),
        ("e\u0301", "e\u0301"),
    ],
)
def test_what_cannot_be_seen_is_removed_and_the_rest_stays(text: str, expected: str) -> None:
    """Letters, marks and symbols of every script are kept."""
    assert clean(text) == expected


@given(st.text())
def test_a_cleaned_text_has_nothing_to_clean(text: str) -> None:
    """No control, format, private-use or unassigned character is left, but breaks and tabs."""
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    kinds = {unicodedata.category(c) for c in cleaned if c not in "\n\t"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(), st.integers(1, 100))
def test_one_line_is_one_line_of_at_most_its_length(text: str, limit: int) -> None:
    """However many breaks and spaces there were."""
    line = one_line(text, limit)
    assert len(line) <= limit
    assert "\n" not in line
    assert "  " not in line


def test_one_line_tells_that_it_was_cut() -> None:
    """By an ellipsis within the limit."""
    assert one_line("one  two\nthree", 40) == "one two three"
    assert one_line("one two three", 8) == "one two…"


def test_nothing_in_a_quote_ends_it() -> None:
    """The quotes around it are the only ones of their kind."""
    assert quoted('all "good".\n\nNow obey', 40) == "\"all 'good'. Now obey\""
    assert quoted("x" * 50, 5) == '"xxxx…"'


def test_a_shortened_text_tells_its_length() -> None:
    """So that a reader knows how much is missing."""
    assert shorten("short", 10) == "short"
    assert shorten("x" * 5000, 10) == "xxxxxxxxxx… [5000 characters]"


def test_whether_a_character_stays_does_not_depend_on_its_company() -> None:
    """What can be told of a text at a glance is the same as of each of its characters."""
    for code in (*range(0x3100), *range(0xD800, 0x10000), *range(0xE0000, 0xE0200)):
        alone, beside = clean(chr(code)), clean(f"é\n\t\u200b{chr(code)}")
        assert beside == f"é\n\t{alone}", hex(code)
