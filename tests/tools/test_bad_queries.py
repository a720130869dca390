"""Queries that cannot be meant so: the place, the rule, the operators, the nearest name."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.api.endpoint import Effect
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, asked, refusal, stored
from tests.served import Sandbox
from tests.tools.plausible import arguments, ids_in

pytestmark = pytest.mark.parametrize("mode", ["auto"])

OVER = {
    "events": (
        "list_events",
        "get_most_severe_event",
        "update_events",
        "delete_events",
        "export_events",
    ),
    "rows": ("query_rows", "delete_rows", "export_rows"),
    "devices": (
        "list_devices",
        "query_time_series",
        "query_last_values",
        "export_device_data",
    ),
    "jobs": ("list_jobs",),
}
FIELD = {"events": "subject", "rows": "name", "devices": "name", "jobs": "name"}


def _argument(name: str) -> str:
    return "query" if "query" in TOOLS[name].arguments(bound=True) else "deviceQuery"


def _given(sandbox: Sandbox, name: str, query: Any) -> dict[str, Any]:
    plausible = dict(arguments(ids_in(sandbox.store))[name])
    if _argument(name) == "deviceQuery":
        del plausible["deviceIds"]
    return {**plausible, _argument(name): query}


@pytest.mark.parametrize("subject", OVER)
async def test_a_malformed_query_names_path_rule_and_operators(
    connect: Connect, sandbox: Sandbox, subject: str
) -> None:
    """Every tool with a query refuses an unknown operator deep inside it, and sends nothing."""
    field = FIELD[subject]
    client = await connect()
    before = stored(sandbox)
    for name in OVER[subject]:
        query = {"$or": [{field: "x"}, {"$and": [{field: {"$startWith": "x"}}]}]}
        text = await refusal(client, name, **_given(sandbox, name, query))
        assert text.startswith(f"{_argument(name)}.$or[1].$and[0].{field}.$startWith: unknown")
        assert "did you mean '$startsWith'?" in text
        assert "$eq, $ne, $gt, $lt, $gte, $lte" in text
        assert text.endswith("Nothing was changed.") == (TOOLS[name].effect is not Effect.READ)
    assert stored(sandbox) == before
    assert {"dataTable.get", "dataTables.get", "devices.get"} >= set(asked(sandbox))


@pytest.mark.parametrize("subject", OVER)
@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ({"$not": {}}, "is no operator here"),
        ({"$or": {}}, "must be an array of queries, not an object"),
        ({"FIELD": {"$in": [None]}}, "null is not allowed in a set"),
        ({"FIELD": {"$in": ["x"] * 101}}, "has 101 items; the limit is 100"),
        ({"FIELD": ["x"]}, "must be a string, a number, true, false or null"),
        ({"FIELD": {"$contains": ""}}, "must be a string that is not empty"),
        ({"FIELD": {"$ci": "yes"}}, "must be true or false"),
    ],
)
async def test_a_rule_of_the_grammar_is_told(
    connect: Connect, sandbox: Sandbox, subject: str, query: dict[str, Any], rule: str
) -> None:
    """The rules are the same over events, rows, devices and jobs."""
    client = await connect()
    told = {key.replace("FIELD", FIELD[subject]): value for key, value in query.items()}
    for name in OVER[subject]:
        text = await refusal(client, name, **_given(sandbox, name, told))
        assert rule in text, text


async def test_a_query_that_nests_too_deep_is_refused(connect: Connect, sandbox: Sandbox) -> None:
    """Fifty levels are more than anybody writes; a thousand are an attack."""
    client = await connect()
    for depth, expected in ((51, "nested deeper"), (200, "nested deeper"), (90_000, "query must")):
        query = '{"$and":[' * depth + "{}" + "]}" * depth
        assert expected in await refusal(client, "list_events", query=query)
    assert asked(sandbox) == []


@pytest.mark.parametrize(
    ("name", "given", "nearest"),
    [
        ("list_events", {"query": {"sate": "new"}}, "did you mean 'state'?"),
        ("list_events", {"query": {"message": "x"}}, "Fields: id, creationDate"),
        ("list_devices", {"query": {"Name": "x"}}, "did you mean 'name'?"),
        ("list_jobs", {"query": {"stats": "queued"}}, "did you mean 'status'?"),
        ("query_rows", {"query": {"sitecode": "ALD"}}, "did you mean 'siteCode'?"),
        ("query_rows", {"query": {}, "sortColumn": "buildYear"}, "did you mean 'builtYear'?"),
        ("query_rows", {"query": {}, "includeFields": ["nam"]}, "did you mean 'name'?"),
        ("list_rows", {"sortColumn": "Name"}, "did you mean 'name'?"),
        ("list_rows", {"includeFields": ["createdat"]}, "did you mean 'createdAt'?"),
        ("export_rows", {"query": {"distrikt": "West"}}, "did you mean 'district'?"),
        ("export_rows", {"sortColumn": "distrikt"}, "did you mean 'district'?"),
        ("delete_rows", {"query": {"distrikt": "West"}}, "did you mean 'district'?"),
        ("insert_rows", {"rows": [{"sitecode": "X"}]}, "did you mean 'siteCode'?"),
        ("update_row", {"row": {"nmae": "X"}}, "did you mean 'name'?"),
        ("remove_data_table_column", {"columnName": "note"}, "did you mean 'notes'?"),
    ],
)
async def test_an_unknown_field_or_column_is_told_the_nearest(
    connect: Connect, sandbox: Sandbox, name: str, given: dict[str, Any], nearest: str
) -> None:
    """Losant would call the query invalid, or drop the column of a row."""
    client = await connect()
    before = stored(sandbox)
    ids = ids_in(sandbox.store)
    own = {"dataTableId": "sites"} if "dataTableId" in TOOLS[name].arguments(bound=True) else {}
    own |= {"rowId": ids.row} if "rowId" in TOOLS[name].arguments(bound=True) else {}
    text = await refusal(client, name, **own, **given)
    assert nearest in text, text
    assert stored(sandbox) == before


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("list_events", {"filter": "Motor*", "query": {"state": "new"}}),
        ("get_most_severe_event", {"filter": "Motor*", "query": {"level": "error"}}),
        ("update_events", {"filter": "Motor*", "query": {"level": "error"}, "state": "resolved"}),
        ("list_devices", {"filter": "Alder*", "query": {"deviceClass": "gateway"}}),
        ("list_devices", {"deviceClass": "gateway", "query": {"name": "x"}}),
    ],
)
async def test_a_filter_beside_a_query_is_refused(
    connect: Connect, sandbox: Sandbox, name: str, given: dict[str, Any]
) -> None:
    """Losant would drop the filter in silence and reach more than was meant."""
    client = await connect()
    text = await refusal(client, name, **given)
    assert "beside query" in text
    assert "$contains" in text
    assert asked(sandbox) == []


@pytest.mark.parametrize("name", [*OVER["events"][:3], "list_devices", "list_jobs"])
async def test_a_query_too_long_for_a_url_is_refused(
    connect: Connect, sandbox: Sandbox, name: str
) -> None:
    """Over 8 KB a proxy would refuse it unclearly; here nothing is sent."""
    field = "subject" if name in OVER["events"] else "name"
    client = await connect()
    before = stored(sandbox)
    query = {field: {"$in": [f"{n:03} " + "x" * 96 for n in range(100)]}}
    text = await refusal(client, name, **_given(sandbox, name, query))
    assert "at most 8192" in text
    assert "Shorten the query" in text
    assert set(asked(sandbox)) <= {"devices.get"}
    assert stored(sandbox) == before


async def test_the_same_query_in_a_body_may_be_longer(connect: Connect, sandbox: Sandbox) -> None:
    """Rows are queried by a body, which no proxy measures."""
    client = await connect()
    names = [f"{n:03} " + "x" * 96 for n in range(100)]
    query = {"$or": [{"name": {"$in": names}}, {"siteCode": "ALD"}]}
    answer = await client.call_tool("query_rows", {"dataTableId": "sites", "query": query})
    assert answer.structured_content
    assert answer.structured_content["total"] == 1


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ({"creationDate": {"$gte": "last week"}}, "query.creationDate.$gte: not a time."),
        ({"$or": [{"lastUpdated": "soon"}]}, "query.$or[0].lastUpdated: not a time."),
        ({"creationDate": {"$in": ["now", "then"]}}, "query.creationDate.$in[1]: not a time."),
        ({"creationDate": {"$startsWith": "2026"}}, "query.creationDate.$startsWith: not a time."),
    ],
)
async def test_a_time_in_a_query_that_is_none_is_named_by_its_place(
    connect: Connect, sandbox: Sandbox, query: dict[str, Any], place: str
) -> None:
    """Losant would find nothing, and nobody would know why."""
    client = await connect()
    text = await refusal(client, "list_events", query=query)
    assert text.startswith(place)
    assert "ISO 8601" in text
    assert asked(sandbox) == []


async def test_a_body_that_is_too_large_changes_nothing(connect: Connect, sandbox: Sandbox) -> None:
    """More rows than an insert takes, and more bytes than Losant takes."""
    client = await connect()
    before = stored(sandbox)
    text = await refusal(
        client, "insert_rows", dataTableId="sites", rows=[{"siteCode": "X"}] * 25_001
    )
    assert "rows has more than 25000 items" in text
    site = {"name": "n", "kind": "k", "district": "d"}
    rows = [{**site, "siteCode": str(n), "notes": "x" * 3000} for n in range(4000)]
    text = await refusal(client, "insert_rows", dataTableId="sites", rows=rows)
    assert "larger than Losant takes (413)" in text
    assert "fewer rows" in text
    assert text.endswith("Nothing was changed.")
    text = await refusal(
        client, "create_event", level="info", subject="s", data={"x": "y" * 11_000_000}
    )
    assert text.endswith("Nothing was changed.")
    assert stored(sandbox) == before


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"siteCode": "X", "name": "n", "kind": "k"}], "rows[0].district is required, so it"),
        ([{"siteCode": None, "name": "n"}], "rows[0].siteCode is unique, so it needs a value"),
        ([{"siteCode": 5}], "rows[0].siteCode must be a string"),
        ([{"siteCode": "X", "name": True}], "rows[0].name must be a string"),
        ([{"siteCode": "X", "name": ["n"]}], "rows[0].name must be a string"),
        ([{"id": "x" * 24, "siteCode": "X"}], "rows[0]: id is set by Losant"),
        ([{}], "rows[0].siteCode is unique, so it needs a value"),
        (["no row"], "rows[0] must be an object"),
    ],
)
async def test_a_row_that_does_not_fit_its_table_is_refused(
    connect: Connect, sandbox: Sandbox, rows: list[Any], expected: str
) -> None:
    """Before Losant is asked to store it, and naming the row and the column."""
    client = await connect()
    before = stored(sandbox)
    text = await refusal(client, "insert_rows", dataTableId="sites", rows=rows)
    assert expected in text, text
    assert "dataTableRows.post" not in asked(sandbox)
    assert stored(sandbox) == before


async def test_a_clash_of_unique_values_is_losants_to_tell(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Losant's own message is quoted and labelled as such."""
    client = await connect()
    before = stored(sandbox)
    row = {"siteCode": "ALD", "name": "n", "kind": "k", "district": "d"}
    text = await refusal(client, "insert_rows", dataTableId="sites", rows=[row])
    assert 'Losant says: "' in text
    assert text.endswith("Nothing was changed.")
    assert stored(sandbox) == before
