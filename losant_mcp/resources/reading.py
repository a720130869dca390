"""Reading a resource by its URI, through the code and the policy of the tools that say the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver import Context

from losant_mcp.errors import InvalidRequest, LosantMcpError, NotFound, Refused, UnknownName
from losant_mcp.resources import events, guides, tables
from losant_mcp.resources.spec import (
    OF_APPLICATION,
    RESOURCES,
    SCHEME,
    ResourceSpec,
    Told,
)
from losant_mcp.text import one_line
from losant_mcp.tools.arguments import check_reference
from losant_mcp.tools.call import Call, Services
from losant_mcp.tools.results import compact

DOMAINS = (events, tables, guides)
"""Importing them registers their resources."""

MOST_CHARACTERS = 2000
"""Of a URI; a name in it may take twelve a letter."""


@dataclass(frozen=True)
class Content:
    """What a URI holds."""

    uri: str
    text: str
    mime_type: str
    fingerprint: str = field(repr=False)
    """Equal for contents that differ in nothing but the time that passed."""


class Quiet(Context[Any, Any]):
    """The context of a call that no client waits for."""

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell nobody."""


@dataclass(frozen=True)
class Address:
    """A URI that was understood: which resource it is, with which variables."""

    services: Services
    uri: str
    spec: ResourceSpec
    values: dict[str, str]

    @property
    def application_id(self) -> str:
        """The application that it is about; empty where it is about none."""
        return self.values.get("applicationId", "")

    async def read(self, context: Context[Any, Any] | None = None) -> Content:
        """What it holds. Raises what the tools raise."""
        told = await self.spec.reader(self._call(context), **self.values)
        return Content(self.uri, _text(told), self.spec.mime_type, _fingerprint(told, self.spec))

    async def look(self) -> object:
        """What differs wherever the content may: a few small requests, or none."""
        if self.spec.look is None:
            return None
        return await self.spec.look(self._call(None), **self.values)

    def _call(self, context: Context[Any, Any] | None) -> Call:
        return Call(self.services, {}, context or Quiet())


async def read(services: Services, uri: str, context: Context[Any, Any] | None = None) -> Content:
    """What the URI holds, under the policy of these services.

    Raises InvalidRequest, Refused or NotFound where there is no such resource for this caller,
    and the client's errors where Losant could not be asked. ``context`` is told the progress.
    """
    return await find(services, uri).read(context)


def find(services: Services, uri: str) -> Address:
    """The resource that a URI names. Raises UnknownName, and InvalidRequest for a malformed id.

    No request is made: whether a table of this id exists is found when it is read.
    """
    bound_to = services.bound_to
    if len(uri) <= MOST_CHARACTERS:
        for spec in RESOURCES.values():
            values = spec.matched(uri, bound=bound_to is not None)
            if values is None or not spec.is_listed(services.settings):
                continue
            if spec.per_application:
                values = {"applicationId": bound_to or values.get("applicationId", ""), **values}
                check_reference("applicationId", values["applicationId"], "application")
            return Address(services, uri, spec, values)
    elsewhere = bound_to is not None and uri.startswith(f"{SCHEME}{OF_APPLICATION.split('{')[0]}")
    raise UnknownName(
        f"There is no resource {one_line(uri, 100)!r}.",
        hint=f"This server is bound to application {bound_to}; its resources are below losant://."
        if elsewhere
        else "resources/list and resources/templates/list show what there is.",
    )


def is_missing(error: LosantMcpError) -> bool:
    """Whether the error says that there is no such resource for this caller."""
    return isinstance(error, (InvalidRequest, Refused, NotFound))


def _text(told: Told) -> str:
    return told if isinstance(told, str) else compact(told)


def _fingerprint(told: Told, spec: ResourceSpec) -> str:
    kept = (
        told if isinstance(told, str) else {k: v for k, v in told.items() if k not in spec.passing}
    )
    return hashlib.blake2b(_text(kept).encode(), digest_size=16).hexdigest()
