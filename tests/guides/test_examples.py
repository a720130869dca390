"""Every worked example of the guides is a call that works: on the demo, each finds something."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from losant_mcp import guides
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, JsonObject, asked, result
from tests.served import Sandbox

# A fence, its language, the tool, and what stands inside.
_EXAMPLE = re.compile(r"^```(json|sql) (\w+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One call that a guide shows."""

    guide: str
    number: int
    tool: str
    arguments: dict[str, Any]


def examples(guide: str) -> list[Example]:
    """The calls of a guide, in their order."""
    found = _EXAMPLE.findall(guides.read(guide).text)
    return [
        Example(guide, number, tool, {"sql": text} if language == "sql" else json.loads(text))
        for number, (language, tool, text) in enumerate(found, start=1)
    ]


ALL = [example for guide in guides.names() for example in examples(guide)]
READS = [example for example in ALL if example.guide != "guard"]


def test_no_block_escapes_the_tests() -> None:
    """Each fenced block names its tool, and there are as many examples as are promised."""
    texts = [guides.read(name).text for name in guides.names()]
    assert sum(text.count("```") for text in texts) == 2 * len(ALL)
    assert len(examples("advanced-query")) == 10
    assert {example.tool for example in ALL} <= set(TOOLS)


@pytest.mark.parametrize("guide", sorted({example.guide for example in READS}))
async def test_every_example_finds_something(connect: Connect, guide: str) -> None:
    """On both protocol versions no example is an error, and none comes back empty."""
    client = await connect()
    for example in examples(guide):
        found = await result(client, example.tool, **example.arguments)
        assert found["total"] > 0, example
        assert found["returned"] == len(found["rows"]), example
        assert found["returned"] > 0 or example.arguments.get("countOnly"), example
        assert "hint" not in found, example


async def test_the_calls_of_the_guard_change_nothing(connect: Connect, sandbox: Sandbox) -> None:
    """The deletion that the guide shows waits for a person, as the guide says."""
    client = await connect()
    answers: dict[str, JsonObject] = {}
    for example in examples("guard"):
        answers[example.tool] = await result(client, example.tool, **example.arguments)
    assert answers["delete_rows"]["status"] == "approval_required"
    assert answers["list_backups"]["total"] == 0
    assert answers["get_server_status"]["confirmation"]["mode"] == "human"
    assert "dataTableRows.delete" not in asked(sandbox)
