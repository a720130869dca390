"""The advanced-query grammar, rule by rule: what parses to which tree."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.api.query import DEVICES, EVENTS, JOB_LOGS, MAX_DEPTH, ROWS, Subject, parse_query
from losant_mcp.api.query_tree import (
    Among,
    And,
    Compare,
    HasTag,
    Node,
    Nor,
    NoTags,
    Or,
    TagIs,
    TagText,
    Text,
)

ID = "575ec8687ae143cd83dc4a97"
OTHER_ID = "575ECF887AE143CD83DC4AA2"
LONGEST_TAG = "x" * 255


def _id_of(case: Any) -> str | None:
    return case.name if isinstance(case, Subject) else repr(case)[:90]


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ({}, And(())),
        ({"a": "x"}, And((Compare("a", "$eq", "x"),))),
        ({"a": 5}, And((Compare("a", "$eq", 5),))),
        ({"a": 2.5}, And((Compare("a", "$eq", 2.5),))),
        ({"a": False}, And((Compare("a", "$eq", False),))),
        ({"a": None}, And((Compare("a", "$eq", None),))),
        ({"a": {}}, And((And(()),))),
        ({"a": {"$eq": None}}, And((Compare("a", "$eq", None),))),
        ({"a": {"$ne": None}}, And((Compare("a", "$ne", None),))),
        ({"a": {"$gt": 5}}, And((Compare("a", "$gt", 5),))),
        ({"a": {"$lt": "x"}}, And((Compare("a", "$lt", "x"),))),
        ({"a": {"$gte": True}}, And((Compare("a", "$gte", True),))),
        ({"a": {"$lte": None}}, And((Compare("a", "$lte", None),))),
        (
            {"a": {"$gt": 1, "$lt": 5}},
            And((And((Compare("a", "$gt", 1), Compare("a", "$lt", 5))),)),
        ),
        ({"a": {"$startsWith": "x"}}, And((Text("a", "$startsWith", "x", False),))),
        ({"a": {"$endsWith": "x"}}, And((Text("a", "$endsWith", "x", False),))),
        ({"a": {"$contains": "x"}}, And((Text("a", "$contains", "x", False),))),
        ({"a": {"$contains": "x", "$ci": True}}, And((Text("a", "$contains", "x", True),))),
        ({"a": {"$ci": False, "$contains": "x"}}, And((Text("a", "$contains", "x", False),))),
        ({"a": {"$ci": True}}, And((And(()),))),
        ({"a": {"$in": []}}, And((Among("a", (), False),))),
        ({"a": {"$in": ["x", 1, 2.5, True]}}, And((Among("a", ("x", 1, 2.5, True), False),))),
        ({"a": {"$nin": ["x"]}}, And((Among("a", ("x",), True),))),
        ({"a": 1, "b": 2}, And((Compare("a", "$eq", 1), Compare("b", "$eq", 2)))),
        ({"$and": []}, And((And(()),))),
        ({"$or": []}, And((Or(()),))),
        ({"$nor": []}, And((Nor(()),))),
        (
            {"$or": [{"a": 1}, {"b": 2}]},
            And((Or((And((Compare("a", "$eq", 1),)), And((Compare("b", "$eq", 2),)))),)),
        ),
        (
            {"$nor": [{"$and": [{"a": 1}]}], "b": 2},
            And((Nor((And((And((And((Compare("a", "$eq", 1),)),)),)),)), Compare("b", "$eq", 2))),
        ),
        ({"id": "any text"}, And((Compare("id", "$eq", "any text"),))),
        ({"createdAt": {"$gt": 1465790400000}}, And((Compare("createdAt", "$gt", 1465790400000),))),
        ({"x" * 255: 1}, And((Compare("x" * 255, "$eq", 1),))),
        (
            {"constructor": 1, "__proto__": 2},
            And((Compare("constructor", "$eq", 1), Compare("__proto__", "$eq", 2))),
        ),
    ],
    ids=_id_of,
)
def test_a_query_over_rows_parses(query: object, tree: Node) -> None:
    """Each form of a condition becomes its node, and all of an object's conditions must hold."""
    assert parse_query(query, ROWS) == tree


@pytest.mark.parametrize(
    ("query", "node"),
    [
        (ID, Compare("parentId", "$eq", ID)),
        (OTHER_ID, Compare("parentId", "$eq", OTHER_ID)),
        (None, Compare("parentId", "$eq", None)),
        ({"$eq": None}, Compare("parentId", "$eq", None)),
        ({"$ne": ID}, Compare("parentId", "$ne", ID)),
        ({"$gt": ID}, Compare("parentId", "$gt", ID)),
        ({"$lt": ID}, Compare("parentId", "$lt", ID)),
        ({"$gte": ID}, Compare("parentId", "$gte", ID)),
        ({"$lte": ID}, Compare("parentId", "$lte", ID)),
        ({"$in": [ID, OTHER_ID]}, Among("parentId", (ID, OTHER_ID), False)),
        ({"$nin": []}, Among("parentId", (), True)),
    ],
    ids=_id_of,
)
def test_an_id_parses(query: object, node: Node) -> None:
    """An id is compared with ids and null, by one operator."""
    assert parse_query({"parentId": query}, DEVICES) == And((node,))


@pytest.mark.parametrize(
    ("query", "node"),
    [
        (None, NoTags("tags")),
        ({}, And(())),
        ({"$tagKey": "floor"}, HasTag("tags", TagText(("floor",)), None)),
        ({"$tagValue": None}, HasTag("tags", None, TagText((None,)))),
        (
            {"$tagKey": "floor", "$tagValue": {"$in": ["8", ""]}},
            HasTag("tags", TagText(("floor",)), TagText(("8", ""))),
        ),
        ({"$tagKey": {"$nin": ["a"]}}, HasTag("tags", TagText(("a",), negated=True), None)),
        ({"floor": "8"}, And((TagIs("tags", "floor", TagText(("8",))),))),
        ({"floor": None}, And((TagIs("tags", "floor", TagText((None,))),))),
        ({"floor": LONGEST_TAG}, And((TagIs("tags", "floor", TagText((LONGEST_TAG,))),))),
        (
            {"floor": {"$nin": []}, "wing": "B"},
            And(
                (
                    TagIs("tags", "floor", TagText((), negated=True)),
                    TagIs("tags", "wing", TagText(("B",))),
                )
            ),
        ),
        # The published pattern of a tag's key is open at its end.
        ({"floor no. 8": "x"}, And((TagIs("tags", "floor no. 8", TagText(("x",))),))),
        ({"$eq": None}, NoTags("tags")),
        ({"$ne": None}, Nor((NoTags("tags"),))),
        ({"$eq": {"floor": "8"}}, And((TagIs("tags", "floor", TagText(("8",))),))),
        ({"$ne": {"$tagKey": "a"}}, Nor((HasTag("tags", TagText(("a",)), None),))),
    ],
    ids=_id_of,
)
def test_a_tag_query_parses(query: object, node: Node) -> None:
    """Tags are asked for by key and value, as a map, or not at all, each possibly negated."""
    assert parse_query({"tags": query}, DEVICES) == And((node,))


@pytest.mark.parametrize("subject", [EVENTS, DEVICES, JOB_LOGS], ids=_id_of)
def test_every_field_of_a_subject_can_be_queried(subject: Subject) -> None:
    """Null is a valid literal for every kind of field."""
    nodes = tuple(
        NoTags(name) if kind == "tags" else Compare(name, "$eq", None)
        for name, kind in subject.fields.items()
    )
    assert parse_query(dict.fromkeys(subject.fields), subject) == And(nodes)


def test_levels_and_states_are_ordered_values() -> None:
    """A level or state takes every operator of a value."""
    query = {"level": {"$gte": "warning"}, "state": {"$lt": "resolved"}}
    assert parse_query(query, EVENTS) == And(
        (Compare("level", "$gte", "warning"), Compare("state", "$lt", "resolved"))
    )


@pytest.mark.parametrize("operator", ["$and", "$or", "$nor"])
def test_a_list_may_have_100_queries(operator: str) -> None:
    """The limit itself is allowed."""
    node = parse_query({operator: [{"a": 1}] * 100}, ROWS)
    items = (And((Compare("a", "$eq", 1),)),) * 100
    lists: dict[str, Node] = {"$and": And(items), "$or": Or(items), "$nor": Nor(items)}
    assert node == And((lists[operator],))


def test_a_set_may_have_100_values() -> None:
    """The limit itself is allowed."""
    values = tuple(range(100))
    assert parse_query({"a": {"$in": list(values)}}, ROWS) == And((Among("a", values, False),))


def test_a_query_may_nest_50_levels() -> None:
    """The limit itself is allowed, and every level is kept."""
    query: dict[str, Any] = {"a": 1}
    tree = And((Compare("a", "$eq", 1),))
    for _ in range(MAX_DEPTH):
        query = {"$or": [query]}
        tree = And((Or((tree,)),))
    assert parse_query(query, ROWS) == tree


@pytest.mark.parametrize("columns", [["site", "price"], {"site": "string", "price": "number"}])
def test_known_columns_can_be_queried(columns: Any) -> None:
    """Where the columns are known, they and what every row has can be named."""
    query = {"site": "A", "id": ID, "createdAt": None, "updatedAt": None}
    assert parse_query(query, ROWS, columns=columns) == parse_query(query, ROWS)


def test_without_columns_any_name_will_do() -> None:
    """Where the columns are not known, a name is not doubted."""
    assert parse_query({"whatever": 1}, ROWS) == And((Compare("whatever", "$eq", 1),))
