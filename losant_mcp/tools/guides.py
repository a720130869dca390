"""The tool that gives the guides to a model whose host reads no resources."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

from losant_mcp import guides
from losant_mcp.tools.call import Call
from losant_mcp.tools.results import fitted
from losant_mcp.tools.schema import JsonSchema
from losant_mcp.tools.spec import tool

GUIDE: JsonSchema = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "title": {"type": "string"},
        "text": {"type": "string"},
        "truncated": {"type": "string"},
    },
    "required": ["name", "title", "text"],
}
Name = Annotated[str, WithJsonSchema({"type": "string", "enum": guides.names()})]


@tool("guides", title="Read a guide", output=GUIDE)
async def read_guide(call: Call, *, name: Name) -> dict[str, Any]:
    """Read how queries, time series, SQL or confirmation (guard) work here, with examples."""
    guide = guides.read(name)
    told = {"name": guide.name, "title": guide.title}
    return fitted(told, "text", guide.text, tokens=call.tokens)
