"""What a server offers to read: the resources of its settings, and every data table by name."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import anyio
from mcp.types import Resource, ResourceTemplate

from losant_mcp import guides
from losant_mcp.api.tables import DataTable
from losant_mcp.config import Toolset
from losant_mcp.errors import LosantMcpError, describe
from losant_mcp.resources.reading import DOMAINS
from losant_mcp.resources.spec import RESOURCES, ResourceSpec
from losant_mcp.text import one_line
from losant_mcp.tools.call import Services

assert DOMAINS, "importing them registers the resources"

log = logging.getLogger(__name__)

MOST_TABLES = 1000
"""What one request tells of; ``losant://data-tables`` leads to the rest."""

KEPT_SECONDS = 30.0
# A client waits for the list when it starts: a slow Losant must not keep it from the rest.
_MOST_SECONDS = 5.0
_CHARACTERS = 150


class Listing:
    """The lists of one server. ``clock`` gives seconds that only grow."""

    def __init__(self, services: Services, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._kept: tuple[float, list[DataTable]] | None = None
        services.after_writes.append(self._wrote)

    async def resources(self) -> list[Resource]:
        """What needs nothing chosen, every guide, and where bound, every data table by name."""
        found: list[Resource] = []
        for spec in self._specs():
            if not spec.template(bound=self._bound).variables:
                found.append(self._entry(spec, spec.name, spec.title, spec.description))
            elif spec is RESOURCES["guide"]:
                found += self._guides(spec)
            elif spec is RESOURCES["data_table"] and self._bound:
                found += self._tables(spec, await self._known_tables())
        return found

    def templates(self) -> list[ResourceTemplate]:
        """What there is one of for each table or guide, and unbound for each application."""
        return [
            ResourceTemplate(
                uri_template=str(template),
                name=spec.name,
                title=spec.title,
                description=spec.description,
                mime_type=spec.mime_type,
                annotations=spec.annotations,
            )
            for spec in self._specs()
            if (template := spec.template(bound=self._bound)).variables
        ]

    @property
    def _bound(self) -> bool:
        return self._services.bound_to is not None

    def _specs(self) -> list[ResourceSpec]:
        """The resources of these settings, what matters most first."""
        found = [spec for spec in RESOURCES.values() if spec.is_listed(self._services.settings)]
        return sorted(found, key=lambda spec: -spec.priority)

    def _entry(
        self,
        spec: ResourceSpec,
        name: str,
        title: str,
        description: str,
        values: Mapping[str, str] = MappingProxyType({}),
    ) -> Resource:
        return Resource(
            uri=spec.template(bound=self._bound).expand(values),
            name=name,
            title=title,
            description=description,
            mime_type=spec.mime_type,
            annotations=spec.annotations,
        )

    def _guides(self, spec: ResourceSpec) -> Iterator[Resource]:
        for name in guides.names():
            it = guides.read(name)
            yield self._entry(spec, name, it.title, it.description, {"name": name})

    def _tables(self, spec: ResourceSpec, found: list[DataTable]) -> Iterator[Resource]:
        for table in found:
            if self._services.client.policy.denies(table.id):
                continue
            name = one_line(table.name, _CHARACTERS) or table.id
            about = one_line(table.description or "", _CHARACTERS)
            columns = f"Data table, {len(table.columns)} columns"
            described = f"{columns}: {about}" if about else columns
            yield self._entry(spec, name, name, described, {"dataTableId": table.id})

    async def _known_tables(self) -> list[DataTable]:
        """The tables, asked for again where the answer is old; none where nobody answers."""
        if self._kept is not None and self._clock() - self._kept[0] < KEPT_SECONDS:
            return self._kept[1]
        found: list[DataTable] = []
        try:
            with anyio.move_on_after(_MOST_SECONDS):
                page = await self._services.client.data_tables_get(
                    applicationId=self._services.bound_to or "",
                    sortField="name",
                    sortDirection="asc",
                    perPage=MOST_TABLES,
                )
                found = page.items
                self._kept = (self._clock(), found)
        except LosantMcpError as error:
            log.warning("the data tables are not listed: %s", describe(error))
        return found

    def _wrote(self, application_id: str, toolset: Toolset) -> None:
        self._kept = None
