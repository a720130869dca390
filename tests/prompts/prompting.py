"""Getting prompts as a client does, and reading what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import EmbeddedResource, GetPromptResult, TextContent, TextResourceContents

from losant_mcp.analysis.workbench import Workbench
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.guard.door import GuardDoor
from losant_mcp.prompts.catalogue import Prompts
from losant_mcp.prompts.files import read_files
from losant_mcp.tools.call import Services
from losant_mcp.tools.times import Clock

FILES = read_files()

FULL: dict[str, dict[str, str]] = {
    "triage_new_events": {"level": "error"},
    "review_event_storm": {"since": "-6h"},
    "shift_handover": {"since": "-8h"},
    "ask_data_table": {"table": "parts", "question": "How many parts are out of stock?"},
    "clean_up_data_table": {
        "table": "parts",
        "column": "supplier",
        "goal": "Suppliers in several spellings",
    },
    "import_rows": {"table": "parts", "rows": "partNumber,stock\nP-1,4"},
    "investigate_device": {
        "device": "Mill Lane Pump 2",
        "concern": "Low suction pressure at night",
        "tag": "site",
        "since": "-24h",
    },
}
"""Every prompt with all its arguments, as they fit the demo."""

NEEDS_NOTHING = ("triage_new_events", "review_event_storm", "shift_handover")


def services_of(client: LosantClient, **settings: Any) -> Services:
    """What the prompts of a server with these settings are given."""
    made = Settings(**settings)
    return Services(
        settings=made,
        client=client,
        clock=Clock("Europe/Berlin"),
        guard=GuardDoor(made, client),
        workbench=Workbench(max_rows=1, time_zone="UTC"),
        bound_to=made.application_id,
    )


def prompts_of(client: LosantClient, **settings: Any) -> Prompts:
    """The prompts of a server with these settings, to be rendered without a client."""
    return Prompts(services_of(client, **settings), FILES)


def texts(answer: GetPromptResult) -> list[str]:
    """The messages that are text, in their order."""
    contents = [message.content for message in answer.messages]
    return [content.text for content in contents if isinstance(content, TextContent)]


def data_of(answer: GetPromptResult) -> dict[str, str]:
    """The arguments as they reach the model: one line of JSON under a heading."""
    _, block = texts(answer)
    _, line = block.split("\n")
    data: dict[str, str] = json.loads(line)
    return data


def live_of(answer: GetPromptResult) -> tuple[str, dict[str, Any]]:
    """The URI of the resource that is the last message, and what it holds."""
    last = answer.messages[-1].content
    assert isinstance(last, EmbeddedResource)
    held = last.resource
    assert isinstance(held, TextResourceContents)
    assert held.mime_type == "application/json"
    return str(held.uri), json.loads(held.text)


async def refused(client: Client, name: str, arguments: dict[str, str]) -> str:
    """The message with which the prompt is refused, as invalid parameters."""
    with pytest.raises(MCPError) as caught:
        await client.get_prompt(name, arguments)
    assert caught.value.error.code == -32602
    return caught.value.error.message
