"""Advanced queries on their way out: each is checked by the grammar of what it is about.

Checked here and not by a body's model alone, because pydantic would wrap the error that names
the path and the rule, and because most queries travel as a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losant_mcp.api.endpoint import Endpoint
from losant_mcp.api.query import QueryBody, parse_query


def check_queries(endpoint: Endpoint, params: Mapping[str, Any], body: object) -> None:
    """Check the advanced queries of a request. Raises InvalidQuery."""
    for param in endpoint.params:
        if param.subject is not None and param.name in params:
            parse_query(params[param.name], param.subject)
    if body is not None and endpoint.body is not None and issubclass(endpoint.body, QueryBody):
        parse_query(body, endpoint.body.subject)
