"""A tool from a typed function: its schema from the signature, its annotations from its endpoints.

``@tool`` registers the function in ``TOOLS``; ``ToolSpec.build`` makes the MCP tool for one
server. This module and ``server`` are the only ones that touch the SDK's ``Tool`` class.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args, get_type_hints

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.config import Toolset
from losant_mcp.errors import InvalidRequest, LosantMcpError, describe
from losant_mcp.tools import names
from losant_mcp.tools.arguments import Ref, When, check_reference, parse_nested, readable
from losant_mcp.tools.call import Call, Services
from losant_mcp.tools.results import compact
from losant_mcp.tools.schema import JsonSchema, portable

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[dict[str, Any]]]

_ORDER = (Effect.READ, Effect.EXPORT, Effect.WRITE, Effect.OVERWRITE, Effect.DESTROY)

LISTING: JsonSchema = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array"}},
        "returned": {"type": "integer"},
        "total": {"type": "integer"},
        "next": {"type": "object", "description": "Arguments of the next page"},
        "truncated": {"type": "string"},
        "hint": {"type": "string"},
    },
    "required": ["columns", "rows", "returned", "total"],
}
OBJECT: JsonSchema = {"type": "object"}
OUTCOME: JsonSchema = {
    "type": "object",
    "properties": {
        "status": {
            "type": "string",
            "enum": [
                *("done", "queued", "approval_required", "declined", "cancelled"),
                *("expired", "drifted", "interrupted", "refused"),
            ],
        },
        "message": {"type": "string"},
        "removed": {"type": "integer"},
        "changed": {"type": "integer"},
    },
    "required": ["status", "message"],
}


@dataclass(frozen=True)
class ToolSpec:
    """One tool, before it is built for a server. ``effect`` is the gravest of its endpoints'."""

    name: str
    title: str
    description: str
    toolset: Toolset
    endpoints: tuple[Endpoint, ...]
    output: JsonSchema
    handler: Handler

    @property
    def effect(self) -> Effect:
        """What the tool may do at worst."""
        return max((e.effect for e in self.endpoints), key=_ORDER.index, default=Effect.READ)

    @property
    def annotations(self) -> ToolAnnotations:
        """The four hints of MCP, computed from the effect."""
        effect = self.effect
        return ToolAnnotations(
            read_only_hint=effect is Effect.READ,
            destructive_hint=effect in (Effect.OVERWRITE, Effect.DESTROY),
            idempotent_hint=effect in (Effect.READ, Effect.DESTROY),
            open_world_hint=True,
        )

    @cached_property
    def markers(self) -> dict[str, Ref | When]:
        """How each argument is resolved, for those that are."""
        hints = get_type_hints(self.handler, include_extras=True)
        return {name: mark for name, hint in hints.items() if (mark := _marker(hint))}

    @cached_property
    def model(self) -> type[BaseModel]:
        """The arguments as a strict pydantic model, of the handler's signature."""
        hints = get_type_hints(self.handler, include_extras=True)
        fields: dict[str, Any] = {}
        for name, parameter in list(inspect.signature(self.handler).parameters.items())[1:]:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[name] = (hints[name], default)
        return create_model(
            self.name,
            __config__=ConfigDict(extra="forbid", strict=True, protected_namespaces=()),
            **fields,
        )

    def input_schema(self, *, bound: bool) -> JsonSchema:
        """The schema of the arguments; a bound server fills ``applicationId`` in itself."""
        schema = portable(self.model.model_json_schema())
        if bound and "applicationId" in schema["properties"]:
            del schema["properties"]["applicationId"]
            schema["required"] = [n for n in schema.get("required", ()) if n != "applicationId"]
        if not schema.get("required", True):
            del schema["required"]
        return schema

    def build(self, services: Services) -> Tool:
        """The MCP tool for a server whose calls use ``services``."""
        return TypedTool(
            fn=self.handler,
            name=self.name,
            title=self.title,
            description=self.description,
            parameters=self.input_schema(bound=services.bound_to is not None),
            annotations=self.annotations,
            is_async=True,
            context_kwarg="ctx",
            fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=self.output),
            spec=self,
            services=services,
        )


TOOLS: dict[str, ToolSpec] = {}
"""Every tool by name, in the order in which they are listed."""


def tool(
    toolset: Toolset, *endpoints: Endpoint, title: str, output: JsonSchema = OBJECT
) -> Callable[[Handler], Handler]:
    """Register an async function ``(call, *, arguments…) -> dict`` as the tool of its name.

    The docstring is its description for the model.
    """

    def register(handler: Handler) -> Handler:
        description = " ".join(inspect.cleandoc(handler.__doc__ or "").split())
        name = handler.__name__
        assert description, f"{name} has no description"
        assert name not in TOOLS, f"{name} is registered twice"
        TOOLS[name] = ToolSpec(name, title, description, toolset, endpoints, output, handler)
        return handler

    return register


class TypedTool(Tool):
    """The SDK's tool, with our reading of arguments, our errors and our results."""

    spec: Any = Field(exclude=True)
    services: Any = Field(exclude=True)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult:
        """Run the tool. Every failure is a result that says what happened and what to do."""
        try:
            result = await self._run(arguments, context)
        except LosantMcpError as error:
            return _failure(describe(error))
        except Exception as error:  # the outermost boundary: a bug must not end the session
            log.exception("%s failed", self.name)
            return _failure(
                f"{self.name} failed inside losant-mcp ({type(error).__name__}); this is a bug."
                + ("" if self.spec.effect is Effect.READ else " Check whether anything changed.")
            )
        return CallToolResult(
            content=[TextContent(text=compact(result))], structured_content=result
        )

    async def _run(self, arguments: dict[str, Any], context: Context[Any, Any]) -> dict[str, Any]:
        values = self._read(arguments)
        call = Call(self.services, dict(values), context.report_progress)
        if "applicationId" in self.spec.model.model_fields:
            values["applicationId"] = self.services.bound_to or values["applicationId"]
        for name, mark in self.spec.markers.items():
            if values.get(name) is None:
                continue
            if isinstance(mark, When):
                values[name] = call.time(values[name], name)
            else:
                values[name] = await self._refer(call, name, values[name], mark, values)
        call.values = values
        result: dict[str, Any] = await self.fn(call, **values)
        return result

    def _read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        known = tuple(self.parameters["properties"])
        values = parse_nested(arguments, self.parameters["properties"])
        bound_to = self.services.bound_to
        if bound_to and "applicationId" in values and "applicationId" not in known:
            raise InvalidRequest(
                f"This server is bound to application {bound_to}; it reaches no other.",
                hint="Leave applicationId out.",
            )
        fill = {"applicationId": bound_to} if bound_to else {}
        fill = {k: v for k, v in fill.items() if k in self.spec.model.model_fields}
        try:
            model = self.spec.model.model_validate({**fill, **values})
        except ValidationError as error:
            raise InvalidRequest(readable(error, known)) from None
        return {name: getattr(model, name) for name in model.model_fields_set if name not in fill}

    @staticmethod
    async def _refer(call: Call, name: str, given: Any, mark: Ref, values: dict[str, Any]) -> Any:
        for value in given if isinstance(given, list) else [given]:
            check_reference(name, value, mark.kind)
        if mark.kind == "table":
            return await names.table_id(call.client, values["applicationId"], given)
        if mark.kind == "device" and isinstance(given, list):
            return [await names.device_id(call.client, values["applicationId"], d) for d in given]
        if mark.kind == "device":
            return await names.device_id(call.client, values["applicationId"], given)
        return given.strip()


def _marker(hint: Any) -> Ref | When | None:
    """The marker of a type, also inside ``X | None``."""
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, (Ref, When)):
            return mark
    for inner in get_args(hint):
        if found := _marker(inner):
            return found
    return None


def _failure(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], is_error=True)
