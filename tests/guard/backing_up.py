"""What the tests of backups and restores share: drafts, and backing up as a run does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from losant_mcp.api.tables import DataTable
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import all_items, by_number, by_offset
from losant_mcp.guard.backup_manifest import BackupKind, Draft, Manifest
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.plans import Action

APPLICATION = "5c0000000000000000000001"
PRINCIPAL = "sha256:abc"
API_URL = "https://api.losant.com"

Items = Sequence[dict[str, Any]]

ACTIONS: dict[BackupKind, Action] = {
    "rows": "delete_rows",
    "events": "delete_events",
    "table": "delete_data_table",
    "column": "remove_data_table_column",
    "before-image": "update_events",
}


def draft(kind: BackupKind = "rows", **given: Any) -> Draft:
    """A draft of a backup of this kind."""
    parts: dict[str, Any] = {
        "action": ACTIONS[kind],
        "plan_id": "plan1",
        "application_id": APPLICATION,
        "api_url": API_URL,
        "principal": PRINCIPAL,
    }
    return Draft(kind=kind, **{**parts, **given})


async def chunks_of(items: Items, size: int = 1000) -> AsyncIterator[Items]:
    """The items in lists, as a run hands them over."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def backups_in(folder: Path, **given: Any) -> Backups:
    """The backups of a folder, which is made."""
    backups = Backups(folder, **given)
    backups.prepare()
    return backups


async def read_back(backups: Backups, manifest: Manifest) -> list[dict[str, Any]]:
    """Every object of a backup."""
    async with backups.open(manifest) as source:
        return [item async for chunk in source.chunks(700) for item in chunk]


def names_in(folder: Path) -> list[str]:
    """What lies in the folder."""
    return sorted(path.name for path in folder.iterdir())


async def rows_of(client: LosantClient, application_id: str, table_id: str) -> list[dict[str, Any]]:
    """Every row of a table, by id."""
    fetch = partial(
        client.data_table_rows_get,
        applicationId=application_id,
        dataTableId=table_id,
        sortColumn="id",
    )
    return await all_items(by_offset(fetch))


async def events_of(client: LosantClient, application_id: str) -> list[dict[str, Any]]:
    """Every event, by id."""
    fetch = partial(client.events_get, applicationId=application_id, sortField="id")
    return [event.to_json() for event in await all_items(by_number(fetch))]


async def tables_of(client: LosantClient, application_id: str) -> list[DataTable]:
    """Every table, by name."""
    return await all_items(by_number(partial(client.data_tables_get, applicationId=application_id)))


def contents(items: Items, *, without: Sequence[str]) -> list[list[tuple[str, str]]]:
    """The objects without these fields, as a list that does not depend on their order."""
    return sorted(
        sorted((name, _told(value)) for name, value in item.items() if name not in without)
        for item in items
    )


def _told(value: Any) -> str:
    # JSON has one kind of number: 5 and 5.0 are the same cell.
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)
