"""The guides, which read_guide tells as well."""

from __future__ import annotations

from losant_mcp import guides
from losant_mcp.resources.spec import resource
from losant_mcp.tools.call import Call


@resource(
    "guides/{name}",
    title="Guide",
    tools=("read_guide",),
    audience=("assistant",),
    priority=0.3,
    mime_type="text/markdown",
    per_application=False,
)
async def guide(call: Call, *, name: str) -> str:
    """How to work with this server, one subject each."""
    return guides.read(name).text
