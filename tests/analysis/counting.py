"""Tokens as a model pays for them."""

from __future__ import annotations

from benchmarks.counting import compact, count


def tokens(value: object) -> int:
    """Tokens in o200k of a text, or of a value as compact JSON."""
    return count(value if isinstance(value, str) else compact(value))
