"""Events put straight into the sandbox's database, with a plain count beside every digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from losant_mcp.analysis.digest import Digest, Scope, digest
from losant_mcp.analysis.digest_counts import GroupBy
from losant_mcp.api.events import LEVELS, STATES
from losant_mcp.client import LosantClient
from losant_mcp.sandbox.demo.write import insert
from losant_mcp.sandbox.store import Store
from tests.served import Sandbox

NOW = 1_780_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR

DEVICES = ("aa" * 12, "bb" * 12, "cc" * 12)


@dataclass(frozen=True)
class Stored:
    """An event as it is stored; ``at`` is its creation in ms."""

    at: int
    subject: str = "Door open"
    level: int = 1
    state: int = 0
    device: str | None = DEVICES[0]
    changed: int | None = None


def event_id(number: int) -> str:
    """An id as random as Losant's, the same for the same number."""
    return f"{number * 0x9E3779B97F4A7C15F39CC060 % 2**96:024x}"


def store_devices(store: Store, application_id: str, names: dict[str, str]) -> None:
    """Store devices by id and name."""
    rows = [
        {
            "id": id,
            "applicationId": application_id,
            "name": name,
            "deviceClass": "standalone",
            "creationDate": NOW - DAY,
            "lastUpdated": NOW - DAY,
        }
        for id, name in names.items()
    ]
    with store.transaction(write=True) as db:
        insert(db, "devices", rows)


def store_events(
    store: Store, application_id: str, events: Iterable[Stored], *, first: int = 1
) -> list[str]:
    """Store the events; returns their ids."""
    rows = [event_row(application_id, event, n) for n, event in enumerate(events, first)]
    if rows:
        with store.transaction(write=True) as db:
            insert(db, "events", rows)
    return [row["id"] for row in rows]


def event_row(application_id: str, event: Stored, number: int) -> dict[str, Any]:
    """The event as a row of the sandbox's table; ``number`` makes its id."""
    return {
        "id": event_id(number),
        "applicationId": application_id,
        "creationDate": event.at,
        "lastUpdated": event.at if event.changed is None else event.changed,
        "sourceType": "flow",
        "sourceId": "dd" * 12,
        "sourceName": "Thresholds",
        "level": event.level,
        "state": event.state,
        "subject": event.subject,
        "deviceId": event.device,
    }


async def read(
    losant: LosantClient,
    sandbox: Sandbox,
    *,
    start: int = NOW - DAY,
    end: int = NOW,
    query: dict[str, Any] | None = None,
    subject: str | None = None,
    group_by: Sequence[GroupBy] = ("subject", "device"),
    local: Callable[[datetime], datetime] = lambda moment: moment,
    **more: Any,
) -> Digest:
    """The digest of a window."""
    return await digest(
        losant,
        Scope(sandbox.application_id, start, end, query, subject),
        group_by=group_by,
        local=local,
        **{"open_hours": 24, "most": 100_000, **more},
    )


def plain_counts(
    store: Store, where: str = "1", *, start: int = NOW - DAY, end: int = NOW
) -> dict[tuple[str, str], int]:
    """Events by level and state, counted by SQLite."""
    found = store.rows(
        "SELECT level, state, COUNT(*) AS n FROM events"
        f" WHERE creationDate >= ? AND creationDate < ? AND {where} GROUP BY level, state",
        start,
        end,
    )
    return {(LEVELS[row["level"]], STATES[row["state"]]): row["n"] for row in found}
