"""The tool that says what is in a data table, without a page of rows."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from losant_mcp.analysis.profile import TOKENS, profile, report
from losant_mcp.api.endpoints import (
    DATA_TABLE_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    DATA_TABLES_GET,
)
from losant_mcp.api.query import ROWS
from losant_mcp.tools.arguments import ApplicationId, RowQuery, TableId
from losant_mcp.tools.call import Call
from losant_mcp.tools.spec import tool


@tool(
    "analysis",
    DATA_TABLES_GET,
    DATA_TABLE_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    title="Profile a data table",
    output={
        "type": "object",
        "properties": {
            "rowCount": {"type": "integer"},
            "complete": {"type": "boolean"},
            "search": {"type": "object"},
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {"type": "array", "items": {"type": "array"}},
        },
        "required": ["rowCount", "complete", "columns", "rows"],
    },
)
async def profile_data_table(
    call: Call,
    *,
    applicationId: ApplicationId,
    dataTableId: TableId,
    search: Annotated[str, Field(description="Find which columns contain this, in any case")]
    | None = None,
    query: RowQuery | None = None,
) -> dict[str, Any]:
    """Profile all rows of a table: each column's nulls, distinct values, range and top values."""
    table = await call.client.data_table_get(applicationId=applicationId, dataTableId=dataTableId)
    # Times in the query become absolute before it is sent.
    checked = call.query(query, ROWS, columns=[column.name for column in table.columns])
    found = await profile(
        call.services.workbench,
        call.client,
        applicationId,
        table,
        search=search,
        query=checked,
        progress=call.progress,
    )
    return report(found, tokens=min(TOKENS, call.tokens))
