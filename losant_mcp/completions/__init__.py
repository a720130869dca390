"""What may be typed next: values for the variables of resources and the arguments of prompts.

An answer never fails and never takes long: where Losant is slow, fails or refuses, it is empty.
What is offered is what the caller may read: every request goes through the caller's own client,
and a denied table, which Losant lists beside the others, is left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from losant_mcp import guides
from losant_mcp.api.events import LEVELS, STATES
from losant_mcp.api.types import is_object_id
from losant_mcp.completions import loading
from losant_mcp.completions.choices import MOST_CHARACTERS, Known, words
from losant_mcp.completions.kinds import Kind, kind_in, kind_of
from losant_mcp.completions.loading import Tables
from losant_mcp.completions.memory import Memory
from losant_mcp.tools.call import Services

SECONDS = 1.0
"""How long somebody who types waits."""

TIMES = ("-1h", "-8h", "-24h", "-7d", "-30d", "today", "yesterday")

Reference = PromptReference | ResourceTemplateReference


def offer_completions(server: MCPServer[None], services: Services) -> None:
    """Let the server complete what its prompts and resource templates declare."""
    completions = Completions(services, seconds=SECONDS)

    async def complete(
        ref: Reference, argument: CompletionArgument, context: CompletionContext | None
    ) -> Completion:
        kind = await _kind(server, ref, argument.name)
        given = (context.arguments if context else None) or {}
        in_uri = isinstance(ref, ResourceTemplateReference)
        return await completions.of(kind, argument.value, given, in_uri=in_uri)

    server.completion()(complete)  # type: ignore[no-untyped-call]  # as the SDK has it


async def _kind(server: MCPServer[None], ref: Reference, name: str) -> Kind | None:
    """What is asked for; None where no such argument is declared to this caller."""
    if isinstance(ref, ResourceTemplateReference):
        for template in await server.list_resource_templates():
            uri = template.uri_template
            if uri == ref.uri and name in UriTemplate.parse(uri).variable_names:
                return kind_in(uri, name)
        return None
    prompts = [prompt for prompt in await server.list_prompts() if prompt.name == ref.name]
    declared = {argument.name for prompt in prompts for argument in prompt.arguments or ()}
    return kind_of(name) if name in declared else None


class Completions:
    """The completions of one server, and so of one principal, each within so many seconds."""

    def __init__(
        self,
        services: Services,
        *,
        seconds: float,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._client = services.client
        self._bound_to = services.bound_to
        self._seconds = seconds
        self._memory = Memory(now=now)
        services.after_writes.append(lambda *_: self._memory.clear())

    async def of(
        self, kind: Kind | None, typed: str, given: Mapping[str, str], *, in_uri: bool = False
    ) -> Completion:
        """What fits the typed text; ``given`` are the other arguments as far as they are known."""
        known: Known | None = None
        if kind is not None and len(typed) <= MOST_CHARACTERS:
            with anyio.move_on_after(self._seconds):
                known = await self._known(kind, typed, given)
        return known.matching(typed, in_uri=in_uri) if known else Completion(values=[])

    async def _known(self, kind: Kind, typed: str, given: Mapping[str, str]) -> Known | None:
        match kind:
            case "level":
                return words(LEVELS)
            case "state":
                return words(STATES)
            case "time":
                return words(TIMES)
            case "guide":
                return words(guides.names())
            case "application":
                if self._bound_to is not None:
                    return words([self._bound_to])
                return await self._memory.get(kind, partial(loading.applications, self._client))
        application = _given(given, "application") or self._bound_to
        if not is_object_id(application):
            return None
        if kind in ("device", "tag"):
            return await self._devices(kind, application.lower(), typed)
        tables = await self._tables(application.lower())
        if tables is None:
            return None
        if kind == "table":
            return tables.known
        table = _given(given, "table")
        ids = [choice.id for choice in tables.known.choices if table in (choice.value, choice.id)]
        return tables.columns[ids[0]] if len(ids) == 1 else None

    async def _tables(self, application: str) -> Tables | None:
        """The tables that the caller may read."""
        found = await self._memory.get(
            ("tables", application), partial(loading.tables, self._client, application)
        )
        if found is None:
            return None
        denies = self._client.policy.denies
        allowed = tuple(choice for choice in found.known.choices if not denies(choice.id))
        return Tables(Known(allowed), found.columns)

    async def _devices(self, kind: Kind, application: str, typed: str) -> Known | None:
        fleet = await self._memory.get(
            ("devices", application), partial(loading.fleet, self._client, application)
        )
        if fleet is None:
            return None
        if kind == "tag":
            return fleet.tags
        if fleet.known.complete or not typed:
            return fleet.known
        return await self._memory.get(
            ("devices", application, typed.casefold()),
            partial(loading.devices_called, self._client, application, typed),
        )


def _given(arguments: Mapping[str, str], kind: Kind) -> str:
    """The other argument of that kind; empty where there is none."""
    found = (value.strip() for name, value in arguments.items() if kind_of(name) == kind)
    return next(found, "")
