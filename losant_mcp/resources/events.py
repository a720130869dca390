"""Events to attach: what is new, and what happened in the last day."""

from __future__ import annotations

from functools import partial
from typing import Any

from losant_mcp.analysis.clauses import count_events
from losant_mcp.analysis.together import together
from losant_mcp.api.events import LEVELS, Event
from losant_mcp.api.times import iso
from losant_mcp.resources.spec import resource, said
from losant_mcp.text import NOTE
from losant_mcp.tools import events, results
from losant_mcp.tools.call import Call
from losant_mcp.tools.digest import summarize_events

TOKENS = 2000


async def _newest_change(call: Call, *, applicationId: str, **chosen: Any) -> object:
    """How many events there are, and which of them changed last.

    Whatever changes moves one of the two: what leaves lowers the number, and what comes in is
    the last to have changed.
    """
    page = await call.client.events_get(
        applicationId=applicationId,
        sortField="lastUpdated",
        sortDirection="desc",
        perPage=1,
        **chosen,
    )
    return [page.totalCount, *([event.id, event.lastUpdated] for event in page.items)]


@resource(
    "events/new",
    title="New events",
    tools=("get_most_severe_event", "list_events"),
    priority=1.0,
    look=partial(_newest_change, state="new"),
    passing=frozenset({"asOf"}),
)
async def new_events(call: Call, *, applicationId: str) -> dict[str, Any]:
    """What is new and nobody has acknowledged: how many events of each level, the most severe
    one, and the oldest.
    """
    at_this = iso(call.now())
    worst = said(await events.get_most_severe_event(call, applicationId=applicationId))
    facts = {"note": NOTE, "asOf": at_this, "newCount": worst["newCount"]}
    if not worst["newCount"]:
        return facts | {"hint": "No event is new."}
    count = count_events(call.client, applicationId)
    levels = LEVELS[::-1]
    counts = await together(
        [partial(count, {"$and": [{"state": "new"}, {"level": level}]}) for level in levels]
    )
    facts["byLevel"] = dict(zip(levels, counts, strict=True))
    oldest = await call.client.events_get(
        applicationId=applicationId,
        state="new",
        sortField="creationDate",
        sortDirection="asc",
        perPage=1,
    )
    if oldest.items:
        facts["oldest"] = results.tidy(_brief(oldest.items[0]))
    tokens = min(TOKENS, call.tokens)
    return results.fitted(facts, "mostSevere", worst["event"], tokens=tokens)


def _brief(event: Event) -> dict[str, Any]:
    """The columns that a list of events shows."""
    facts = event.to_json()
    return {name: facts.get(name) for name in events.COLUMNS}


@resource(
    "events/digest",
    title="Digest of the last 24 hours",
    tools=("summarize_events",),
    priority=0.9,
    look=_newest_change,
    passing=frozenset({"window"}),
)
async def events_digest(call: Call, *, applicationId: str) -> dict[str, Any]:
    """All events of the last 24 hours, counted: what to look at first, clusters of alike
    subjects, floods, chattering sources, forgotten open events.
    """
    return said(await summarize_events(call, applicationId=applicationId))
