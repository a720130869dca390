"""Nothing of one caller reaches another: results, sessions, answers, backups, plans, log lines."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestParams, ElicitResult, InputRequiredResult

from tests.calling import Mode, by_column, cells, refusal, result, stored, text_of
from tests.hosting.approving import desk
from tests.hosting.serving import INITIALIZE, JSON_RPC, Served, served
from tests.resources.listening import connected, subscribed
from tests.served import Sandbox

CALLERS = 50
LEGACY = {"mcp-protocol-version": "2025-11-25"}
AGAIN = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}


async def test_fifty_callers_at_once_see_only_their_own(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Reads, changes, backups, plans and the status, mixed, on both protocol versions."""
    caplog.set_level(logging.INFO, "losant_mcp.calls")
    backups: dict[str, list[str]] = {}
    plans: dict[str, str] = {}
    all_planned = anyio.Event()
    async with desk(sandbox, tmp_path, max_requests=400) as at:
        host = at.host
        names = [f"caller-{number:02}" for number in range(CALLERS)]
        keys = {name: host.keys.add(name, "full") for name in names}
        async with host.client(host.keys.add("looker", "read")) as looker:
            events = cells(await result(looker, "list_events", perPage=CALLERS), "id")

        async def work(number: int) -> None:
            name = names[number]
            mode: Mode = "legacy" if number % 2 else "auto"
            async with host.client(keys[name], mode) as client:
                status = await result(client, "get_server_status")
                assert status["hosting"]["caller"] == f"key-{name}"
                done = await result(client, "update_event", eventId=events[number], comment=name)
                assert name in json.dumps(done), done
                event = (await result(client, "get_event", eventId=events[number]))["event"]
                assert event["id"] == events[number]
                assert name in json.dumps(event), event
                found = by_column(await result(client, "list_backups"))
                backups[name] = [backup["backupId"] for backup in found]
                planned = await result(client, "delete_event", eventId=events[number])
                plans[name] = planned["approvalId"]
                if len(plans) == CALLERS:
                    all_planned.set()
                await all_planned.wait()
                other = (number + 1) % CALLERS
                given = {"eventId": events[other], "approvalId": plans[names[other]]}
                assert "belongs to no plan" in await refusal(client, "delete_event", **given)
                again = await result(client, "get_server_status")
                assert again["hosting"]["caller"] == f"key-{name}"
                waiting = [plan["approvalId"] for plan in again["pendingApprovals"]]
                assert waiting == [plans[name]]

        async with anyio.create_task_group() as tasks:
            for number in range(CALLERS):
                tasks.start_soon(work, number)
        assert len(host.hosting.tenants.all) == CALLERS + 1
    assert all(len(kept) == 1 for kept in backups.values())
    assert len({kept[0] for kept in backups.values()}) == CALLERS
    assert _calls(caplog) == {f"key-{name}": 7 for name in names} | {"key-looker": 1}
    assert _audited(tmp_path) == {f"key-{name}" for name in names}


def _calls(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """How many calls were logged of each caller; every request has an id of its own."""
    found: dict[str, int] = defaultdict(int)
    requests = set()
    for record in caplog.records:
        if record.name == "losant_mcp.calls":
            found[record.__dict__["principal"]] += 1
            requests.add(record.__dict__["request"])
    assert len(requests) == sum(found.values())
    return dict(found)


def _audited(folder: Path) -> set[str]:
    [audit] = folder.rglob("audit.jsonl")
    return {json.loads(line)["principal"] for line in audit.read_text().splitlines()}


async def test_a_backup_of_another_caller_is_not_there(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """Neither in the list, nor to be restored by who learned its id."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        alice, bob = host.keys.add("alice", "write"), host.keys.add("bob", "write")
        async with host.client(alice, mode) as client:
            [event] = cells(await result(client, "list_events", perPage=1), "id")
            await result(client, "update_event", eventId=event, comment="hers")
            [backup] = cells(await result(client, "list_backups"), "backupId")
        before = stored(sandbox)
        async with host.client(bob, mode) as client:
            assert (await result(client, "list_backups"))["total"] == 0
            answer = await client.call_tool("restore_backup", {"backupId": backup})
            assert answer.is_error
        assert stored(sandbox) == before


# What the earlier version has is deprecated, and still what its clients use.
@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
async def test_a_watcher_hears_of_what_is_theirs_alone(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """Each watches something else, and is told of that and of nothing besides."""
    new, tables = "losant://events/new", "losant://data-tables"
    async with (
        served(sandbox, tmp_path, auth="keys", poll_seconds=3600) as host,
        host.http(host.keys.add("alice", "write")) as alice,
        host.http(host.keys.add("bob", "write")) as bob,
    ):
        address = f"{host.url}/mcp"
        async with (
            connected(streamable_http_client(address, http_client=alice), mode) as (her, told),
            connected(streamable_http_client(address, http_client=bob), mode) as (his, told_too),
            subscribed(her, mode, told, new) as heard,
            subscribed(his, mode, told_too, tables) as heard_too,
        ):
            await result(her, "create_event", subject="It leaks", level="error")
            assert await heard.next() == new
            await result(his, "update_data_table", dataTableId="sites", description="Sites")
            assert await heard_too.next() == tables
            assert tables not in heard.more()
            assert new not in heard_too.more()


async def test_a_session_is_its_openers_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """To everybody else it is not there, whatever they do with its id."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        alice, bob = host.keys.add("alice", "full"), host.keys.add("bob", "full")
        async with host.http(alice, **JSON_RPC) as hers, host.http(bob, **JSON_RPC) as his:
            opened = await hers.post("/mcp", json=INITIALIZE)
            session = {**LEGACY, "mcp-session-id": opened.headers["mcp-session-id"]}
            assert (await his.post("/mcp", json=INITIALIZE)).status_code == 200
            assert (await his.post("/mcp", json=AGAIN, headers=session)).status_code == 404
            assert (await his.get("/mcp", headers=session)).status_code == 404
            assert (await his.delete("/mcp", headers=session)).status_code == 404
            async with host.http(**JSON_RPC) as nobody:
                assert (await nobody.post("/mcp", json=AGAIN, headers=session)).status_code == 401
            assert (await hers.post("/mcp", json=AGAIN, headers=session)).status_code == 200


async def test_an_answer_to_another_callers_question_is_refused(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A sealed state that was carried over is not read, and nothing is deleted."""
    async with served(sandbox, tmp_path, auth="keys", ask="form") as host:
        alice, bob = host.keys.add("alice", "full"), host.keys.add("bob", "full")
        async with _asking(host, alice) as hers, _asking(host, bob) as his:
            [event] = cells(await result(hers, "list_events", perPage=1), "id")
            before = stored(sandbox)
            given: dict[str, Any] = {"eventId": event}
            question = await hers.session.call_tool(
                "delete_event", given, allow_input_required=True
            )
            assert isinstance(question, InputRequiredResult)
            yes = {"confirmation": ElicitResult(action="accept", content={"confirmation": True})}
            with pytest.raises(Exception, match="Invalid or expired requestState"):
                await his.session.call_tool(
                    "delete_event",
                    given,
                    input_responses=yes,
                    request_state=question.request_state,
                    allow_input_required=True,
                )
            assert stored(sandbox) == before


async def test_without_an_approver_nothing_is_destroyed(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """A form in the caller's own client is no approval, and no plan is made that nobody decides."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        async with _asking(host, host.keys.add("alice", "full"), mode) as client:
            [event] = cells(await result(client, "list_events", perPage=1), "id")
            before = stored(sandbox)
            answer = await client.call_tool("delete_event", {"eventId": event})
            assert answer.is_error
            assert "has no approver" in text_of(answer)
            assert text_of(answer).endswith("Nothing was changed.")
            status = await result(client, "get_server_status")
            assert status["pendingApprovals"] == []
            assert status["confirmation"]["asksBy"].startswith("nobody")
        assert stored(sandbox) == before


async def test_an_operator_may_trust_the_forms_of_clients(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """With LOSANT_MCP_ASK=form the caller's own yes counts, for their own call."""
    async with (
        served(sandbox, tmp_path, auth="keys", ask="form") as host,
        _asking(host, host.keys.add("alice", "full"), mode) as client,
    ):
        [event] = cells(await result(client, "list_events", perPage=1), "id")
        done = await result(client, "delete_event", eventId=event)
        assert (done["status"], done["removed"]) == ("done", 1)


def _asking(host: Served, key: str, mode: Mode = "auto") -> Any:
    async def agree(context: Any, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"confirmation": True})

    return host.client(key, mode, elicitation_callback=agree)


async def test_keys_of_one_token_share_no_loaded_tables(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each has a process of its own, although Losant sees one token."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        for name in ("alice", "bob"):
            async with host.client(host.keys.add(name, "read")) as client:
                found = await result(client, "query_sql", sql="SELECT count(*) AS n FROM events")
                assert found["rows"] == [[2000]]
        assert len(host.hosting.tenants._workbench._desks) == 2
