"""Prompts name only tools that are listed, whatever the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from losant_mcp.analysis.sources import DEVICE_COLUMNS, RESERVED
from losant_mcp.api.endpoint import Effect
from losant_mcp.api.events import Event
from losant_mcp.api.query import DEVICES, EVENTS
from losant_mcp.api.tables import RESERVED_COLUMNS
from losant_mcp.client import LosantClient
from losant_mcp.config import TOOLSETS, Access, Settings
from losant_mcp.tools.listing import listed
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect
from tests.prompts.prompting import FULL, NEEDS_NOTHING, prompts_of, refused, texts

READERS = {*NEEDS_NOTHING, "ask_data_table", "investigate_device"}


@pytest.fixture(scope="module")
def unasked() -> LosantClient:
    """A client of servers whose prompts are only rendered: it asks nobody."""
    return LosantClient(SecretStr("unused"), base_url="http://127.0.0.1:9")


def _rendered(client: LosantClient, settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of every prompt that is listed, without arguments and with all of them."""
    prompts = prompts_of(client, **settings)
    for prompt in prompts.listing():
        for given in ((), FULL[prompt.name]):
            yield prompt.name, prompts.instructions(prompt.name, given)


def _named(text: str) -> set[str]:
    return {name for name in TOOLS if name in text.replace("`", " ").split() or f"`{name}`" in text}


def _check(client: LosantClient, settings: dict[str, Any]) -> None:
    known = {spec.name for spec in listed(Settings(**settings))}
    for name, text in _rendered(client, settings):
        assert _named(text) <= known, f"{name} with {settings}"
        assert "{" not in text.replace('{"', ""), name
        assert "\n\n\n" not in text
        assert text.count("`") % 2 == 0


@pytest.mark.parametrize("access", get_args(Access))
def test_only_listed_tools_are_named_in_any_combination_of_toolsets(
    unasked: LosantClient, access: Access
) -> None:
    """All 127 combinations, without arguments and with all of them."""
    for size in range(1, len(TOOLSETS) + 1):
        for toolsets in combinations(TOOLSETS, size):
            _check(unasked, {"access": access, "toolsets": toolsets})


@pytest.mark.parametrize("tool", TOOLS)
def test_a_denied_tool_is_named_nowhere(unasked: LosantClient, tool: str) -> None:
    """Neither in a prompt that can do without it, nor in one that needs it, which is not there."""
    _check(unasked, {"deny": (tool,)})


def test_with_read_only_access_no_prompt_suggests_a_change(unasked: LosantClient) -> None:
    """No tool but readers is named, nobody is offered to acknowledge, and no yes is spoken of."""
    settings = {"access": "read"}
    texts_of = dict(_rendered(unasked, settings))
    assert set(texts_of) == READERS
    for text in texts_of.values():
        assert {TOOLS[tool].effect for tool in _named(text)} == {Effect.READ}
        for word in ("acknowledge,", "Offer to", "offer to ack", "approval", "yes,"):
            assert word not in text


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"access": "write"}, set(FULL)),
        ({"toolsets": ("events",)}, set(NEEDS_NOTHING)),
        ({"toolsets": ("analysis",)}, {"ask_data_table"}),
        ({"toolsets": ("lookup", "data")}, {"investigate_device"}),
        (
            {"toolsets": ("tables",)},
            {"ask_data_table", "clean_up_data_table", "import_rows"},
        ),
        ({"toolsets": ("safety", "guides")}, set()),
        ({"deny": ("insert_rows", "get_event")}, set(FULL) - {"import_rows", "triage_new_events"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_prompt_is_listed_where_the_tools_that_it_needs_are(
    unasked: LosantClient, settings: dict[str, Any], expected: set[str]
) -> None:
    """And one whose tools are off is not."""
    assert {prompt.name for prompt in prompts_of(unasked, **settings).listing()} == expected


def test_a_tool_that_is_listed_is_made_use_of(unasked: LosantClient) -> None:
    """With everything on, the prompts together name most readers, and the writers they are for."""
    everything = set().union(*(_named(text) for _, text in _rendered(unasked, {})))
    assert {
        *("summarize_events", "list_events", "get_event", "query_sql", "query_rows"),
        *("query_last_values", "query_time_series", "get_device", "list_devices"),
        *("update_event", "update_events", "update_row", "insert_rows", "delete_rows"),
        *("list_backups", "restore_backup", "list_data_tables", "profile_data_table"),
    } <= everything
    assert not {"truncate_rows", "delete_data_table", "delete_events"} & everything


def test_a_word_in_code_is_one_of_ours_or_of_losants(unasked: LosantClient) -> None:
    """Arguments, fields and keys of results are called what they are called."""
    arguments = {name for spec in TOOLS.values() for name in spec.model.model_fields}
    results = {"changed", "exact", "floods", "lookFirst", "oldOpen", "oldest", "returned", "total"}
    fields = {*EVENTS.fields, *DEVICES.fields, *Event.model_fields, *RESERVED_COLUMNS}
    sql = {*RESERVED, *(column.name for column in DEVICE_COLUMNS)}
    templates = {argument for given in FULL.values() for argument in given}
    known = arguments | results | fields | sql | templates | set(TOOLS) | {"approval_required"}
    for name, text in _rendered(unasked, {}):
        words = set(re.findall(r"`([A-Za-z_]+)(?:: [^`]*)?`", text)) - {"ILIKE", "TRY_CAST"}
        assert words <= known, name


def test_a_value_that_a_prompt_gives_is_one_that_the_argument_takes(unasked: LosantClient) -> None:
    """Where it stands behind the argument's name, some tool with this argument takes it so."""
    given = set()
    for toolsets in (TOOLSETS, ("events",), ("tables",)):
        for _, text in _rendered(unasked, {"toolsets": toolsets}):
            given |= set(re.findall(r"`(\w+): ([^`…]+)`", text))
    checked = set()
    for name, value in given:
        models = [spec.model for spec in TOOLS.values() if name in spec.model.model_fields]
        if models:  # else it is what a result says
            assert any(_takes(model, name, json.loads(value)) for model in models), value
            checked.add(name)
    assert checked >= {"state", "fromState", "sortDirection", "aggregation", "limit", "groupBy"}


def _takes(model: type[BaseModel], name: str, value: Any) -> bool:
    try:
        model.__pydantic_validator__.validate_assignment(model.model_construct(), name, value)
    except ValidationError:
        return False
    return True


async def test_a_prompt_that_is_not_listed_cannot_be_had(connect: Connect) -> None:
    """It is unknown, like one that does not exist."""
    client = await connect(access="read")
    assert {prompt.name for prompt in (await client.list_prompts()).prompts} == READERS
    message = await refused(client, "import_rows", FULL["import_rows"])
    assert message.startswith("Unknown prompt: import_rows")


async def test_live_data_that_is_off_is_said_to_be(connect: Connect) -> None:
    """A table's description is a matter of the toolset tables; the question can do without."""
    client = await connect(toolsets=("analysis",))
    answer = await client.get_prompt("ask_data_table", FULL["ask_data_table"])
    assert texts(answer)[2] == "The live data is not attached: it is off in this server."
