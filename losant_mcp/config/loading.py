"""From environment, flags and a file to the settings, or to the words for what is wrong.

Nothing else reads the environment.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from losant_mcp.config import VARIABLES, Settings, is_protected, variable
from losant_mcp.errors import ConfigurationError

PREFIX = "LOSANT_MCP_"


def load_settings(
    environ: Mapping[str, str],
    *,
    flags: Mapping[str, Any] | None = None,
    file: Mapping[str, str | None] | None = None,
) -> Settings:
    """The settings: ``flags`` (by attribute) before the environment before a file's variables.

    An empty variable counts as not set. Raises ConfigurationError for an unknown
    ``LOSANT_MCP_*`` variable, a protected setting in the file, and a value that does not fit;
    the text names the variable, never the value of a secret.
    """
    values: dict[str, Any] = {}
    for name, value in (file or {}).items():
        attribute = _known(name)
        if attribute is not None and is_protected(attribute):
            raise ConfigurationError(
                f"{name} may not come from a file.",
                hint="Set it in the environment or by a flag: it decides what is protected.",
            )
        if attribute is not None and value and value.strip():
            values[attribute] = value.strip()
    for name, value in environ.items():
        attribute = _known(name)
        if attribute is not None and value.strip():
            values[attribute] = value.strip()
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_readable(error)) from None


def _known(name: str) -> str | None:
    """The attribute of a variable; None for a variable that is not ours."""
    if name in VARIABLES:
        return VARIABLES[name]
    folded = name.upper()
    if not folded.startswith("LOSANT_"):
        return None
    # Other tools have LOSANT_ variables of their own; but one letter amiss in
    # LOSANT_APPLICATION_ID would silently open every application.
    cutoff = 0 if folded.startswith(PREFIX) else 0.9
    if near := difflib.get_close_matches(folded, VARIABLES, n=1, cutoff=cutoff):
        raise ConfigurationError(f"Unknown setting {name[:80]}.", hint=f"Did you mean {near[0]}?")
    return None


_MESSAGES = {
    ("api_url", "string_pattern_mismatch"): "must be an address such as https://api.losant.com",
    ("public_url", "string_pattern_mismatch"): "must be an address such as https://mcp.example.com",
    ("approver_header", "string_pattern_mismatch"): "must be a name such as X-Forwarded-User",
    ("application_id", "string_pattern_mismatch"): "must be an id of 24 hexadecimal characters",
    ("toolsets", "too_short"): "names no toolset",
    ("state_key", "too_short"): "must have at least 32 characters",
    ("http", "string_pattern_mismatch"): "must be host:port, such as 127.0.0.1:8000",
}


def _readable(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False):
        name = str(item["loc"][0])
        message = _MESSAGES.get((name, item["type"])) or item["msg"].removeprefix("Value error, ")
        ending = "" if message.endswith("?") else "."
        lines.append(f"{variable(name)}: {message[:1].lower()}{message[1:]}{ending}")
        if item["type"] == "literal_error":  # what is secret has no choices
            expected = item["ctx"]["expected"].replace(" or ", ",")
            choices = [part.strip(" '") for part in expected.split(",")]
            if near := difflib.get_close_matches(str(item["input"]).lower(), choices, n=1):
                lines.append(f"Did you mean {near[0]!r}?")
    return " ".join(lines)
