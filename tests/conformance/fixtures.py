"""What the suite expects of any server that it tries: tools, prompts and resources to call.

The names are the suite's, without the ``test_`` that all but the resources begin with.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from typing import Annotated, Any

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Audio, Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    EmbeddedResource,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

from tests.conformance import questions

Asked = Context[None, Any]

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
"""One red pixel."""


def _wav() -> bytes:
    """A moment of silence."""
    held = io.BytesIO()
    with wave.open(held, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(bytes([128]) * 8)
    return held.getvalue()


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


# ---- tools: contents -----------------------------------------------------------------------


def simple_text() -> str:
    """Says one sentence."""
    return "This is a simple text response for testing."


def image_content() -> Image:
    """Shows a picture."""
    return Image(data=PNG, format="png")


def audio_content() -> Audio:
    """Plays a sound."""
    return Audio(data=_wav(), format="wav")


def embedded_resource() -> EmbeddedResource:
    """Brings a resource along."""
    text = "This is an embedded resource content."
    return _embedded("test://embedded-resource", "text/plain", text)


def multiple_content_types() -> Sequence[Any]:
    """Says, shows and brings along."""
    held = _embedded(
        "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
    )
    return ["Multiple content types test:", Image(data=PNG, format="png"), held]


def error_handling() -> str:
    """Fails."""
    raise ToolError("This tool intentionally returns an error for testing")


# ---- tools: what comes beside the answer ---------------------------------------------------


async def tool_with_logging(ctx: Asked) -> str:
    """Writes to the client's log while it works."""
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(message)
        await anyio.sleep(0.05)  # as the suite asks, so that they do not come at once
    return "Three lines were logged."


async def tool_with_progress(ctx: Asked) -> str:
    """Tells how far it is."""
    for percent in (0, 50, 100):
        await ctx.report_progress(percent, 100)
        await anyio.sleep(0.05)
    return "All is done."


async def logging_tool(ctx: Asked) -> str:
    """Writes one line to the client's log."""
    await ctx.info("One line.")
    return "One line was logged, if the client wants any."


async def trigger_tool_change(ctx: Asked) -> str:
    """Says that the tools have changed."""
    await ctx.notify_tools_changed()
    return "Who listens was told."


async def trigger_prompt_change(ctx: Asked) -> str:
    """Says that the prompts have changed."""
    await ctx.notify_prompts_changed()
    return "Who listens was told."


# ---- tools: what they need of the client ---------------------------------------------------


async def missing_capability(ctx: Asked) -> str:
    """Works only where the client has a model to ask."""
    if ctx.client_capabilities and ctx.client_capabilities.sampling:
        return "The client has a model to ask."
    raise MCPError(
        code=MISSING_REQUIRED_CLIENT_CAPABILITY,
        message="The client has no model to ask.",
        data={"requiredCapabilities": {"sampling": {}}},
    )


async def sampling(prompt: str, ctx: Asked) -> str:
    """Asks the client's model, in the way of 2025-11-25."""
    answer = await ctx.session.create_message(
        [SamplingMessage(role="user", content=TextContent(text=prompt))],
        max_tokens=100,
        related_request_id=ctx.request_id,
    )
    return f"LLM response: {answer.content}"


async def elicitation(message: str, ctx: Asked) -> str:
    """Asks the person, in the way of 2025-11-25."""
    return await _asked(
        ctx,
        message,
        {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        },
        required=["username", "email"],
    )


async def elicitation_sep1034_defaults(ctx: Asked) -> str:
    """Asks with a default for every kind of field."""
    return await _asked(
        ctx,
        "Please check these.",
        {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": {"type": "boolean", "default": True},
        },
    )


async def elicitation_sep1330_enums(ctx: Asked) -> str:
    """Asks to choose, in each of the five forms."""
    options = ["option1", "option2", "option3"]
    titled = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
    return await _asked(
        ctx,
        "Please choose.",
        {
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        },
    )


def parameter_in_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> str:
    """Takes an argument that a client repeats in a header, for whoever routes the request."""
    return f"The region is {region}."


async def _asked(
    ctx: Asked, message: str, fields: dict[str, Any], required: Sequence[str] = ()
) -> str:
    schema = {"type": "object", "properties": fields, "required": list(required)}
    answer = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return f"action={answer.action}, content={answer.content}"


TOOLS = (
    simple_text,
    image_content,
    audio_content,
    embedded_resource,
    multiple_content_types,
    error_handling,
    tool_with_logging,
    tool_with_progress,
    logging_tool,
    trigger_tool_change,
    trigger_prompt_change,
    missing_capability,
    sampling,
    elicitation,
    elicitation_sep1034_defaults,
    elicitation_sep1330_enums,
    parameter_in_header,
    *questions.TOOLS,
)


# ---- prompts -------------------------------------------------------------------------------


def simple_prompt() -> str:
    """A prompt without arguments."""
    return "This is a simple prompt for testing."


def prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with two arguments."""
    return f"Prompt with arguments: arg1={arg1!r}, arg2={arg2!r}"


def prompt_with_embedded_resource(resourceUri: str) -> Sequence[Any]:
    """A prompt that brings a resource along."""
    held = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [held, "Please process the embedded resource above."]


def prompt_with_image() -> Sequence[Any]:
    """A prompt with a picture."""
    return [Image(data=PNG, format="png"), "Please analyze the image above."]


PROMPTS = (
    simple_prompt,
    prompt_with_arguments,
    prompt_with_embedded_resource,
    prompt_with_image,
    questions.input_required_result_prompt,
)


# ---- resources -----------------------------------------------------------------------------


async def static_text(_: object) -> str:
    """A text that never changes."""
    return "This is the content of the static text resource."


async def template(_: object, *, id: str) -> dict[str, Any]:
    """One resource for each id."""
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


async def watched_resource(_: object) -> str:
    """A text to watch."""
    return "This is watched."


async def unchanged(_: object) -> str:
    """What a look at the watched resource shows."""
    return "the same"


def static_binary() -> bytes:
    """A picture."""
    return PNG
