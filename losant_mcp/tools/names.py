"""Names for ids: an exact name of a data table or device stands for its id.

Looked up afresh each time: a table that was deleted and made anew under its name must not be
mistaken for the old one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeVar

from losant_mcp.api.lookup import Device
from losant_mcp.api.query_values import nearest
from losant_mcp.api.tables import DataTable
from losant_mcp.api.types import is_object_id
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import PAGE_SIZE, all_items, by_number
from losant_mcp.errors import UnknownName
from losant_mcp.text import one_line

Named = TypeVar("Named", DataTable, Device)

_SHOWN = 5
# A set of names travels in a URL, where each character may take three bytes, or twelve.
_CHARACTERS_AT_ONCE = 500
_GLOB = re.compile(r"[*?\[\]{}()!+@\\]")


async def table_id(client: LosantClient, application_id: str, reference: str) -> str:
    """The id of the table with this id or exact name. Raises UnknownName, listing candidates."""
    if is_object_id(reference.strip()):
        return reference.strip()
    found = []
    if not _GLOB.search(reference):
        page = await client.data_tables_get(
            applicationId=application_id,
            filterField="name",
            filter=reference.strip(),
            perPage=PAGE_SIZE,
        )
        found = _called(reference, page.items)
    if not found:
        tables = await all_tables(client, application_id)
        found = _called(reference, tables)
        if not found:
            raise _unknown("data table", reference, tables)
    return _only("data table", reference, found).id


async def all_tables(client: LosantClient, application_id: str) -> list[DataTable]:
    """Every data table of the application, by name."""
    return await all_items(by_number(partial(client.data_tables_get, applicationId=application_id)))


async def device_ids(
    client: LosantClient, application_id: str, references: Sequence[str]
) -> list[str]:
    """The ids of the devices with these ids or exact names, each once.

    Raises UnknownName, listing candidates, for the first that fits none or several.
    """
    named = list(dict.fromkeys(r for r in references if not is_object_id(r.strip())))
    ids: dict[str, str] = {}
    for some in _at_once(named):
        found = await client.devices_get(
            applicationId=application_id,
            query={"name": {"$in": sorted({*some, *(name.strip() for name in some)})}},
            perPage=PAGE_SIZE,
            excludeConnectionInfo=True,
        )
        for name in some:
            called = _called(name, found.items)
            if not called:
                raise await _unknown_device(client, application_id, name)
            ids[name] = _only("device", name, called).id
    return list(dict.fromkeys(ids.get(r, r.strip()) for r in references))


def _at_once(names: Sequence[str]) -> Iterator[list[str]]:
    some: list[str] = []
    for name in names:
        # A set has at most 100 members, and each name may stand in it twice.
        if some and (len(some) >= 50 or sum(map(len, [*some, name])) > _CHARACTERS_AT_ONCE):
            yield some
            some = []
        some.append(name)
    if some:
        yield some


def _called(name: str, known: Sequence[Named]) -> list[Named]:
    """Those with exactly this name; where there is none, with blanks around it left out."""
    exact = [item for item in known if item.name == name]
    return exact or [item for item in known if item.name.strip() == name.strip()]


async def _unknown_device(client: LosantClient, application_id: str, name: str) -> UnknownName:
    word = max(re.findall(r"\w+", name) or [name.strip()], key=len)
    near = await client.devices_get(
        applicationId=application_id,
        query={"name": {"$contains": word, "$ci": True}},
        perPage=_SHOWN,
    )
    if not near.items:
        near = await client.devices_get(applicationId=application_id, perPage=_SHOWN)
    return _unknown("device", name, near.items)


def _only(what: str, name: str, found: list[Named]) -> Named:
    if len(found) == 1:
        return found[0]
    ids = ", ".join(f"{item.id} (created {item.creationDate})" for item in found[:_SHOWN])
    raise UnknownName(
        f"{len(found)} {what}s are called {one_line(name, 60)!r}: {ids}.", hint="Use the id."
    )


def _unknown(what: str, name: str, known: Sequence[DataTable | Device]) -> UnknownName:
    names = [one_line(item.name, 60) for item in known]
    guess = nearest(one_line(name, 60), names)
    finder = "list_data_tables" if what == "data table" else "list_devices"
    if not names:
        return UnknownName(f"No {what} is called {one_line(name, 60)!r}: the application has none.")
    return UnknownName(
        f"No {what} is called {one_line(name, 60)!r}{guess.rstrip('?')}{'?' if guess else '.'}",
        hint=f"There are: {', '.join(map(repr, names[:_SHOWN]))}. {finder} shows them all.",
    )
