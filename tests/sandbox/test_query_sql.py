"""Advanced queries as SQL: the same items as a plain evaluator finds, at any depth and width."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from losant_mcp.api.events import LEVELS, STATES
from losant_mcp.api.query import EVENTS, ROWS, Subject, parse_query
from losant_mcp.sandbox.call import Problem
from losant_mcp.sandbox.events import FIELDS as EVENT_FIELDS
from losant_mcp.sandbox.query_sql import Fields, number, where
from losant_mcp.sandbox.rows import fields_of
from losant_mcp.sandbox.store import Store
from losant_mcp.sandbox.tables import Column, create_rows
from tests.sandbox.plain_query import Kinds, matches

COLUMNS = [
    Column(0, "word", "string", "optional"),
    Column(1, "amount", "number", "optional"),
    Column(2, "flag", "boolean", "optional"),
    Column(3, "WORD", "string", "optional"),
]
ROW_KINDS: Kinds = {
    "id": "id", "createdAt": "time", "updatedAt": "time",
    "word": "string", "amount": "number", "flag": "boolean", "WORD": "string",
}  # fmt: skip
EVENT_KINDS: Kinds = {
    "id": "id", "creationDate": "time", "lastUpdated": "time", "sourceId": "id",
    "sourceType": "string", "level": LEVELS, "state": STATES, "subject": "string",
    "deviceId": "id", "experienceUserId": "id", "experienceGroupId": "id", "eventTags": "tags",
}  # fmt: skip

IDS = [f"{i:024x}" for i in (0xA, 0xB, 0xABCDEF)]
WORDS = [
    "", "a", "A", "ab", "aB", "b", "ß", "SS", "ss", "É", "é", "a%b", "a_b", "*", "?", "[a]",
    "a\x00b", "b\x00", "5", "true", "null", "🜁x", "\u212a", "k", "\\", "'",
]  # fmt: skip
NUMBERS = [0, 1, -1, 5, 5.0, 1.5, 0.1, -0.0, 1e300, 2**53, 2**53 + 1, 2**70, -(2**70)]
TIMES = [0, 1, 1_750_000_000_000, 1_750_000_000_001]
DATES = ["1970-01-01", "2025-06-15T15:06:40Z", "2025-06-15T17:06:40.001+02:00", "1970-01-01T00:00"]

words, numbers, ids = st.sampled_from(WORDS), st.sampled_from(NUMBERS), st.sampled_from(IDS)
scalars = st.one_of(words, numbers, st.booleans(), st.none())


def texts(value: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A text test, with and without ``$ci``."""
    nonempty = value.filter(bool)
    operators = st.sampled_from(["$startsWith", "$endsWith", "$contains"])
    plain = st.builds(lambda o, v: {o: v}, operators, nonempty)
    return st.builds(
        lambda test, ci: test if ci is None else {**test, "$ci": ci},
        plain,
        st.sampled_from([None, True, False]),
    )


def field_tests(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any test of a field by values like these."""
    comparisons = st.dictionaries(
        st.sampled_from(["$eq", "$ne", "$gt", "$lt", "$gte", "$lte"]), value, max_size=3
    )
    some = st.lists(value.filter(lambda v: v is not None), max_size=4)
    sets = st.builds(lambda o, v: {o: v}, st.sampled_from(["$in", "$nin"]), some)
    return st.one_of(value, comparisons, sets)


def id_tests() -> st.SearchStrategy[Any]:
    """Any test of a field that takes one operator and ids only."""
    value = st.one_of(ids, ids.map(str.upper), st.none())
    operators = st.sampled_from(["$eq", "$ne", "$gt", "$lt", "$gte", "$lte"])
    sets = st.builds(
        lambda o, v: {o: v}, st.sampled_from(["$in", "$nin"]), st.lists(ids, max_size=3)
    )
    return st.one_of(value, st.builds(lambda o, v: {o: v}, operators, value), sets)


def tag_tests() -> st.SearchStrategy[Any]:
    """Any test of tags."""
    keys, values = st.sampled_from(["floor", "site"]), st.sampled_from(["7", "8", ""])
    text = st.one_of(
        values,
        st.none(),
        st.builds(
            lambda o, v: {o: v}, st.sampled_from(["$in", "$nin"]), st.lists(values, max_size=2)
        ),
    )
    pair = st.fixed_dictionaries(
        {}, optional={"$tagKey": st.one_of(keys, text), "$tagValue": text}
    ).filter(bool)
    plain = st.one_of(st.none(), pair, st.dictionaries(keys, text, max_size=2))
    return st.one_of(plain, st.builds(lambda o, v: {o: v}, st.sampled_from(["$eq", "$ne"]), plain))


def queries(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Queries over these fields, nested."""
    leaves = st.fixed_dictionaries({}, optional=fields).map(
        lambda query: dict(list(query.items())[:3])
    )
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda leaf, logic: {**leaf, **logic},
            leaves,
            st.dictionaries(
                st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, max_size=3), max_size=2
            ),
        ),
        max_leaves=8,
    )


times = st.one_of(st.sampled_from(TIMES), st.sampled_from(DATES), st.none(), st.booleans())
words_or_other = field_tests(scalars) | texts(words)
ROW_QUERIES = queries(
    {
        "id": field_tests(st.one_of(ids, ids.map(str.upper), scalars)) | texts(ids),
        "createdAt": field_tests(times),
        "word": words_or_other,
        "amount": words_or_other,
        "flag": words_or_other,
        "WORD": words_or_other,
    }
)
levels = field_tests(st.sampled_from([*LEVELS, "fatal", 1, None])) | texts(
    st.sampled_from(["r", "I"])
)
states = field_tests(st.sampled_from([*STATES, "open", True, None])) | texts(
    st.sampled_from(["e", "N"])
)
EVENT_QUERIES = queries(
    {
        "level": levels,
        "state": states,
        "subject": words_or_other,
        "creationDate": field_tests(times),
        "deviceId": field_tests(st.one_of(ids, scalars)) | texts(ids),
        "sourceType": field_tests(st.sampled_from(["flow", "user", None])),
        "experienceUserId": id_tests(),
        "eventTags": tag_tests(),
    }
)

rows_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "createdAt": st.sampled_from(TIMES),
            "updatedAt": st.sampled_from(TIMES),
            "word": st.none() | words,
            "amount": st.none() | numbers,
            "flag": st.none() | st.booleans(),
            "WORD": st.none() | words,
        }
    ),
    max_size=len(IDS),
)
events_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "creationDate": st.sampled_from(TIMES),
            "lastUpdated": st.sampled_from(TIMES),
            "level": st.sampled_from(LEVELS),
            "state": st.sampled_from(STATES),
            "subject": words,
            "deviceId": st.none() | ids,
            "sourceType": st.sampled_from(["flow", "user", None]),
            "experienceUserId": st.none() | ids,
            "eventTags": st.dictionaries(
                st.sampled_from(["floor", "site"]), st.sampled_from(["7", "8"]), max_size=2
            ),
        }
    ),
    max_size=len(IDS),
)

TABLE = "5" * 24


@pytest.fixture(scope="module")
def database() -> Iterator[Store]:
    """A database with an empty table of rows."""
    store = Store()
    with store.transaction(write=True) as db:
        create_rows(db, TABLE, COLUMNS)
    yield store
    store.close()


def found(store: Store, source: str, id: str, query: Any, subject: Subject, by: Fields) -> set[str]:
    """The ids that the SQL finds; it is never NULL, which negating it would show."""
    sql, parameters = where(parse_query(query, subject), by)
    hits = {row[0] for row in store.rows(f"SELECT {id} FROM {source} WHERE {sql}", *parameters)}
    others = f"SELECT {id} FROM {source} WHERE NOT ({sql})"
    misses = {row[0] for row in store.rows(others, *parameters)}
    assert hits | misses == {row[0] for row in store.rows(f"SELECT {id} FROM {source}")}
    assert not hits & misses
    return hits


@given(query=ROW_QUERIES, items=rows_strategy)
@settings(max_examples=500, deadline=None)
def test_rows_match_as_a_plain_evaluation_says(
    database: Store, query: dict[str, Any], items: list[dict[str, Any]]
) -> None:
    """For rows with every type and null, SQL finds what the plain evaluator finds."""
    items = [{"id": id, **item} for id, item in zip(IDS, items, strict=False)]
    with database.transaction(write=True) as db:
        db.execute(f"DELETE FROM rows_{TABLE}")
        db.executemany(
            f"INSERT INTO rows_{TABLE}"
            " VALUES (:id, :createdAt, :updatedAt, :word, :amount, :flag, :WORD)",
            [
                {**item, "amount": None if item["amount"] is None else number(item["amount"])}
                for item in items
            ],
        )
    expected = {item["id"] for item in items if matches(query, item, ROW_KINDS)}
    actual = found(database, f"rows_{TABLE}", "id", query, ROWS, fields_of(COLUMNS))
    assert actual == expected


@given(query=EVENT_QUERIES, items=events_strategy)
@settings(max_examples=500, deadline=None)
def test_events_match_as_a_plain_evaluation_says(
    database: Store, query: dict[str, Any], items: list[dict[str, Any]]
) -> None:
    """For events with levels, states, tags and times, SQL finds what the plain evaluator finds."""
    items = [{"id": id, **item} for id, item in zip(IDS, items, strict=False)]
    with database.transaction(write=True) as db:
        db.execute("DELETE FROM events")
        db.execute("DELETE FROM event_tags")
        for item in items:
            stored = {name: value for name, value in item.items() if name != "eventTags"}
            stored |= {"level": LEVELS.index(item["level"]), "state": STATES.index(item["state"])}
            names = ", ".join(stored)
            places = ", ".join(f":{name}" for name in stored)
            db.execute(
                f"INSERT INTO events (applicationId, {names}) VALUES ('x', {places})", stored
            )
            db.executemany(
                "INSERT INTO event_tags VALUES (?, ?, ?)",
                [(item["id"], *tag) for tag in item["eventTags"].items()],
            )
    expected = {item["id"] for item in items if matches(query, item, EVENT_KINDS)}
    assert found(database, "events e", "e.id", query, EVENTS, EVENT_FIELDS) == expected


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
    item = {"id": IDS[0], "createdAt": 0, "updatedAt": 0, "word": "a", "amount": 7}
    with database.transaction(write=True) as db:
        db.execute(f"DELETE FROM rows_{TABLE}")
        db.execute(f"INSERT INTO rows_{TABLE} VALUES (?, 0, 0, 'a', 7, NULL, NULL)", (item["id"],))
    expected = {item["id"]} if matches(query, item, ROW_KINDS) else set()
    actual = found(database, f"rows_{TABLE}", "id", query, ROWS, fields_of(COLUMNS))
    assert actual == expected


def test_ten_thousand_ids_are_one_set_found_by_the_index(database: Store) -> None:
    """An ``$or`` of a hundred ``$in`` of a hundred ids takes no variables and scans nothing."""
    groups = [{"id": {"$in": [f"{i * 100 + j:024x}" for j in range(100)]}} for i in range(100)]
    query = {"$or": groups, "updatedAt": {"$lte": "2026-01-01"}}
    sql, parameters = where(parse_query(query, ROWS), fields_of(COLUMNS))
    assert len(parameters) == 1
    plan = database.rows(f"EXPLAIN QUERY PLAN SELECT 1 FROM rows_{TABLE} WHERE {sql}", *parameters)
    assert any("sqlite_autoindex" in row["detail"] for row in plan), json.dumps(plan, default=tuple)


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
