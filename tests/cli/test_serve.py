"""`losant-mcp serve`, as a real process: the protocol and nothing else on standard output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any, Literal

import pytest
from mcp import Client, StdioServerParameters

from tests.cli.command import COMMAND, ROOT, as_process, started
from tests.served import Sandbox

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HELLO: dict[str, Any] = {
    "protocolVersion": LEGACY,
    "capabilities": {},
    "clientInfo": {"name": "pipe", "version": "1"},
}


def _lines(*messages: dict[str, Any]) -> str:
    return "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)


def _first_answer(server: subprocess.Popen[str], message: dict[str, Any]) -> dict[str, Any]:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(_lines(message))
    server.stdin.flush()
    answer: dict[str, Any] = json.loads(server.stdout.readline())
    return answer


@pytest.mark.parametrize(
    ("mode", "version"), [("auto", MODERN), ("legacy", LEGACY)], ids=["2026", "2025"]
)
async def test_a_client_works_over_stdio(mode: Literal["auto", "legacy"], version: str) -> None:
    """A real client lists the tools and calls one, on both protocol versions."""
    server = StdioServerParameters(
        command=COMMAND[0], args=[*COMMAND[1:], "serve", "--sandbox"], cwd=ROOT
    )
    async with Client(server, mode=mode) as client:
        assert client.protocol_version == version
        assert "get_most_severe_event" in {t.name for t in (await client.list_tools()).tools}
        answer = await client.call_tool("get_most_severe_event", {})
    assert not answer.is_error
    assert isinstance(answer.structured_content, dict)
    assert answer.structured_content["event"]["level"] == "critical"


@pytest.mark.parametrize(
    ("messages", "answers"),
    [
        (
            [
                {"id": 1, "method": "initialize", "params": HELLO},
                {"method": "notifications/initialized"},
                {"id": 2, "method": "tools/list"},
                {"id": 3, "method": "tools/call", "params": {"name": "list_applications"}},
                {"id": 4, "method": "tools/call", "params": {"name": "no_such_tool"}},
            ],
            {1, 2, 3, 4},
        ),
        (
            [
                {"id": 1, "method": "server/discover", "params": {"_meta": META}},
                {"id": 2, "method": "tools/list", "params": {"_meta": META}},
                {
                    "id": 3,
                    "method": "tools/call",
                    "params": {"name": "list_applications", "_meta": META},
                },
            ],
            {1, 2, 3},
        ),
    ],
    ids=["2025", "2026"],
)
def test_only_the_protocol_is_on_standard_output(
    messages: list[dict[str, Any]], answers: set[int]
) -> None:
    """Every line is an answer, at the chattiest log level, and the end of input ends the server."""
    with started("serve", "--sandbox", "--log-level", "debug") as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        server.stdin.write(_lines(*messages))
        server.stdin.flush()
        # The answers come first: the end of input also ends what is being answered.
        lines = [server.stdout.readline() for _ in answers]
        rest, logged = server.communicate(timeout=30)
    assert {json.loads(line)["id"] for line in lines} == answers
    assert rest == ""
    assert server.returncode == 0
    assert "Traceback" not in logged
    assert "INFO losant_mcp" in logged


SIGNALS = [
    "SIGINT",
    pytest.param(
        "SIGTERM",
        marks=pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to handle"),
    ),
]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGINT to a child alone")
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_it_at_once(name: str) -> None:
    """A signal ends the server cleanly while its input is still open."""
    with started("serve", "--sandbox") as server:
        assert "result" in _first_answer(server, {"id": 1, "method": "initialize", "params": HELLO})
        server.send_signal(getattr(signal, name))
        assert server.wait(timeout=5) == 0
        assert server.stderr is not None
        assert "Traceback" not in server.stderr.read()


def test_without_a_token_it_says_what_to_do() -> None:
    """No token and no sandbox is an error that names both ways on."""
    ended = as_process("serve")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) <= 2
    assert "LOSANT_API_TOKEN" in ended.stderr
    assert "losant-mcp serve --sandbox" in ended.stderr


def test_log_lines_can_be_json(sandbox: Sandbox) -> None:
    """With --log-format json every line of standard error is an object, the first one as well."""
    ended = as_process(
        "serve",
        "--log-format",
        "json",
        LOSANT_API_URL=sandbox.url,
        LOSANT_API_TOKEN=sandbox.tokens["read"],
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    )
    assert ended.returncode == 0
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    about_spans, about_tools = (line["message"] for line in lines)
    assert about_spans == "sending spans to the collector"
    assert sandbox.url in about_tools


def test_the_sandbox_ignores_a_real_losant() -> None:
    """With --sandbox the variables of a real Losant are not looked at, even wrong ones."""
    ended = as_process(
        "serve",
        "--sandbox",
        LOSANT_API_TOKEN="two words",
        LOSANT_API_URL="ftp://nowhere",
        LOSANT_APPLICATION_ID="mine",
    )
    assert ended.returncode == 0, ended.stderr
    assert "sandbox.invalid" in ended.stderr
