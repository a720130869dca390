"""`losant-mcp call`: one tool by hand, through a real MCP client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from losant_mcp.api.endpoint import Effect
from losant_mcp.cli.table import render
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, result
from tests.cli.command import Run
from tests.served import Sandbox
from tests.tools.plausible import arguments, ids_in


def test_a_listing_comes_as_a_table(run: Run, on_sandbox: Sandbox) -> None:
    """Columns are aligned, and the total stands below."""
    told = run("call", "list_data_tables")
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].split() == ["id", "name", "columns", "description", "lastUpdated"]
    assert "5 of 5" in lines


def test_json_is_the_whole_result(run: Run, on_sandbox: Sandbox) -> None:
    """`--json` prints what the model would get, as JSON."""
    told = run("call", "list_events", '{"state": "new", "perPage": 3}', "--json")
    result = json.loads(told.stdout)
    assert result["returned"] == 3
    assert result["next"] == {"state": "new", "perPage": 3, "page": 1}


def test_arguments_may_come_from_standard_input(run: Run, on_sandbox: Sandbox) -> None:
    """ "-" reads the arguments, so that they need no quoting in a shell."""
    told = run("call", "query_rows", "-", "--json", input='{"dataTableId": "sites", "query": {}}')
    assert json.loads(told.stdout)["total"] == 20


def test_a_refusal_goes_to_standard_error(run: Run, on_sandbox: Sandbox) -> None:
    """A tool's error is told on standard error with exit code 1, and nothing has changed."""
    before = on_sandbox.store.rows("SELECT * FROM rows_5f0c0de03000000000000002")
    fans = '{"dataTableId": "assets", "query": {"kind": "fan"}}'
    told = run("call", "--confirm", "block", "delete_rows", fans)
    assert told.exit_code == 1
    assert told.stdout == ""
    assert "LOSANT_MCP_CONFIRM" in told.stderr
    assert on_sandbox.store.rows("SELECT * FROM rows_5f0c0de03000000000000002") == before


def test_an_unknown_tool_is_told_with_near_names(run: Run, on_sandbox: Sandbox) -> None:
    """A misspelt tool is an error that names what was probably meant."""
    told = run("call", "list_event")
    assert told.exit_code == 1
    assert "Did you mean list_events" in told.stderr


def test_a_tool_that_is_not_listed_cannot_be_called(run: Run, on_sandbox: Sandbox) -> None:
    """Settings hold for a call by hand, too."""
    told = run("call", "--access", "read", "create_event", '{"level": "info", "subject": "x"}')
    assert told.exit_code == 1
    assert "No tool is called 'create_event'" in told.stderr


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "nonsense"])
def test_arguments_that_are_no_object_are_refused(run: Run, text: str) -> None:
    """What is no JSON object is a usage error, before anything is sent."""
    told = run("call", "--sandbox", "list_events", text)
    assert told.exit_code == 2
    assert "JSON" in told.stderr


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_hostile_cells_are_inert(run: Run, on_sandbox: Sandbox, form: tuple[str, ...]) -> None:
    """Notes with terminal escapes and invisible characters come out printable."""
    arguments = json.dumps({"dataTableId": "shift_notes", "limit": 1000, "includeFields": ["note"]})
    told = run("call", "list_rows", arguments, "--result-tokens", "100000", *form)
    assert told.exit_code == 0, told.stderr
    stored = "".join(
        str(row["c5"])
        for row in on_sandbox.store.rows("SELECT c5 FROM rows_5f0c0de03000000000000005")
    )
    assert "\x1b" in stored
    assert told.stdout.replace("\n", "").isprintable()


def test_the_embedded_sandbox_can_be_kept_in_a_file(run: Run, tmp_path: Path) -> None:
    """What a call writes is there for the next call on the same file."""
    path = tmp_path / "losant.db"
    place = ("--sandbox", "--database", str(path))
    made = run("call", *place, "create_data_table", '{"name": "kept"}')
    assert made.exit_code == 0, made.stderr
    told = run("call", *place, "list_data_tables", '{"filter": "kept"}', "--json")
    assert json.loads(told.stdout)["total"] == 1


def test_a_picture_is_written_where_it_is_wanted(
    run: Run, on_sandbox: Sandbox, tmp_path: Path
) -> None:
    """`--image` keeps what a model would see; of a result without a picture it is refused."""
    chart, none = tmp_path / "chart.png", tmp_path / "none.png"
    drawn = '{"kind": "bar", "sql": "SELECT kind, count(*) AS n FROM assets GROUP BY kind"}'
    told = run("call", "render_chart", drawn, "--image", str(chart))
    assert told.exit_code == 0, told.stderr
    assert chart.read_bytes().startswith(b"\x89PNG")
    told = run("call", "list_data_tables", "--image", str(none))
    assert told.exit_code == 1
    assert "no picture" in told.stderr
    assert not none.exists()


READS = sorted(spec.name for spec in TOOLS.values() if spec.effect is Effect.READ)


async def test_every_tool_that_reads_has_a_form_for_a_terminal(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Whatever shape a result has, it becomes lines that fit."""
    client = await connect()
    given = arguments(ids_in(sandbox.store))
    for name in READS:
        lines = render(await result(client, name, **given[name]), 100).splitlines()
        assert lines, name
        assert all(line.isprintable() for line in lines), name
