"""What a server offers to read: the resources of its settings, and every data table by name."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import anyio
from mcp.types import Resource, ResourceTemplate

from losant_mcp import guides
from losant_mcp.api.tables import DataTable, DataTables
from losant_mcp.api.times import iso
from losant_mcp.config import Toolset
from losant_mcp.errors import LosantMcpError, describe
from losant_mcp.resources.dates import dates, newest_definition
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


@dataclass(frozen=True)
class Known:
    """What Losant told for the list: the tables, and when what is listed last changed, by the id
    of a table or by toolset.
    """

    tables: list[DataTable] = field(default_factory=list)
    changed: Mapping[str, str] = field(default_factory=dict)


class Listing:
    """The lists of one server. ``clock`` gives seconds that only grow."""

    def __init__(self, services: Services, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._kept: tuple[float, Known] | None = None
        self._writes = 0
        services.after_writes.append(self._wrote)

    async def resources(self) -> list[Resource]:
        """What needs nothing chosen, every guide, and where bound, every data table by name."""
        found: list[Resource] = []
        known = await self._known() if self._bound else Known()
        for spec in self._specs():
            if not spec.template(bound=self._bound).variables:
                changed = next((known.changed.get(toolset) for toolset in spec.toolsets), None)
                found.append(self._entry(spec, spec.name, spec.title, spec.description, changed))
            elif spec is RESOURCES["guide"]:
                found += self._guides(spec)
            elif spec is RESOURCES["data_table"]:
                found += self._tables(spec, known)
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
                annotations=spec.annotations(),
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
        changed: str | None = None,
        values: Mapping[str, str] = MappingProxyType({}),
    ) -> Resource:
        return Resource(
            uri=spec.template(bound=self._bound).expand(values),
            name=name,
            title=title,
            description=description,
            mime_type=spec.mime_type,
            annotations=spec.annotations(changed),
        )

    def _guides(self, spec: ResourceSpec) -> Iterator[Resource]:
        for name in guides.names():
            it = guides.read(name)
            yield self._entry(spec, name, it.title, it.description, values={"name": name})

    def _tables(self, spec: ResourceSpec, known: Known) -> Iterator[Resource]:
        for table in self._allowed(known.tables):
            name = one_line(table.name, _CHARACTERS) or table.id
            about = one_line(table.description or "", _CHARACTERS)
            columns = f"Data table, {len(table.columns)} columns"
            described = f"{columns}: {about}" if about else columns
            changed, values = known.changed.get(table.id), {"dataTableId": table.id}
            yield self._entry(spec, name, name, described, changed, values)

    async def _known(self) -> Known:
        """What the list needs of Losant, asked for again where the answer is old."""
        if self._kept is not None and self._clock() - self._kept[0] < KEPT_SECONDS:
            return self._kept[1]
        writes = self._writes
        specs = self._specs()
        page: DataTables | None = DataTables()
        if RESOURCES["data_tables"] in specs or RESOURCES["data_table"] in specs:
            page = await self._page()
        if page is None:  # what is asked next would not be answered either
            return Known()
        changed = await dates(
            self._services.client,
            self._services.bound_to or "",
            self._allowed(page.items) if RESOURCES["data_table"] in specs else [],
            events=any("events" in spec.toolsets for spec in specs),
        )
        newest = newest_definition(page.items)
        if newest is not None and page.totalCount <= len(page.items):
            changed["tables"] = iso(newest)
        known = Known(page.items, changed)
        if writes == self._writes:
            self._kept = (self._clock(), known)
        return known

    def _allowed(self, tables: list[DataTable]) -> list[DataTable]:
        """Those that no setting denies."""
        return [table for table in tables if not self._services.client.policy.denies(table.id)]

    async def _page(self) -> DataTables | None:
        """The tables by name; None where nobody answers."""
        try:
            with anyio.move_on_after(_MOST_SECONDS):
                return await self._services.client.data_tables_get(
                    applicationId=self._services.bound_to or "",
                    sortField="name",
                    sortDirection="asc",
                    perPage=MOST_TABLES,
                )
        except LosantMcpError as error:
            log.warning("the data tables are not listed: %s", describe(error))
        return None

    def _wrote(self, application_id: str, toolset: Toolset) -> None:
        self._writes += 1
        self._kept = None
