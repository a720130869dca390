"""The suite's tools and its prompt that ask back in the middle, as 2026-07-28 has it.

Each is called anew with the answers, and with the state that it gave the client to keep; the
server seals that state.
"""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import (
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequests,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

Asked = Context[None, Any]
Answer = CallToolResult | InputRequiredResult


def form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    """A form of one field."""
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(prompt: str) -> CreateMessageRequest:
    """A question to the client's model."""
    messages = [SamplingMessage(role="user", content=TextContent(text=prompt))]
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=messages, max_tokens=100)
    )


def said(text: str) -> CallToolResult:
    """A tool's answer in words."""
    return CallToolResult(content=[TextContent(text=text)])


def _filled_in(ctx: Asked, key: str, field: str) -> Any:
    """What was put into a form's field; None where it was not, or the form was declined."""
    answer = (ctx.input_responses or {}).get(key)
    content = answer.content if isinstance(answer, ElicitResult) else None
    return (content or {}).get(field)


async def input_required_result_elicitation(ctx: Asked) -> Answer:
    """Asks for a name."""
    name = _filled_in(ctx, "user_name", "name")
    if isinstance(name, str):
        return said(f"Hello, {name}!")
    return InputRequiredResult(input_requests={"user_name": form("What is your name?", "name")})


async def input_required_result_sampling(ctx: Asked) -> Answer:
    """Asks the client's model."""
    if answer := (ctx.input_responses or {}).get("capital_question"):
        return said(f"The model says: {answer.model_dump_json()}")
    asked = sampling("What is the capital of France?")
    return InputRequiredResult(input_requests={"capital_question": asked})


async def input_required_result_list_roots(ctx: Asked) -> Answer:
    """Asks for the client's folders."""
    if answer := (ctx.input_responses or {}).get("client_roots"):
        return said(f"The roots are: {answer.model_dump_json()}")
    return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})


async def input_required_result_request_state(ctx: Asked) -> Answer:
    """Asks for a yes, and has the client keep a state."""
    if ctx.request_state == "asked" and _filled_in(ctx, "confirm", "ok") is True:
        return said("state-ok")
    return InputRequiredResult(
        input_requests={"confirm": form("Please confirm", "ok", "boolean")}, request_state="asked"
    )


async def input_required_result_tampered_state(ctx: Asked) -> Answer:
    """Asks for a yes, and has the client keep a state that it may not change."""
    return await input_required_result_request_state(ctx)


async def input_required_result_multiple_inputs(ctx: Asked) -> Answer:
    """Asks the person, the model and the client at once."""
    requests: InputRequests = {
        "user_name": form("What is your name?", "name"),
        "greeting": sampling("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if ctx.request_state == "asked" and requests.keys() <= (ctx.input_responses or {}).keys():
        return said("Everything was answered.")
    return InputRequiredResult(input_requests=requests, request_state="asked")


async def input_required_result_multi_round(ctx: Asked) -> Answer:
    """Asks twice, one question after the other."""
    if ctx.request_state == "name known" and _filled_in(ctx, "step2", "color"):
        return said("Both were answered.")
    if ctx.request_state == "begun" and _filled_in(ctx, "step1", "name"):
        asked = form("Step 2: What is your favorite color?", "color")
        return InputRequiredResult(input_requests={"step2": asked}, request_state="name known")
    asked = form("Step 1: What is your name?", "name")
    return InputRequiredResult(input_requests={"step1": asked}, request_state="begun")


async def input_required_result_capabilities(ctx: Asked) -> Answer:
    """Asks whoever the client says can be asked."""
    can = ctx.client_capabilities
    requests: InputRequests = {}
    if can and can.elicitation:
        requests["form"] = form("What is your name?", "name")
    if can and can.sampling:
        requests["model"] = sampling("Generate a greeting")
    return InputRequiredResult(input_requests=requests) if requests else said("Nobody is there.")


async def streaming_elicitation(ctx: Asked) -> Answer:
    """Tells its progress, then asks for a name."""
    await ctx.report_progress(0, 1)
    return await input_required_result_elicitation(ctx)


async def input_required_result_prompt(ctx: Asked) -> str | InputRequiredResult:
    """A prompt that asks for its context."""
    context = _filled_in(ctx, "user_context", "context")
    if isinstance(context, str):
        return f"Use this context: {context}"
    asked = form("What context should the prompt use?", "context")
    return InputRequiredResult(input_requests={"user_context": asked})


TOOLS = (
    input_required_result_elicitation,
    input_required_result_sampling,
    input_required_result_list_roots,
    input_required_result_request_state,
    input_required_result_tampered_state,
    input_required_result_multiple_inputs,
    input_required_result_multi_round,
    input_required_result_capabilities,
    streaming_elicitation,
)
