"""What happens inside a server, told to whoever counts it; by itself it is only logged.

The layers below tell an ``Observer`` what they do and know nothing of metrics. A line about a call
says who called what, how it ended and how long it took, and never what the arguments were.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

log = logging.getLogger("losant_mcp.calls")

Outcome = Literal["ok", "asked", "error", "unknown tool", "cancelled", "failed"]
"""``asked``: the call ended with a question to a person. ``error``: with an error that the model
reads. ``failed``: with a bug of ours.
"""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool that has ended; a name that is no tool's is left empty."""

    tool: str
    outcome: Outcome
    seconds: float
    request: str = ""
    principal: str = ""


class Observer:
    """Is told what happens; must not fail, wait or keep anything of a caller's data."""

    def called(self, call: ToolCall) -> None:
        """A tool's call has ended."""
        log.info(
            "%s: %s in %.0f ms",
            call.tool or "unknown tool",
            call.outcome,
            call.seconds * 1000,
            extra={
                "request": call.request,
                "principal": call.principal,
                "tool": call.tool,
                "outcome": call.outcome,
                "ms": round(call.seconds * 1000, 1),
            },
        )

    def failed(self, tool: str, kind: str) -> None:
        """A tool's call has ended with this kind of error."""

    def requested(self, endpoint: str, status: str, seconds: float, attempt: int) -> None:
        """One attempt of a request to Losant has ended: its status, or the name of its error."""

    def cached(self, *, hit: bool) -> None:
        """A table was asked for that may already be loaded."""
