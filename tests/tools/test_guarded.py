"""Until a person can be asked, what destroys is listed and typed, and refuses to run."""

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


@pytest.mark.parametrize("more", [{}, {"approvalId": "plan_123"}])
@pytest.mark.parametrize("name", GUARDED)
async def test_a_tool_that_destroys_sends_no_destruction(
    connect: Connect, sandbox: Sandbox, name: str, more: dict[str, str]
) -> None:
    """An approvalId that a model made up grants nothing either."""
    before = stored(sandbox)
    watch = Watch()
    client = await connect(transport=watch)
    text = await refusal(client, name, **arguments(ids_in(sandbox.store))[name], **more)
    assert "needs a person's confirmation" in text
    assert text.endswith("Nothing was changed.")
    assert {endpoint.effect for endpoint in watch.sent} <= {Effect.READ}
    assert stored(sandbox) == before


async def test_deleting_all_events_needs_saying_so(connect: Connect, sandbox: Sandbox) -> None:
    """An empty query alone is more likely a mistake."""
    client = await connect()
    assert "Say all: true" in await refusal(client, "delete_events", query={})
    text = await refusal(client, "delete_events", query={}, all=True)
    assert "needs a person's confirmation" in text


async def test_deleting_all_rows_has_a_tool_of_its_own(connect: Connect) -> None:
    """delete_rows without a condition points to it."""
    client = await connect()
    text = await refusal(client, "delete_rows", dataTableId="sites", query={})
    assert "truncate_rows" in text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"all": True}, "update all 2000 events"),
        ({"filter": "*"}, "update all 2000 events"),
        ({"query": {}}, "update all 2000 events"),
        ({"query": {"$nor": []}}, "update all 2000 events"),
        ({"query": {"id": {}}, "all": True}, "update all 2000 events"),
        ({"fromState": "new"}, "events: it needs a person's"),
        ({"query": {"level": "error"}}, "events: it needs a person's"),
    ],
)
async def test_changing_all_or_many_events_is_not_done_unasked(
    connect: Connect, sandbox: Sandbox, given: dict[str, Any], expected: str
) -> None:
    """What matches everything is unfiltered, however it is written."""
    before = stored(sandbox)
    watch = Watch()
    client = await connect(transport=watch)
    text = await refusal(client, "update_events", **given, state="resolved")
    assert expected in text
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
        db.execute("UPDATE events SET state = 2 WHERE level = 3 AND state = 0")
        db.execute(
            "UPDATE events SET state = 0"
            " WHERE id IN (SELECT id FROM events WHERE level = 3 LIMIT 5)"
        )
    client = await connect(confirm_above=above)
    given = {"query": {"level": "critical"}, "fromState": "new", "state": "acknowledged"}
    if allowed:
        assert (await result(client, "update_events", **given))["changed"] == 5
    else:
        assert "update 5 events" in await refusal(client, "update_events", **given)


async def test_all_events_of_a_small_application_are_still_all(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Three events that happen to be all there are need the same yes."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("DELETE FROM events WHERE id NOT IN (SELECT id FROM events LIMIT 3)")
        db.execute("UPDATE events SET state = 0")
    client = await connect()
    text = await refusal(client, "update_events", fromState="new", state="resolved")
    assert "update all 3 events" in text


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
