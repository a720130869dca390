"""Which tools a server lists, and why it does not list the others.

It depends on settings alone, never on the connection. A tool that is not listed cannot be called.
"""

from __future__ import annotations

from losant_mcp.config import TOOLSETS, Settings
from losant_mcp.tools import (
    analysis,
    charts,
    data,
    digest,
    events,
    guides,
    lookup,
    profiles,
    rows,
    safety,
    tables,
)
from losant_mcp.tools.availability import why_not
from losant_mcp.tools.spec import TOOLS, ToolSpec

DOMAINS = (
    *(events, digest, tables, rows, data, lookup),
    *(analysis, profiles, charts, safety, guides),
)
"""Importing them registers their tools."""


def listed(settings: Settings) -> list[ToolSpec]:
    """The tools of a server with these settings, toolset by toolset."""
    found = [spec for spec in TOOLS.values() if why_not(spec, settings) is None]
    return sorted(found, key=lambda spec: TOOLSETS.index(spec.toolset))


def denied_tables(settings: Settings) -> list[str]:
    """The entries of LOSANT_MCP_DENY that are tables, by id or name: whatever is no tool."""
    return [name for name in settings.deny if name not in TOOLS]
