"""The tool that answers "what happened" without a page of events."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import Field, WithJsonSchema

from losant_mcp.analysis.clauses import count_events, why_nothing
from losant_mcp.analysis.digest import Scope, digest
from losant_mcp.analysis.digest_counts import GroupBy
from losant_mcp.analysis.digest_report import MOST_ROWS, TOKENS, report
from losant_mcp.api.endpoints import EVENTS_GET
from losant_mcp.api.events import State
from losant_mcp.api.query import EVENTS
from losant_mcp.api.times import HOUR
from losant_mcp.tools.arguments import ApplicationId, Time
from losant_mcp.tools.call import Call
from losant_mcp.tools.events import EventQuery, Filter
from losant_mcp.tools.spec import tool

DEFAULT_HOURS = 24

_DIMENSIONS = list(get_args(GroupBy))


@tool(
    "events",
    EVENTS_GET,
    title="Summarize events",
    output={
        "type": "object",
        "properties": {
            "total": {"type": "integer"},
            "exact": {"type": "boolean"},
            "lookFirst": {"type": "array", "items": {"type": "string"}},
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {"type": "array", "items": {"type": "array"}},
        },
        "required": ["total", "exact", "lookFirst", "columns", "rows"],
    },
)
async def summarize_events(
    call: Call,
    *,
    applicationId: ApplicationId,
    start: Annotated[Time, Field(description="Default 24 h before end")] | None = None,
    end: Annotated[Time, Field(description="Default now")] | None = None,
    state: State | None = None,
    filter: Filter | None = None,
    query: EventQuery | None = None,
    groupBy: Annotated[
        list[GroupBy],
        Field(min_length=1, max_length=4, description="Default subject and device"),
        WithJsonSchema({"type": "array", "items": {"enum": _DIMENSIONS}}),
    ]
    | None = None,
    clusters: Annotated[
        int, Field(ge=1, le=MOST_ROWS, description="Default what fits 1,000 tokens")
    ]
    | None = None,
    openHours: Annotated[int, Field(ge=0, le=8760, description="Age of oldOpen")] = DEFAULT_HOURS,
) -> dict[str, Any]:
    """Count all events of a window: what to look at first, clusters of alike subjects, floods,
    chattering sources, forgotten open events.
    """
    since, until = call.window(start, end, DEFAULT_HOURS * HOUR)
    checked = call.query(query, EVENTS)
    states = [{"state": state}] if state else []
    conditions = [*([checked] if checked else []), *states]
    found = await digest(
        call.client,
        Scope(
            applicationId,
            since,
            until,
            query=conditions[0]
            if len(conditions) == 1
            else {"$and": conditions}
            if states
            else None,
            subject=filter,
        ),
        group_by=list(dict.fromkeys(groupBy or ("subject", "device"))),
        local=call.services.clock.local,
        open_hours=openHours,
        most=call.settings.max_rows,
        progress=call.progress,
    )
    tokens = min(TOKENS, call.tokens) if clusters is None else call.tokens
    told = report(found, tokens=tokens, rows=clusters, roll_up=groupBy is None)
    if not found.tally.total and found.scope.matching:
        count = count_events(call.client, applicationId)
        if why := await why_nothing(found.scope.within(), count):
            told["hint"] = why
    return told
