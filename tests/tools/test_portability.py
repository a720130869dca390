"""Schemas that every host understands: by our own rules, and by the MCP Inspector's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp.types import Tool

from losant_mcp.config import Settings
from losant_mcp.server import INSTRUCTIONS
from losant_mcp.tools.listing import listed
from losant_mcp.tools.schema import portable
from losant_mcp.tools.spec import TOOLS, ToolSpec
from tests.calling import Connect
from tests.cli.command import COMMAND
from tests.node import inspect, needs_inspector

SPECS = pytest.mark.parametrize("spec", TOOLS.values(), ids=lambda spec: spec.name)


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a schema, itself included."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from _nodes(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _nodes(item)


def _schemas(spec: ToolSpec) -> list[dict[str, Any]]:
    return [spec.input_schema(bound=True), spec.input_schema(bound=False), spec.output]


@SPECS
def test_a_schema_uses_nothing_that_hosts_mishandle(spec: ToolSpec) -> None:
    """No references, no unions at the root, no null unions, no arrays of types, no titles."""
    for schema in _schemas(spec):
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf", "not"} & schema.keys()
        for node in _nodes(schema):
            assert not {"$ref", "$defs", "definitions", "oneOf", "allOf"} & node.keys()
            assert {"type": "null"} not in node.get("anyOf", ())
            assert not isinstance(node.get("type"), list)
            assert not isinstance(node.get("title"), str)
            assert node.get("default", 0) is not None


@SPECS
def test_every_argument_has_a_type(spec: ToolSpec) -> None:
    """Hosts that turn schemas into forms or grammars need one."""
    for schema in _schemas(spec):
        for argument in schema.get("properties", {}).values():
            assert {"type", "anyOf"} & argument.keys()


@SPECS
def test_the_schema_is_strict(spec: ToolSpec) -> None:
    """A host can refuse an unknown argument before it is sent."""
    assert spec.input_schema(bound=True)["additionalProperties"] is False


@SPECS
def test_the_schema_says_what_the_tool_takes(spec: ToolSpec) -> None:
    """Required and optional arguments are the handler's own, defaults included."""
    schema = spec.input_schema(bound=False)
    for name, field in spec.model.model_fields.items():
        assert (name in schema.get("required", ())) == field.is_required()
        if field.default not in (None, ...) and not field.is_required():
            assert schema["properties"][name]["default"] == field.default


@SPECS
def test_names_and_texts_are_short_and_there(spec: ToolSpec) -> None:
    """Hosts put a prefix before the name, and a model reads the text on every request."""
    assert 0 < len(spec.name) <= 40
    assert spec.name.replace("_", "").isalpha()
    assert spec.name == spec.name.lower()
    assert spec.title
    assert spec.description.endswith(".")
    assert 0 < len(spec.description) <= 200


async def test_what_is_listed_is_what_was_checked(connect: Connect) -> None:
    """The SDK hands these schemas on as they are."""
    client = await connect()
    tools: list[Tool] = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == [spec.name for spec in listed(Settings())]
    for tool in tools:
        assert tool.input_schema == TOOLS[tool.name].input_schema(bound=True)
        assert tool.output_schema == TOOLS[tool.name].output
        assert tool.annotations == TOOLS[tool.name].annotations


def test_a_reference_is_inlined_without_the_models_own_text() -> None:
    """Beside the argument's description, a docstring of ours would only cost tokens."""
    schema = {
        "$defs": {
            "Tag": {"type": "object", "title": "Tag", "description": "ours", "properties": {}}
        },
        "type": "object",
        "properties": {
            "title": {"type": "string", "title": "Title"},
            "tag": {"anyOf": [{"$ref": "#/$defs/Tag"}, {"type": "null"}], "default": None},
            "number": {"anyOf": [{"type": "integer"}, {"type": "number"}]},
            "flag": {"type": "boolean", "default": True},
        },
    }
    assert portable(schema) == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "tag": {"type": "object", "properties": {}},
            "number": {"anyOf": [{"type": "number"}]},
            "flag": {"type": "boolean", "default": True},
        },
    }


def test_the_instructions_fit_what_hosts_pass_on() -> None:
    """More than 2,000 characters are cut by some."""
    assert 0 < len(INSTRUCTIONS) <= 2000


@needs_inspector
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_finds_no_error(era: str, tmp_path: Path) -> None:
    """`--strict` ends with 6 where a schema is not portable; it reports nothing here."""
    done = inspect(
        tmp_path,
        *("--method", "tools/list", "--strict", "--protocol-era", era, "--"),
        *(*COMMAND, "serve", "--sandbox"),
    )
    assert done.returncode == 0, done.stderr
    assert "Warning:" not in done.stderr, done.stderr
    assert all(name in done.stdout for name in TOOLS)
