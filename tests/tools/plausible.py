"""For every tool, arguments that a model could well send; on the demo, each of them works.

But for restore_backup: at first there is nothing to restore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from losant_mcp.sandbox.store import Store

PUMP = "Alder Street Pump 1"


@dataclass(frozen=True)
class Ids:
    """Objects of the demo to work on."""

    application: str
    event: str
    table: str
    row: str
    device: str


def ids_in(store: Store) -> Ids:
    """An application, a new event, the table "sites", its first row, and a pump."""

    def first(sql: str) -> str:
        return str(store.rows(sql)[0][0])

    table = first("SELECT id FROM data_tables WHERE name = 'sites'")
    return Ids(
        first("SELECT id FROM applications"),
        first("SELECT id FROM events WHERE state = 0 ORDER BY creationDate DESC"),
        table,
        first(f"SELECT id FROM rows_{table} ORDER BY id"),
        first(f"SELECT id FROM devices WHERE name = '{PUMP}'"),
    )


SITE = {"siteCode": "NEW", "name": "New works", "kind": "depot", "district": "North"}


def arguments(ids: Ids) -> Mapping[str, dict[str, Any]]:
    """The arguments by tool, for a bound server."""
    table = {"dataTableId": "sites"}
    event = {"eventId": ids.event}
    row = {**table, "rowId": ids.row}
    pump = {"deviceIds": [PUMP]}
    return {
        "list_events": {"state": "new", "perPage": 5},
        "get_most_severe_event": {"query": {"level": {"$gte": "error"}}},
        "get_event": event,
        "create_event": {"level": "warning", "subject": "Made by a test", "deviceId": PUMP},
        "update_event": {**event, "state": "acknowledged", "comment": "Seen.", "deviceId": PUMP},
        "update_events": {
            "query": {"level": "critical"},
            "fromState": "new",
            "state": "acknowledged",
            "deviceId": PUMP,
        },
        "delete_events": {"query": {"state": "resolved", "creationDate": {"$lt": "-7d"}}},
        "delete_event": event,
        "export_events": {"query": {"level": "critical"}, "format": "json"},
        "list_data_tables": {"filter": "s*"},
        "get_data_table": table,
        "create_data_table": {
            "name": "visits",
            "columns": [{"name": "who", "dataType": "string", "constraint": "required"}],
        },
        "update_data_table": {**table, "description": "Where the equipment stands"},
        "delete_data_table": table,
        "add_data_table_column": {**table, "name": "floor", "dataType": "number"},
        "remove_data_table_column": {**table, "columnName": "notes"},
        "list_rows": {**table, "sortColumn": "builtYear", "limit": 5},
        "query_rows": {**table, "query": {"district": "North"}, "includeFields": ["name"]},
        "get_row": row,
        "insert_rows": {**table, "rows": [SITE]},
        "update_row": {**row, "row": {"households": 2200}},
        "delete_row": row,
        "delete_rows": {**table, "query": {"district": "West"}},
        "truncate_rows": table,
        "export_rows": {**table, "query": {"district": "West"}, "sortColumn": "name"},
        "query_time_series": {**pump, "attributes": ["flow"], "resolution": 3_600_000},
        "query_last_values": {**pump, "attribute": "flow"},
        "export_device_data": {**pump, "attributes": ["flow"], "start": "-2h"},
        "list_applications": {},
        "list_devices": {"query": {"name": {"$startsWith": "Alder"}}},
        "get_device": {"deviceId": PUMP},
        "list_jobs": {"query": {"status": "completed"}},
        "summarize_events": {"start": "-2d"},
        "query_sql": {"sql": "SELECT district, count(*) AS n FROM sites GROUP BY district"},
        "profile_data_table": {**table, "search": "north"},
        "render_chart": {"kind": "line", **pump, "attributes": ["flow"]},
        "list_backups": {},
        "restore_backup": {"backupId": "bak_" + "a" * 26},
        "get_server_status": {},
        "read_guide": {"name": "sql"},
    }


GUARDED = {
    "delete_events": "events.delete",
    "delete_event": "event.delete",
    "delete_data_table": "dataTable.delete",
    "remove_data_table_column": "dataTable.removeColumn",
    "delete_row": "dataTableRow.delete",
    "delete_rows": "dataTableRows.delete",
    "truncate_rows": "dataTableRows.truncate",
}
"""The tools that destroy, and the endpoint that does it; without a person's yes it is not asked."""

UNASKED = {*GUARDED, "restore_backup", "list_backups", "get_server_status", "read_guide"}
"""The tools of which such a call asks Losant for nothing but what planning reads."""
