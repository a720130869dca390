"""Whether a tool is there under these settings, and if not, what a person would change."""

from __future__ import annotations

from losant_mcp.api.endpoint import Effect
from losant_mcp.config import Settings
from losant_mcp.policy import ALLOWED_EFFECTS
from losant_mcp.tools.spec import ToolSpec


def why_not(spec: ToolSpec, settings: Settings) -> str | None:
    """Why a tool is not listed and how a person turns it on; None where it is."""
    if spec.toolset not in settings.toolsets:
        return f"toolset {spec.toolset} is off; add it to LOSANT_MCP_TOOLSETS"
    if spec.name in settings.deny:
        return "denied; remove it from LOSANT_MCP_DENY"
    if spec.effect not in ALLOWED_EFFECTS[settings.access]:
        needed = "full" if spec.effect is Effect.DESTROY else "write"
        return f"access is {settings.access}; set LOSANT_MCP_ACCESS={needed}"
    return spec.missing()
