"""Load, health and the end: a clear 503, an honest readiness, and writes that are finished."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync

from losant_mcp.hosting import app
from losant_mcp.hosting.limits import NoPlace, Places
from tests.calling import JsonObject, asked, cells, result
from tests.cli.command import Run, started
from tests.hosting.serving import (
    INITIALIZE,
    JSON_RPC,
    META,
    MODERN,
    Served,
    held_up,
    message_of,
    served,
    until,
)
from tests.served import Sandbox


async def _call(host: Served, tool: str, bearer: str | None = None, **given: object) -> int:
    """The status of one plain call."""
    params = {"name": tool, "arguments": given, "_meta": META}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"mcp-method": "tools/call", "mcp-name": tool}
    return (await host.listing(bearer, headers, json=body)).status_code


async def test_under_load_a_caller_is_told_to_come_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """503 with Retry-After at once, and an answer when there is a place again."""
    async with served(sandbox, tmp_path, max_requests=2) as host:
        async with anyio.create_task_group() as tasks:
            with held_up(sandbox):
                for _ in range(2):
                    tasks.start_soon(_call, host, "list_events")
                await until(lambda: host.hosting.door.calls.taken == 2)
                answer = await host.listing()
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) > 0
                assert await host.is_alive()
        assert (await host.listing()).status_code == 200


async def test_a_call_that_says_it_listens_takes_a_place(sandbox: Sandbox, tmp_path: Path) -> None:
    """A header that nobody holds against the body frees from no limit."""
    async with served(sandbox, tmp_path) as host, host.http(**JSON_RPC) as http:
        opened = await http.post("/mcp", json=INITIALIZE)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        params = {"name": "list_events", "arguments": {}}
        body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
        claims = {"mcp-protocol-version": "2025-11-25", "mcp-method": "subscriptions/listen"}
        async with anyio.create_task_group() as tasks:
            with held_up(sandbox):
                sent = {**session, **claims}
                tasks.start_soon(lambda: http.post("/mcp", json=body, headers=sent))
                await until(lambda: host.hosting.door.calls.taken == 1)
                assert host.hosting.door.streams.taken == 0


async def test_a_call_whose_client_has_gone_keeps_its_place_and_is_finished(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The earlier version's calls go on without a connection: they count, and the end waits."""
    async with served(sandbox, tmp_path) as host:
        async with host.http(**JSON_RPC) as http:
            opened = await http.post("/mcp", json=INITIALIZE)
        params = {"name": "create_event", "arguments": {"subject": "the last", "level": "info"}}
        body = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
        address = host.server.address
        lines = {
            "host": f"{address.host}:{address.port}",
            "content-length": len(body),
            "mcp-session-id": opened.headers["mcp-session-id"],
            **JSON_RPC,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        async with anyio.create_task_group() as tasks:
            with held_up(sandbox):
                async with await anyio.connect_tcp(address.host, address.port) as stream:
                    await stream.send(f"POST /mcp HTTP/1.1\r\n{head}\r\n{body}".encode())
                    await until(lambda: "events.post" in asked(sandbox))
                assert host.server._server is not None
                connections = host.server._server.server_state.connections
                await until(lambda: not connections)
                assert host.hosting.door.calls.taken == 1
                tasks.start_soon(host.hosting.finish)
                await until(lambda: host.hosting.door.is_ending)
        assert sandbox.store.rows("SELECT id FROM events WHERE subject = 'the last'")


async def test_one_caller_leaves_places_for_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """Of many places one caller takes half at most."""
    async with served(sandbox, tmp_path, auth="keys", max_requests=2) as host:
        alice, bob = host.keys.add("alice", "read"), host.keys.add("bob", "read")
        async with anyio.create_task_group() as tasks:
            with held_up(sandbox):
                tasks.start_soon(_call, host, "list_events", alice)
                await until(lambda: host.hosting.door.calls.taken == 1)
                assert (await host.listing(alice)).status_code == 503
                assert (await host.listing(bob)).status_code == 200


async def test_the_longest_unused_caller_makes_room(sandbox: Sandbox, tmp_path: Path) -> None:
    """And where all are busy, a new one is told to come again."""
    async with served(sandbox, tmp_path, auth="keys", max_callers=1) as host:
        alice, bob = host.keys.add("alice", "read"), host.keys.add("bob", "read")
        assert (await host.listing(alice)).status_code == 200
        assert (await host.listing(bob)).status_code == 200
        assert [tenant.caller.name for tenant in host.hosting.tenants.all] == ["key-bob"]
        async with anyio.create_task_group() as tasks:
            with held_up(sandbox):
                tasks.start_soon(_call, host, "list_events", bob)
                await until(lambda: host.hosting.door.calls.taken == 1)
                answer = await host.listing(alice)
                assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_sessions_are_bounded(sandbox: Sandbox, tmp_path: Path) -> None:
    """One more than there may be is refused, until one is closed."""
    async with served(sandbox, tmp_path, max_sessions=1) as host, host.http(**JSON_RPC) as http:
        opened = await http.post("/mcp", json=INITIALIZE)
        assert opened.status_code == 200
        refused = await http.post("/mcp", json=INITIALIZE)
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        assert (await http.delete("/mcp", headers=session)).status_code == 200
        assert (await http.post("/mcp", json=INITIALIZE)).status_code == 200


async def test_a_request_that_takes_too_long_is_given_up(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its place is free again, and its caller is told."""
    async with served(sandbox, tmp_path, request_seconds=1) as host:
        with held_up(sandbox):
            assert await _call(host, "list_events") == 504
            assert host.hosting.door.calls.taken == 0


def test_places_are_counted_for_each_and_for_all() -> None:
    """What is given back can be taken again."""
    places = Places(3, of_one=2)
    with places.place("a"), places.place("a"):
        with pytest.raises(NoPlace), places.place("a"):
            pass
        with places.place("b"), pytest.raises(NoPlace), places.place("c"):
            pass
        with places.place("c"):
            assert places.taken == 3
    assert places.taken == 0


# ---- health and metrics --------------------------------------------------------------------


async def test_readiness_is_told_from_memory(sandbox: Sandbox, tmp_path: Path) -> None:
    """However often it is asked, Losant is asked once; no secret and no path is told."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        async with host.http() as http:
            for _ in range(5):
                answer = await http.get("/readyz")
                assert answer.json() == {"ready": True, "losant": "ok", "state": "ok"}
        assert len(sandbox.requests) == 1


async def test_readiness_tells_when_losant_is_away(sandbox: Sandbox, tmp_path: Path) -> None:
    """The process is alive all the same."""
    sandbox.set_faults({"kind": "status", "status": 503})
    async with served(sandbox, tmp_path) as host:
        async with host.http() as http:
            answer = await http.get("/readyz")
            assert answer.status_code == 503
            assert answer.json() == {"ready": False, "losant": "failed", "state": "ok"}
        assert await host.is_alive()


async def test_readiness_tells_when_nothing_can_be_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    """Without a state folder nothing can be changed safely; a server that only reads needs none."""
    file = tmp_path / "file"
    file.touch()
    for access, status, state in (("full", 503, "failed"), ("read", 200, "not needed")):
        async with (
            served(sandbox, tmp_path, access=access, state_dir=file) as host,
            host.http() as http,
        ):
            answer = await http.get("/readyz")
            assert (answer.status_code, answer.json()["state"]) == (status, state)


async def test_without_a_token_losants_refusal_is_an_answer(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Where callers bring their tokens, Losant is there if it says no."""
    async with (
        served(sandbox, tmp_path, token=None, auth="losant") as host,
        host.http() as http,
    ):
        assert (await http.get("/readyz")).json()["losant"] == "ok"


async def test_metrics_count_what_happened(sandbox: Sandbox, tmp_path: Path) -> None:
    """Calls, requests, repeats, caches and refusals; no label is of a caller's choice."""
    async with served(sandbox, tmp_path) as host:
        async with host.client() as client:
            await result(client, "list_events")
            for _ in range(2):
                await result(client, "query_sql", sql="SELECT 1 FROM events")
            sandbox.set_faults({"kind": "status", "status": 502, "times": 1})
            await result(client, "list_events")
            await client.call_tool("get_event", {"eventId": "5f0c0de0000000000000beef"})
            for number in range(5):
                await _call(host, f"no_such_tool_{number}")
        await host.listing(headers={"origin": "https://evil.example"})
        await until(lambda: not host.hosting.door.calls.taken)
        async with host.http() as http:
            text = (await http.get("/metrics")).text
    for line in (
        'losant_mcp_calls_total{outcome="ok",tool="list_events"} 2.0',
        'losant_mcp_calls_total{outcome="error",tool="get_event"} 1.0',
        'losant_mcp_call_errors_total{kind="NotFound",tool="get_event"} 1.0',
        'losant_mcp_calls_total{outcome="unknown tool",tool="unknown"} 5.0',
        'losant_mcp_call_seconds_count{tool="query_sql"} 2.0',
        'losant_mcp_upstream_requests_total{endpoint="event.get",status="NotFound"} 1.0',
        'losant_mcp_upstream_requests_total{endpoint="events.get",status="ServerError"} 1.0',
        'losant_mcp_upstream_retries_total{endpoint="events.get"} 1.0',
        'losant_mcp_upstream_errors_total{kind="ServerError"} 1.0',
        'losant_mcp_table_cache_total{result="hit"} 1.0',
        'losant_mcp_table_cache_total{result="miss"} 1.0',
        'losant_mcp_refused_requests_total{status="403"} 1.0',
        "losant_mcp_pending_approvals 0.0",
        "losant_mcp_callers 1.0",
        'losant_mcp_requests_in_progress{kind="call"} 0.0',
    ):
        assert line in text.splitlines(), line
    assert "no_such_tool" not in text


# ---- beginning and end ---------------------------------------------------------------------


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "localhost.example:0"])
def test_without_authentication_nobody_else_can_reach_it(run: Run, address: str) -> None:
    """It refuses to start, and says what to choose instead."""
    told = run("serve", "--sandbox", "--http", address)
    assert told.exit_code == 2
    assert "--auth keys" in told.stderr


def test_behind_a_name_it_has_to_be_given(run: Run, tmp_path: Path) -> None:
    """Or a page whose name was made to point here could call."""
    told = run("serve", "--sandbox", "--http", "0.0.0.0:0", "--auth", "keys")
    assert told.exit_code == 2
    assert "LOSANT_MCP_ALLOWED_HOSTS" in told.stderr


async def test_a_port_that_is_taken_is_told(sandbox: Sandbox, tmp_path: Path, run: Run) -> None:
    """In one line, as any other setting that cannot be."""
    async with served(sandbox, tmp_path) as host:
        taken = f"127.0.0.1:{host.server.address.port}"
        told = await run_sync(run, "serve", "--sandbox", "--http", taken)
    assert told.exit_code == 2
    assert f"cannot listen at {taken}" in told.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to handle")
async def test_the_end_waits_for_a_write(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGTERM in the middle: the write is done and told, once; new calls are refused."""
    sandbox.set_faults({"kind": "latency", "ms": 1500, "endpoint": "events.post"})
    before = len(sandbox.requests)
    with started(
        *("serve", "--http", "127.0.0.1:0", "--log-format", "json"),
        LOSANT_API_URL=sandbox.url,
        LOSANT_API_TOKEN=sandbox.tokens["full"],
        LOSANT_APPLICATION_ID=sandbox.application_id,
        LOSANT_MCP_STATE_DIR=str(tmp_path / "state"),
    ) as server:
        assert server.stdout is not None
        url = json.loads(await run_sync(server.stdout.readline))["url"]
        params = {
            "name": "create_event",
            "arguments": {"subject": "the last one", "level": "info"},
            "_meta": META,
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {**JSON_RPC, **MODERN, "mcp-method": "tools/call", "mcp-name": "create_event"}
        answers: list[httpx2.Response] = []
        async with (
            httpx2.AsyncClient(timeout=30, verify=False) as http,
            anyio.create_task_group() as tasks,
        ):

            async def write() -> None:
                answers.append(await http.post(url, json=body, headers=headers))

            tasks.start_soon(write)
            await until(lambda: len(sandbox.requests) > before)
            server.send_signal(signal.SIGTERM)
        [answer] = answers
        assert answer.status_code == 200
        assert '"subject":"the last one"' in answer.text.replace("\\", "")
        assert await run_sync(lambda: server.wait(10)) == 0
        assert server.stderr is not None
        lines = [json.loads(line) for line in server.stderr.read().splitlines()]
    posts = [r for r in sandbox.requests if r.endpoint_id == "events.post"]
    assert len(posts) == 1
    [call] = [line for line in lines if line["logger"] == "losant_mcp.calls"]
    assert (call["tool"], call["outcome"], call["principal"]) == ("create_event", "ok", "anybody")
    assert call["request"] == answer.headers["x-request-id"]
    assert call["ms"] > 1000
    assert "the last one" not in json.dumps(lines)


async def test_while_it_ends_it_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    """Not ready, and no new call; what is under way is answered, and streams are closed."""
    async with served(sandbox, tmp_path) as host:
        answers: list[int] = []

        async def call() -> None:
            answers.append(await _call(host, "list_events"))

        async with host.http() as http, anyio.create_task_group() as tasks:
            with held_up(sandbox):
                tasks.start_soon(call)
                await until(lambda: host.hosting.door.calls.taken == 1)
                tasks.start_soon(host.hosting.finish)
                await until(lambda: host.hosting.door.is_ending)
                answer = await host.listing()
                assert (answer.status_code, message_of(answer)) == (503, "The server is ending.")
                ready = await http.get("/readyz")
                assert (ready.status_code, ready.json()) == (503, {"ready": False, "ending": True})
        assert answers == [200]
        assert not host.hosting.tenants.all


async def test_the_end_waits_longer_for_what_the_guard_runs(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other calls have had their time; this one is carried out, and told."""
    monkeypatch.setattr(app, "END_SECONDS", 0.0)
    async with served(sandbox, tmp_path) as host, host.client() as client:
        [event] = cells(await result(client, "list_events", perPage=1), "id")
        before = len(sandbox.requests)
        told: list[JsonObject] = []

        async def change() -> None:
            told.append(await result(client, "update_event", eventId=event, state="resolved"))

        async with anyio.create_task_group() as tasks:
            with held_up(sandbox):
                tasks.start_soon(change)
                await until(lambda: len(sandbox.requests) > before)
                tasks.start_soon(host.hosting.finish)
                for _ in range(50):  # more turns than an end takes that waits for nothing
                    await checkpoint()
                assert host.hosting.tenants.all
        assert [answer["event"]["state"] for answer in told] == ["resolved"]


async def test_who_was_being_checked_when_it_ended_is_refused(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Their call would begin after everything that it needs is gone."""
    async with served(sandbox, tmp_path, token=None, auth="losant") as host:
        answers: list[int] = []

        async def ask() -> None:
            answers.append((await host.listing(sandbox.tokens["full"])).status_code)

        async with anyio.create_task_group() as tasks:
            with held_up(sandbox):
                tasks.start_soon(ask)
                await until(lambda: bool(sandbox.requests))
                await host.hosting.finish()
        assert answers == [503]
        assert not host.hosting.tenants.all
