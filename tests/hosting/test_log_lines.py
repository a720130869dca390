"""Lines about calls: who called what, how it ended, how long it took, and nothing else."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from losant_mcp.cli import logs
from losant_mcp.config import Settings
from losant_mcp.observer import Observer, ToolCall
from tests.calling import Mode, cells, refusal, result
from tests.hosting.serving import served
from tests.served import Sandbox

CALL = ToolCall("list_rows", "ok", 0.0123, request="proxy-0001", principal="key-alice")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_says_whose_call_it_was(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In both forms; text has it at its end."""
    logs.configure(Settings.model_validate({"log_format": form}))
    Observer().called(CALL)
    [line] = capsys.readouterr().err.splitlines()
    if form == "text":
        told = "losant_mcp.calls: list_rows: ok in 12 ms request=proxy-0001 principal=key-alice"
        assert line.endswith(told)
    else:
        assert {
            "request": "proxy-0001",
            "principal": "key-alice",
            "tool": "list_rows",
            "outcome": "ok",
            "ms": 12.3,
        }.items() <= json.loads(line).items()


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever somebody made of the id of their request."""
    logs.configure(Settings(log_format="json"))
    call = ToolCall("", "unknown tool", 0, request="a\x1b[31mb\u202ec", principal="p")
    Observer().called(call)
    logging.getLogger("losant_mcp").info("done")
    first, _ = capsys.readouterr().err.splitlines()
    assert json.loads(first)["request"] == "a[31mbc"


async def test_no_line_holds_an_answer(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: Mode
) -> None:
    """Nor does one of a library, however much is to be logged."""
    logs.configure(Settings(log_level="debug"))
    async with served(sandbox, tmp_path) as host, host.client(mode=mode) as client:
        found = await result(client, "list_events", perPage=1)
    logged = capsys.readouterr().err
    assert "losant_mcp.client.transport: events.get: 200" in logged
    for value in cells(found, "subject"):
        assert value not in logged


async def test_no_line_repeats_an_argument(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: Mode
) -> None:
    """Nor does one that tells of a failure, though Losant itself repeats what it was asked."""
    caplog.set_level(logging.DEBUG, "losant_mcp")
    given = {"subject": "Ferry Point", "level": "info", "deviceId": "5f0c0de0000000000000beef"}
    async with served(sandbox, tmp_path) as host, host.client(mode=mode) as client:
        assert given["deviceId"] in await refusal(client, "create_event", **given)
    assert "attempt 1 of events.post failed: BadRequest (400)" in caplog.messages
    for value in (given["subject"], given["deviceId"]):
        assert value not in caplog.text
