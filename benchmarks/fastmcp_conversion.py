"""The alternative: FastMCP's conversion of an OpenAPI document of the same 28 core endpoints.

There are two such documents. One is made from the published contract, as whoever starts from
Losant's own schemas would make it; it lies beside the repository where it is developed. The other
is what ``losant-mcp openapi`` writes, which is leaner. FastMCP brings libraries that must not come
near our own environment, so it gets one of its own for the moment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from losant_mcp.api.openapi import openapi
from losant_mcp.api.types import JsonObject

CORE = 28
CONTRACT = Path(__file__).parents[2] / "shared" / "losant-api"

CONVERT = """
import asyncio, json, sys
from fastmcp import FastMCP

async def main():
    document = json.load(open(sys.argv[1], encoding="utf-8"))
    server = FastMCP.from_openapi(document)
    tools = [tool.to_mcp_tool() for tool in await server.list_tools()]
    facts = [
        {"name": t.name, "description": t.description, "inputSchema": t.inputSchema}
        for t in tools
    ]
    json.dump(facts, open(sys.argv[2], "w", encoding="utf-8"))

asyncio.run(main())
"""


def tools(*documents: JsonObject) -> list[list[JsonObject]]:
    """The converted tools of each document: name, description and inputSchema.

    None at all where FastMCP cannot be installed, as without a package index.
    """
    converted: list[list[JsonObject]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given, result = folder / "openapi.json", folder / "tools.json"
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "fastmcp"]
        if subprocess.run([scripts / "python", *install], check=False).returncode:
            return []
        for document in documents:
            given.write_text(json.dumps(document), encoding="utf-8")
            subprocess.run([scripts / "python", "-c", CONVERT, given, result], check=True)
            converted.append(json.loads(result.read_text(encoding="utf-8")))
            assert len(converted[-1]) == CORE
    return converted


def own() -> JsonObject:
    """What ``losant-mcp openapi`` writes, without the lookups."""
    document = openapi()
    document["paths"] = {
        path: item
        for path, item in document["paths"].items()
        if not any("Lookups" in operation["tags"] for operation in operations(item))
    }
    return document


def operations(item: JsonObject) -> list[JsonObject]:
    """The operations of a path."""
    return [operation for name, operation in item.items() if name != "parameters"]


def published() -> JsonObject | None:
    """A document of the 28 core endpoints from the published contract; None without it."""
    if not CONTRACT.is_dir():
        return None
    actions = json.loads((CONTRACT / "actions.json").read_text(encoding="utf-8"))["actions"]
    paths: dict[str, JsonObject] = {}
    for action in actions:
        if action["group"] == "core":
            paths.setdefault(action["path"], {})[action["method"].lower()] = _operation(action)
    schemas = {
        path.stem: _local(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted((CONTRACT / "schemas").glob("*.json"))
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Losant", "version": "1.30.0"},
        "servers": [{"url": "https://api.losant.com"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(action: JsonObject) -> JsonObject:
    operation: JsonObject = {
        "operationId": f"{action['resource']}_{action['action']}",
        "summary": action["summary"],
        "parameters": [
            *(_parameter(it, "path") for it in action["path_params"]),
            *(_parameter(it, "query") for it in action["query_params"]),
        ],
        "responses": {
            str(it["code"]): {"description": it["description"], "content": _json(it["schema"])}
            for it in action["success"]
        },
    }
    if action["body_schema"]:
        operation["requestBody"] = {
            "required": bool(action["required_body"]),
            "content": _json(action["body_schema"]),
        }
    return operation


def _parameter(given: JsonObject, where: str) -> JsonObject:
    if given.get("schema"):
        schema: JsonObject = {"$ref": f"#/components/schemas/{given['schema']}"}
    else:
        schema = {"type": given["type"]}
        if schema["type"] == "array":
            schema["items"] = {"type": "string"}
        for key in ("pattern", "enum", "default"):
            if given.get(key) is not None:
                schema[key] = given[key]
    return {
        "name": given["name"],
        "in": where,
        "required": where == "path" or bool(given.get("required")),
        "description": given.get("description", ""),
        "schema": schema,
    }


def _json(schema: str) -> JsonObject:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _local(node: Any) -> Any:  # JSON data
    if isinstance(node, list):
        return [_local(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: _local(value) for key, value in node.items() if key != "$schema"}
    reference = node.get("$ref")
    if isinstance(reference, str):
        result["$ref"] = f"#/components/schemas/{reference.rsplit('/', 1)[-1]}"
    return result
