"""The MCP Inspector's command line as a client: another implementation than the SDK that serves.

How it lists the tools over stdio is tried with their schemas, in tests/tools/test_portability.py.
"""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio.to_thread import run_sync

from losant_mcp.config import Settings
from losant_mcp.tools.listing import listed
from tests.cli.command import COMMAND
from tests.hosting.serving import served
from tests.node import inspect, needs_inspector
from tests.served import Sandbox

pytestmark = needs_inspector

ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])
SERVER = "io.modelcontextprotocol/serverInfo"
"""What only answers on 2026-07-28 carry."""

LIST = ("--method", "tools/list")
CALL = ("--method", "tools/call", "--tool-name", "get_most_severe_event")


def _result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The result that it printed."""
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)["result"]
    return result


def _assert_event(result: dict[str, Any], era: str) -> None:
    """A tool's answer, on the version of the era."""
    assert result["structuredContent"]["event"]["level"] == "critical"
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    assert (SERVER in result.get("_meta", {})) == (era == "modern")


@ERAS
def test_it_calls_a_tool_over_stdio(era: str, tmp_path: Path) -> None:
    """It starts the server, as a client does."""
    options = ("--format", "json", "--protocol-era", era)
    done = inspect(tmp_path, *options, *CALL, "--", *COMMAND, "serve", "--sandbox")
    _assert_event(_result(done), era)


@ERAS
async def test_it_lists_and_calls_tools_over_http(
    era: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """It comes with a key of its own in a header."""
    async with served(sandbox, tmp_path, auth="keys") as host:
        bearer = f"Authorization: Bearer {host.keys.add('inspector', 'full')}"
        options = ("--transport", "http", "--header", bearer, "--protocol-era", era)
        ask = partial(inspect, tmp_path, f"{host.url}/mcp", *options, "--format", "json")
        tools = _result(await run_sync(ask, *LIST))["tools"]
        assert [tool["name"] for tool in tools] == [spec.name for spec in listed(Settings())]
        _assert_event(_result(await run_sync(ask, *CALL)), era)
