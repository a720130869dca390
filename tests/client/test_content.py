"""Answers that are JSON to Losant and half characters to everybody else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from losant_mcp.api.types import ErrorBody
from losant_mcp.client.content import read_model


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [
        (rb"plain \u00e9 \n", "plain \u00e9 \n"),
        (rb"half\ud83d", "half\ufffd"),
        (rb"\uDE00half", "\ufffdhalf"),
        (rb"\ud83d\ude00 and half\ud83d", "\U0001f600 and half\ufffd"),
        (rb"\ude00\ud83d", "\ufffd\ufffd"),
        (rb"\\ud83d is no escape, \ud83d is", "\\ud83d is no escape, \ufffd is"),
        (rb"\\\ud83d", "\\\ufffd"),
        (b"Latin \xe9", "Latin \ufffd"),
    ],
)
def test_half_a_character_is_replaced_and_the_rest_stays(escaped: bytes, expected: str) -> None:
    """A text that was cut within an emoji is read, up to its cut."""
    body = read_model(ErrorBody, b'{"type": "x", "message": "' + escaped + b'"}')
    assert body.message == expected


@pytest.mark.parametrize("broken", [b'{"message": "\\ud83d"', b'{"message": "\\x"}', b"<p>\xff"])
def test_what_is_no_json_stays_none(broken: bytes) -> None:
    """Mending replaces characters; it makes up nothing."""
    with pytest.raises(ValidationError):
        read_model(ErrorBody, broken)
