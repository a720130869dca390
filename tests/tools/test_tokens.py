"""What the tools cost a model, in real tokens: on every request, by every user, forever."""

from __future__ import annotations

import pytest

from losant_mcp.config import Settings
from losant_mcp.server import INSTRUCTIONS
from losant_mcp.tools.listing import listed
from losant_mcp.tools.results import BYTES_PER_TOKEN, size
from losant_mcp.tools.spec import ToolSpec
from tests.analysis.counting import tokens
from tests.calling import Connect, result
from tests.served import Sandbox
from tests.tools.plausible import GUARDED, arguments, ids_in

# What is installed with nothing but the package; render_chart comes with an extra, on top.
BOUND, UNBOUND, READ_ONLY = 5700, 6500, 3000
EACH_BOUND, EACH_UNBOUND = 350, 400


def cost(spec: ToolSpec, *, bound: bool) -> int:
    """Tokens of what hosts pass on: name, description and input schema."""
    schema = spec.input_schema(bound=bound)
    told = {"name": spec.name, "description": spec.description, "inputSchema": schema}
    return tokens(told)


@pytest.mark.parametrize(
    ("access", "bound", "most", "each"),
    [
        ("full", True, BOUND, EACH_BOUND),
        ("full", False, UNBOUND, EACH_UNBOUND),
        ("read", True, READ_ONLY, EACH_BOUND),
    ],
)
def test_the_tools_cost_no_more_than_they_may(
    access: str, bound: bool, most: int, each: int
) -> None:
    """Together with the instructions, and each for itself."""
    specs = listed(Settings.model_validate({"access": access}))
    costs = {spec.name: cost(spec, bound=bound) for spec in specs}
    assert {name: n for name, n in costs.items() if n > each} == {}
    costs.pop("render_chart")
    assert sum(costs.values()) + tokens(INSTRUCTIONS) <= most


async def test_a_hundred_events_cost_at_most_7000_tokens(connect: Connect) -> None:
    """The API's own JSON, pretty-printed, takes about four times as many."""
    client = await connect()
    found = await result(client, "list_events", perPage=100)
    assert found["returned"] == 100
    assert tokens(found) <= 7000


@pytest.mark.parametrize("mode", ["auto"])
async def test_a_result_never_has_more_tokens_than_estimated(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Two characters a token is a low guess for every tool's answer on the demo."""
    client = await connect(result_tokens=100_000)
    given = arguments(ids_in(sandbox.store))
    calls = [(n, given[n]) for n in given if n not in {*GUARDED, "restore_backup"}]
    calls += [
        ("list_events", {"perPage": 500, "fields": ["id", "message", "eventTags", "updates"]}),
        ("list_rows", {"dataTableId": "shift_notes", "limit": 500}),
        ("list_rows", {"dataTableId": "maintenance_log", "limit": 500}),
        ("list_devices", {}),
        ("query_time_series", {"deviceQuery": {}, "resolution": 3_600_000}),
    ]
    for name, some in calls:
        found = await result(client, name, **some)
        assert tokens(found) <= size(found) / BYTES_PER_TOKEN, name
