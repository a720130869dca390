"""completion/complete as a client asks for it, on both protocol versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.types import Completion, PromptReference, ResourceTemplateReference

from losant_mcp import completions, guides
from losant_mcp.sandbox.store import Store
from tests.calling import Connect, asked, result
from tests.served import Sandbox

TABLES = ["assets", "maintenance_log", "parts", "shift_notes", "sites"]
TABLE = "losant://data-tables/{dataTableId}"
FOREIGN = "5f0c0de0ffffffffffffffff"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A busy machine must not pass for a slow Losant, but where one is tested."""
    if "fault" not in request.fixturenames:
        monkeypatch.setattr(completions, "SECONDS", 60.0)


async def complete(
    client: Client, ref: str, argument: str, typed: str = "", /, **given: str
) -> Completion:
    """What is offered for an argument of a prompt, or a variable of a template."""
    whole = ResourceTemplateReference(uri=ref) if "://" in ref else PromptReference(name=ref)
    answer = await client.complete(whole, {"name": argument, "value": typed}, given or None)
    return answer.completion


async def values(client: Client, ref: str, argument: str, typed: str = "", /, **given: str) -> Any:
    """The values alone."""
    return (await complete(client, ref, argument, typed, **given)).values


async def test_prompts_and_templates_are_completed(connect: Connect) -> None:
    """Tables, columns, devices, tags, levels, times and guides, by the first letters or others."""
    client = await connect()
    assert await values(client, TABLE, "dataTableId") == TABLES
    assert await values(client, "ask_data_table", "table", "S") == [
        *("shift_notes", "sites"),
        *("assets", "parts"),
    ]
    assert await values(client, "ask_data_table", "table", "note") == ["shift_notes"]
    assert await values(client, "triage_new_events", "level", "r") == [
        "warning",
        "error",
        "critical",
    ]
    assert await values(client, "losant://guides/{name}", "name") == guides.names()
    column = await values(client, "clean_up_data_table", "column", "co", table="parts")
    assert column == ["unitCost", "discontinued"]
    assert await values(client, "clean_up_data_table", "column") == []
    assert await values(client, "investigate_device", "tag", "s") == ["site", "district"]
    assert "yesterday" in await values(client, "shift_handover", "since", "y")
    pumps = await complete(client, "investigate_device", "device", "pump")
    assert pumps.values[:2] == ["Alder Street Pump 1", "Alder Street Pump 2"]
    listed = await result(client, "list_devices", query={"name": {"$contains": "Pump"}})
    assert (len(pumps.values), pumps.total, pumps.has_more) == (*[listed["total"]] * 2, False)


async def test_what_is_offered_is_taken(connect: Connect, sandbox: Sandbox) -> None:
    """Each table and device that is offered can be asked about by exactly this text."""
    _rename(sandbox.store, "data_tables", "sites", "si\u202etes")
    _rename(sandbox.store, "data_tables", "assets", "parts")
    _rename(sandbox.store, "data_tables", "shift_notes", "notes / shifts")
    _rename(sandbox.store, "devices", "Alder Street Pump 2", "Alder Street Pump 1")
    client = await connect()
    tables = await values(client, "ask_data_table", "table")
    assert tables == [*("maintenance_log", "notes / shifts"), *_ids("2", "4", "1")]
    for table in tables:
        await result(client, "get_data_table", dataTableId=table)
    for table in await values(client, TABLE, "dataTableId"):
        await client.read_resource(f"losant://data-tables/{table}")
    devices = await values(client, "investigate_device", "device", "alder")
    assert len(devices) == 2
    for device in devices:
        await result(client, "get_device", deviceId=device)


async def test_what_nobody_declared_is_not_completed(connect: Connect, sandbox: Sandbox) -> None:
    """Unknown prompts, templates and arguments, and free texts, get an empty list unasked."""
    client = await connect()
    for ref, argument in (
        ("no_such_prompt", "table"),
        ("triage_new_events", "table"),
        ("ask_data_table", "question"),
        ("losant://no-such/{dataTableId}", "dataTableId"),
        ("losant://data-tables/{table}", "table"),
        (TABLE, "deviceId"),
        ("losant://data-tables", "dataTableId"),
        ("losant://applications/{applicationId}/data-tables/{dataTableId}", "dataTableId"),
    ):
        assert await values(client, ref, argument) == []
    assert await values(client, TABLE, "dataTableId", "s" * 5000) == []
    assert asked(sandbox) == []
    events = await connect(toolsets=("events",))
    assert await values(events, "ask_data_table", "table") == []
    assert await values(events, TABLE, "dataTableId") == []
    assert asked(sandbox) == []


async def test_an_unbound_server_completes_within_the_chosen_application(
    connect: Connect, sandbox: Sandbox
) -> None:
    """It never picks one; the applications are found by name and offered by id."""
    client = await connect(bound=False)
    template = f"losant://applications/{{applicationId}}/{TABLE.removeprefix('losant://')}"
    chosen = sandbox.application_id
    assert await values(client, template, "applicationId", "creek") == [chosen]
    assert await values(client, template, "applicationId", chosen[:8]) == [chosen]
    assert await values(client, template, "dataTableId", applicationId=chosen) == TABLES
    assert await values(client, "ask_data_table", "table", applicationId=chosen) == TABLES
    before = asked(sandbox)
    for application in ("", " ", "no id", "../../me"):
        assert await values(client, template, "dataTableId", applicationId=application) == []
    assert await values(client, template, "dataTableId") == []
    assert asked(sandbox) == before
    assert await values(client, template, "dataTableId", applicationId=FOREIGN) == []


async def test_a_bound_server_knows_no_other_application(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Whatever the context says, and also when its own tables are remembered."""
    client = await connect()
    assert await values(client, "ask_data_table", "table") == TABLES
    for name in ("ask_data_table", "investigate_device"):
        argument = "table" if name == "ask_data_table" else "device"
        assert await values(client, name, argument, applicationId=FOREIGN) == []
    assert asked(sandbox) == ["dataTables.get"]


@pytest.mark.parametrize("deny", ["sites", "5F0C0DE03000000000000001"])
async def test_a_denied_table_is_not_offered(connect: Connect, deny: str) -> None:
    """Neither by name nor by id."""
    client = await connect(deny=(deny,))
    assert await values(client, "ask_data_table", "table") == TABLES[:-1]
    assert await values(client, TABLE, "dataTableId", "5f0c0de03000000000000001") == []


async def test_letters_typed_one_by_one_ask_losant_once(connect: Connect, sandbox: Sandbox) -> None:
    """What was loaded a moment ago is used again, until one of our own writes."""
    client = await connect()
    for end in range(6):
        assert "sites" in await values(client, "ask_data_table", "table", "sites"[:end])
    assert asked(sandbox) == ["dataTables.get"]
    await result(client, "create_data_table", name="sites of old")
    assert await values(client, "ask_data_table", "table", "sites") == ["sites", "sites of old"]
    assert asked(sandbox).count("dataTables.get") == 2


async def test_two_principals_share_nothing(connect: Connect, sandbox: Sandbox) -> None:
    """What one has loaded is not offered to another, whose token may see less."""
    first, second = await connect(), await connect(token="read")
    assert await values(first, "ask_data_table", "table") == TABLES
    sandbox.set_faults({"kind": "status", "status": 403, "endpoint": "dataTables.get"})
    assert await values(second, "ask_data_table", "table") == []
    assert await values(first, "ask_data_table", "table") == TABLES


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 429, "retryAfter": 1},
        {"kind": "status", "status": 500},
        {"kind": "html"},
        {"kind": "drop_before"},
        {"kind": "hang"},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}",
)
@pytest.mark.parametrize("mode", ["auto"])
async def test_where_losant_fails_the_list_is_empty(
    connect: Connect, sandbox: Sandbox, fault: Mapping[str, Any]
) -> None:
    """Never an error, and never a long wait; what needs no Losant is still offered."""
    sandbox.set_faults(dict(fault))
    client = await connect()
    # Less than the client's own timeout of a read, and far more than anybody should wait.
    with anyio.fail_after(20):
        found = await complete(client, "ask_data_table", "table")
    assert (found.values, found.total) == ([], None)
    assert await values(client, "triage_new_events", "level", "crit") == ["critical"]


async def test_a_failure_is_not_repeated_at_each_letter(connect: Connect, sandbox: Sandbox) -> None:
    """A Losant that refuses is left alone for a moment."""
    sandbox.set_faults({"kind": "status", "status": 403})
    client = await connect()
    for typed in ("s", "si", "sit"):
        assert await values(client, "ask_data_table", "table", typed) == []
    assert len(asked(sandbox)) == 1


async def test_nothing_waits_for_a_server_that_cannot_be_reached(connect: Connect) -> None:
    """A broken transport is a failure like any other."""

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("unreachable", request=request)

    client = await connect(transport=httpx.MockTransport(broken))
    assert await values(client, "investigate_device", "device", "x") == []


def _rename(store: Store, what: str, old: str, new: str) -> None:
    with store.transaction(write=True) as db:
        db.execute(f"UPDATE {what} SET name = ? WHERE name = ?", (new, old))


def _ids(*ends: str) -> list[str]:
    return [f"5f0c0de0300000000000000{end}" for end in ends]
