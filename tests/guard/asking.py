"""The rounds of a guarded call by hand, as a client could send them that follows no rules."""

from __future__ import annotations

from typing import Any

from mcp import Client
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)

from tests.calling import JsonObject
from tests.guard.adversary import phrase_in
from tests.guard.guarding import FIELD


async def ask(client: Client, tool: str, **arguments: Any) -> tuple[str, str]:
    """The first round of a 2026 call: its question, and the state that comes with it."""
    answer = await client.session.call_tool(tool, arguments, allow_input_required=True)
    assert isinstance(answer, InputRequiredResult), answer
    assert answer.request_state is not None
    request = (answer.input_requests or {})[FIELD]
    assert isinstance(request, ElicitRequest)
    assert isinstance(request.params, ElicitRequestFormParams)
    return request.params.message, answer.request_state


async def reply(
    client: Client, tool: str, state: str, answer: ElicitResult, **arguments: Any
) -> CallToolResult:
    """The second round."""
    result = await client.session.call_tool(
        tool,
        arguments,
        allow_input_required=True,
        request_state=state,
        input_responses={FIELD: answer},
    )
    assert isinstance(result, CallToolResult), result
    return result


def yes_to(question: str) -> ElicitResult:
    """The typed phrase that this question asks for."""
    content: JsonObject = {FIELD: phrase_in(question)}
    return ElicitResult(action="accept", content=content)
