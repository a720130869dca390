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
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.api.endpoints import DATA_TABLES_GET, DEVICES_GET
from losant_mcp.config import Toolset
from losant_mcp.errors import InvalidRequest, LosantMcpError, Refused, describe
from losant_mcp.policy import DENIED
from losant_mcp.tools import names
from losant_mcp.tools.arguments import (
    Marker,
    Ref,
    Unbound,
    When,
    check_known,
    check_reference,
    parse_nested,
    read,
)
from losant_mcp.tools.call import Call, Services
from losant_mcp.tools.image import WithImage
from losant_mcp.tools.results import compact
from losant_mcp.tools.schema import JsonSchema, portable

log = logging.getLogger(__name__)

Result = dict[str, Any] | InputRequiredResult
Handler = Callable[..., Awaitable[Result]]

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
        "backupId": {"type": "string"},
        "approvalId": {"type": "string"},
        "expiresAt": {"type": "string"},
        "plan": {"type": "object"},
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
    missing: Callable[[], str | None] = lambda: None
    """What it lacks in this installation, and how to get it; None where it lacks nothing."""

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
    def hints(self) -> dict[str, Any]:
        """The handler's annotations, evaluated: that takes a while, so once."""
        return get_type_hints(self.handler, include_extras=True)

    @cached_property
    def markers(self) -> dict[str, Marker]:
        """How each argument is resolved, for those that are."""
        return {name: mark for name, hint in self.hints.items() if (mark := _marker(hint))}

    @property
    def reach(self) -> tuple[Endpoint, ...]:
        """Every endpoint that a call may ask: its own, and those that find ids by name."""
        kinds = {mark.kind for mark in self.markers.values() if isinstance(mark, Ref)}
        lookups = (
            *((DATA_TABLES_GET,) if "table" in kinds else ()),
            *((DEVICES_GET,) if "device" in kinds else ()),
        )
        return (*self.endpoints, *(e for e in lookups if e not in self.endpoints))

    @cached_property
    def model(self) -> type[BaseModel]:
        """The arguments as a strict pydantic model, of the handler's signature."""
        fields: dict[str, Any] = {}
        for name, parameter in list(inspect.signature(self.handler).parameters.items())[1:]:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[name] = (self.hints[name], default)
        return create_model(
            self.name,
            __config__=ConfigDict(extra="forbid", strict=True, protected_namespaces=()),
            **fields,
        )

    def arguments(self, *, bound: bool) -> tuple[str, ...]:
        """The names of the arguments; a bound server has no application to choose."""
        if not bound:
            return tuple(self.model.model_fields)
        markers = {name: self.markers.get(name) for name in self.model.model_fields}
        return tuple(
            name
            for name, mark in markers.items()
            if mark != Ref("application") and not isinstance(mark, Unbound)
        )

    def input_schema(self, *, bound: bool) -> JsonSchema:
        """The schema of the arguments, strict and portable."""
        known = self.arguments(bound=bound)
        schema = dict(self._schema)
        required = [name for name in schema.pop("required", ()) if name in known]
        schema["properties"] = {name: schema["properties"][name] for name in known}
        return {**schema, "required": required} if required else schema

    @cached_property
    def _schema(self) -> JsonSchema:
        schema = portable(self.model.model_json_schema())
        for name, argument in schema["properties"].items():
            # Pydantic loses a description beside a ``WithJsonSchema``.
            if found := _description(self.hints[name]):
                argument.setdefault("description", found)
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
    toolset: Toolset,
    *endpoints: Endpoint,
    title: str,
    output: JsonSchema = OBJECT,
    missing: Callable[[], str | None] = lambda: None,
) -> Callable[[Handler], Handler]:
    """Register an async function ``(call, *, arguments…) -> dict`` as the tool of its name.

    The docstring is its description for the model. ``missing`` says what the tool lacks in this
    installation, and how to get it; None where it lacks nothing.
    """

    def register(handler: Handler) -> Handler:
        description = " ".join(inspect.cleandoc(handler.__doc__ or "").split())
        name = handler.__name__
        assert description, f"{name} has no description"
        assert name not in TOOLS, f"{name} is registered twice"
        TOOLS[name] = ToolSpec(
            name, title, description, toolset, endpoints, output, handler, missing
        )
        return handler

    return register


class TypedTool(Tool):
    """The SDK's tool, with our reading of arguments, our errors and our results."""

    spec: Any = Field(exclude=True)
    services: Any = Field(exclude=True)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult | InputRequiredResult:
        """Run the tool. Every failure is a result that says what happened and what to do."""
        try:
            result = await self._run(arguments, context)
        except LosantMcpError as error:
            # Of a tool that writes, a reader wants to know that also where nothing was sent.
            error.writes = self.spec.effect is not Effect.READ
            self.services.client.observer.failed(self.name, type(error).__name__)
            return _failure(describe(error))
        except Exception as error:  # the outermost boundary: a bug must not end the session
            log.exception("%s failed", self.name)
            self.services.client.observer.failed(self.name, "bug")
            return _failure(
                f"{self.name} failed inside losant-mcp ({type(error).__name__}); this is a bug."
                + ("" if self.spec.effect is Effect.READ else " Check whether anything changed.")
            )
        if isinstance(result, InputRequiredResult):
            return result
        picture = [result.content()] if isinstance(result, WithImage) else []
        return CallToolResult(
            content=[TextContent(text=compact(result)), *picture], structured_content=result
        )

    async def _run(self, arguments: dict[str, Any], context: Context[Any, Any]) -> Result:
        given, values = self._read(arguments)
        call = Call(self.services, given, context)
        marked = [(n, mark) for n, mark in self.spec.markers.items() if values.get(n) is not None]
        # All that can be refused unasked is refused before the first name is looked up.
        for name, mark in marked:
            if isinstance(mark, When):
                values[name] = call.time(values[name], name)
            elif isinstance(mark, Ref):
                for value in values[name] if isinstance(values[name], list) else [values[name]]:
                    check_reference(name, value, mark.kind)
        for name, mark in marked:
            if isinstance(mark, Ref):
                values[name] = await self._refer(call, values[name], mark, values)
        call.values = values
        try:
            result: Result = await self.fn(call, **values)
        finally:
            if self.spec.effect not in (Effect.READ, Effect.EXPORT):
                self.services.wrote(
                    values.get("applicationId", ""),
                    values.get("dataTableId", "events"),
                    self.spec.toolset,
                )
        return result

    def _read(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments as JSON, and as the tool takes them, with the bound application."""
        known = self.spec.arguments(bound=self.services.bound_to is not None)
        given = parse_nested(arguments, self.parameters["properties"])
        fill: dict[str, Any] = {}
        if bound_to := self.services.bound_to:
            asked = given.pop("applicationId", bound_to)
            if not isinstance(asked, str) or asked.strip().lower() != bound_to.lower():
                raise InvalidRequest(
                    f"This server is bound to application {bound_to}; it reaches no other.",
                    hint="Leave applicationId out.",
                )
            fill = {n: bound_to for n in ("applicationId",) if n in self.spec.model.model_fields}
        check_known(given, known)
        if "applicationId" in known and "applicationId" not in given:
            raise InvalidRequest("applicationId is required.", hint="list_applications has it.")
        model = read(self.spec.model, {**fill, **given})
        return given, {name: getattr(model, name) for name in model.model_fields_set}

    @staticmethod
    async def _refer(call: Call, given: Any, mark: Ref, values: dict[str, Any]) -> Any:
        if mark.kind == "table":
            table = await names.table_id(call.client, values["applicationId"], given)
            if call.client.policy.denies(table):
                raise Refused(f"dataTableId is refused: {DENIED.reason}.", hint=DENIED.how_to_allow)
            return table
        if mark.kind == "device" and isinstance(given, list):
            return await names.device_ids(call.client, values["applicationId"], given)
        if mark.kind == "device":
            [device] = await names.device_ids(call.client, values["applicationId"], [given])
            return device
        return given.strip()


def _marker(hint: Any) -> Marker | None:
    """The marker of a type, also inside ``X | None``."""
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, Marker):
            return mark
    for inner in get_args(hint):
        if found := _marker(inner):
            return found
    return None


def _description(hint: Any) -> str | None:
    for mark in reversed(getattr(hint, "__metadata__", ())):
        if isinstance(mark, FieldInfo) and mark.description:
            return mark.description
    return next((found for inner in get_args(hint) if (found := _description(inner))), None)


def _failure(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], is_error=True)
