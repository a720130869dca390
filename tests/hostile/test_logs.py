"""Log lines: whatever is hostile in a message stays within its line, and arguments never come."""

from __future__ import annotations

import json
import logging
import re
from typing import Literal

import pytest
from mcp import MCPError

from losant_mcp.cli import logs
from losant_mcp.config import Settings
from tests.guard.guarding import Guarded
from tests.hostile.corpus import CORPUS
from tests.hostile.inertness import FOREIGN, assert_inert, assert_value_inert
from tests.hostile.planting import Planted

FORMATS: tuple[Literal["text", "json"], ...] = ("text", "json")
_HEAD = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ [\w.]+: ")


@pytest.mark.parametrize("form", FORMATS)
def test_no_text_makes_a_line_of_its_own(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """One record, one line that begins as a line does, with all others indented below it."""
    logs.configure(Settings.model_validate({"log_format": form}))
    log = logging.getLogger("losant_mcp.test")
    for text in CORPUS:
        log.warning("%s", text, extra={"principal": text})
        try:
            raise RuntimeError(text)
        except RuntimeError:
            log.exception("with a traceback")
    lines = capsys.readouterr().err.split("\n")[:-1]
    if form == "json":
        assert len(lines) == 2 * len(CORPUS)
        for line in lines:
            assert line.isascii()
            assert_value_inert(json.loads(line))
    else:
        for line in lines:
            assert_inert(line)
            assert _HEAD.match(line) or line.startswith("  ") or not line.strip(), line
        assert sum(bool(_HEAD.match(line)) for line in lines) == 2 * len(CORPUS)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("mode", ["auto"])
async def test_neither_arguments_nor_data_are_logged(
    guarded: Guarded, planted: Planted, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """At the finest level, of calls that work, that fail, and that are refused."""
    logs.configure(Settings.model_validate({"log_format": form, "log_level": "debug"}))
    client = await guarded.connect()
    hostile = CORPUS[0]
    for name, arguments in (
        ("list_events", {"query": {"subject": {"$contains": hostile}}}),
        ("get_event", {"eventId": hostile}),
        ("create_event", {"level": "info", "subject": hostile, "data": {hostile: hostile}}),
        ("list_rows", {"dataTableId": hostile}),
        ("get_device", {"deviceId": hostile}),
        ("get_row", {"dataTableId": planted.table, "rowId": planted.row}),
        ("query_sql", {"sql": f"SELECT '{hostile}' AS x, * FROM events"}),
        ("query_sql", {"sql": f'SELECT "{hostile}" FROM nowhere'}),
        ("delete_events", {"query": {"subject": hostile}}),
        ("insert_rows", {"dataTableId": planted.table, "rows": [{hostile: hostile}]}),
        (hostile, {hostile: hostile}),
    ):
        try:
            await client.call_tool(name, arguments)
        except MCPError as error:  # an unknown tool is an error of the protocol
            assert_inert(str(error), lines=False)
    written = capsys.readouterr().err
    assert "events.get" in written
    assert_inert(written)
    assert not [words for words in FOREIGN if words in written]
