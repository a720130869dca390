"""What a guide says in figures and lists is what the code does."""

from __future__ import annotations

import inspect

import pytest

from losant_mcp import guides
from losant_mcp.analysis.sources import DEVICE_COLUMNS, EVENT_COLUMNS
from losant_mcp.analysis.workbench import DEFAULT_DAYS, MIB, Workbench
from losant_mcp.api.query import DEVICES, EVENTS, MAX_DEPTH, MAX_ITEMS
from losant_mcp.api.query_values import ID_OPERATORS, TEXT_TESTS, VALUE_OPERATORS
from losant_mcp.client.addresses import MAX_URL
from losant_mcp.config import Settings
from losant_mcp.guard.gate import DESTROYED_AN_HOUR, UNASKED_OVERWRITES, limits_of
from losant_mcp.guard.plans import PLAN_SECONDS, YES_SECONDS
from losant_mcp.tools.series import DEFAULT_RAW_POINTS

SETTINGS = Settings()
LIMITS = limits_of(SETTINGS)
WORDS = {2: "two", 3: "three", 5: "five", 10: "ten"}


def _minutes(seconds: float) -> str:
    return WORDS[round(seconds / 60)]


WORKBENCH = {name: p.default for name, p in inspect.signature(Workbench).parameters.items()}
CLAIMS = {
    "advanced-query": [
        f"`$in $nin` take at most {MAX_ITEMS} values",
        f"an array of at most {MAX_ITEMS} queries, nested at most {MAX_DEPTH} deep",
        f"a URL of at most {MAX_URL // 1024} KB",
        f"More than {MAX_ITEMS} values",
        f"Fields: `{' '.join(EVENTS.fields)}`",
        f"Fields: `{' '.join(DEVICES.fields)}`",
        f"`{' '.join(TEXT_TESTS)}`",
        *VALUE_OPERATORS,
        *ID_OPERATORS,
    ],
    "time-series": [f"(default {DEFAULT_RAW_POINTS:,})"],
    "sql": [
        f"`events`: {', '.join(c.name for c in EVENT_COLUMNS)}.",
        f"`devices`: {', '.join(c.name for c in DEVICE_COLUMNS)}.",
        f"the last {DEFAULT_DAYS} days",
        f"a statement {WORKBENCH['seconds']:g} seconds and {WORKBENCH['memory'] // MIB} MB",
        f"LOSANT_MCP_MAX_ROWS rows ({SETTINGS.max_rows:,} unless set)",
    ],
    "guard": [
        f"LOSANT_MCP_CONFIRM_ABOVE ({SETTINGS.confirm_above} unless set)",
        f"LOSANT_MCP_MAX_DELETE ({SETTINGS.max_delete:,})",
        f"A question stands for {_minutes(PLAN_SECONDS)} minutes",
        f"a yes for {_minutes(YES_SECONDS)}",
        f"A no stands for {_minutes(LIMITS.refusal_seconds)} minutes for that target",
        f"and {WORDS[LIMITS.noes_in_a_row]} in a row lock deletion",
        f"LOSANT_MCP_BACKUP_DAYS ({SETTINGS.backup_days})",
        f"destroyed ({DESTROYED_AN_HOUR} times LOSANT_MCP_MAX_DELETE)",
        f"without asking ({UNASKED_OVERWRITES} times LOSANT_MCP_CONFIRM_ABOVE;",
        f"and {LIMITS.questions} questions, of which {WORDS[LIMITS.pending]} may wait",
    ],
}


@pytest.mark.parametrize("name", guides.names())
def test_a_guide_has_the_figures_of_the_code(name: str) -> None:
    """A limit, a list of columns or of operators that changes must change in the guide, too."""
    text = " ".join(guides.read(name).text.split())
    assert [claim for claim in CLAIMS[name] if claim not in text] == []
