"""Names for ids: an exact name of a data table or device stands for its id.

Looked up afresh each time: a table that was deleted and made anew under its name must not be
mistaken for the old one.
"""

from __future__ import annotations

import difflib
import re
from typing import TypeVar

from losant_mcp.api.lookup import Device
from losant_mcp.api.tables import DataTable
from losant_mcp.client import LosantClient
from losant_mcp.errors import UnknownName
from losant_mcp.text import one_line
from losant_mcp.tools.arguments import is_object_id

Named = TypeVar("Named", DataTable, Device)

_SHOWN = 5
_GLOB = re.compile(r"[*?\[\]{}()!+@\\]")


async def table_id(client: LosantClient, application_id: str, reference: str) -> str:
    """The id of the table with this id or exact name. Raises UnknownName, listing candidates."""
    reference = reference.strip()
    if is_object_id(reference):
        return reference
    found = []
    if not _GLOB.search(reference):
        page = await client.data_tables_get(
            applicationId=application_id, filterField="name", filter=reference, perPage=1000
        )
        found = [table for table in page.items if table.name == reference]
    if not found:
        tables = await all_tables(client, application_id)
        found = [table for table in tables if table.name == reference]
        if not found:
            raise _unknown("data table", reference, tables)
    return _only("data table", reference, found).id


async def all_tables(client: LosantClient, application_id: str) -> list[DataTable]:
    """Every data table of the application, by name."""
    tables: list[DataTable] = []
    async for page in client.pages_of_data_tables(applicationId=application_id):
        tables += page.items
    return tables


async def device_id(client: LosantClient, application_id: str, reference: str) -> str:
    """The id of the device with this id or exact name. Raises UnknownName, listing candidates."""
    reference = reference.strip()
    if is_object_id(reference):
        return reference
    exact = await client.devices_get(
        applicationId=application_id, query={"name": reference}, perPage=_SHOWN + 1
    )
    if exact.items:
        return _only("device", reference, exact.items).id
    word = max(re.findall(r"\w+", reference) or [reference], key=len)
    near = await client.devices_get(
        applicationId=application_id,
        query={"name": {"$contains": word, "$ci": True}},
        perPage=_SHOWN,
    )
    raise _unknown("device", reference, near.items)


def _only(what: str, name: str, found: list[Named]) -> Named:
    if len(found) == 1:
        return found[0]
    ids = ", ".join(f"{item.id} (created {item.creationDate})" for item in found[:_SHOWN])
    raise UnknownName(
        f"{len(found)} {what}s are called {one_line(name, 60)!r}: {ids}.", hint="Use the id."
    )


def _unknown(what: str, name: str, known: list[DataTable] | list[Device]) -> UnknownName:
    names = [one_line(item.name, 60) for item in known]
    near = difflib.get_close_matches(name, names, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(repr(n) for n in (near or names)[:_SHOWN]) if not near else ""
    candidates = f" There are: {listed}." if listed else ""
    finder = "list_data_tables" if what == "data table" else "list_devices"
    return UnknownName(
        f"No {what} is called {one_line(name, 60)!r}.{guess}{candidates}",
        hint=f"{finder} shows them all.",
    )
