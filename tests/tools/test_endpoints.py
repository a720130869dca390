"""What a tool asks of Losant is what it declares: its hints can be believed."""

from __future__ import annotations

import pytest

from losant_mcp.api.endpoint import Effect
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, content, text_of
from tests.served import Sandbox
from tests.tools.plausible import GUARDED, UNASKED, arguments, ids_in
from tests.tools.watching import Watch


@pytest.mark.parametrize("name", TOOLS)
async def test_a_tool_asks_only_what_it_declares(
    connect: Connect, sandbox: Sandbox, name: str
) -> None:
    """Every request is for a declared endpoint, and the tool's own one is among them, but for
    what waits for a person's yes.
    """
    watch = Watch()
    client = await connect(transport=watch)
    answer = await client.call_tool(name, arguments(ids_in(sandbox.store))[name])
    assert answer.is_error == (name == "restore_backup"), text_of(answer)
    if name in GUARDED:
        assert content(answer)["status"] == "approval_required"
    spec = TOOLS[name]
    sent = {endpoint.id for endpoint in watch.sent}
    assert sent <= {endpoint.id for endpoint in spec.reach}
    if name in UNASKED:
        assert {e.effect for e in watch.sent} <= {Effect.READ}
    else:
        assert {e.effect for e in watch.sent} >= {spec.effect}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("list_jobs", {"jobId": "5f0000000000000000000009"}),
        ("get_data_table", {"dataTableId": "no such table"}),
        ("get_device", {"deviceId": "no such device"}),
        ("query_time_series", {"deviceTags": [{"key": "site"}]}),
        ("list_events", {"filter": "nothing like this"}),
        ("query_rows", {"dataTableId": "sites", "query": {"name": "nothing"}}),
        ("query_last_values", {"attribute": "nothing", "deviceQuery": {}}),
        ("update_events", {"filter": "nothing like this", "state": "resolved"}),
    ],
)
async def test_a_tool_asks_only_what_it_declares_where_nothing_is_found(
    connect: Connect, name: str, arguments: dict[str, object]
) -> None:
    """Hints and candidates come from declared endpoints, too."""
    watch = Watch()
    client = await connect(transport=watch)
    await client.call_tool(name, arguments)
    assert watch.sent
    assert set(watch.sent_ids) <= {endpoint.id for endpoint in TOOLS[name].reach}


async def test_a_listed_application_is_asked_for_by_its_id_where_the_server_is_bound(
    connect: Connect,
) -> None:
    """An application token may read its own application, but list none."""
    for bound, expected in ((True, "application.get"), (False, "applications.get")):
        watch = Watch()
        client = await connect(bound=bound, transport=watch)
        await client.call_tool("list_applications", {})
        assert watch.sent_ids == [expected]


def test_lookups_by_name_are_declared_where_an_argument_takes_a_name() -> None:
    """A table's or a device's name costs a read of its collection."""
    reach = {spec.name: {endpoint.id for endpoint in spec.reach} for spec in TOOLS.values()}
    assert "dataTables.get" in reach["get_row"]
    assert "devices.get" in reach["create_event"]
    assert "devices.get" in reach["query_time_series"]
    assert reach["get_event"] == {"event.get"}
    assert Effect.READ is TOOLS["get_row"].effect
