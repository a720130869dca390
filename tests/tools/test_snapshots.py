"""What a client is told of each tool, as committed: it never changes unseen.

``UPDATE_SNAPSHOTS=1 pytest tests/tools/test_snapshots.py`` writes the files anew; the
difference then is for a reviewer to read as product text.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp.types import Tool

from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect

FOLDER = Path(__file__).parent / "snapshots"
UPDATE = "UPDATE_SNAPSHOTS" in os.environ


def _told(tool: Tool) -> dict[str, Any]:
    """A tool as it is on the wire."""
    return tool.model_dump(mode="json", by_alias=True, exclude_none=True)


async def test_every_tool_is_told_as_committed(connect: Connect) -> None:
    """Schemas, annotations and descriptions are the committed ones, on both versions."""
    client = await connect()
    found = {tool.name: _told(tool) for tool in (await client.list_tools()).tools}
    assert set(found) == set(TOOLS)
    for name, told in found.items():
        path = FOLDER / f"{name}.json"
        if UPDATE:
            path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")
        assert json.loads(path.read_text("utf-8")) == told, f"{name} has changed: update snapshots"


def test_no_snapshot_is_of_a_tool_that_is_gone() -> None:
    """Each file belongs to a tool."""
    assert {path.stem for path in FOLDER.glob("*.json")} == set(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
def test_an_unbound_server_only_adds_the_application(name: str) -> None:
    """Beside what a bound server tells there is applicationId, required, and what needs it."""
    spec = TOOLS[name]
    bound, unbound = spec.input_schema(bound=True), spec.input_schema(bound=False)
    more = unbound["properties"].keys() - bound["properties"].keys()
    if name == "list_applications":
        assert more == {"filter", "sortField", "sortDirection", "page", "perPage"}
        return
    if name in ("get_server_status", "read_guide"):
        assert not more
        return
    assert more == {"applicationId"}
    assert set(unbound["required"]) == {*bound.get("required", ()), "applicationId"}
    assert next(iter(unbound["properties"])) == "applicationId"
