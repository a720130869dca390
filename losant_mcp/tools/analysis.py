"""The tool that answers questions by SQL over whole tables."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from losant_mcp.analysis.workbench import Answer
from losant_mcp.api.endpoints import (
    DATA_TABLE_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    DATA_TABLES_GET,
    DEVICES_GET,
    EVENTS_GET,
)
from losant_mcp.tools import paging
from losant_mcp.tools.arguments import ApplicationId, Time
from losant_mcp.tools.call import Call
from losant_mcp.tools.schema import JsonSchema
from losant_mcp.tools.selects import select, told, why_empty
from losant_mcp.tools.spec import LISTING, tool

ANSWER: JsonSchema = {
    **LISTING,
    "properties": {
        **LISTING["properties"],
        "scanned": {"type": "object"},
        "exact": {"type": "boolean"},
        "partial": {"type": "object"},
        "events": {"type": "object"},
    },
    "required": [*LISTING["required"], "scanned", "exact"],
}


@tool(
    "analysis",
    DATA_TABLES_GET,
    DATA_TABLE_GET,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    EVENTS_GET,
    DEVICES_GET,
    title="Query by SQL",
    output=ANSWER,
)
async def query_sql(
    call: Call,
    *,
    applicationId: ApplicationId,
    sql: Annotated[str, Field(min_length=1, description="One SELECT in DuckDB's dialect")],
    prefilter: Annotated[
        dict[str, Any],
        WithJsonSchema({"type": "object", "description": "Table to advanced query; for huge ones"}),
    ]
    | None = None,
    start: Annotated[Time, Field(description="Of events; default 30 days before end")]
    | None = None,
    end: Annotated[Time, Field(description="Of events; default open")] | None = None,
) -> dict[str, Any]:
    """Answer a question exactly by SQL over whole data tables (by name, quoted where it has
    blanks), events and devices. Prefer it to paging and adding up rows.
    """
    answer = await select(call, applicationId, sql, prefilter, start=start, end=end)
    return _result(call, answer)


def _result(call: Call, answer: Answer) -> dict[str, Any]:
    names = [name for name, _ in answer.columns]
    total = len(answer.rows) if answer.total is None else answer.total
    more = told(answer)
    if empty := why_empty(answer):
        more["hint"] = empty
    elif not answer.rows:
        more["hint"] = "No row satisfies the statement. Texts are compared with case; ILIKE is not."
    result = call.listing(
        names,
        [dict(zip(names, row, strict=True)) for row in answer.rows],
        total=total,
        paging=paging.only_page,
        **more,
    )
    if answer.total is None or result["returned"] < total:
        shown = "more rows than were counted" if answer.total is None else f"{total} rows"
        advice = "Aggregate, or page with ORDER BY … LIMIT … OFFSET …."
        result["hint"] = f"The result has {shown}. {advice}"
        result.setdefault("truncated", f"only the first {result['returned']} rows are here")
    return result
