"""What destroys, or changes many events, waits for a person; nothing of it leaves before."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.api.endpoint import Effect
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, refusal, result, stored
from tests.served import Sandbox
from tests.tools.plausible import GUARDED, arguments, ids_in
from tests.tools.watching import Watch


def test_every_tool_that_destroys_is_in_the_table() -> None:
    """A new one cannot slip past these tests."""
    assert set(GUARDED) == {n for n, spec in TOOLS.items() if spec.effect is Effect.DESTROY}


@pytest.mark.parametrize("name", GUARDED)
async def test_a_tool_that_destroys_waits_for_a_person(
    connect: Connect, sandbox: Sandbox, name: str
) -> None:
    """This client cannot ask, so the answer tells what to ask the person for."""
    before = stored(sandbox)
    watch = Watch()
    client = await connect(transport=watch)
    found = await result(client, name, **arguments(ids_in(sandbox.store))[name])
    assert found["status"] == "approval_required"
    assert found["plan"]["what"].startswith("DELETE")
    assert {endpoint.effect for endpoint in watch.sent} <= {Effect.READ}
    assert stored(sandbox) == before


@pytest.mark.parametrize("mode", ["auto"])
@pytest.mark.parametrize("name", GUARDED)
async def test_an_approval_that_a_model_made_up_grants_nothing(
    connect: Connect, sandbox: Sandbox, name: str
) -> None:
    """It belongs to no plan."""
    before = stored(sandbox)
    watch = Watch()
    client = await connect(transport=watch)
    given = arguments(ids_in(sandbox.store))[name]
    text = await refusal(client, name, **given, approvalId="apr_" + "a" * 26)
    assert "belongs to no plan" in text
    assert text.endswith("Nothing was changed.")
    assert {endpoint.effect for endpoint in watch.sent} <= {Effect.READ}
    assert stored(sandbox) == before


async def test_deleting_all_events_needs_saying_so(connect: Connect, sandbox: Sandbox) -> None:
    """An empty query alone is more likely a mistake."""
    client = await connect()
    assert "Say all: true" in await refusal(client, "delete_events", query={})
    found = await result(client, "delete_events", query={}, all=True)
    assert found["status"] == "approval_required"


async def test_deleting_all_rows_has_a_tool_of_its_own(connect: Connect) -> None:
    """delete_rows without a condition points to it."""
    client = await connect()
    text = await refusal(client, "delete_rows", dataTableId="sites", query={})
    assert "truncate_rows" in text


@pytest.mark.parametrize("mode", ["auto"])
@pytest.mark.parametrize(
    "given", [{"filter": "*"}, {"query": {}}, {"query": {"$nor": []}}, {"query": {"id": {}}}]
)
async def test_all_events_however_written_need_saying_so(
    connect: Connect, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    """What matches everything is unfiltered, whatever it looks like."""
    before = stored(sandbox)
    client = await connect()
    text = await refusal(client, "update_events", **given, state="resolved")
    assert "This selects all 2,000 events" in text
    found = await result(client, "update_events", **given, all=True, state="resolved")
    assert found["status"] == "approval_required"
    assert stored(sandbox) == before


@pytest.mark.parametrize("given", [{"fromState": "new"}, {"query": {"level": "error"}}])
async def test_changing_many_events_waits_for_a_person(
    connect: Connect, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    """Above LOSANT_MCP_CONFIRM_ABOVE nothing but reads leaves unasked."""
    before = stored(sandbox)
    watch = Watch()
    client = await connect(transport=watch)
    found = await result(client, "update_events", **given, state="resolved")
    assert found["status"] == "approval_required"
    assert {endpoint.effect for endpoint in watch.sent} == {Effect.READ}
    assert stored(sandbox) == before


async def test_nothing_selected_is_not_everything(connect: Connect, sandbox: Sandbox) -> None:
    """Without filter, fromState, query or all, update_events asks what is meant."""
    client = await connect()
    text = await refusal(client, "update_events", state="resolved")
    assert "Give filter, fromState or query, or all: true." in text


@pytest.mark.parametrize(("above", "allowed"), [(0, False), (4, False), (5, True), (25, True)])
async def test_how_many_events_are_many_is_a_setting(
    connect: Connect, sandbox: Sandbox, above: int, allowed: bool
) -> None:
    """LOSANT_MCP_CONFIRM_ABOVE is the most that is changed unasked."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("UPDATE events SET state = 2 WHERE level = 3")
        db.execute(
            "UPDATE events SET state = 0"
            " WHERE id IN (SELECT id FROM events WHERE level = 3 LIMIT 5)"
        )
    client = await connect(confirm_above=above)
    given = {"query": {"level": "critical"}, "fromState": "new", "state": "acknowledged"}
    found = await result(client, "update_events", **given)
    assert found["status"] == ("done" if allowed else "approval_required")
    [(changed,)] = sandbox.store.rows("SELECT COUNT(*) FROM events WHERE level = 3 AND state = 1")
    assert (changed >= 5) == allowed


async def test_all_events_of_a_small_application_are_still_all(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Three events that happen to be all there are need the same yes."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("DELETE FROM events WHERE id NOT IN (SELECT id FROM events LIMIT 3)")
        db.execute("UPDATE events SET state = 0")
    client = await connect()
    text = await refusal(client, "update_events", fromState="new", state="resolved")
    assert "This selects all 3 events of the application" in text


@pytest.mark.parametrize("given", [{}, {"detachDevice": False}])
async def test_an_update_without_a_change_is_refused(
    connect: Connect, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    """Losant would take it and do nothing."""
    client = await connect()
    for name, where in (
        ("update_event", {"eventId": ids_in(sandbox.store).event}),
        ("update_events", {"fromState": "new"}),
    ):
        assert "Nothing to change was given." in await refusal(client, name, **where, **given)
    assert "Nothing to change" in await refusal(client, "update_data_table", dataTableId="sites")


async def test_a_device_is_given_or_removed_but_not_both(
    connect: Connect, sandbox: Sandbox
) -> None:
    """The two say the opposite of each other."""
    client = await connect()
    ids = ids_in(sandbox.store)
    text = await refusal(
        client, "update_event", eventId=ids.event, deviceId=ids.device, detachDevice=True
    )
    assert "give one of them" in text
