"""A prompt or template that somebody adds is completed by the names of its arguments alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import Completion, PromptReference, ResourceTemplateReference

from losant_mcp.analysis.workbench import Workbench
from losant_mcp.client import LosantClient
from losant_mcp.completions import Completions, offer_completions
from losant_mcp.completions.choices import MOST
from losant_mcp.completions.memory import MOST as MOST_KEPT
from losant_mcp.completions.memory import PAUSE, SECONDS
from losant_mcp.config import Settings
from losant_mcp.guard.door import GuardDoor
from losant_mcp.tools.call import Services
from losant_mcp.tools.times import Clock
from tests.calling import Mode, asked
from tests.served import Sandbox

TEMPLATE = "losant://parts/{dataTableId}/{column}/{state}/{tag}"
DEVICES, NAMESAKES = 1_200, 1_050


@pytest.fixture
def services(sandbox: Sandbox, losant: LosantClient) -> Services:
    """What a bound server's calls share."""
    settings = Settings(api_url=sandbox.url)
    return Services(
        settings=settings,
        client=losant,
        clock=Clock("UTC"),
        guard=GuardDoor(settings, losant),
        workbench=Workbench(),
        bound_to=sandbox.application_id,
    )


@pytest.fixture
async def client(
    services: Services, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    """A client of a server with one prompt and one template that have every kind of argument."""
    monkeypatch.setattr("losant_mcp.completions.SECONDS", 60.0)
    server: MCPServer[None] = MCPServer("any", log_level="WARNING")

    @server.prompt()
    def report(
        data_table: str, sortColumn: str, deviceId: str, tagKey: str, newState: str, other: str
    ) -> str:
        return "A report."

    @server.resource(TEMPLATE)
    def part(dataTableId: str, column: str, state: str, tag: str) -> str:
        return "A part."

    offer_completions(server, services)
    async with Client(server, mode=mode) as client:
        yield client


async def _offered(client: Client, argument: str, typed: str = "", /, **given: str) -> Completion:
    answer = await client.complete(
        PromptReference(name="report"), {"name": argument, "value": typed}, given or None
    )
    return answer.completion


async def test_columns_are_those_of_the_chosen_table(client: Client, sandbox: Sandbox) -> None:
    """By name or id of the table, in its own order; without one there are none."""
    columns = (await _offered(client, "sortColumn", data_table="parts")).values
    assert columns[:3] == ["partNumber", "description", "category"]
    by_id = await _offered(client, "sortColumn", "co", data_table="5f0c0de03000000000000004")
    assert by_id.values == ["unitCost", "discontinued"]
    for given in ({}, {"data_table": ""}, {"data_table": "par"}, {"data_table": "no such"}):
        assert (await _offered(client, "sortColumn", **given)).values == []
    assert asked(sandbox) == ["dataTables.get"]


async def test_tags_and_states_are_completed(client: Client, sandbox: Sandbox) -> None:
    """Tag keys are those that devices have."""
    assert (await _offered(client, "tagKey")).values == [
        "district",
        "duty",
        "floor",
        "model",
        "site",
    ]
    assert (await _offered(client, "tagKey", "o")).values == ["floor", "model"]
    assert (await _offered(client, "newState", "a")).values == ["acknowledged"]
    assert (await _offered(client, "newState")).values == ["new", "acknowledged", "resolved"]
    assert (await _offered(client, "other")).values == []
    assert asked(sandbox) == ["devices.get"]


async def test_a_template_is_completed_like_a_prompt(client: Client) -> None:
    """Its variables may be columns, states and tags as well."""
    reference = ResourceTemplateReference(uri=TEMPLATE)
    chosen = {"dataTableId": "parts"}
    for variable, typed, expected in (
        ("column", "co", ["unitCost", "discontinued"]),
        ("state", "", ["new", "acknowledged", "resolved"]),
        ("tag", "o", ["floor", "model"]),
    ):
        answer = await client.complete(reference, {"name": variable, "value": typed}, chosen)
        assert answer.completion.values == expected


@pytest.fixture
def many(sandbox: Sandbox) -> None:
    """More devices than come in one page; most of them share a word."""
    with sandbox.store.transaction(write=True) as db:
        rows = [
            (f"{i:024x}", f"{'Meter' if i < NAMESAKES else 'Valve'} {i:04}")
            for i in range(1, DEVICES + 1)
        ]
        db.execute("DELETE FROM devices")
        db.executemany(
            "INSERT INTO devices (id, applicationId, name, deviceClass, creationDate, lastUpdated)"
            f" VALUES (?, '{sandbox.application_id}', ?, 'standalone', 1, 1)",
            rows,
        )
        db.execute("UPDATE devices SET name = 'A meter' WHERE name = 'Meter 0001'")


@pytest.mark.usefixtures("many")
async def test_devices_beyond_the_first_page_are_found(client: Client, sandbox: Sandbox) -> None:
    """Losant looks for what was typed; without a whole list no total is claimed."""
    valve = await _offered(client, "deviceId", "valve 119")
    assert valve.values == [f"Valve {n}" for n in range(1190, 1200)]
    assert (valve.total, valve.has_more) == (10, False)
    assert (await _offered(client, "deviceId", "VALVE 119")) == valve
    assert asked(sandbox) == ["devices.get"] * 2
    meters = await _offered(client, "deviceId", "meter")
    assert meters.values[0] == "Meter 0002"
    assert len(set(meters.values)) == MOST
    assert (meters.total, meters.has_more) == (None, True)
    everything = await _offered(client, "deviceId")
    assert (len(everything.values), everything.total, everything.has_more) == (MOST, None, True)


class Seconds:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return self.passed


async def test_what_is_remembered_is_soon_asked_anew(services: Services, sandbox: Sandbox) -> None:
    """A list stays for a moment, a failure for a shorter one."""
    now = Seconds()
    completions = Completions(services, seconds=60, now=now)

    async def tables() -> list[str]:
        return (await completions.of("table", "part", {})).values

    sandbox.set_faults({"kind": "status", "status": 403, "times": 1})
    assert await tables() == []
    now.passed += PAUSE - 0.1
    assert await tables() == []
    now.passed += 0.2
    assert await tables() == ["parts"]
    now.passed += SECONDS - 0.1
    assert await tables() == ["parts"]
    assert len(asked(sandbox)) == 2
    now.passed += 0.2
    assert await tables() == ["parts"]
    assert len(asked(sandbox)) == 3


async def test_what_is_remembered_is_bounded(services: Services, sandbox: Sandbox) -> None:
    """Whoever asks for ever new things pushes out the oldest."""
    completions = Completions(services, seconds=60)

    async def requests(number: int) -> int:
        before = len(asked(sandbox))
        await completions.of("table", "", {"applicationId": f"{number:024x}"})
        return len(asked(sandbox)) - before

    assert [await requests(number) for number in range(MOST_KEPT + 1)] == [1] * (MOST_KEPT + 1)
    assert [await requests(number) for number in (MOST_KEPT, 1, 0)] == [0, 0, 1]


async def test_many_at_once_load_once(services: Services, sandbox: Sandbox) -> None:
    """They wait for the first one."""
    completions = Completions(services, seconds=60)
    async with anyio.create_task_group() as group:
        for typed in ("", "s", "si", "sit", "site"):
            group.start_soon(completions.of, "table", typed, {})
    assert asked(sandbox) == ["dataTables.get"]
