"""What a line of the audit trail may hold, and how it is written and read.

Ids, counts, fixed words and one cleaned name; never a cell, a subject or a value of a query.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal, TypedDict

from losant_mcp.guard.plans import canonical
from losant_mcp.text import one_line

Kind = Literal[
    "planned",
    "asked",
    "approved",
    "declined",
    "cancelled",
    "expired",
    "running",
    "ran",
    "drifted",
    "failed",
    "interrupted",
    "writing",
    "wrote",
    "backed_up",
    "restoring",
    "restored",
    "pruned",
    "unlocked",
    "pin_set",
]


class Facts(TypedDict, total=False):
    """What a line may hold beside its number, time and kind; nothing else is ever written."""

    plan: str
    action: str
    application: str
    target: str
    """An id."""
    name: str
    """The target's name; it is cleaned and cut to 60 characters."""
    counts: Mapping[str, int]
    way: str
    """How a person was asked."""
    client: str
    """What the client calls itself."""
    ms: int
    """How long the answer took."""
    by: str
    """Who decided."""
    principal: str
    origin: str
    backup: str
    why: str
    """Fixed words, such as the name of an error class; never a text from outside."""


NAME_CHARACTERS = 60
TEXT_CHARACTERS = 128
MOST_COUNTS = 20
LONGEST_LINE = 16_384
"""Bytes; a line as it is written here is far shorter."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line as it was read; nothing says that it is genuine but ``AuditLog.verify``."""

    sequence: int
    at: str
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def told(facts: Facts) -> dict[str, Any]:
    """The facts as they are written. Raises TypeError for one that no line may hold."""
    unknown = set(facts) - set(Facts.__annotations__)
    if unknown:
        raise TypeError(f"the audit trail does not keep {', '.join(sorted(unknown))}")
    told: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            counts = list(value.items())[:MOST_COUNTS]
            told[name] = {one_line(str(key), NAME_CHARACTERS): int(count) for key, count in counts}
        elif isinstance(value, int):
            told[name] = value
        else:
            most = NAME_CHARACTERS if name in ("name", "client") else TEXT_CHARACTERS
            told[name] = one_line(str(value), most)
    return told


def parsed(raw: bytes) -> dict[str, Any] | None:
    """The line, if it is a whole one and written exactly as this module writes."""
    try:
        line = json.loads(raw)
        same = isinstance(line, dict) and f"{canonical(line)}\n".encode() == raw
    except (ValueError, RecursionError):
        return None
    return line if same else None


def shown(file: BinaryIO, plan_id: str | None) -> Iterator[AuditLine]:
    """The lines of a plan, or of all, in their order; a broken one is left out."""
    while raw := file.readline(LONGEST_LINE):
        line = parsed(raw)
        if line is None or (plan_id is not None and line.get("plan") != plan_id):
            continue
        line.pop("mac", None)
        sequence, at, kind = line.pop("seq", 0), line.pop("at", ""), line.pop("kind", "")
        yield AuditLine(sequence, str(at), str(kind), line)


def iso(at: datetime) -> str:
    """The time in ISO 8601, in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
