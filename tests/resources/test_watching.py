"""Watching resources: who is told what, and when, on both versions of the protocol."""

from __future__ import annotations

from functools import partial

import pytest
from mcp import MCPError
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from losant_mcp.errors import InvalidRequest, RateLimited
from losant_mcp.resources.buses import PrincipalBus
from losant_mcp.resources.watching import LONGEST_SECONDS, MOST_WATCHED, next_wait
from tests.calling import Mode, Serve, asked, result
from tests.resources.listening import Looks, connected, subscribed, watching
from tests.served import Sandbox

NEW = "losant://events/new"
DIGEST = "losant://events/digest"
TABLES = "losant://data-tables"
PARTS = "losant://data-tables/5f0c0de03000000000000004"
OTHER_APPLICATION = "5f0c0de0000000000000ffff"

# What the earlier version has is deprecated, and still what its clients use.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")


def raise_event(sandbox: Sandbox, level: str = "critical") -> str:
    """A new event, from outside; its id."""
    answer = sandbox.http().post(
        f"{sandbox.application_url}/events", json={"level": level, "subject": "It burns"}
    )
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


async def test_two_watchers_share_a_poller_and_hear_of_a_change_once(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """What did not change is not told; a look is one request, however many watch."""
    looks = Looks()
    server = await serve(pause=looks)
    async with watching(server, mode, NEW) as one, watching(server, mode, NEW) as other:
        await looks.settle()
        before = len(asked(sandbox))
        for _ in range(5):
            await looks.again()
        assert asked(sandbox)[before:] == ["events.get"] * 5
        raise_event(sandbox)
        await looks.again()
        assert [await one.next(), await other.next()] == [NEW, NEW]
        await looks.again()
        assert one.more() == other.more() == []
        assert server.resources.watching.watched == [NEW]
    assert server.resources.watching.watched == []


async def test_a_change_that_the_content_does_not_show_is_not_told(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """A comment on some new event moves its date, and nothing that the resource says."""
    looks = Looks()
    server = await serve(pause=looks)
    async with watching(server, mode, NEW) as heard:
        await looks.settle()
        url = f"{sandbox.application_url}/events"
        newest = sandbox.http().get(url, params={"state": "new"}).json()["items"]
        mild = next(event for event in newest if event["level"] == "info")
        answer = sandbox.http().patch(f"{url}/{mild['id']}", json={"comment": "seen from afar"})
        assert answer.status_code == 200
        await looks.again()
        raise_event(sandbox, "warning")
        await looks.again()
        assert await heard.next() == NEW
        assert heard.more() == []


@pytest.mark.parametrize("uri", [NEW, DIGEST])
async def test_an_event_that_is_acknowledged_elsewhere_is_told(
    sandbox: Sandbox, serve: Serve, mode: Mode, uri: str
) -> None:
    """What leaves the new events changes them, too."""
    looks = Looks()
    server = await serve(pause=looks)
    event = raise_event(sandbox)
    async with watching(server, mode, uri) as heard:
        await looks.settle()
        answer = sandbox.http().patch(
            f"{sandbox.application_url}/events/{event}", json={"state": "acknowledged"}
        )
        assert answer.status_code == 200
        await looks.again()
        assert await heard.next() == uri


async def test_a_table_is_told_of_its_rows_columns_and_end(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """A look at a table is two requests; after its end nothing more is told."""
    looks = Looks()
    server = await serve(pause=looks)
    url = f"{sandbox.application_url}/data-tables/{PARTS[-24:]}"
    http = sandbox.http()
    async with watching(server, mode, PARTS) as heard:
        row = http.get(f"{url}/rows", params={"limit": 1}).json()["items"][0]["id"]
        column = {"name": "shelf", "dataType": "string", "constraint": "optional"}
        for change in (
            http.build_request("DELETE", f"{url}/rows/{row}"),
            http.build_request("POST", f"{url}/column", json=column),
            http.build_request("DELETE", url),
        ):
            await looks.settle()
            assert http.send(change).is_success
            before = len(asked(sandbox))
            await looks.again()
            assert len(asked(sandbox)) - before <= 2
            assert await heard.next() == PARTS
        await looks.again()
        assert heard.more() == []


async def test_our_own_write_is_told_at_once(sandbox: Sandbox, serve: Serve, mode: Mode) -> None:
    """No wait ends by itself here: it is the write that has the resources looked at."""
    looks = Looks()
    server = await serve(pause=looks)
    async with (
        watching(server, mode, NEW) as events,
        watching(server, mode, TABLES) as tables,
        connected(server, mode) as (client, _),
    ):
        await looks.settle(2)
        await result(client, "create_event", level="error", subject="It leaks")
        assert await events.next() == NEW
        await result(client, "create_data_table", name="leaks")
        assert await tables.next() == TABLES
        assert events.more() == tables.more() == []


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        (f"losant://applications/{OTHER_APPLICATION}/events/new", "bound"),
        ("losant://data-tables/5f0c0de0300000000000beef", "not found"),
        ("losant://data-tables/parts", "never touched"),
        ("losant://guides/nothing", "guide"),
        ("losant://devices", "no resource"),
        ("https://example.com/", "no resource"),
        ("", "no resource"),
    ],
)
async def test_what_cannot_be_read_cannot_be_watched(
    sandbox: Sandbox, serve: Serve, mode: Mode, uri: str, says: str
) -> None:
    """Foreign, unknown, denied and malformed: an error that names the URI, and no poller."""
    server = await serve(deny=("parts",))
    async with connected(server, mode) as (client, heard):
        with pytest.raises(MCPError) as caught:
            async with subscribed(client, mode, heard, uri):
                pass
        assert caught.value.error.code == INVALID_PARAMS
        assert caught.value.error.data == {"uri": uri}
        assert says in caught.value.error.message
        assert server.resources.watching.watched == []


async def test_an_unbound_server_watches_only_what_its_token_may_read(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """Another application is refused by Losant; the token's own can be watched."""
    looks = Looks()
    server = await serve(bound=False, pause=looks)
    foreign = f"losant://applications/{OTHER_APPLICATION}/events/new"
    own = f"losant://applications/{sandbox.application_id}/events/new"
    async with connected(server, mode) as (client, heard):
        with pytest.raises(MCPError) as caught:
            async with subscribed(client, mode, heard, foreign):
                pass
        assert caught.value.error.data == {"uri": foreign}
        async with subscribed(client, mode, heard, own) as told:
            await looks.settle()
            raise_event(sandbox)
            await looks.again()
            assert await told.next() == own


async def test_what_never_changes_is_watched_for_nothing(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """A guide may be watched, and nobody polls it."""
    server = await serve()
    async with watching(server, mode, "losant://guides/sql"):
        assert server.resources.watching.watched == []
        assert asked(sandbox) == []


async def test_a_caller_watches_a_limited_number(sandbox: Sandbox, serve: Serve) -> None:
    """Each watched resource costs requests, so one too many is refused, and the others go on."""
    server = await serve(pause=Looks())
    watching = server.resources.watching
    http = sandbox.http()
    for number in range(MOST_WATCHED - 5):
        made = http.post(f"{sandbox.application_url}/data-tables", json={"name": f"t{number}"})
        assert made.status_code == 201
    tables = http.get(f"{sandbox.application_url}/data-tables", params={"perPage": 100}).json()
    uris = [f"losant://data-tables/{table['id']}" for table in tables["items"]]
    assert len(uris) == MOST_WATCHED
    releases = [await watching.watch(uri) for uri in uris]
    with pytest.raises(InvalidRequest):
        await watching.watch(NEW)
    assert watching.watched == uris
    for release in (releases[0], releases[0]):  # the second time makes no difference
        release()
    await watching.watch(NEW)
    assert watching.watched == [*uris[1:], NEW]


async def test_failures_are_waited_out_and_then_the_change_is_told(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """Each failure in a row doubles the wait, which is never shorter than Losant asked for."""
    looks = Looks()
    server = await serve(pause=looks, poll_seconds=10)
    async with watching(server, mode, NEW) as heard:
        await looks.settle()
        raise_event(sandbox)
        sandbox.set_faults({"kind": "status", "status": 500})
        for _ in range(3):
            await looks.again()
        sandbox.set_faults({"kind": "status", "status": 429, "retryAfter": 900})
        await looks.again()
        sandbox.set_faults()
        await looks.again()
        assert await heard.next() == NEW
    for wait, about in zip(looks.waits, (10, 20, 40, 80), strict=False):
        assert about * 0.9 <= wait <= about * 1.1
    assert looks.waits[4] == 900
    assert looks.waits[5] <= 11


async def test_our_own_writes_do_not_shorten_a_wait_that_losant_asked_for(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """While it backs off, a poller is not woken."""
    looks = Looks()
    server = await serve(pause=looks)
    async with watching(server, mode, NEW), connected(server, mode) as (client, _):
        await looks.settle()
        sandbox.set_faults({"kind": "status", "status": 429, "endpoint": "events.get"})
        await looks.again()
        waits = len(looks.waits)
        sandbox.set_faults()
        await result(client, "create_event", level="error", subject="It leaks")
        assert len(looks.waits) == waits
        assert looks.waiting == 1


async def test_who_subscribes_while_losant_is_down_is_told_so(
    sandbox: Sandbox, serve: Serve, mode: Mode
) -> None:
    """It is no missing resource, and nothing is polled for whoever was refused."""
    server = await serve()
    sandbox.set_faults({"kind": "status", "status": 503})
    async with connected(server, mode) as (client, heard):
        with pytest.raises(MCPError) as caught:
            async with subscribed(client, mode, heard, NEW):
                pass
        assert caught.value.error.code == INTERNAL_ERROR
        assert caught.value.error.data == {"uri": NEW}
        assert server.resources.watching.watched == []


def test_waits_grow_to_a_limit_and_never_below_what_was_asked_for() -> None:
    """Also where a look takes long: then a tenth of the time is spent on looking."""
    assert {13.5 <= next_wait(15) <= 16.5 for _ in range(100)} == {True}
    assert len({next_wait(15) for _ in range(100)}) > 50
    assert next_wait(15, failures=1000) <= LONGEST_SECONDS * 1.1
    assert next_wait(3600) >= 3240
    limited = RateLimited("Slow down.", status=429, retry_after=5000.0)
    assert next_wait(15, failures=1, error=limited) == 5000.0
    assert next_wait(15, took=60.0) == 600.0


async def test_on_one_bus_everybody_hears_only_their_own() -> None:
    """Two principals share what lies below, as replicas do."""
    shared = InMemorySubscriptionBus()
    heard: dict[str, list[ServerEvent]] = {"ada": [], "bob": []}
    buses = {name: PrincipalBus(partial(str, name), shared) for name in heard}
    ends = [bus.subscribe(heard[name].append) for name, bus in buses.items()]
    await buses["ada"].publish(ResourceUpdated(uri=NEW))
    await buses["ada"].publish_update("bob", PARTS)
    assert heard == {"ada": [ResourceUpdated(uri=NEW)], "bob": [ResourceUpdated(uri=PARTS)]}
    for end in ends:
        end()
    await buses["ada"].publish(ResourceUpdated(uri=NEW))
    assert len(heard["ada"]) == 1
