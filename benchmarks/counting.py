"""Tokens, counted with o200k: of compact JSON, which is what a model reads."""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

PIECE = 200_000
"""Characters that the encoder takes at once; above 200,000 tokens it refuses."""


def compact(value: object) -> str:
    """The value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def count(text: str) -> int:
    """The text's tokens in o200k; of a very long one in pieces, which may add one for each."""
    pieces = (text[start : start + PIECE] for start in range(0, len(text), PIECE))
    return sum(len(_encoding().encode(piece)) for piece in pieces)


@cache
def _encoding() -> Any:  # published without types
    with warnings.catch_warnings():
        # It opens its own data in a way that Python has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from bpe_openai import get_encoding

        return get_encoding("o200k_base")
