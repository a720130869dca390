"""Advanced queries as SQL: every operator with every value, and the limits of depth and width."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from losant_mcp.api.events import LEVELS, STATES
from losant_mcp.api.query import LOGIC, ROWS, parse_query
from losant_mcp.sandbox.call import Problem
from losant_mcp.sandbox.query_sql import where
from losant_mcp.sandbox.rows import fields_of
from losant_mcp.sandbox.store import Store
from tests.sandbox.plain_query import ORDERS
from tests.sandbox.query_cases import (
    COLUMNS,
    DATES,
    IDS,
    NUMBERS,
    PARTS,
    TABLE,
    TIMES,
    WORDS,
    check_events,
    check_rows,
    event,
    new_database,
    row,
    store_events,
    store_rows,
)


@pytest.fixture(scope="module")
def database() -> Iterator[Store]:
    """A database with an empty table of rows."""
    store = new_database()
    yield store
    store.close()


def every_test(values: list[Any], parts: list[str]) -> list[Any]:
    """Every operator with every value, and every text operator with every part."""
    comparisons = [{o: v} for o in ("$eq", "$ne", *ORDERS) for v in values]
    sets = [{o: [v]} for o in ("$in", "$nin") for v in values if v is not None]
    text = [
        {o: part, "$ci": ci}
        for o in ("$startsWith", "$endsWith", "$contains")
        for part in parts
        for ci in (False, True)
    ]
    return [*values, *comparisons, *sets, *text, {"$in": []}, {"$nin": []}, {}, {"$ci": True}]


def test_every_operator_means_the_same_for_every_value_of_a_row(database: Store) -> None:
    """Each operator with each value, against each value of each type, agrees with the evaluator."""
    cells = [("word", word) for word in WORDS] + [("amount", amount) for amount in NUMBERS]
    cells += [("flag", True), ("flag", False), ("createdAt", 1), ("createdAt", TIMES[-1])]
    items = [row(f"{i:024x}", **{name: value}) for i, (name, value) in enumerate(cells)]
    store_rows(database, items)
    values = [*WORDS, *NUMBERS, True, False, None]
    tests = [(name, t) for name in ("word", "amount", "flag") for t in every_test(values, PARTS)]
    tests += [("id", t) for t in every_test([IDS[0], IDS[2].upper(), "a", 1, None], ["0", "ab"])]
    tests += [("createdAt", t) for t in every_test([*TIMES, *DATES, True, None], ["1"])]
    for name, test in tests:
        check_rows(database, {name: test}, items)


def test_every_test_of_an_order_or_a_tag_means_the_same(database: Store) -> None:
    """Levels and states by every operator, and tags by every form of test, agree as well."""
    tags = [{}, {"floor": "7"}, {"floor": "8"}, {"site": "7"}, {"floor": "7", "site": "8"}]
    items = [event(f"{i:024x}", level=level) for i, level in enumerate(LEVELS)]
    items += [event(f"{i:024x}", state=state) for i, state in enumerate(STATES, 10)]
    items += [event(f"{i:024x}", eventTags=tag) for i, tag in enumerate(tags, 20)]
    store_events(database, items)
    tests = [("level", t) for t in every_test([*LEVELS, "fatal", 1, None], ["r", "I", "info"])]
    tests += [("state", t) for t in every_test([*STATES, "", True, None], ["e", "N", "new"])]
    texts: list[Any] = ["7", "9", None, {"$in": ["7", "8"]}, {"$nin": ["7"]}]
    texts += [{"$in": []}, {"$nin": []}]
    tests += [("eventTags", {"floor": text}) for text in texts]
    tests += [("eventTags", {"floor": one, "site": two}) for one in texts for two in texts]
    tests += [("eventTags", {"$tagValue": text}) for text in texts]
    tests += [("eventTags", {"$tagKey": "floor", "$tagValue": text}) for text in texts]
    tests += [
        ("eventTags", {"$tagKey": {"$nin": ["floor"]}}),
        ("eventTags", {}),
        ("eventTags", None),
    ]
    tests += [("eventTags", {o: t}) for o in ("$eq", "$ne") for n, t in tests if n == "eventTags"]
    for name, test in tests:
        check_events(database, {name: test}, items)


def test_every_nesting_of_logic_means_the_same(database: Store) -> None:
    """``$and``, ``$or`` and ``$nor`` of each other, empty ones included, agree on all truths."""
    truths = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (False, True)]
    items = [row(f"{i:024x}", amount=a, word=str(b), flag=c) for i, (a, b, c) in enumerate(truths)]
    store_rows(database, items)
    leaves: list[dict[str, Any]] = [{"amount": 1}, {"word": {"$ne": "0"}}, {"flag": True}, {}]
    same = [{"amount": 0}, {"amount": 1}]
    inner = [{o: some} for o in LOGIC for some in ([], leaves[:1], leaves[:2], leaves[1:], same)]
    middle = [{o: [one, leaves[2]], **more} for o in LOGIC for one in inner for more in leaves[1:]]
    for query in (*inner, *middle, *({o: [one, leaves[0]]} for o in LOGIC for one in middle)):
        check_rows(database, query, items)


def nested(depth: int, width: int) -> dict[str, Any]:
    """A query that alternates ``$and``, ``$or`` and ``$nor`` down to ``depth``."""
    query: dict[str, Any] = {"amount": 0}
    for level in range(depth):
        items = [query, *({"amount": {"$gt": level * width + i}} for i in range(1, width))]
        query = {("$and", "$or", "$nor")[level % 3]: items, "word": {"$ne": f"{level}"}}
    return query


@pytest.mark.parametrize(("depth", "width"), [(50, 2), (50, 100), (3, 100), (1, 100)])
def test_the_deepest_and_widest_queries_run(database: Store, depth: int, width: int) -> None:
    """A query at the limits of the grammar stays within those of SQLite."""
    query = nested(depth, width)
    item = row(IDS[0], word="a", amount=7)
    store_rows(database, [item])
    check_rows(database, query, [item])


def test_ten_thousand_ids_are_one_set_found_by_the_index(database: Store) -> None:
    """An ``$or`` of a hundred ``$in`` of a hundred ids takes no variables and scans nothing."""
    groups = [{"id": {"$in": [f"{i * 100 + j:024x}" for j in range(100)]}} for i in range(100)]
    query = {"$or": groups, "updatedAt": {"$lte": "2026-01-01"}}
    sql, parameters = where(parse_query(query, ROWS), fields_of(COLUMNS))
    assert len(parameters) == 1
    plan = database.rows(f"EXPLAIN QUERY PLAN SELECT 1 FROM rows_{TABLE} WHERE {sql}", *parameters)
    assert any("sqlite_autoindex" in step["detail"] for step in plan), json.dumps(
        plan, default=tuple
    )


@pytest.mark.parametrize("date", ["yesterday", "", "12:00", "2026-13-01"])
def test_a_text_that_is_no_date_is_refused(date: str) -> None:
    """A date field compared with text that is no date is a 400, never a silent mismatch."""
    with pytest.raises(Problem) as caught:
        where(parse_query({"createdAt": {"$gt": date}}, ROWS), fields_of(COLUMNS))
    assert (caught.value.status, caught.value.kind) == (400, "Validation")


def test_an_empty_or_adds_no_condition() -> None:
    """``$or: []`` matches everything, and ``$nor`` of it nothing."""
    fields = fields_of(COLUMNS)
    assert where(parse_query({"$or": []}, ROWS), fields) == ("1", [])
    assert where(parse_query({"$nor": []}, ROWS), fields) == ("1", [])
    assert where(parse_query({"$nor": [{"$or": []}]}, ROWS), fields) == ("0", [])
