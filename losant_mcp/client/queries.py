"""Advanced queries on their way out: each is checked by the grammar of what it is about.

Checked here and not by a body's model alone, because pydantic would wrap the error that names
the path and the rule, and because most queries travel as a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losant_mcp.api import query
from losant_mcp.api.endpoint import Endpoint

_SUBJECTS: Mapping[str, query.Subject] = {
    "events": query.EVENTS,
    "dataTableRows": query.ROWS,
    "devices": query.DEVICES,
    "applicationJobLogs": query.JOB_LOGS,
}


def check_queries(endpoint: Endpoint, params: Mapping[str, Any], body: object) -> None:
    """Check the advanced queries of a request. Raises InvalidQuery."""
    subject = _SUBJECTS.get(endpoint.id.partition(".")[0])
    if subject is None:
        return
    for param in endpoint.params:
        if param.kind == "json" and param.name in params:
            query.parse_query(params[param.name], subject)
    if endpoint.body_is_query and body is not None:
        query.parse_query(body, subject)
