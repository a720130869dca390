"""How arguments may be sent: JSON as text, nulls, many calls at once."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from tests.calling import Connect, cells, refusal, result
from tests.served import Sandbox
from tests.tools.plausible import PUMP, SITE, ids_in


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("list_events", {"query": {"level": "critical"}, "fields": ["id"], "perPage": 3}),
        ("query_rows", {"dataTableId": "sites", "query": {"district": "North"}, "countOnly": True}),
        ("query_last_values", {"attribute": "flow", "deviceIds": [PUMP]}),
        ("query_time_series", {"deviceTags": [{"key": "site", "value": "ALD"}], "duration": 9e6}),
        ("list_devices", {"query": {"tags": {"site": "ALD"}}}),
    ],
)
async def test_json_as_text_is_read_where_json_is_expected(
    connect: Connect, name: str, arguments: dict[str, Any]
) -> None:
    """Some models write objects, arrays, numbers and booleans as strings."""
    client = await connect()
    as_text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in arguments.items()}
    plain, texts = (
        await result(client, name, **arguments),
        await result(client, name, **as_text),
    )
    for answer in (plain, texts):
        answer.pop("window", None)
    assert texts["total"] == plain["total"] > 0
    assert texts["columns"] == plain["columns"]
    assert len(texts["rows"]) == len(plain["rows"])


async def test_json_as_text_is_stored_as_what_it_is(connect: Connect, sandbox: Sandbox) -> None:
    """Rows and free-form data; text that is no JSON stays text."""
    client = await connect()
    await result(client, "insert_rows", dataTableId="sites", rows=json.dumps([SITE]))
    event = await result(
        client, "create_event", level="info", subject="[1, 2]", data='{"a": 1}', message="{}"
    )
    assert event["event"]["data"] == {"a": 1}
    assert event["event"]["subject"] == "[1, 2]"
    assert event["event"]["message"] == "{}"
    event = await result(client, "create_event", level="info", subject="s", data="not json")
    assert event["event"]["data"] == "not json"


@pytest.mark.parametrize("broken", ['{"level": ', "[1,", "nope", "NaN", '{"a": NaN}'])
async def test_text_that_is_no_such_json_is_refused(connect: Connect, broken: str) -> None:
    """With the type that was expected."""
    client = await connect()
    text = await refusal(client, "list_events", query=broken)
    assert text.startswith("query")


async def test_an_argument_that_is_null_is_left_out(connect: Connect, sandbox: Sandbox) -> None:
    """Many models send every argument; null never detaches a device or clears a filter."""
    client = await connect()
    nulls = {"state": None, "filter": None, "query": None, "fields": None, "page": None}
    assert (await result(client, "list_events", **nulls, perPage=1))["total"] == 2000
    assert (await result(client, "list_events", query="null", perPage="null"))["total"] == 2000
    ids = ids_in(sandbox.store)
    await result(client, "update_event", eventId=ids.event, state="acknowledged", deviceId=None)
    [(device,)] = sandbox.store.rows("SELECT deviceId FROM events WHERE id = ?", ids.event)
    assert device is not None
    text = await refusal(client, "get_event", eventId=None)
    assert "eventId is required" in text


async def test_calls_at_the_same_time_do_not_mix(connect: Connect) -> None:
    """Forty calls of several tools, each with its own answer."""
    client = await connect()
    sites = ["ALD", "BEA", "BRK", "CAN", "CED", "CHA", "DAI", "ELM", "FER", "GLE"]
    answers: dict[str, Any] = {}

    async def ask(key: str, name: str, arguments: dict[str, Any]) -> None:
        answers[key] = await result(client, name, **arguments)

    async with anyio.create_task_group() as tasks:
        for site in sites:
            rows = {"dataTableId": "sites", "query": {"siteCode": site}}
            tasks.start_soon(ask, f"row {site}", "query_rows", rows)
            devices = {"query": {"tags": {"site": site}}}
            tasks.start_soon(ask, f"device {site}", "list_devices", devices)
        for hours in range(1, 21):
            events = {"query": {"creationDate": {"$gte": f"-{hours}h"}}, "perPage": 1}
            tasks.start_soon(ask, f"events {hours}", "list_events", events)
    for site in sites:
        assert cells(answers[f"row {site}"], "siteCode") == [site]
        assert all(f"site={site}" in tags for tags in cells(answers[f"device {site}"], "tags"))
    totals = [answers[f"events {hours}"]["total"] for hours in range(1, 21)]
    assert totals == sorted(totals)
    assert all(
        list(answers[f"events {h}"]["resolved"]) == ["query.creationDate.$gte"]
        for h in range(1, 21)
    )


async def test_a_tool_without_arguments_takes_none(connect: Connect) -> None:
    """Absent arguments are an empty object."""
    client = await connect()
    answer = await client.call_tool("list_applications")
    assert not answer.is_error
