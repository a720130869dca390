"""What a model is told to do after a write of which no answer came, and what comes of doing so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.client.problems import about
from losant_mcp.errors import NoAnswer
from losant_mcp.tools.spec import TOOLS
from tests.calling import refusal, text_of
from tests.faults.serving import Serve, change, given, stored
from tests.faults.table import FAULTS, WRITES
from tests.tools.plausible import SITE

WRITING = [endpoint for endpoint in ENDPOINTS.values() if endpoint.effect is not Effect.READ]

LOOKS: Mapping[str, tuple[dict[str, Any], str]] = {
    "create_event": ({"perPage": 3}, "Made by a test"),
    "create_data_table": ({}, "visits"),
    "insert_rows": ({"dataTableId": "sites", "query": {"siteCode": SITE["siteCode"]}}, "New works"),
    "add_data_table_column": ({"dataTableId": "sites"}, "floor"),
    "export_events": ({}, "ExportEvents"),
    "export_rows": ({}, "ExportDataTable"),
    "export_device_data": ({}, "ExportDeviceData"),
}
"""By tool: how a model asks the tool that it is pointed to, and the text that is the answer."""


@pytest.mark.parametrize("endpoint", WRITING, ids=lambda endpoint: endpoint.id)
def test_every_write_has_a_tool_that_shows_it(endpoint: Endpoint) -> None:
    """The advice names a tool that only reads."""
    look = about(NoAnswer("Silence"), endpoint).look
    assert TOOLS[look].effect is Effect.READ


@pytest.mark.parametrize("mode", ["auto"])
@pytest.mark.parametrize("fault", ["timeout without the work", "truncated JSON"])
@pytest.mark.parametrize("tool", LOOKS)
async def test_who_looks_before_repeating_does_it_once(
    serve: Serve, doors: dict[str, int], tool: str, fault: str
) -> None:
    """The tool that is named shows whether it happened; repeated only if not, it is there once."""
    write = WRITES[f"{tool} unasked"]
    served = await serve(write)
    before, arguments = stored(served.sandbox), given(write, served.sandbox.store)
    served.befall(write.endpoint, FAULTS[fault], doors)
    told = await refusal(served.client, tool, **arguments)
    served.recover()

    [look] = re.findall(r"look with (\w+) before you repeat it\.$", told)
    how, shown = LOOKS[tool]
    there = shown in text_of(await served.client.call_tool(look, how))
    assert there == bool(FAULTS[fault].happens)
    if not there:
        await served.client.call_tool(tool, arguments)
    assert change(before, served.sandbox) == write.change
