"""Data tables to attach: all of them in a list, and each with what it holds."""

from __future__ import annotations

from typing import Any

from losant_mcp.analysis.profile import TOKENS as PROFILE_TOKENS
from losant_mcp.analysis.profile import profile, report
from losant_mcp.analysis.sources import Window, source_of
from losant_mcp.api.tables import RESERVED_COLUMNS, DataTable
from losant_mcp.errors import LosantMcpError, describe
from losant_mcp.resources.spec import resource, said
from losant_mcp.text import NOTE
from losant_mcp.tools import results, tables
from losant_mcp.tools.arguments import check_reference
from losant_mcp.tools.availability import why_not
from losant_mcp.tools.call import Call
from losant_mcp.tools.names import table_id
from losant_mcp.tools.paging import only_page
from losant_mcp.tools.spec import TOOLS

TOKENS = 4000
SAMPLE_ROWS = 5
_SAMPLE_CELL = 80

MOST_PROFILED = 20_000
"""Rows of a table that is profiled for its resource: a larger one would take long to attach."""


async def _list(call: Call, *, applicationId: str) -> dict[str, Any]:
    found = said(await tables.list_data_tables(call, applicationId=applicationId))
    if found.pop("next", None):
        found["hint"] = "list_data_tables has the rest."
    return found


@resource(
    "data-tables",
    title="All data tables",
    tools=("list_data_tables",),
    priority=0.8,
    look=_list,
    exact=True,
)
async def data_tables(call: Call, *, applicationId: str) -> dict[str, Any]:
    """The application's data tables with their columns (name:type, ! required, * unique)."""
    return await _list(call, applicationId=applicationId)


async def _table(call: Call, application_id: str, reference: str) -> DataTable:
    check_reference("dataTableId", reference, "table")
    found = await table_id(call.client, application_id, reference)
    return await call.client.data_table_get(applicationId=application_id, dataTableId=found)


async def _stamp(call: Call, *, applicationId: str, dataTableId: str) -> object:
    """The table's columns and name, how many rows it has, and their newest change."""
    table = await _table(call, applicationId, dataTableId)
    source = source_of(table, applicationId, window=Window(0), query=None)
    stamp = await source.stamp(call.client)
    return [tables.described(table), stamp.count, stamp.newest]


@resource(
    "data-tables/{dataTableId}",
    title="Data table",
    tools=("get_data_table", "list_rows"),
    priority=0.6,
    look=_stamp,
    exact=True,
)
async def data_table(call: Call, *, applicationId: str, dataTableId: str) -> dict[str, Any]:
    """A data table's columns, its number of rows, the rows that changed last, and what its
    columns hold.
    """
    table = await _table(call, applicationId, dataTableId)
    page = await call.client.data_table_rows_get(
        applicationId=applicationId,
        dataTableId=table.id,
        sortColumn="updatedAt",
        sortDirection="desc",
        limit=SAMPLE_ROWS,
    )
    tokens = min(TOKENS, call.tokens)
    sample = results.listing(
        ["id", *(c.name for c in table.columns if c.name not in RESERVED_COLUMNS), "updatedAt"],
        page.items,
        total=page.totalCount,
        tokens=tokens // 4,
        paging=only_page,
        cell=_SAMPLE_CELL,
        whole="get_row",
    )
    sample.pop("note", None)
    facts: dict[str, Any] = {"note": NOTE, "rowsChangedLast": sample}
    if page.totalCount:
        room = min(PROFILE_TOKENS, tokens // 3)
        facts["profile"] = await _profile(call, applicationId, table, page.totalCount, room)
    described = {**tables.described(table), "rowCount": page.totalCount}
    whole = results.fitted(facts, "dataTable", described, tokens=tokens)
    # What the table is comes before what is in it.
    return {"note": whole.pop("note"), "dataTable": whole.pop("dataTable"), **whole}


async def _profile(
    call: Call, application_id: str, table: DataTable, rows: int, tokens: int
) -> dict[str, Any] | str:
    """What the columns hold, as profile_data_table says it, or why that is not said here."""
    if off := why_not(TOOLS["profile_data_table"], call.settings):
        return f"not made: profile_data_table is off ({off})"
    if rows > MOST_PROFILED:
        return f"not made for so many rows: call profile_data_table for all {rows}"
    try:
        found = await profile(
            call.services.workbench, call.client, application_id, table, progress=call.progress
        )
    except LosantMcpError as error:
        # The rest is worth reading without it.
        return f"not made: {describe(error)}"
    told = report(found, tokens=tokens)
    for known in ("note", "dataTableId", "name", "rowCount"):
        told.pop(known, None)
    return told
