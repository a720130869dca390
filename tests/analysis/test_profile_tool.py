"""profile_data_table as a model calls it."""

from __future__ import annotations

from losant_mcp.tools import profiles
from losant_mcp.tools.spec import TOOLS
from tests.analysis.counting import tokens
from tests.analysis.serving import serving
from tests.calling import by_column, refusal, result
from tests.served import Sandbox

SPEC = TOOLS[profiles.profile_data_table.__name__]


async def test_a_table_is_profiled_by_name(sandbox: Sandbox) -> None:
    """Columns, counts and a search come in one answer, and mistakes are errors that help."""
    async with serving(sandbox, SPEC) as client:
        answer = await result(
            client, "profile_data_table", dataTableId="maintenance_log", search="seal replaced"
        )
        rows = {row["column"]: row for row in by_column(answer)}
        [stored] = sandbox.store.rows(
            "SELECT rowCount AS n FROM data_tables WHERE name = 'maintenance_log'"
        )
        assert (answer["rowCount"], answer["complete"]) == (stored["n"], True)
        assert {kind for kind, _ in rows["priority"]["top"]} == {"normal", "low", "high", "urgent"}
        assert answer["search"]["rows"][0][0] == "summary"
        assert tokens(answer) < 1500
        narrowed = await result(
            client,
            "profile_data_table",
            dataTableId="maintenance_log",
            query={"createdAt": {"$gte": "now"}},
        )
        assert narrowed["rowCount"] == 0
        assert narrowed["hint"].startswith("The query selects none of the rows.")
        text = await refusal(
            client, "profile_data_table", dataTableId="maintenance_log", query={"prio": "low"}
        )
        assert "there is no column 'prio'" in text
        text = await refusal(client, "profile_data_table", dataTableId="maintenance")
        assert "maintenance_log" in text


async def test_a_table_too_large_is_refused_with_a_way_out(sandbox: Sandbox) -> None:
    """Above the limit of rows the answer says how large the table is."""
    async with serving(sandbox, SPEC, max_rows=1000) as client:
        text = await refusal(client, "profile_data_table", dataTableId="shift_notes")
        assert "5,000" in text
        assert text.endswith('Profile some of its rows: query {"createdAt": {"$gte": "-7d"}}.')
        some = {"category": "incident"}
        answer = await result(client, "profile_data_table", dataTableId="shift_notes", query=some)
        assert 0 < answer["rowCount"] < 1000


def test_the_definition_is_short() -> None:
    """Name, description and input schema together take few tokens."""
    schema = SPEC.input_schema(bound=True)
    whole = {"name": SPEC.name, "description": SPEC.description, "inputSchema": schema}
    assert tokens(whole) < 130
