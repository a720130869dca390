"""A query that matches nothing is taken apart, and the culprit is named."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.analysis.clauses import (
    MOST_CHARACTERS,
    MOST_QUESTIONS,
    clauses_of,
    count_events,
    count_rows,
    why_nothing,
)
from losant_mcp.api.query import EVENTS, parse_query
from losant_mcp.client import LosantClient
from tests.calling import asked
from tests.served import Sandbox


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"a": 1, "b": {"$gt": 2, "$lt": 3}}, [{"a": 1}, {"b": {"$gt": 2, "$lt": 3}}]),
        ({"$and": [{"a": 1}, {"$and": [{"b": 2, "c": 3}]}]}, [{"a": 1}, {"b": 2}, {"c": 3}]),
        ({"$or": [{"a": 1}, {"b": 2}]}, [{"$or": [{"a": 1}, {"b": 2}]}]),
        ({"b": {"$gt": 2, "$lt": 3}}, [{"b": {"$gt": 2}}, {"b": {"$lt": 3}}]),
        (
            {"b": {"$startsWith": "x", "$endsWith": "y", "$ci": True}},
            [{"b": {"$startsWith": "x", "$ci": True}}, {"b": {"$endsWith": "y", "$ci": True}}],
        ),
        (
            {"eventTags": {"$tagKey": "a", "$tagValue": "b"}},
            [{"eventTags": {"$tagKey": "a", "$tagValue": "b"}}],
        ),
        ({"eventTags": {"site": "A", "floor": "8"}}, [{"eventTags": {"site": "A", "floor": "8"}}]),
        ({}, []),
    ],
)
def test_a_query_falls_into_its_clauses(query: dict[str, Any], expected: list[Any]) -> None:
    """What must hold at once is told apart, and what is one condition stays one."""
    assert clauses_of(query) == expected


def test_very_many_clauses_are_few_questions() -> None:
    """The last clause holds all that do not get a question of their own."""
    query = {"$and": [{f"c{i}": i} for i in range(20)]}
    found = clauses_of(query)
    assert len(found) == MOST_QUESTIONS - 1
    assert found[-1] == {"$and": [{f"c{i}": i} for i in range(6, 20)]}


async def test_the_clause_that_matches_nothing_is_named(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """Its count is told beside the others', and what it may have meant, with a count, too."""
    count = count_events(losant, sandbox.application_id)
    hint = await why_nothing({"level": "error", "subject": "suction pressure"}, count)
    [errors] = sandbox.store.rows("SELECT COUNT(*) AS n FROM events WHERE level = 2")
    [meant] = sandbox.store.rows(
        "SELECT COUNT(*) AS n FROM events WHERE lower(subject) LIKE '%suction pressure%'"
    )
    assert hint == (
        f'Alone, {{"level":"error"}} matches {errors["n"]};'
        ' {"subject":"suction pressure"} matches nothing.'
        ' {"subject":{"$contains":"suction pressure","$ci":true}} would match'
        f" {meant['n']}."
    )
    assert asked(sandbox) == ["events.get"] * 3


async def test_clauses_that_exclude_each_other_are_left_out_in_turn(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """Where each matches something, what remains without it shows which one is too much."""
    query = {
        "level": "error",
        "state": "new",
        "subject": {"$startsWith": "Pump started"},
        "deviceId": {"$ne": None},
    }
    hint = await why_nothing(query, count_events(losant, sandbox.application_id))
    assert "matches nothing" not in hint
    [without_level] = sandbox.store.rows(
        "SELECT COUNT(*) AS n FROM events WHERE state = 0 AND subject LIKE 'Pump started%'"
    )
    assert f"without level {without_level['n']}, without state none" in hint
    assert len(sandbox.requests) == MOST_QUESTIONS


async def test_a_value_of_another_type_is_told(losant: LosantClient, sandbox: Sandbox) -> None:
    """What no cell of the column can be is named beside the counts."""
    [table] = sandbox.store.rows("SELECT id FROM data_tables WHERE name = 'sites'")
    count = count_rows(losant, sandbox.application_id, table["id"])
    types = {"staffed": "boolean", "households": "number", "kind": "string"}
    assert await why_nothing({"staffed": "yes"}, count, types) == "staffed is a boolean column."
    hint = await why_nothing({"households": {"$in": ["1", "2"]}, "kind": 5}, count, types)
    assert hint.endswith(" households is a number column. kind is a string column.")
    fitting = {"households": {"$lt": 0, "$ne": None}, "kind": {"$eq": "x", "$ci": True}}
    assert "column" not in await why_nothing(fitting, count, types)


async def test_rows_are_taken_apart_as_well(losant: LosantClient, sandbox: Sandbox) -> None:
    """A single text in the wrong case is found by its only clause."""
    [table] = sandbox.store.rows("SELECT id FROM data_tables WHERE name = 'shift_notes'")
    columns = sandbox.store.rows(
        "SELECT name, position FROM data_table_columns WHERE dataTableId = ? AND name = 'author'",
        table["id"],
    )
    [column] = columns
    [someone] = sandbox.store.rows(
        f"SELECT c{column['position']} AS name, COUNT(*) AS n FROM rows_{table['id']}"
        " WHERE name IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    )
    query = {"author": someone["name"].upper()}
    hint = await why_nothing(query, count_rows(losant, sandbox.application_id, table["id"]))
    assert hint == (
        f'{{"author":{{"$contains":"{someone["name"].upper()}","$ci":true}}}}'
        f" would match {someone['n']}."
    )


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"subject": {}},
        {"$or": []},
        {"$nor": [{"level": "info"}, {"level": {"$ne": "info"}}]},
        {"eventTags": None},
        {"id": "0" * 24},
        {"subject": {"$in": ["a", "b"]}, "level": {"$gt": "critical"}},
        {"$and": [{"subject": {"$eq": "x" * 2000}}, {"$and": [{"state": "new"}] * 30}]},
    ],
)
async def test_any_query_gets_a_short_hint_from_few_questions(
    losant: LosantClient, sandbox: Sandbox, query: dict[str, Any]
) -> None:
    """Every form of query is answered within the bounds, and each question is a valid query."""
    parse_query(query, EVENTS)
    hint = await why_nothing(query, count_events(losant, sandbox.application_id))
    assert len(hint) <= MOST_CHARACTERS
    assert len(sandbox.requests) <= MOST_QUESTIONS


async def test_a_question_that_fails_costs_only_the_hint(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """The answer that the hint belongs to stands without it."""
    sandbox.set_faults({"endpoint": "events.get", "kind": "status", "status": 500})
    query = {"level": "error", "subject": "nothing"}
    assert await why_nothing(query, count_events(losant, sandbox.application_id)) == ""
