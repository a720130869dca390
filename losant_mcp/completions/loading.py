"""What Losant is asked for, through the caller's own client, so that its policy holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from losant_mcp.api.lookup import Device, Devices
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import PAGE_SIZE
from losant_mcp.completions.choices import MOST, Choice, Known, named, words
from losant_mcp.tools.names import all_tables


@dataclass(frozen=True, slots=True)
class Tables:
    """The data tables, and the columns of each by its id."""

    known: Known
    columns: Mapping[str, Known]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices, all of them or the first, and the keys of their tags."""

    known: Known
    tags: Known


async def applications(client: LosantClient) -> Known:
    """The applications that the token sees, found by name, offered by id."""
    page = await client.applications_get(sortField="name", perPage=PAGE_SIZE)
    found = [(application.id, application.name) for application in page.items]
    choices = named(found, complete=page.totalCount <= len(found))
    by_id = tuple(Choice(choice.name, choice.id, choice.id) for choice in choices.choices)
    return Known(by_id, choices.complete)


async def tables(client: LosantClient, application_id: str) -> Tables:
    """All data tables."""
    found = await all_tables(client, application_id)
    return Tables(
        named((table.id, table.name) for table in found),
        {table.id: words(column.name for column in table.columns) for table in found},
    )


async def fleet(client: LosantClient, application_id: str) -> Fleet:
    """The first page of devices, by name."""
    page = await _devices(client, application_id)
    keys = sorted({key for device in page.items for key in _tag_keys(device)}, key=str.casefold)
    devices = _named(page)
    return Fleet(devices, Known(words(keys).choices, devices.complete))


async def devices_called(client: LosantClient, application_id: str, typed: str) -> Known:
    """The devices whose name holds the typed text, in any case; of very many some, with those
    first that begin with it.
    """
    within = await _devices(client, application_id, _called("$contains", typed))
    found = _named(within)
    if found.complete:
        return found
    first = _named(await _devices(client, application_id, _called("$startsWith", typed), MOST))
    both = {choice.id: choice for choice in (*first.choices, *found.choices)}
    return Known(tuple(both.values()), complete=False)


def _called(operator: str, typed: str) -> dict[str, Any]:
    return {"name": {operator: typed, "$ci": True}}


async def _devices(
    client: LosantClient,
    application_id: str,
    query: dict[str, Any] | None = None,
    most: int = PAGE_SIZE,
) -> Devices:
    return await client.devices_get(
        applicationId=application_id,
        sortField="name",
        sortDirection="asc",
        perPage=most,
        excludeConnectionInfo=True,
        query=query,
    )


def _named(page: Devices) -> Known:
    complete = page.totalCount <= len(page.items)
    # Sorted by name, a page that ends early may part the last device from one of the same name.
    last = () if complete else (page.items[-1].name,) if page.items else ()
    found = [(device.id, device.name) for device in page.items]
    return named(found, complete=complete, shared=last)


def _tag_keys(device: Device) -> list[str]:
    tags = device.tags if isinstance(device.tags, list) else []
    return [key for tag in tags if isinstance(key := tag.get("key"), str)]
