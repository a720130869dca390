"""Collections that are read a page at a time: filter, count, sort, and the envelope around them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from losant_mcp.sandbox.call import Call

Condition = tuple[str, list[Any]]
"""SQL of a condition, and its parameters."""

ECHOED = ("filterField", "filter", "state", "query", "tagFilter", "parentId")
"""What an envelope repeats of the request, where it was given."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A collection: what is selected, from where, by what it can be sorted, and how it is told.

    ``id`` is the SQL of the id, which breaks the ties of every sort.
    """

    columns: str
    source: str
    sort: Mapping[str, str]
    item: Callable[[sqlite3.Row], dict[str, Any]]
    id: str


def page(call: Call, listing: Listing, condition: Condition) -> dict[str, Any]:
    """The page that the call asks for, in the envelope that all page/perPage collections share."""
    sql, parameters = condition
    params = call.params
    counted = call.db.execute(f"SELECT COUNT(*) FROM {listing.source} WHERE {sql}", parameters)
    total = int(counted.fetchone()[0])
    direction = params["sortDirection"]
    # Which way ties go is not documented; by id in the same direction, a page is always the same
    # and descending is exactly ascending turned round.
    found = call.db.execute(
        f"SELECT {listing.columns} FROM {listing.source} WHERE {sql}"
        f" ORDER BY {listing.sort[params['sortField']]} {direction}, {listing.id} {direction}"
        " LIMIT ? OFFSET ?",
        [*parameters, params["perPage"], params["page"] * params["perPage"]],
    )
    items = [listing.item(row) for row in found]
    body = {
        "items": items,
        "count": len(items),
        "totalCount": total,
        "page": params["page"],
        "perPage": params["perPage"],
        "sortField": params["sortField"],
        "sortDirection": direction,
    }
    if "applicationId" in call.path:
        body["applicationId"] = call.application_id
    return body | {name: params[name] for name in ECHOED if name in params}


def both(*conditions: Condition) -> Condition:
    """The condition that all of the given ones hold."""
    return (
        " AND ".join(f"({sql})" for sql, _ in conditions),
        [value for _, parameters in conditions for value in parameters],
    )


def either(*conditions: Condition) -> Condition:
    """The condition that at least one of the given ones holds."""
    return (
        " OR ".join(f"({sql})" for sql, _ in conditions),
        [value for _, parameters in conditions for value in parameters],
    )


def globbed(column: str, pattern: str) -> Condition:
    """The condition that a text matches a filter, in which ``*`` stands for any characters.

    Losant documents no more than that filters glob. Here a filter covers the whole text, other
    characters stand for themselves, and case does not matter (as in the subject filter of
    Losant's workflow trigger for events).
    """
    for special in "\\%_":
        pattern = pattern.replace(special, "\\" + special)
    pattern = pattern.replace("*", "%").casefold()
    return f"casefold({column}) LIKE ? ESCAPE '\\'", [pattern]
