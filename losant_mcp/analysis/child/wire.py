"""How parent and child talk: frames over the child's standard input and output.

A frame is a JSON object and bytes, each behind its length, so that pages pass without being
copied into JSON. Each request has a number and one reply, in order. An interrupt has no reply,
and names the request that it is meant for: that may have ended when it arrives.
"""

from __future__ import annotations

import json
import struct
from typing import Any

Message = dict[str, Any]  # JSON data

_lengths = struct.Struct(">IQ")
PREFIX = _lengths.size

EXIT_MEMORY = 71
"""The exit code of a child that ended itself since it grew too large."""

MOST_HEADER = 64 * 1024 * 1024
MOST_BODY = 1024 * 1024 * 1024


def pack(message: Message, body: bytes = b"") -> bytes:
    """The frame of a message and its bytes."""
    header = json.dumps(message, separators=(",", ":")).encode()
    return b"".join((_lengths.pack(len(header), len(body)), header, body))


def sizes(prefix: bytes) -> tuple[int, int]:
    """How many bytes of JSON, and how many others, follow a prefix. Raises ValueError."""
    header, body = _lengths.unpack(prefix)
    if header > MOST_HEADER or body > MOST_BODY:
        raise ValueError("this is no frame")
    return header, body


def unpack(header: bytes) -> Message:
    """The message of a frame's JSON. Raises ValueError."""
    message = json.loads(header)
    if not isinstance(message, dict):
        raise ValueError("this is no message")
    return message
