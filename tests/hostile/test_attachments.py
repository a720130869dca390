"""Resources, prompts and completions, where all that Losant says is hostile."""

from __future__ import annotations

import json

import pytest
from mcp import Client
from mcp.types import (
    EmbeddedResource,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)

from losant_mcp.text import NOTE
from losant_mcp.tools.results import BYTES_PER_TOKEN
from tests.guard.guarding import Guarded
from tests.hostile.inertness import assert_inert, assert_value_inert
from tests.hostile.planting import Planted
from tests.prompts.prompting import FULL

MOST = 8_000 * BYTES_PER_TOKEN


def _look(told: str, mime_type: str | None) -> None:
    """The content of a resource: a guide of ours, or data that says that it is data."""
    assert len(told.encode()) <= MOST
    assert_inert(told)
    if mime_type == "application/json":
        found = json.loads(told)
        assert_value_inert(found)
        assert found["note"] == NOTE


async def test_every_resource_is_data(guarded: Guarded, planted: Planted) -> None:
    """Its name in the list as well as what it holds."""
    client = await guarded.connect()
    listed = [*(await client.list_resources()).resources]
    assert any(planted.table in str(resource.uri) for resource in listed)
    for resource in listed:
        for words in (resource.name, resource.title, resource.description):
            assert_inert(words or "", lines=False)
            assert len(words or "") <= 255
    for uri in [
        *(str(r.uri) for r in listed if "data-tables/" not in str(r.uri)),
        f"losant://data-tables/{planted.table}",
        *(f"losant://data-tables/{name}" for name in planted.names[:2]),
    ]:
        for held in (await client.read_resource(uri)).contents:
            assert isinstance(held, TextResourceContents)
            _look(held.text, held.mime_type)


@pytest.mark.parametrize("mode", ["auto"])
async def test_every_prompt_keeps_its_instructions(guarded: Guarded, planted: Planted) -> None:
    """What is live in it is attached as data: the instructions do not depend on it at all."""
    client = await guarded.connect()
    about = {"table": planted.table, "device": planted.device}
    for name, arguments in FULL.items():
        given = {key: about.get(key, value) for key, value in arguments.items()}
        hostile = [message.content for message in (await client.get_prompt(name, given)).messages]
        instructions = hostile[0]
        assert isinstance(instructions, TextContent)
        assert_inert(instructions.text)
        assert "evil" not in instructions.text
        assert "SYSTEM" not in instructions.text
        for content in hostile[1:]:
            if isinstance(content, EmbeddedResource):
                assert isinstance(content.resource, TextResourceContents)
                _look(content.resource.text, content.resource.mime_type)
            else:
                assert isinstance(content, TextContent)
                assert_inert(content.text)
        lives = name != "investigate_device"
        assert isinstance(hostile[-1], EmbeddedResource) == lives, name


async def test_every_completion_is_a_line(guarded: Guarded, planted: Planted) -> None:
    """What cannot be shown as it is comes as an id, and nothing comes with anything unseen."""
    client = await guarded.connect()
    template = (await client.list_resource_templates()).resource_templates[0].uri_template
    table = ResourceTemplateReference(uri=template)
    offered: list[str] = []
    for typed in ("", "s", "<", "\u202e", "del"):
        offered += await _offered(client, table, "dataTableId", typed)
        offered += await _offered(client, PromptReference(name="import_rows"), "table", typed)
        device = PromptReference(name="investigate_device")
        offered += await _offered(client, device, "device", typed)
        offered += await _offered(client, device, "tag", typed)
        cleaned = PromptReference(name="clean_up_data_table")
        offered += await _offered(client, cleaned, "column", typed, table=planted.table)
    assert len(offered) > 100
    for value in offered:
        assert_inert(value, lines=False)
        assert len(value) <= 255


async def _offered(
    client: Client,
    ref: PromptReference | ResourceTemplateReference,
    name: str,
    typed: str,
    /,
    **given: str,
) -> list[str]:
    answer = await client.complete(ref, {"name": name, "value": typed}, given or None)
    return list(answer.completion.values)
