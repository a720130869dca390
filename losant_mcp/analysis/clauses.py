"""Why an advanced query matches nothing: each of its clauses counted alone.

A clause is a key of the query, or of a query inside its ``$and``. Where each matches something
by itself, each is left out in turn instead. At most eight questions are asked, each for a total
and one item.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from losant_mcp.analysis.together import together
from losant_mcp.api.query import LOGIC
from losant_mcp.api.types import JsonObject
from losant_mcp.client import LosantClient
from losant_mcp.errors import LosantMcpError
from losant_mcp.text import one_line

MOST_QUESTIONS = 8
MOST_CHARACTERS = 500
_CLAUSE_CHARACTERS = 90

# Of these, only exact words make sense: a test for a part of them would not help anybody.
_NO_TEXT = ("level", "state", "id", "createdAt", "updatedAt", "creationDate", "lastUpdated")
_TEXT_TESTS = ("$eq", "$startsWith", "$endsWith", "$contains")

_NO_TYPES: Mapping[str, str] = {}
_VALUES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
}

Count = Callable[[JsonObject], Awaitable[int]]
"""How many match a query."""


def count_events(client: LosantClient, application_id: str) -> Count:
    """Counts an application's events."""

    async def count(query: JsonObject) -> int:
        page = await client.events_get(applicationId=application_id, query=query, page=0, perPage=1)
        return page.totalCount

    return count


def count_rows(client: LosantClient, application_id: str, data_table_id: str) -> Count:
    """Counts a data table's rows."""

    async def count(query: JsonObject) -> int:
        page = await client.data_table_rows_query(
            applicationId=application_id,
            dataTableId=data_table_id,
            body=query,
            limit=1,
            includeFields="id",
        )
        return page.totalCount

    return count


async def why_nothing(query: JsonObject, count: Count, types: Mapping[str, str] = _NO_TYPES) -> str:
    """A hint for a query that was checked and matches nothing; empty where there is none.

    ``types`` are those of a table's columns. It never fails: a question that Losant does not
    answer only leaves the hint out.
    """
    clauses = clauses_of(query)
    try:
        counts = await together([partial(count, clause) for clause in clauses])
        said = _told(clauses, counts)
        asked = len(clauses)
        culprits = [c for c, matching in zip(clauses, counts, strict=True) if not matching]
        if not culprits and asked > 2 and 2 * asked <= MOST_QUESTIONS:
            said.append(await _leaving_out(clauses, count))
        mistyped = [name for clause in culprits if (name := _mistyped(clause, types))]
        said += [f"{one_line(name, 60)} is a {types[name]} column." for name in mistyped]
        relaxed = None if mistyped else next(filter(None, map(_relaxed, culprits)), None)
        if relaxed is not None and (matching := await count(relaxed)):
            said.append(f"{_shown(relaxed)} would match {matching}.")
    except LosantMcpError:
        return ""
    return one_line(" ".join(said), MOST_CHARACTERS)


def clauses_of(query: JsonObject) -> list[JsonObject]:
    """The query's clauses, all of which must hold; of very many, the last is all the others."""
    found = _split(query)
    if len(found) == 1:
        found = _operators(found[0])
    most = MOST_QUESTIONS - 1
    return found if len(found) <= most else [*found[: most - 1], {"$and": found[most - 1 :]}]


def _split(query: JsonObject) -> list[JsonObject]:
    found: list[JsonObject] = []
    for key, value in query.items():
        if key == "$and":
            for inner in value:
                found += _split(inner)
        else:
            found.append({key: value})
    return found


def _operators(clause: JsonObject) -> list[JsonObject]:
    """The clause once for each of its operators; $ci goes with the test of a text."""
    [(name, tests)] = clause.items()
    if name in LOGIC or not isinstance(tests, dict):
        return [clause]
    operators = [key for key in tests if key != "$ci"]
    if len(operators) < 2 or not all(key.startswith("$") for key in operators):
        return [clause]
    if "$tagKey" in operators or "$tagValue" in operators:
        return [clause]
    also = {"$ci": tests["$ci"]} if "$ci" in tests else {}
    return [{name: {operator: tests[operator], **also}} for operator in operators]


def _told(clauses: list[JsonObject], counts: list[int]) -> list[str]:
    if len(clauses) < 2:
        return []
    each = (
        f"{_shown(clause)} matches {count or 'nothing'}"
        for clause, count in zip(clauses, counts, strict=True)
    )
    return [f"Alone, {'; '.join(each)}."]


async def _leaving_out(clauses: list[JsonObject], count: Count) -> str:
    """What matches without each clause."""
    without = [{"$and": [c for c in clauses if c is not clause]} for clause in clauses]
    counts = await together([partial(count, query) for query in without])
    each = (
        f"without {_name(clause)} {matching or 'none'}"
        for clause, matching in zip(clauses, counts, strict=True)
    )
    return f"All the others: {', '.join(each)}."


def _relaxed(clause: JsonObject) -> JsonObject | None:
    """The clause's text as a part in any case, where it asks for more than that."""
    [(name, test)] = clause.items()
    if name in _NO_TEXT or name.endswith("Id") or name.startswith("$"):
        return None
    text: Any = test
    if isinstance(test, dict):
        [(operator, text), *more] = test.items() or [("", None)]
        if operator not in _TEXT_TESTS or more or (operator == "$contains" and test.get("$ci")):
            return None
    if not isinstance(text, str) or not text.strip():
        return None
    return {name: {"$contains": text.strip(), "$ci": True}}


def _mistyped(clause: JsonObject, types: Mapping[str, str]) -> str:
    """The column that the clause compares with values of another type; empty where it does not."""
    [(name, test)] = clause.items()
    tests = test if isinstance(test, dict) else {"$eq": test}
    values = [value for operator, value in tests.items() if operator != "$ci"]
    each = [one for value in values for one in (value if isinstance(value, list) else [value])]
    fitting = _VALUES.get(types.get(name, ""))
    if fitting is None or all(one is None or type(one) in fitting for one in each):
        return ""
    return name


def _shown(clause: JsonObject) -> str:
    text = json.dumps(clause, ensure_ascii=False, separators=(",", ":"))
    return one_line(text, _CLAUSE_CHARACTERS)


def _name(clause: JsonObject) -> str:
    """The clause by its name, where that is enough."""
    [name] = clause
    return _shown(clause) if name in LOGIC else one_line(name, 60)
