"""What a person reads in a terminal, where every text from outside is hostile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from tests.cli.command import Run
from tests.guard.guarding import Guarded
from tests.hostile.corpus import CORPUS
from tests.hostile.inertness import FOREIGN, assert_inert, assert_value_inert
from tests.hostile.planting import Planted
from tests.hostile.test_tools import agree, told
from tests.served import Sandbox


@pytest.fixture(autouse=True)
def _on_sandbox(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hostile demo is the environment's Losant, and the guarded server's folder its state."""
    monkeypatch.setenv("LOSANT_API_URL", sandbox.url)
    monkeypatch.setenv("LOSANT_API_TOKEN", sandbox.tokens["full"])
    monkeypatch.setenv("LOSANT_APPLICATION_ID", sandbox.application_id)
    monkeypatch.setenv("LOSANT_MCP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LOSANT_MCP_LOG_LEVEL", "error")


def _calls(planted: Planted) -> Iterator[tuple[str, dict[str, object]]]:
    table = {"dataTableId": planted.table}
    yield "list_events", {"fields": ["subject", "message", "deviceName"], "perPage": 40}
    yield "list_data_tables", {"perPage": 60}
    yield "list_devices", {"perPage": 60}
    yield "list_rows", {**table, "limit": 5}
    yield "get_event", {"eventId": planted.event}
    yield "get_device", {"deviceId": planted.device}
    yield "summarize_events", {"start": "-1h"}
    yield "get_data_table", {"dataTableId": "x" * 24}


async def test_a_called_tool_speaks_in_lines(run: Run, planted: Planted) -> None:
    """A row is a line, a fact is a line, and JSON is JSON, whatever stands in it."""
    for name, arguments in _calls(planted):
        given = ("call", name, json.dumps(arguments))
        ended = await run_sync(run, *given)
        assert all(line.isprintable() for line in ended.stdout.splitlines()), name
        assert_inert(ended.stdout + ended.stderr)
        as_json = await run_sync(run, *given, "--json")
        assert_inert(as_json.stdout + as_json.stderr)
        if ended.exit_code:
            assert as_json.exit_code
            continue
        found = json.loads(as_json.stdout)
        assert_value_inert(found)
        if name.startswith("list"):
            lines = ended.stdout.split("\n")
            assert lines[1].replace("-", "").strip() == ""
            assert lines.index("") == found["returned"] + 2, name


@pytest.mark.parametrize("mode", ["auto"])
async def test_records_are_shown_in_our_words(guarded: Guarded, planted: Planted, run: Run) -> None:
    """Backups, the audit and open questions name what was touched, and never let it speak."""
    client = await guarded.connect(agree)
    for name, arguments in (
        ("delete_event", {"eventId": planted.event}),
        ("truncate_rows", {"dataTableId": planted.table}),
        ("update_data_table", {"dataTableId": planted.table, "description": CORPUS[0]}),
        *(("delete_data_table", {"dataTableId": id}) for id in planted.names[:30:2]),
    ):
        await told(client, name, arguments)
    without_forms = await guarded.connect()
    await told(without_forms, "delete_data_table", {"dataTableId": planted.names[1]})
    listed = json.loads((await run_sync(run, "backups", "list", "--json")).stdout)
    assert len(listed) == 18
    [plan] = await guarded.plans("pending")
    commands: tuple[tuple[str, ...], ...] = (
        ("backups", "list"),
        ("backups", "list", "--all"),
        ("backups", "list", "--json"),
        *(("backups", "show", manifest["id"], "--rows", "200") for manifest in listed[-3:]),
        ("backups", "show", listed[-2]["id"], "--json"),
        ("audit", "show"),
        ("audit", "show", "--json"),
        ("approve", "--list"),
        ("approve", "--show", plan.id),
        ("check",),
    )
    for command in commands:
        ended = await run_sync(run, *command)
        assert ended.exit_code == 0, (command, ended.stderr)
        assert_inert(ended.stdout)
        if "--json" in command:
            assert_value_inert(json.loads(ended.stdout))
            continue
        # Below such a heading is a table.
        sentences, *tables = ended.stdout.split(" (data)\n")
        assert bool(tables) == (command[:2] == ("backups", "show")), command
        for line in ended.stdout.splitlines():
            assert line.isprintable()
        for line in sentences.splitlines():
            said = [words for words in FOREIGN if line.lstrip().startswith(words)]
            assert not said, (command, line)
