"""When what is listed last changed at Losant, as far as a few small requests tell.

Of events it is the newest change of any of them, of the list of data tables the newest change of
a definition, of one table the newer of its definition's and its rows'. What was deleted has no
date any more, so that no deletion shows.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

import anyio

from losant_mcp.analysis.sources import EVENT_COLUMNS, Source, Window, source_of
from losant_mcp.api.tables import DataTable
from losant_mcp.api.times import iso, read_date
from losant_mcp.client import LosantClient
from losant_mcp.errors import LosantMcpError, describe

log = logging.getLogger(__name__)

MOST_DATED = 25
"""Tables, each of which takes a request; of more none is dated."""

AT_ONCE = 5
SECONDS = 2.0
"""How long a client waits for dates, without which the list is complete as well."""


def newest_definition(tables: Sequence[DataTable]) -> int | None:
    """When a name, a description or a column of the tables last changed, in ms."""
    return max(filter(None, (read_date(table.lastUpdated) for table in tables)), default=None)


async def dates(
    client: LosantClient, application_id: str, tables: Collection[DataTable], *, events: bool
) -> dict[str, str]:
    """The dates of the tables by id, and on demand that of ``events``, in ISO 8601.

    All tables are dated or none, as a client that sorts by date would take those without one for
    old: none where Losant refuses one, after which no more are asked, or is not done in time.
    """
    found: dict[str, str] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)
    refused = False

    async def ask(key: str, source: Source, defined: int | None) -> None:
        nonlocal refused
        async with limiter:
            if refused:
                return
            try:
                stamp = await source.stamp(client)
            except LosantMcpError as error:
                if source.kind == "rows":  # a token may be for tables alone
                    refused = True
                log.info("not everything that is listed has a date: %s", describe(error))
                return
        if changed := max(stamp.newest or 0, defined or 0):
            found[key] = iso(changed)

    with anyio.move_on_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            if events:
                every = Source("events", application_id, "events", "events", EVENT_COLUMNS)
                tasks.start_soon(ask, "events", every, None)
            for table in tables if len(tables) <= MOST_DATED else ():
                rows = source_of(table, application_id, window=Window(0), query=None)
                tasks.start_soon(ask, table.id, rows, newest_definition([table]))
    if any(table.id not in found for table in tables):
        return {key: date for key, date in found.items() if key == "events"}
    return found
