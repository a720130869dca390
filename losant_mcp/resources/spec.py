"""A resource from a typed function: where it lies, what it is called, and what changes it.

``@resource`` registers the function in ``RESOURCES``, as ``@tool`` does with a tool's. A resource
says what some tools say, by the same code, and is there where all of them are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

from mcp.shared.uri_template import UriTemplate
from mcp.types import Annotations, Role

from losant_mcp.config import Settings, Toolset
from losant_mcp.tools.availability import why_not
from losant_mcp.tools.listing import DOMAINS
from losant_mcp.tools.spec import TOOLS, Result

assert DOMAINS, "importing them registers the tools"

SCHEME = "losant://"
OF_APPLICATION = "applications/{applicationId}/"

Told = dict[str, Any] | str
Reader = Callable[..., Awaitable[Told]]
"""``(call, *, applicationId, ...) -> JSON object, or Markdown``."""

Look = Callable[..., Awaitable[object]]
"""Called like a reader: JSON that differs wherever the content may, got by few small requests."""


@dataclass(frozen=True)
class ResourceSpec:
    """One resource, or with variables in its path a template of many.

    ``look`` is None where the content never changes. Where it is ``exact``, another look is
    another content; otherwise the contents are compared, without the fields in ``passing``, which
    change by the mere passing of time. Outside an application, ``per_application`` is False.
    """

    name: str
    path: str
    title: str
    description: str
    tools: tuple[str, ...]
    audience: tuple[Role, ...]
    priority: float
    mime_type: Literal["application/json", "text/markdown"]
    reader: Reader
    look: Look | None
    exact: bool
    passing: frozenset[str]
    per_application: bool

    def annotations(self, changed: str | None = None) -> Annotations:
        """For whom it is, how much it matters, and where it is known when it last changed."""
        return Annotations(
            audience=list(self.audience), priority=self.priority, last_modified=changed
        )

    @property
    def toolsets(self) -> set[Toolset]:
        """Those of the tools that say the same."""
        return {TOOLS[tool].toolset for tool in self.tools}

    def is_listed(self, settings: Settings) -> bool:
        """Whether the tools that say the same are there."""
        return all(why_not(TOOLS[tool], settings) is None for tool in self.tools)

    def template(self, *, bound: bool) -> UriTemplate:
        """Its URI; without variables where it is one resource."""
        return self._short if bound or not self.per_application else self._long

    @cached_property
    def _short(self) -> UriTemplate:
        return UriTemplate.parse(SCHEME + self.path)

    @cached_property
    def _long(self) -> UriTemplate:
        return UriTemplate.parse(SCHEME + OF_APPLICATION + self.path)

    def matched(self, uri: str, *, bound: bool) -> dict[str, str] | None:
        """The variables of a URI that is this resource's; None of any other."""
        # Every variable of ours is one segment, so each value is one text.
        return cast("dict[str, str] | None", self.template(bound=bound).match(uri))


def said(answer: Result) -> dict[str, Any]:
    """What a tool says that only reads: it never answers with a question."""
    assert isinstance(answer, dict)
    return answer


RESOURCES: dict[str, ResourceSpec] = {}
"""Every resource by name. Importing the domain modules fills it."""


def resource(
    path: str,
    *,
    title: str,
    tools: tuple[str, ...] = (),
    audience: tuple[Role, ...] = ("user", "assistant"),
    priority: float,
    mime_type: Literal["application/json", "text/markdown"] = "application/json",
    look: Look | None = None,
    exact: bool = False,
    passing: frozenset[str] = frozenset(),
    per_application: bool = True,
) -> Callable[[Reader], Reader]:
    """Register an async function ``(call, *, applicationId, …)`` as the resource of its name.

    The docstring is its description for people who choose what to attach.
    """

    def register(reader: Reader) -> Reader:
        name, description = reader.__name__, " ".join((reader.__doc__ or "").split())
        assert description, f"{name} has no description"
        assert name not in RESOURCES, f"{name} is registered twice"
        assert set(tools) <= set(TOOLS), f"{name} says what no tool says"
        RESOURCES[name] = ResourceSpec(
            name.replace("_", "-"),
            path,
            title,
            description,
            tools,
            audience,
            priority,
            mime_type,
            reader,
            look,
            exact,
            passing,
            per_application,
        )
        return reader

    return register
