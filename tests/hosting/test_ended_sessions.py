"""A session that ends while a message is on its way to it, and a stream that is taken up again."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.hosting.serving import INITIALIZE, JSON_RPC, served
from tests.served import Sandbox


async def test_a_notification_to_a_session_that_just_ended_is_answered_once(
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK tries to answer it a second time, which the web server never gets to see."""

    async def closed(stream: object, message: object) -> None:
        raise anyio.ClosedResourceError

    async with served(sandbox, tmp_path, auth="none") as host, host.http(**JSON_RPC) as http:
        begun = await http.post("/mcp", json=INITIALIZE)
        session = {"mcp-session-id": begun.headers["mcp-session-id"]}
        [tenant] = host.hosting.tenants.all
        [transport] = tenant.server.session_manager._server_instances.values()
        # As it is at the moment when the client has ended the session.
        monkeypatch.setattr(type(transport._read_stream_writer), "send", closed)
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        answer = await http.post("/mcp", json=note, headers=session)
        assert answer.status_code == 202
        assert await host.is_alive()
    assert "uvicorn.error" not in {record.name for record in caplog.records}


async def test_a_stream_that_is_taken_up_again_begins_anew(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """What its client missed is not kept, and that is no fault of the server's."""
    async with served(sandbox, tmp_path, auth="none") as host, host.http(**JSON_RPC) as http:
        begun = await http.post("/mcp", json=INITIALIZE)
        session = {"mcp-session-id": begun.headers["mcp-session-id"]}
        resumed = {**session, "last-event-id": "4711", "accept": "text/event-stream"}
        async with http.stream("GET", "/mcp", headers=resumed) as stream:
            assert stream.status_code == 200
            assert stream.headers["content-type"].startswith("text/event-stream")
