"""One SELECT for a tool: how it is asked, and what its answer says of what was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from losant_mcp.analysis.workbench import DEFAULT_DAYS, MOST_ROWS, Answer
from losant_mcp.api.query import EVENTS, Subject
from losant_mcp.api.times import DAY, iso
from losant_mcp.api.types import JsonObject
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import one_line
from losant_mcp.tools.call import Call


async def select(
    call: Call,
    application_id: str,
    sql: str,
    prefilter: dict[str, Any] | None,
    *,
    start: int | None,
    end: int | None,
    rows: int = MOST_ROWS,
) -> Answer:
    """The statement's answer; ``start`` and ``end`` (ms) are the window of events, which without
    a start has ``DEFAULT_DAYS`` by the server's clock.

    Raises InvalidRequest for a statement or a prefilter that is wrong, and the client's errors.
    """
    for name, query in (prefilter or {}).items():
        if not isinstance(query, dict):
            raise InvalidRequest(
                f"prefilter.{one_line(name, 40)} must be an advanced query.",
                hint='Write {"table": {"column": {"$gte": 5}}}.',
            )

    def check(
        query: JsonObject, subject: Subject, columns: Sequence[str] | None, name: str
    ) -> JsonObject:
        known = None if columns is None else list(columns)
        return call.query(query, subject, columns=known, name=name) or {}

    return await call.services.workbench.query(
        call.client,
        application_id,
        sql,
        prefilter=prefilter,
        start=max(1, (end or call.now()) - DEFAULT_DAYS * DAY) if start is None else start,
        end=end,
        progress=call.progress,
        check=check,
        rows=rows,
    )


def why_empty(answer: Answer) -> str:
    """Which tables had no rows at all, and why; empty where each had some."""
    shown = {name: repr(one_line(name, 60)) for name, count in answer.scanned.items() if not count}
    said = [
        f"The prefilter of {shown[name]} selects none of its rows. {answer.nothing[name]}".rstrip()
        if name in answer.nothing
        else f"{shown[name]} has no rows{' in this window' if name.lower() == EVENTS.name else ''}."
        for name in shown
    ]
    return " ".join(said)


def told(answer: Answer) -> dict[str, Any]:
    """How many rows of each table were read, whether that is exact, and which events."""
    facts: dict[str, Any] = {
        "scanned": {one_line(name, 60): count for name, count in answer.scanned.items()},
        "exact": answer.exact,
    }
    if answer.partial:
        facts["partial"] = {one_line(name, 60): why for name, why in answer.partial.items()}
    if answer.window is not None:
        until = {} if answer.window.end is None else {"end": iso(answer.window.end)}
        facts["events"] = {"start": iso(answer.window.start), **until}
    return facts
