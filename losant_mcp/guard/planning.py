"""Planning: what exactly would an operation reach, read from Losant now.

The set is named one by one where ids can be named (events, rows) and counted where they cannot
(a whole table, a column). A plan holds what the person will see, and what is compared again
before anything goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from losant_mcp.api.events import LEVELS, STATES, Event
from losant_mcp.api.tables import DataTable
from losant_mcp.client import LosantClient
from losant_mcp.client.paging import all_items, by_number, by_offset
from losant_mcp.errors import InvalidRequest
from losant_mcp.guard.plans import (
    Binding,
    Operation,
    Plan,
    PlannedSet,
    Shown,
    Target,
    digest,
)
from losant_mcp.guard.wording import counted, phrase_for, word_of

SAMPLES = 3

ROW_RESTORE = ("restored rows get new ids and new dates",)
EVENT_RESTORE = (
    "restored events get new ids, and lose their history and their source",
    "Losant takes 15 new events in 15 seconds, so a large restore takes its time",
)
LAST_MOMENT = "What is written in the very last moment goes, too, and is not in the backup."


@dataclass(frozen=True, slots=True)
class Draft:
    """What planning found out about an operation."""

    target: Target
    planned: PlannedSet
    verb: str
    phrase: str | None
    breakdown: Mapping[str, Mapping[str, int]]
    samples: tuple[Mapping[str, Any], ...] = ()
    side_effects: tuple[str, ...] = ()
    not_restorable: tuple[str, ...] = ()
    place: str = ""
    """The name of the table, or of the application for sets of events. An event alone has none:
    its subject is anybody's."""

    def plan(self, operation: Operation, binding: Binding, arguments: str, **shown: Any) -> Plan:
        """The plan of this draft, for the store to number and date."""
        return Plan(
            id="",
            operation=operation,
            binding=binding,
            arguments=arguments,
            target=self.target,
            planned=self.planned,
            shown=Shown(
                where=where(operation, binding),
                breakdown=self.breakdown,
                samples=self.samples,
                side_effects=self.side_effects,
                not_restorable=self.not_restorable,
                **shown,
            ),
            verb=self.verb,
            phrase=self.phrase,
            destroys=0 if self.verb.startswith(("CHANGE", "RESTORE")) else self.planned.count,
            created_at=0.0,
            expires_at=0.0,
        )


def where(operation: Operation, binding: Binding) -> str:
    """Environment and application in fixed words."""
    host = urlsplit(binding.api_url).netloc
    return f"Application {operation.application_id} at {host}."


class Planner:
    """Reads what an operation would reach. ``most`` is the largest set that a plan may have."""

    def __init__(self, client: LosantClient, *, most: int) -> None:
        self._client = client
        self._most = most

    async def draft(self, operation: Operation) -> Draft:
        """What the operation reaches now; a count of 0 where that is nothing.

        Raises InvalidRequest for a set that is too large or not what its words say, and what the
        client raises.
        """
        match operation.action:
            case "delete_event" | "update_event":
                return await self._event(operation)
            case "delete_events" | "update_events":
                return await self._events(operation)
            case "delete_row" | "update_row":
                return await self._row(operation)
            case "delete_rows":
                return await self._rows(operation)
            case "remove_data_table_column":
                return await self._column(operation)
            case _:
                return await self._table(operation)

    async def _event(self, operation: Operation) -> Draft:
        event = await self._client.event_get(
            applicationId=operation.application_id, eventId=operation.target_id
        )
        verb = "DELETE" if operation.action == "delete_event" else "CHANGE"
        return Draft(
            target=Target("event", event.id, event.subject or "", event.creationDate),
            planned=PlannedSet(1, event.lastUpdated, ((event.id, event.lastUpdated),)),
            verb=f"{verb} this event",
            phrase=None,
            breakdown=_levels_and_states([event]),
            samples=(_event_sample(event),),
            not_restorable=EVENT_RESTORE[:1] if verb == "DELETE" else (),
        )

    async def _events(self, operation: Operation) -> Draft:
        at = operation.application_id
        chosen = dict(operation.selection)
        first = await self._client.events_get(applicationId=at, perPage=1, **chosen)
        everything = await self._client.events_get(applicationId=at, perPage=1)
        count = first.totalCount
        deleting = operation.action == "delete_events"
        if count and count == everything.totalCount and not operation.everything:
            raise InvalidRequest(
                f"This selects all {counted(count, 'event')} of the application.",
                hint="Say all: true if that is meant; else narrow the query.",
            )
        self._check_size(count, "event", deleting)
        application = await self._client.application_get(applicationId=at)
        fetch = partial(
            self._client.events_get,
            applicationId=at,
            sortField="id",
            sortDirection="asc",
            **chosen,
        )
        events = await all_items(by_number(fetch)) if count else []
        self._check_size(len(events), "event", deleting)
        target = Target("events", at, application.name, application.creationDate)
        verb = "DELETE" if deleting else "CHANGE"
        return Draft(
            target=target,
            planned=_named((e.id, e.lastUpdated) for e in events),
            verb=f"{verb} {counted(len(events), 'event')}",
            phrase=phrase_for(target, ambiguous=False, word=word_of(verb)),
            breakdown=_levels_and_states(events),
            samples=tuple(_event_sample(e) for e in events[:SAMPLES]),
            not_restorable=EVENT_RESTORE if deleting else (),
            place=application.name,
        )

    async def _row(self, operation: Operation) -> Draft:
        assert operation.parent_id is not None, "a row has a table"
        table = await self._client.data_table_get(
            applicationId=operation.application_id, dataTableId=operation.parent_id
        )
        row = await self._client.data_table_row_get(
            applicationId=operation.application_id,
            dataTableId=operation.parent_id,
            rowId=operation.target_id,
        )
        verb = "DELETE" if operation.action == "delete_row" else "CHANGE"
        return Draft(
            target=Target("row", row.id, table.name, row.createdAt, shape_of(table)),
            planned=PlannedSet(1, row.updatedAt, ((row.id, row.updatedAt),)),
            verb=f"{verb} this row",
            phrase=None,
            breakdown={},
            samples=(row.to_json(),),
            not_restorable=ROW_RESTORE if verb == "DELETE" else (),
            place=table.name,
        )

    async def _rows(self, operation: Operation) -> Draft:
        at: Any = {"applicationId": operation.application_id, "dataTableId": operation.target_id}
        query = operation.selection["query"]
        table = await self._client.data_table_get(**at)
        first = await self._client.data_table_rows_query(**at, body=query, limit=SAMPLES)
        everything = await self._client.data_table_rows_get(**at, limit=1)
        count = first.totalCount
        if count and count == everything.totalCount:
            raise InvalidRequest(
                f"This query matches all {counted(count, 'row')} of the table.",
                hint="To empty a table use truncate_rows; else narrow the query.",
            )
        self._check_size(count, "row", deleting=True)
        fetch = partial(
            self._client.data_table_rows_query,
            **at,
            body=query,
            sortColumn="id",
            sortDirection="asc",
            includeFields="id,updatedAt",
        )
        rows = await all_items(by_offset(fetch)) if count else []
        self._check_size(len(rows), "row", deleting=True)
        target = _table_target(table)
        return Draft(
            target=target,
            planned=_named((row["id"], row.get("updatedAt")) for row in rows),
            verb=f"DELETE {counted(len(rows), 'row')}",
            phrase=await self._phrase(target, operation.application_id),
            breakdown={},
            samples=tuple(first.items),
            side_effects=("Workflows that watch the table are told of each row.",),
            not_restorable=ROW_RESTORE,
            place=table.name,
        )

    async def _table(self, operation: Operation) -> Draft:
        table, count, newest, samples = await self._whole(operation)
        target = _table_target(table)
        rows = counted(count, "row")
        effects: tuple[str, ...] = ()
        lost: tuple[str, ...] = ()
        match operation.action:
            case "truncate_rows":
                verb = f"DELETE all {rows}"
                effects = ("No workflow is told of the rows.", LAST_MOMENT)
                lost = ROW_RESTORE
                self._check_size(count, "row", deleting=True)
            case "delete_data_table":
                verb = f"DELETE this data table with {rows}"
                effects = ("Workflows and dashboards that use the table break.", LAST_MOMENT)
                lost = ("a restored table gets a new id", *ROW_RESTORE)
                self._check_size(count, "row", deleting=True)
            case "update_data_table":
                verb = f"CHANGE the name of this data table with {rows}"
                effects = ("Workflows that use the table by its name break.",)
            case _:
                verb = f"CHANGE this data table with {rows} by a strict column"
                effects = ("Inserts that do not know the column will be refused.",)
        return Draft(
            target=target,
            # A table without rows is still an object that goes.
            planned=PlannedSet(
                max(count, 1) if operation.action == "delete_data_table" else count, newest
            ),
            verb=verb,
            phrase=await self._phrase(target, operation.application_id, word_of(verb)),
            breakdown={},
            samples=samples,
            side_effects=effects,
            not_restorable=lost,
            place=table.name,
        )

    async def _column(self, operation: Operation) -> Draft:
        table, count, newest, samples = await self._whole(operation)
        name = str((operation.change or {})["columnName"])
        if name not in [column.name for column in table.columns]:
            raise InvalidRequest(
                f"The table has no column {name[:60]!r}.",
                hint=f"Columns: {', '.join(c.name for c in table.columns)[:300]}.",
            )
        target = Target("column", table.id, name, table.creationDate, shape_of(table))
        self._check_size(count, "value", deleting=True)
        return Draft(
            target=target,
            planned=PlannedSet(max(count, 1), newest),
            verb=f"DELETE this column of {counted(count, 'row')}",
            phrase=phrase_for(target, ambiguous=False),
            breakdown={},
            samples=tuple({"id": row["id"], name: row.get(name)} for row in samples),
            side_effects=("Workflows that use the column break.", LAST_MOMENT),
            not_restorable=("a restored column is optional at first; dates of rows change",),
            place=table.name,
        )

    async def _whole(
        self, operation: Operation
    ) -> tuple[DataTable, int, str | None, tuple[Mapping[str, Any], ...]]:
        at: Any = {"applicationId": operation.application_id, "dataTableId": operation.target_id}
        table = await self._client.data_table_get(**at)
        count, newest, samples = await read_extent(self._client, **at)
        return table, count, newest, samples

    async def _phrase(self, target: Target, application_id: str, word: str = "delete") -> str:
        fetch = partial(self._client.data_tables_get, applicationId=application_id)
        tables = await all_items(by_number(fetch))
        same = [table for table in tables if table.name == target.name]
        return phrase_for(target, ambiguous=len(same) > 1, word=word)

    def _check_size(self, count: int, noun: str, deleting: bool) -> None:
        if count > self._most:
            what = "delete" if deleting else "change"
            raise InvalidRequest(
                f"This would {what} {counted(count, noun)}; at most {self._most:,} at once.",
                hint="Narrow it, for instance by date, and go in parts; or a person raises"
                " LOSANT_MCP_MAX_DELETE.",
            )


async def read_extent(
    client: LosantClient, *, applicationId: str, dataTableId: str
) -> tuple[int, str | None, tuple[Mapping[str, Any], ...]]:
    """How many rows a table has, when the newest was changed, and a few of the newest."""
    page = await client.data_table_rows_get(
        applicationId=applicationId,
        dataTableId=dataTableId,
        sortColumn="updatedAt",
        sortDirection="desc",
        limit=SAMPLES,
    )
    newest = page.items[0].get("updatedAt") if page.items else None
    return page.totalCount, newest, tuple(page.items)


def shape_of(table: DataTable) -> str:
    """A digest of the table's columns, of which none may have changed before a run."""
    return digest([column.to_json() for column in table.columns])


def _table_target(table: DataTable) -> Target:
    return Target("data table", table.id, table.name, table.creationDate, shape_of(table))


def _named(items: Any) -> PlannedSet:
    """The set of (id, when last changed) pairs, by id."""
    ordered = tuple(sorted(items))
    newest = max((changed for _, changed in ordered if changed), default=None)
    return PlannedSet(len(ordered), newest, ordered)


def _levels_and_states(events: list[Event]) -> dict[str, dict[str, int]]:
    levels = Counter(event.level for event in events)
    states = Counter(event.state for event in events)
    return {
        "level": {level: levels[level] for level in reversed(LEVELS) if levels[level]},
        "state": {state: states[state] for state in STATES if states[state]},
    }


def _event_sample(event: Event) -> dict[str, Any]:
    wanted = ("id", "level", "state", "subject", "message", "deviceName", "creationDate")
    return {name: value for name, value in event.to_json().items() if name in wanted}
