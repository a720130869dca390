"""Which tools a server lists, and why it does not list the others.

It depends on settings alone, never on the connection. A tool that is not listed cannot be called.
"""

from __future__ import annotations

from losant_mcp.api.endpoint import Effect
from losant_mcp.config import TOOLSETS, Settings
from losant_mcp.policy import ALLOWED_EFFECTS
from losant_mcp.tools import data, events, lookup, rows, tables
from losant_mcp.tools.spec import TOOLS, ToolSpec

DOMAINS = (events, tables, rows, data, lookup)
"""Importing them registers their tools."""


def listed(settings: Settings) -> list[ToolSpec]:
    """The tools of a server with these settings, toolset by toolset."""
    found = [spec for spec in TOOLS.values() if why_not(spec, settings) is None]
    return sorted(found, key=lambda spec: TOOLSETS.index(spec.toolset))


def why_not(spec: ToolSpec, settings: Settings) -> str | None:
    """Why a tool is not listed and how a person turns it on; None where it is."""
    if spec.toolset not in settings.toolsets:
        return f"toolset {spec.toolset} is off; add it to LOSANT_MCP_TOOLSETS"
    if spec.name in settings.deny:
        return "denied; remove it from LOSANT_MCP_DENY"
    if spec.effect not in ALLOWED_EFFECTS[settings.access]:
        needed = "full" if spec.effect is Effect.DESTROY else "write"
        return f"access is {settings.access}; set LOSANT_MCP_ACCESS={needed}"
    return None


def denied_tables(settings: Settings) -> list[str]:
    """The entries of LOSANT_MCP_DENY that are tables, by id or name: whatever is no tool."""
    return [name for name in settings.deny if name not in TOOLS]
