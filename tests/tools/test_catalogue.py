"""The tools are those of the design: names, toolsets, effects, and an endpoint for each."""

from __future__ import annotations

import inspect
import re

import pytest

from losant_mcp.api.endpoint import Effect
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.config import TOOLSETS, Settings
from losant_mcp.tools.listing import listed
from losant_mcp.tools.spec import TOOLS, ToolSpec
from tests.tools.plausible import Ids, arguments

DESIGN = {
    "events": {
        "list_events": ("READ", "events.get"),
        "get_most_severe_event": ("READ", "events.mostRecentBySeverity"),
        "create_event": ("WRITE", "events.post"),
        "update_events": ("OVERWRITE", "events.patch"),
        "delete_events": ("DESTROY", "events.delete"),
        "export_events": ("EXPORT", "events.export"),
        "get_event": ("READ", "event.get"),
        "update_event": ("OVERWRITE", "event.patch"),
        "delete_event": ("DESTROY", "event.delete"),
        "summarize_events": ("READ", "events.get"),
    },
    "tables": {
        "list_data_tables": ("READ", "dataTables.get"),
        "create_data_table": ("WRITE", "dataTables.post"),
        "get_data_table": ("READ", "dataTable.get"),
        "update_data_table": ("OVERWRITE", "dataTable.patch"),
        "delete_data_table": ("DESTROY", "dataTable.delete"),
        "add_data_table_column": ("WRITE", "dataTable.addColumn"),
        "remove_data_table_column": ("DESTROY", "dataTable.removeColumn"),
        "list_rows": ("READ", "dataTableRows.get"),
        "query_rows": ("READ", "dataTableRows.query"),
        "insert_rows": ("WRITE", "dataTableRows.post"),
        "delete_rows": ("DESTROY", "dataTableRows.delete"),
        "truncate_rows": ("DESTROY", "dataTableRows.truncate"),
        "export_rows": ("EXPORT", "dataTableRows.export"),
        "get_row": ("READ", "dataTableRow.get"),
        "update_row": ("OVERWRITE", "dataTableRow.patch"),
        "delete_row": ("DESTROY", "dataTableRow.delete"),
    },
    "data": {
        "query_time_series": ("READ", "data.timeSeriesQuery"),
        "query_last_values": ("READ", "data.lastValueQuery"),
        "export_device_data": ("EXPORT", "data.export"),
    },
    "lookup": {
        "list_applications": ("READ", "applications.get application.get"),
        "list_devices": ("READ", "devices.get"),
        "get_device": ("READ", "device.get"),
        "list_jobs": ("READ", "applicationJobLogs.get applicationJobLog.get"),
    },
    "analysis": {
        "query_sql": ("READ", "dataTableRows.get"),
        "profile_data_table": ("READ", "dataTable.get dataTableRows.get"),
        "render_chart": ("READ", "dataTableRows.get data.timeSeriesQuery"),
    },
    "safety": {
        "list_backups": ("READ", ""),
        "restore_backup": ("OVERWRITE", "dataTableRows.post"),
        "get_server_status": ("READ", ""),
    },
    "guides": {
        "read_guide": ("READ", ""),
    },
}
HINTS = {
    # read only, destructive, idempotent
    "READ": (True, False, True),
    "WRITE": (False, False, False),
    "EXPORT": (False, False, False),
    "OVERWRITE": (False, True, False),
    "DESTROY": (False, True, True),
}


@pytest.mark.parametrize("toolset", DESIGN)
def test_a_toolset_has_the_tools_of_the_design(toolset: str) -> None:
    """Names and effects are fixed, since prompts, documents and people rely on them."""
    found = {spec.name: str(spec.effect) for spec in TOOLS.values() if spec.toolset == toolset}
    assert found == {name: effect for name, (effect, _) in DESIGN[toolset].items()}


@pytest.mark.parametrize("toolset", DESIGN)
def test_a_tool_declares_the_endpoints_of_the_design(toolset: str) -> None:
    """What a tool is for is among the endpoints that it declares."""
    for name, (_, endpoints) in DESIGN[toolset].items():
        assert set(endpoints.split()) <= {e.id for e in TOOLS[name].endpoints}, name


def test_every_endpoint_has_a_tool() -> None:
    """All 34 operations can be used, and no tool declares one that is none."""
    reached = {endpoint.id for spec in TOOLS.values() for endpoint in spec.endpoints}
    assert reached == set(ENDPOINTS)
    assert len(reached) == 34


@pytest.mark.parametrize("spec", TOOLS.values(), ids=lambda spec: spec.name)
def test_the_hints_follow_from_the_gravest_endpoint(spec: ToolSpec) -> None:
    """All four annotations are there and say what the endpoints do."""
    hints = spec.annotations
    found = (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint)
    assert found == HINTS[str(spec.effect)]
    assert hints.open_world_hint is True


@pytest.mark.parametrize("spec", TOOLS.values(), ids=lambda spec: spec.name)
def test_a_tool_that_only_reads_declares_only_reads(spec: ToolSpec) -> None:
    """A lookup beside the tool's own endpoints never makes it graver."""
    effects = {endpoint.effect for endpoint in spec.reach}
    assert (effects <= {Effect.READ}) == (spec.effect is Effect.READ)


@pytest.mark.parametrize("spec", TOOLS.values(), ids=lambda spec: spec.name)
def test_a_tool_speaks_of_tools_that_exist(spec: ToolSpec) -> None:
    """A description that names a tool which is not there sends a model astray."""
    verbs = "|".join(sorted({name.partition("_")[0] for name in TOOLS} | {"summarize", "profile"}))
    text = f"{spec.description} {spec.input_schema(bound=False)}"
    assert set(re.findall(rf"\b(?:{verbs})_[a-z_]+", text)) <= set(TOOLS)


def test_every_tool_is_listed_by_default_in_the_order_of_its_toolset() -> None:
    """Nothing is hidden from who asks for nothing, and what belongs together stays together."""
    found = [spec.toolset for spec in listed(Settings())]
    assert len(found) == len(TOOLS)
    assert found == sorted(found, key=TOOLSETS.index)


def test_there_are_at_most_forty_tools() -> None:
    """More than that, and hosts begin to leave some out."""
    assert len(TOOLS) <= 40


def test_the_plausible_arguments_cover_every_tool() -> None:
    """The tables in these tests go over all tools, and over no tool that is gone."""
    assert set(arguments(Ids("a", "e", "t", "r", "d"))) == set(TOOLS)


@pytest.mark.parametrize("spec", TOOLS.values(), ids=lambda spec: spec.name)
def test_a_handler_takes_its_arguments_by_name(spec: ToolSpec) -> None:
    """Arguments are keyword-only, so that none can be taken for another."""
    _, *parameters = inspect.signature(spec.handler).parameters.values()
    assert {p.kind for p in parameters} <= {inspect.Parameter.KEYWORD_ONLY}
