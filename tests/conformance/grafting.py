"""Our server object with the suite's fixtures added to it, and everything of its own kept.

Tools go through its ``call_tool``; resources are registered, listed, read and watched as its own
are. The SDK keeps the prompts and the one binary resource, since ours are files of text and
records of Losant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts import Prompt as RegisteredPrompt
from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    EmptyResult,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    Resource,
    SetLevelRequestParams,
)
from pydantic import AnyUrl

from losant_mcp.resources.spec import ResourceSpec
from losant_mcp.server import LosantServer, build_server
from tests.conformance import fixtures

PREFIX = "test_"
BINARY = "test://static-binary"


class GraftedServer(LosantServer):
    """Our server, which hands to the SDK what the suite's prompts and binary resource are."""

    async def list_prompts(self) -> list[Prompt]:
        """Ours and the suite's."""
        return [*await super().list_prompts(), *await MCPServer.list_prompts(self)]

    async def get_prompt(  # type: ignore[override]  # ours never ask back; one of these does
        self,
        name: str,
        arguments: dict[str, str] | None = None,
        context: Context[None, Any] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        """Ours, or the suite's."""
        if name.startswith(PREFIX):
            return await MCPServer.get_prompt(self, name, arguments, context)
        return await super().get_prompt(name, arguments, context)

    async def list_resources(self) -> list[Resource]:
        """Ours and the suite's."""
        return [*await super().list_resources(), *await MCPServer.list_resources(self)]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[None, Any] | None = None
    ) -> list[ReadResourceContents]:
        """Ours, or the binary one."""
        if str(uri) == BINARY:
            contents = await MCPServer.read_resource(self, uri, context)
            assert not isinstance(contents, InputRequiredResult)
            return list(contents)
        return await super().read_resource(uri, context)


@dataclass(frozen=True)
class GraftedSpec(ResourceSpec):
    """A resource of ours at an address of the suite's."""

    @cached_property
    def _short(self) -> UriTemplate:
        return UriTemplate.parse(f"test://{self.path}")


def _spec(name: str, path: str, reader: Any, look: Any = None, **more: Any) -> GraftedSpec:
    return GraftedSpec(
        name=name,
        path=path,
        title=name,
        description=reader.__doc__,
        tools=(),
        audience=("user",),
        priority=0.1,
        reader=reader,
        look=look,
        exact=True,
        passing=frozenset(),
        per_application=False,
        **{"mime_type": "text/plain", **more},
    )


RESOURCES = {
    "static_text": _spec("static-text", "static-text", fixtures.static_text),
    "template": _spec(
        "template", "template/{id}/data", fixtures.template, mime_type="application/json"
    ),
    "watched_resource": _spec(
        "watched-resource", "watched-resource", fixtures.watched_resource, fixtures.unchanged
    ),
}
"""To be put among ours."""


def build_grafted(*arguments: Any, **options: Any) -> LosantServer:
    """What ``build_server`` builds, with the fixtures added."""
    server = build_server(*arguments, **options)
    server.__class__ = GraftedServer
    for tool in fixtures.TOOLS:
        server.add_tool(tool, name=PREFIX + tool.__name__, structured_output=False)
    server.tool_names |= {PREFIX + tool.__name__ for tool in fixtures.TOOLS}
    for prompt in fixtures.PROMPTS:
        server.add_prompt(RegisteredPrompt.from_function(prompt, name=PREFIX + prompt.__name__))
    server.resource(BINARY, mime_type="image/png")(fixtures.static_binary)
    # We log to standard error; only a server that logs to clients has a level to set.
    server._lowlevel_server.add_request_handler(
        "logging/setLevel", SetLevelRequestParams, _set_level
    )
    return server


async def _set_level(_: object, __: SetLevelRequestParams) -> EmptyResult:
    return EmptyResult()
