"""Prompts as a client gets them, on both protocol versions, with the demo's live data."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from mcp.types import PromptArgument

from losant_mcp.client import LosantClient
from losant_mcp.prompts.catalogue import Prompts
from losant_mcp.sandbox.demo.ids import demo_id
from tests.analysis.counting import tokens
from tests.calling import Connect, Mode, cells, result
from tests.prompts.prompting import (
    FILES,
    FULL,
    NEEDS_NOTHING,
    data_of,
    live_of,
    refused,
    services_of,
    texts,
)
from tests.served import Sandbox

MOST_TOKENS = 900

LIVE = {
    "triage_new_events": "events/new",
    "review_event_storm": "events/digest",
    "shift_handover": "events/digest",
    "ask_data_table": f"data-tables/{demo_id('table', 4)}",
    "clean_up_data_table": f"data-tables/{demo_id('table', 4)}",
    "import_rows": f"data-tables/{demo_id('table', 4)}",
    "investigate_device": None,
}


async def test_seven_prompts_are_listed(connect: Connect, mode: Mode) -> None:
    """Each has a title, a description and described arguments, and three can be had at once."""
    client = await connect()
    answer = await client.list_prompts()
    assert {prompt.name for prompt in answer.prompts} == set(FULL)
    for prompt in answer.prompts:
        assert prompt.title
        assert prompt.description
        arguments = prompt.arguments or []
        assert {argument.name for argument in arguments} == set(FULL[prompt.name])
        assert all(argument.description for argument in arguments)
        required = [argument.name for argument in arguments if argument.required]
        assert (not required) is (prompt.name in NEEDS_NOTHING)
    if mode == "auto":
        assert (answer.ttl_ms, answer.cache_scope) == (300_000, "private")


@pytest.mark.parametrize("name", FULL)
async def test_a_prompt_brings_its_live_data_along(connect: Connect, name: str) -> None:
    """Instructions, arguments with the ids of what they name, and the resource as it is now."""
    client = await connect()
    answer = await client.get_prompt(name, FULL[name])
    assert [message.role for message in answer.messages] == ["user"] * len(answer.messages)
    instructions, _ = texts(answer)
    assert tokens(instructions) <= MOST_TOKENS
    data = data_of(answer)
    assert FULL[name].items() <= data.items()
    path = LIVE[name]
    assert len(answer.messages) == (2 if path is None else 3)
    if path is not None:
        uri, held = live_of(answer)
        assert uri == f"losant://{path}"
        assert held["note"]
        assert held.get("dataTable", {"name": "parts"})["name"] == "parts"
    if "table" in data:
        assert data["dataTableId"] == demo_id("table", 4)
    if "device" in data:
        found = await result(client, "list_devices", filter=data["device"])
        assert cells(found, "id") == [data["deviceId"]]


@pytest.mark.parametrize("name", NEEDS_NOTHING)
async def test_a_prompt_without_arguments_is_answered_at_once(connect: Connect, name: str) -> None:
    """Nothing but the instructions and the live data; a blank argument counts as left out."""
    client = await connect()
    answer = await client.get_prompt(name)
    [instructions] = texts(answer)
    assert "in the arguments" not in instructions
    uri, _ = live_of(answer)
    assert uri == f"losant://{LIVE[name]}"
    [argument] = FULL[name]
    assert len((await client.get_prompt(name, {argument: "  "})).messages) == 2


async def test_the_triage_begins_with_what_is_new(connect: Connect) -> None:
    """The attachment says how many of each level, which is worst, and which waits longest."""
    client = await connect()
    _, held = live_of(await client.get_prompt("triage_new_events"))
    assert held["newCount"] == sum(held["byLevel"].values()) > 0
    assert held["mostSevere"]["level"] == "critical"
    assert held["oldest"]["id"]


async def test_without_a_bound_application_each_prompt_asks_for_it(
    connect: Connect, sandbox: Sandbox
) -> None:
    """It is required, it reaches the model, and the resource is the one of that application."""
    client = await connect(bound=False, time_zone="America/Argentina/Buenos_Aires")
    expected = PromptArgument(
        name="applicationId", description="The id of the Losant application", required=True
    )
    for prompt in (await client.list_prompts()).prompts:
        assert (prompt.arguments or [])[0] == expected
    for name, arguments in FULL.items():
        assert "Missing: applicationId" in await refused(client, name, arguments)
        answer = await client.get_prompt(
            name, {"applicationId": sandbox.application_id, **arguments}
        )
        assert data_of(answer)["applicationId"] == sandbox.application_id
        assert "Pass the `applicationId`" in texts(answer)[0]
        assert tokens(texts(answer)[0]) <= MOST_TOKENS
        if LIVE[name]:
            uri, _ = live_of(answer)
            assert uri == f"losant://applications/{sandbox.application_id}/{LIVE[name]}"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Berlin", "in UTC and in Europe/Berlin. It is 2026-01-31T08:05Z, 2026-01-31 09:05"),
        ("UTC", "in UTC. It is 2026-01-31T08:05Z.\n"),
    ],
    ids=["with a zone", "UTC alone"],
)
async def test_times_are_given_in_the_configured_zone_too(
    connect: Connect, zone: str, expected: str
) -> None:
    """The prompt says what time it is, in UTC and there; for UTC alone, once."""
    client = await connect(now=lambda: datetime(2026, 1, 31, 8, 5, tzinfo=UTC), time_zone=zone)
    assert expected in texts(await client.get_prompt("triage_new_events"))[0]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("triage", {}, "Unknown prompt: triage"),
        ("triage_new_event", {}, "did you mean 'triage_new_events'?"),
        ("nothing", {}, "There are: ask_data_table, clean_up_data_table, import_rows"),
        ("ask_data_table", {"table": "parts"}, "Missing: question. Arguments of ask_data_table: "),
        ("ask_data_table", {"table": " ", "question": "?"}, "Missing: table."),
        ("shift_handover", {"sinse": "-8h"}, "Unknown argument: sinse; did you mean 'since'?"),
        ("import_rows", {"table": "prats"}, "did you mean 'parts'?"),
        ("import_rows", {"table": "f" * 24}, "is a placeholder"),
        ("import_rows", {"table": "5f0c0de03000000000009999"}, "was not found"),
        ("import_rows", {"table": "p" * 300}, "has 300 characters"),
        ("investigate_device", {"device": "Mill Lane Pump"}, "did you mean 'Mill Lane Pump"),
        ("triage_new_events", {"applicationId": "x"}, "Unknown argument: applicationId."),
    ],
)
async def test_what_cannot_be_asked_so_is_refused_and_says_what_can(
    connect: Connect, name: str, arguments: dict[str, str], expected: str
) -> None:
    """-32602 on both versions, never an internal error."""
    client = await connect()
    assert expected in await refused(client, name, arguments)


async def test_an_application_that_is_none_is_refused(connect: Connect) -> None:
    """As tools do, and before anything is asked."""
    client = await connect(bound=False)
    message = await refused(client, "triage_new_events", {"applicationId": "my-app"})
    assert "must be an id of 24 hexadecimal characters" in message


async def test_a_denied_table_is_not_told(connect: Connect) -> None:
    """A prompt reads nothing that tools must not touch."""
    client = await connect(deny=("parts",))
    for name in ("ask_data_table", "clean_up_data_table", "import_rows"):
        assert "LOSANT_MCP_DENY" in await refused(client, name, FULL[name])


@pytest.mark.parametrize(
    ("name", "status", "tool"),
    [
        ("triage_new_events", 503, "get_most_severe_event"),
        ("triage_new_events", 404, "get_most_severe_event"),
        ("shift_handover", 403, "summarize_events"),
        ("ask_data_table", 503, "get_data_table"),
    ],
)
async def test_a_prompt_comes_also_while_losant_fails(
    connect: Connect, sandbox: Sandbox, name: str, status: int, tool: str
) -> None:
    """It says that the live data is missing, why, and which tool has it; arguments stay."""
    client = await connect()
    sandbox.set_faults({"kind": "status", "status": status})
    answer = await client.get_prompt(name, FULL[name])
    _, data, missing = texts(answer)
    assert missing.startswith("The live data is missing. ")
    assert missing.endswith(f"Call {tool} for it.")
    assert all(value in data for value in FULL[name].values())


async def test_a_prompt_without_live_data_needs_no_losant(
    connect: Connect, sandbox: Sandbox
) -> None:
    """The device is then told as it was given."""
    client = await connect()
    sandbox.set_faults({"kind": "status", "status": 503})
    answer = await client.get_prompt("investigate_device", FULL["investigate_device"])
    assert data_of(answer) == FULL["investigate_device"]


async def test_a_prompt_does_not_wait_for_a_slow_losant(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """After its time it is answered without the live data."""
    sandbox.set_faults({"kind": "hang"})
    services = services_of(losant, application_id=sandbox.application_id)
    prompts = Prompts(services, FILES, live_seconds=0.01)
    answer = await prompts.get("triage_new_events", {})
    assert "Losant did not answer within 0.01 s. Call " in texts(answer)[1]
