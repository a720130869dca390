"""Random advanced queries, nested: SQL finds what a plain evaluator finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from losant_mcp.api.events import LEVELS, STATES
from losant_mcp.sandbox.store import Store
from tests.sandbox.query_cases import (
    DATES,
    IDS,
    NUMBERS,
    PARTS,
    TIMES,
    WORDS,
    check_events,
    check_rows,
    new_database,
    store_events,
    store_rows,
)

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
    members = st.sampled_from(list(fields)).flatmap(
        lambda name: fields[name].map(lambda test: (name, test))
    )
    leaves = st.lists(members, max_size=2).map(dict)
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
words_or_other = field_tests(scalars) | texts(st.sampled_from(PARTS))
ROW_QUERIES = queries(
    {
        "id": field_tests(st.one_of(ids, ids.map(str.upper), scalars))
        | texts(st.sampled_from(["0", "00a", "b", "B2", "facade"])),
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
        "deviceId": field_tests(st.one_of(ids, scalars))
        | texts(st.sampled_from(["0", "00a", "b", "B2", "facade"])),
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
    min_size=2,
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
    min_size=2,
    max_size=len(IDS),
)


@pytest.fixture(scope="module")
def database() -> Iterator[Store]:
    """A database with an empty table of rows."""
    store = new_database()
    yield store
    store.close()


@given(query=ROW_QUERIES, items=rows_strategy)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_rows_match_as_a_plain_evaluation_says(
    database: Store, query: dict[str, Any], items: list[dict[str, Any]]
) -> None:
    """For rows with every type and null, SQL finds what the plain evaluator finds."""
    items = [{"id": id, **item} for id, item in zip(IDS, items, strict=False)]
    store_rows(database, items)
    check_rows(database, query, items)


@given(query=EVENT_QUERIES, items=events_strategy)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_events_match_as_a_plain_evaluation_says(
    database: Store, query: dict[str, Any], items: list[dict[str, Any]]
) -> None:
    """For events with levels, states, tags and times, SQL finds what the plain evaluator finds."""
    items = [{"id": id, **item} for id, item in zip(IDS, items, strict=False)]
    store_events(database, items)
    check_events(database, query, items)
