"""Text from outside, made harmless: what a subject, a cell or a name may contain when shown.

Platform text is data. It is stripped of what a reader cannot see but a terminal, a renderer or
a model can obey: control, bidirectional and zero-width characters.
"""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t"
_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str) -> str:
    """The text without control, format, private-use and unassigned characters.

    Line breaks and tabs stay: a message may have lines.
    """
    if text.isprintable():
        return text
    return "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in _DROPPED)


def one_line(text: str, limit: int) -> str:
    """The cleaned text on a single line of at most ``limit`` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def shorten(text: str, limit: int) -> str:
    """The text, or its first ``limit`` characters and how long it really is."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}… [{len(text)} characters]"
