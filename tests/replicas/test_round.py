"""Two replicas behind a load balancer are one server: what one began, the other goes on with."""

from __future__ import annotations

import contextlib
from typing import Any

import anyio
import httpx2
import pytest
from mcp import MCPError
from mcp.server.subscriptions import ResourceUpdated

from tests.calling import Mode, asked, by_column, cells, content, refusal, result, stored
from tests.guard.asking import ask, reply, yes_to
from tests.hosting.serving import INITIALIZE, JSON_RPC
from tests.replicas.proxy import RoundRobin
from tests.replicas.serving import Fleet, a_part, client_of, rows_of
from tests.served import Sandbox

SETTINGS = {"LOSANT_MCP_MAX_CREATE_ROWS": "8"}

pytestmark = [
    pytest.mark.xdist_group("replicas"),
    # What the earlier version has is deprecated, and still what its clients use.
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),
]

TABLE = "parts"
ROWS = 300
NEW = "losant://events/new"


async def test_one_replica_asks_and_the_other_runs(
    fleet: Fleet, proxied: tuple[str, RoundRobin], sandbox: Sandbox
) -> None:
    """And either of them finds the backup and brings it back, with its question at the other."""
    url, proxy = proxied
    async with client_of(url, fleet.keys["ann"]) as client:
        done = await result(client, "truncate_rows", dataTableId=TABLE)
        assert (done["status"], done["removed"]) == ("done", ROWS)
        assert _rounds(proxy) == 2
        [first, second] = [by_column(await result(client, "list_backups")) for _ in range(2)]
        assert first == second
        assert [backup["count"] for backup in first] == [ROWS]
        back = await result(client, "restore_backup", backupId=first[0]["backupId"])
        assert back["status"] == "done"
        rows = await result(client, "query_rows", dataTableId=TABLE, query={}, limit=1)
        assert rows["total"] == ROWS


async def test_a_question_is_answered_at_the_other_replica_alone(
    fleet: Fleet, sandbox: Sandbox
) -> None:
    """The sealed state bears everything that the other one needs, and is nobody else's."""
    one, two = fleet.replicas
    async with (
        one.client(fleet.keys["ann"]) as here,
        two.client(fleet.keys["ann"]) as there,
        two.client(fleet.keys["bob"]) as stranger,
    ):
        question, state = await ask(here, "truncate_rows", dataTableId=TABLE)
        before = stored(sandbox)
        with pytest.raises(MCPError, match="requestState"):
            await reply(stranger, "truncate_rows", state, yes_to(question), dataTableId=TABLE)
        assert stored(sandbox) == before
        answer = await reply(there, "truncate_rows", state, yes_to(question), dataTableId=TABLE)
        assert content(answer)["status"] == "done"
        again = await reply(here, "truncate_rows", state, yes_to(question), dataTableId=TABLE)
        assert content(again)["removed"] == ROWS


@pytest.mark.parametrize("times", [1, 4], ids=["two-at-once", "eight-at-once"])
async def test_a_plan_runs_once_however_many_say_yes(
    fleet: Fleet, sandbox: Sandbox, times: int
) -> None:
    """Both replicas get the same answer at the same moment; Losant is asked to delete once."""
    answers: list[dict[str, Any]] = []
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(replica.client(fleet.keys["ann"]))
            for replica in fleet.replicas
        ]
        # What runs is held up, so that every answer comes while the first one is being followed.
        sandbox.set_faults({"kind": "latency", "endpoint": "dataTableRows.truncate", "ms": 300})
        question, state = await ask(clients[0], "truncate_rows", dataTableId=TABLE)

        async def agree(client: Any) -> None:
            answer = await reply(
                client, "truncate_rows", state, yes_to(question), dataTableId=TABLE
            )
            answers.append(content(answer))

        async with anyio.create_task_group() as tasks:
            for client in clients * times:
                tasks.start_soon(agree, client)
    assert asked(sandbox).count("dataTableRows.truncate") == 1
    known = [answer for answer in answers if "removed" in answer]
    assert [answer["removed"] for answer in known] == [ROWS] * len(known) != []
    others = [answer["message"] for answer in answers if answer not in known]
    assert all("carried out" in message or "approvalId" in message for message in others), others


async def test_budgets_are_shared(
    fleet: Fleet, proxied: tuple[str, RoundRobin], sandbox: Sandbox
) -> None:
    """Both replicas and both versions of the protocol draw on the same hour's budget."""
    url, _ = proxied
    created: list[bool] = []

    async def create(client: Any, number: int) -> None:
        rows = [a_part(f"replica-{number}-{i}") for i in range(2)]
        answer = await client.call_tool("insert_rows", {"dataTableId": TABLE, "rows": rows})
        created.append(not answer.is_error)

    async with (
        client_of(url, fleet.keys["ann"], "auto") as modern,
        client_of(url, fleet.keys["ann"], "legacy") as legacy,
        anyio.create_task_group() as tasks,
    ):
        for number in range(8):
            tasks.start_soon(create, [modern, legacy][number % 2], number)
    assert created.count(True) == 4
    assert rows_of(sandbox) == ROWS + 8


async def test_the_earlier_version_has_no_sessions(
    fleet: Fleet, proxied: tuple[str, RoundRobin], sandbox: Sandbox
) -> None:
    """Its clients read and write at any replica, cannot subscribe, and get no form."""
    url, proxy = proxied
    key = fleet.keys["ann"]
    async with httpx2.AsyncClient(verify=False) as http:
        headers = {**JSON_RPC, "authorization": f"Bearer {key}"}
        begun = await http.post(f"{url}/mcp", json=INITIALIZE, headers=headers)
        assert begun.status_code == 200
        assert "mcp-session-id" not in begun.headers
    async with client_of(url, key, "legacy") as client:
        for _ in range(2):
            status = await result(client, "get_server_status")
            assert status["hosting"]["sessions"].startswith("none, since several servers share")
        event = cells(await result(client, "list_events", perPage=1), "id")[0]
        await result(client, "update_event", eventId=event, comment="seen to")
        with pytest.raises(MCPError, match="Nothing can be sent to this client"):
            await client.subscribe_resource(NEW)
        before = stored(sandbox)
        told = await refusal(client, "truncate_rows", dataTableId=TABLE)
        assert "nobody can be asked" in told
        assert stored(sandbox) == before
    assert {number for number, _ in proxy.served} == {0, 1}


async def test_a_watcher_hears_at_once_of_what_the_other_replica_wrote(
    fleet: Fleet, sandbox: Sandbox
) -> None:
    """The next look of its own would come in an hour."""
    one, two = fleet.replicas
    async with (
        one.client(fleet.keys["ann"]) as watcher,
        two.client(fleet.keys["ann"], "legacy") as writer,
        watcher.listen(resource_subscriptions=[NEW]) as events,
    ):
        heard = aiter(events)
        # The first of them may be seen by the look with which watching begins.
        for subject in ("It leaks", "It still leaks"):
            await result(writer, "create_event", level="error", subject=subject)
            with anyio.fail_after(20):
                assert await anext(heard) == ResourceUpdated(uri=NEW)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_every_call_finds_its_way(
    fleet: Fleet, proxied: tuple[str, RoundRobin], mode: Mode
) -> None:
    """Many at a time, each answered by whichever replica is next."""
    url, proxy = proxied
    found: list[int] = []

    async def look(client: Any) -> None:
        rows = await result(client, "query_rows", dataTableId=TABLE, query={}, limit=1)
        found.append(rows["total"])

    async with client_of(url, fleet.keys["bob"], mode) as client, anyio.create_task_group() as t:
        for _ in range(12):
            t.start_soon(look, client)
    assert found == [ROWS] * 12
    numbers = [number for number, _ in proxy.served]
    assert min(numbers.count(0), numbers.count(1)) >= 6


def _rounds(proxy: RoundRobin) -> int:
    """How many replicas the two rounds of the last guarded call came to."""
    return len({number for number, method in proxy.served if method == "tools/call"})
