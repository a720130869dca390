"""Client keys: who is let in, what each may do, and what becomes of a key that is taken away."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path

import anyio
import pytest
from mcp import MCPError

from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.hosting.callers import KeyHolders
from losant_mcp.hosting.keys import KeyFile
from losant_mcp.policy import Policy
from tests.calling import Mode, cells, result, stored
from tests.hosting.serving import JSON_RPC, META, MODERN, held_up, message_of, served, until
from tests.served import Sandbox

OTHER = "5f0c0de0000000000000beef"


async def test_a_key_opens_the_server(sandbox: Sandbox, tmp_path: Path, mode: Mode) -> None:
    """On both protocol versions, and the status says whose key it is."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        key = host.keys.add("alice", "read")
        async with host.client(key, mode) as client:
            status = await result(client, "get_server_status")
            assert status["hosting"] == {
                "transport": "http",
                "auth": "keys",
                "sessions": "kept by this process",
                "approver": "nobody: what needs a person's yes is refused",
                "caller": "key-alice",
            }
            assert (await result(client, "list_data_tables"))["total"] > 0


@pytest.mark.parametrize(
    ("bearer", "challenge"),
    [
        (None, 'Bearer realm="losant-mcp"'),
        ("lmk_" + "a" * 43, 'Bearer realm="losant-mcp", error="invalid_token"'),
        ("lmk_", 'Bearer realm="losant-mcp", error="invalid_token"'),
        ("another-thing", 'Bearer realm="losant-mcp", error="invalid_token"'),
    ],
)
async def test_without_a_known_key_nobody_gets_in(
    sandbox: Sandbox, tmp_path: Path, bearer: str | None, challenge: str
) -> None:
    """401 says how to authenticate, and Losant is not asked anything."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        before = len(sandbox.requests)
        answer = await host.listing(bearer)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == challenge
        assert "key" in message_of(answer)
        assert len(sandbox.requests) == before


async def test_the_servers_own_token_is_no_key(sandbox: Sandbox, tmp_path: Path) -> None:
    """Who knows the Losant token has still no key."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        assert (await host.listing(sandbox.tokens["full"])).status_code == 401


async def test_a_key_reads_unless_it_says_otherwise(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """What writes is neither listed nor callable, and nothing is changed."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        before = stored(sandbox)
        async with host.client(host.keys.add("alice", "read"), mode) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "list_events" in names
            assert not names & {"create_event", "delete_events", "truncate_rows", "insert_rows"}
            with pytest.raises(MCPError) as caught:
                await client.call_tool("create_event", {"subject": "x", "level": "info"})
            assert caught.value.error.code == -32602
        assert stored(sandbox) == before


async def test_no_key_is_above_the_server(sandbox: Sandbox, tmp_path: Path) -> None:
    """A key with all rights may only do what the server may."""
    async with served(sandbox, tmp_path, auth="keys", access="read", toolsets=("events",)) as host:
        async with host.client(host.keys.add("boss", "full")) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
        assert "list_events" in names
        assert not names & {"create_event", "list_rows"}


async def test_a_key_sees_its_toolsets_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """The others are neither listed nor callable; with none left, nothing is served."""
    async with served(sandbox, tmp_path, auth="keys", toolsets=("events", "lookup")) as host:
        async with host.client(host.keys.add("alice", "full", toolsets=("events",))) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "list_events" in names
            assert "list_devices" not in names
            with pytest.raises(MCPError):
                await client.call_tool("list_devices", {})
        answer = await host.listing(host.keys.add("bob", "full", toolsets=("data",)))
        assert answer.status_code == 403


async def test_a_key_reaches_its_applications_alone(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """One binds the key to it; of several each is named; another server's refuses the key."""
    ours = sandbox.application_id
    async with served(sandbox, tmp_path, auth="keys", application_id=None) as host:
        one = host.keys.add("one", "read", [ours])
        two = host.keys.add("two", "read", [ours, OTHER])
        far = host.keys.add("far", "read", [OTHER])
        async with host.client(one, mode) as client:
            assert (await result(client, "list_events"))["total"] > 0
        async with host.client(two, mode) as client:
            assert (await result(client, "list_events", applicationId=ours))["total"] > 0
            answer = await client.call_tool(
                "list_events", {"applicationId": "5f0c0de00000000000000abc"}
            )
            assert answer.is_error
            assert "may not reach this application" in str(answer.content)
        before = len(sandbox.requests)
        async with host.client(far, mode) as client:
            assert (await client.call_tool("list_events", {"applicationId": ours})).is_error
        assert len(sandbox.requests) == before


async def test_a_key_for_another_application_than_the_servers_is_refused(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """403: who it is is known, and that nothing can be done."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        answer = await host.listing(host.keys.add("far", "full", [OTHER]))
        assert answer.status_code == 403
        assert "www-authenticate" not in answer.headers


async def test_the_applications_of_a_key_are_all_it_is_told_of(
    empty_sandbox: Sandbox, tmp_path: Path
) -> None:
    """The list has those that the key names, and no other one of the server's token."""
    ours = empty_sandbox.application_id
    async with served(empty_sandbox, tmp_path, auth="keys", application_id=None) as host:
        key = host.keys.add("two", "read", [ours, ours.upper()])
        async with host.client(key) as client:
            assert cells(await result(client, "list_applications"), "id") == [ours]


async def test_a_removed_key_is_worth_nothing_at_once(
    sandbox: Sandbox, tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next request is refused, and the caller's server goes with its sessions."""
    monkeypatch.setattr("losant_mcp.hosting.tenants.SWEEP_SECONDS", 0.02)
    async with served(sandbox, tmp_path, auth="keys") as host:
        key = host.keys.add("alice", "full")
        async with host.client(key, mode) as client:
            await result(client, "list_events")
            host.keys.remove("alice")
            assert (await host.listing(key)).status_code == 401
            await until(lambda: not host.hosting.tenants.all)


async def test_what_a_removed_key_left_open_is_closed(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of notifications ends, and a call that is under way is answered before."""
    monkeypatch.setattr("losant_mcp.hosting.tenants.SWEEP_SECONDS", 0.02)
    listen = {"notifications": {"toolsListChanged": True}, "_meta": META}
    body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": listen}
    headers = {**JSON_RPC, **MODERN, "mcp-method": "subscriptions/listen"}
    call = {"name": "list_events", "arguments": {}, "_meta": META}
    async with served(sandbox, tmp_path, auth="keys") as host:
        key = host.keys.add("alice", "full")
        answers: list[int] = []

        async def ask() -> None:
            sent = {"mcp-method": "tools/call", "mcp-name": "list_events"}
            asked = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}
            answers.append((await host.listing(key, sent, json=asked)).status_code)

        async with (
            host.http(key) as http,
            anyio.create_task_group() as tasks,
            http.stream("POST", "/mcp", json=body, headers=headers) as stream,
        ):
            assert stream.status_code == 200
            with held_up(sandbox):
                tasks.start_soon(ask)
                await until(lambda: host.hosting.door.calls.taken == 1)
                host.keys.remove("alice")
                with anyio.fail_after(10):
                    await stream.aread()
        assert answers == [200]
        assert host.hosting.door.streams.taken == 0


async def test_a_change_of_rights_holds_at_the_next_request(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A key that was removed and added with less is another key, with a server of its own."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        first = host.keys.add("alice", "full")
        assert "delete_events" in (await host.listing(first)).text
        host.keys.remove("alice")
        second = host.keys.add("alice", "read")
        assert (await host.listing(first)).status_code == 401
        assert "delete_events" not in (await host.listing(second)).text


async def test_no_key_is_ever_logged_or_stored(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: Mode
) -> None:
    """Not at the chattiest level, nor in any file of the server's."""
    caplog.set_level(logging.DEBUG)
    async with served(sandbox, tmp_path, auth="keys") as host:
        key = host.keys.add("alice", "full")
        async with host.client(key, mode) as client:
            await result(client, "create_event", subject="x", level="info")
        await host.listing("lmk_" + "b" * 43)
    assert "key-alice" in caplog.text or "key-alice" in str([r.__dict__ for r in caplog.records])
    assert key not in caplog.text
    assert "b" * 43 not in caplog.text
    assert not _files_with(tmp_path, key)


def _files_with(folder: Path, text: str) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


# ---- the file ------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """It is made so, and one that others may read is refused."""
    file = KeyFile(tmp_path / "keys.json")
    key = file.add("alice", "read")
    path = tmp_path / "keys.json"
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o640)
        with pytest.raises(ConfigurationError, match="open to other users"):
            KeyFile(path).find(key)


def test_a_key_is_found_by_itself_alone(tmp_path: Path) -> None:
    """Not by its hash, its beginning, or anything around it."""
    file = KeyFile(tmp_path / "keys.json")
    key = file.add("alice", "write")
    found = file.find(key)
    assert found is not None
    assert (found.name, found.access) == ("alice", "write")
    digest = json.loads((tmp_path / "keys.json").read_text())["keys"][0]["digest"]
    for wrong in (digest, f"lmk_{digest}", key[:-1], f"{key} ", key.upper(), ""):
        assert file.find(wrong) is None
    assert key not in (tmp_path / "keys.json").read_text()


@pytest.mark.parametrize("name", ["", "Alice", "a b", "a" * 41, "../x", "key\n"])
def test_a_name_is_one_plain_word(tmp_path: Path, name: str) -> None:
    """It stands in logs, in the audit and in backups."""
    with pytest.raises(ConfigurationError, match="no name for a key"):
        KeyFile(tmp_path / "keys.json").add(name, "read")
    assert not (tmp_path / "keys.json").exists()


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """Two keys of one name would be one caller that nobody could tell apart."""
    file = KeyFile(tmp_path / "keys.json")
    file.add("alice", "read")
    with pytest.raises(ConfigurationError, match="already"):
        file.add("alice", "full")
    assert [key.access for key in file.entries()] == ["read"]


def test_without_a_file_the_server_does_not_start(tmp_path: Path, sandbox: Sandbox) -> None:
    """And says how to make one."""
    for given in (None, tmp_path / "none.json"):
        settings = Settings(auth="keys", keys_file=given)
        with pytest.raises(ConfigurationError) as caught:
            KeyHolders(settings, Policy())
        assert "losant-mcp keys add" in caught.value.hint
