"""The parser of advanced queries: a tree, or an error that says where and why."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from losant_mcp.api.openapi import openapi
from losant_mcp.api.query import DEVICES, EVENTS, JOB_LOGS, ROWS, Subject, parse_query
from losant_mcp.api.query_tree import And
from losant_mcp.errors import InvalidQuery, describe
from tests.calling import check_error
from tests.contract.instances import ODD_KEYS, ODD_VALUES, anything, instances, strayed
from tests.fuzz.examples import examples

SCHEMAS = openapi()["components"]["schemas"]
SUBJECTS = {
    "AdvancedQuery": ROWS,
    "AdvancedEventQuery": EVENTS,
    "AdvancedDeviceQuery": DEVICES,
    "AdvancedApplicationJobLogQuery": JOB_LOGS,
}


def _nested(depth: int, operator: str) -> Any:
    query: Any = {}
    for _ in range(depth):
        query = {operator: [query]}
    return query


OF_EVERY_KIND = st.one_of(
    st.dictionaries(st.sampled_from(ODD_KEYS), st.sampled_from(ODD_VALUES) | anything),
    st.builds(
        _nested,
        st.sampled_from([1, 49, 50, 51, 52, 990, 5000]),
        st.sampled_from(["$and", "$or", "$nor", "id", "$eq"]),
    ),
)
QUERIES: st.SearchStrategy[tuple[Subject, Any]] = st.one_of(
    [
        st.tuples(
            st.just(subject),
            strayed(instances({**SCHEMAS[name], "definitions": SCHEMAS}, depth=3)) | OF_EVERY_KIND,
        )
        for name, subject in SUBJECTS.items()
    ]
)


@examples(250)
def test_a_query_is_understood_or_refused_in_words(fuzzing: settings) -> None:
    """However odd, long or deep it is."""

    @fuzzing
    @given(QUERIES)
    def check(case: tuple[Subject, Any]) -> None:
        subject, query = case
        try:
            tree = parse_query(query, subject, columns=("level", "a") if subject.open else None)
        except InvalidQuery as error:
            check_error(describe(error))
        else:
            assert isinstance(tree, And)

    check()
