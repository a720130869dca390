"""Tokens as a model pays for them."""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any


def tokens(value: object) -> int:
    """The value's tokens in o200k, as compact JSON."""
    return len(_encoding().encode(json.dumps(value, ensure_ascii=False, separators=(",", ":"))))


@cache
def _encoding() -> Any:  # published without types
    with warnings.catch_warnings():
        # It reads its own data by a function that is going away.
        warnings.simplefilter("ignore", DeprecationWarning)
        from bpe_openai import get_encoding

        return get_encoding("o200k_base")
