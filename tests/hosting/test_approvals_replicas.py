"""Approvals where replicas share a Redis: asked, logged in, decided and run at different ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from losant_mcp.guard import backup_volume
from losant_mcp.hosting.approvals import LOGOUT
from tests.calling import Mode, result
from tests.guard.redis_server import SECRET, RedisServer
from tests.hosting.approving import Visitor, approver, ask, path_in, write
from tests.hosting.serving import Served, served
from tests.served import Sandbox

PUBLIC = "http://localhost:8000"
NAMED = {"Host": "localhost:8000", "Origin": PUBLIC}


async def test_each_step_may_be_at_another_replica(
    sandbox: Sandbox,
    tmp_path: Path,
    redis: RedisServer,
    mode: Mode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The session, its end, the question, the yes and the run are known to all of them."""
    monkeypatch.setattr(backup_volume, "STANDING_SECONDS", 0.0)
    file = tmp_path / "approvers.json"
    write(file, approver("anna"))
    settings: dict[str, Any] = {
        "auth": "keys",
        "approvers_file": file,
        "public_url": PUBLIC,
        "state_url": redis.url,
        "state_key": SECRET,
        "backup_dir": tmp_path / "volume",
    }
    async with (
        served(sandbox, tmp_path, **settings, state_dir=tmp_path / "one") as one,
        served(sandbox, tmp_path, **settings, state_dir=tmp_path / "two") as two,
        httpx.AsyncClient(timeout=30, verify=False) as http,  # noqa: S501 - there is no TLS
    ):
        key = one.keys.add("alice", "full")
        async with one.client(key, mode) as client:
            arguments, answer = await ask(client)
        anna = Visitor(http, _host(two))
        assert (await anna.log_in(plan=answer["approvalId"], **NAMED)).status_code == 303
        anna.host = _host(one)
        assert "DELETE this event" in (await anna.get(path_in(answer), **NAMED)).text
        anna.host = _host(two)
        assert (await anna.post(path_in(answer), {"decision": "approve"}, **NAMED)).is_redirect
        async with two.client(key, mode) as client:
            done = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert done["status"] == "done"
        cookie = {"Cookie": f"losant-mcp-approver={anna.session}"}
        await anna.post(LOGOUT, {"token": anna.token_for(LOGOUT)}, **NAMED)
        anna.host = _host(one)
        assert "Your passphrase" in (await anna.get("/approvals", **NAMED, **cookie)).text


def _host(replica: Served) -> str:
    return replica.url.partition("//")[2]
