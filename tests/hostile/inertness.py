"""The one rule about text from outside: what it may still hold where somebody reads it.

Letters, marks, digits, signs, pictures and blanks of every script may appear. Nothing may that
a reader cannot see but a terminal, a browser or a model can obey: control and format characters
(so no escape, no override, no joiner, no tag), surrogates, private and unassigned ones, line and
paragraph separators, fillers and variation selectors. Line breaks and tabs stay in a text that
has lines; a cell, a name or a sentence of ours has none.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from losant_mcp.text import NOTE
from tests.hostile.corpus import CORPUS

_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_DRAWN_AS_NOTHING = {
    0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0,
    *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000),
}  # fmt: skip


def assert_inert(text: str, *, lines: bool = True) -> None:
    """The text holds nothing that acts; nor a line break or a tab, unless it may have ``lines``."""
    allowed = "\n\t" if lines else ""
    acting = {
        f"U+{ord(c):04X}"
        for c in set(text) - set(allowed)
        if unicodedata.category(c) in _FORBIDDEN or ord(c) in _DRAWN_AS_NOTHING
    }
    assert not acting, (sorted(acting), text[:200])


def assert_value_inert(value: Any) -> None:  # any JSON value
    """Every text in the value is inert, and so is every key, which has one line."""
    if isinstance(value, str):
        assert_inert(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            assert_inert(key)
            assert_value_inert(inner)
    elif isinstance(value, list):
        for item in value:
            assert_value_inert(item)
    else:
        json.dumps(value, allow_nan=False)


_QUOTED = re.compile(r"“[^”]*”|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_WORDS = re.compile(r"[A-Za-z][A-Za-z ,:]{14,}")
# What the corpus says in imitation of us may as well be our own.
_OURS = (
    f"{NOTE} Nothing was changed. A retry may help a little later. 3,000 rows were removed."
    " To agree, type:"
)
FOREIGN = {words for text in CORPUS for words in _WORDS.findall(text[:1000])}
FOREIGN = {words for words in FOREIGN if words.strip() not in _OURS}


def assert_sentence(text: str, *, most: int = 600) -> None:
    """A text of ours: inert, one line, short, and what others said stands in it only as a quote."""
    assert_inert(text, lines=False)
    assert len(text) <= most, text
    own = _QUOTED.sub("", text)
    said = [words for words in FOREIGN if words in own]
    assert not said, (said, text)
