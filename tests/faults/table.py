"""The matrix as data: what can go wrong with a write, and what each tool's write changes.

For each fault it is known whether the write happened, and so what an answer may claim. For each
tool it is known what one write does to the sandbox's database, and so whether it happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Told = Literal["done", "nothing", "unknown"]
"""What an answer claims: that it was done, that nothing was, or that Losant may have done it."""

PATIENCE = 0.1
"""Seconds that a client waits for a byte where the fault is that none comes."""


@dataclass(frozen=True)
class Fault:
    """One way for a write to fail.

    ``happens`` is how often it is carried out all the same; ``late`` where that is only after
    the client gave up. ``rule`` is the sandbox's; ``door`` is what stands before it.
    """

    happens: Literal[0, 1]
    told: Told
    rule: Mapping[str, Any] | None = None
    door: Literal["shut", "slammed"] | None = None
    impatient: bool = False
    late: bool = False
    seldom: bool = False
    """Whether it is so much like another one that a nightly run is enough."""


_TOO_MANY = {"kind": "status", "status": 429, "message": "Too many requests"}
_FAILED = {"kind": "status", "status": 500, "message": None}
_PAGE = {"kind": "html", "status": 502}

FAULTS: Mapping[str, Fault] = {
    "refused connection": Fault(0, "nothing", door="shut"),
    "reset before it was sent": Fault(0, "unknown", door="slammed"),
    "closed before the work": Fault(0, "unknown", {"kind": "drop_before"}, seldom=True),
    "closed after the work": Fault(1, "unknown", {"kind": "drop_after"}, seldom=True),
    "reset after the work": Fault(1, "unknown", {"kind": "reset"}),
    "timeout without the work": Fault(0, "unknown", {"kind": "hang"}, impatient=True),
    "timeout after the work": Fault(
        1, "unknown", {"kind": "hang", "work": "before"}, impatient=True
    ),
    "timeout before the work": Fault(
        1, "unknown", {"kind": "hang", "work": "after"}, impatient=True, late=True
    ),
    "429": Fault(0, "nothing", _TOO_MANY),
    "429 with Retry-After": Fault(0, "nothing", {**_TOO_MANY, "retryAfter": 7}),
    "500": Fault(0, "unknown", _FAILED),
    "500 after the work": Fault(1, "unknown", {**_FAILED, "worked": True}, seldom=True),
    "502 as HTML": Fault(0, "unknown", _PAGE, seldom=True),
    "502 as HTML after the work": Fault(1, "unknown", {**_PAGE, "worked": True}),
    "truncated JSON": Fault(1, "unknown", {"kind": "truncated_json"}),
    "slow body": Fault(1, "done", {"kind": "slow_body", "ms": 20, "pieces": 4}),
    "stalled body": Fault(
        1,
        "unknown",
        {"kind": "slow_body", "ms": 60_000, "pieces": 2},
        impatient=True,
        seldom=True,
    ),
}

Change = Mapping[str, tuple[int, int]]
"""By table of the database: how many of its rows go, and how many come."""


@dataclass(frozen=True)
class Write:
    """One tool's write: the operation that carries it out, and what is different afterwards."""

    tool: str
    endpoint: str
    change: Change
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Beside, or instead of, the plausible ones."""
    asked: bool = False
    """Whether a person is asked first."""
    reaches: int = 1
    """How many objects an outcome counts."""
    backs_up: int | None = None
    """How many objects its backup holds, where it makes one."""


_ONE_ROW: Change = {"rows": (1, 1)}
_COLUMN: Change = {"data_tables": (1, 1), "data_table_columns": (0, 1), "rows": (20, 20)}
_UNIQUE = {"name": "badge", "dataType": "string", "constraint": "unique"}
_JOB: Change = {"jobs": (0, 1), "files": (0, 1)}

_CREATED = [
    Write("create_event", "events.post", {"events": (0, 1)}),
    Write(
        "create_data_table",
        "dataTables.post",
        {"data_tables": (0, 1), "data_table_columns": (0, 1)},
    ),
    Write("insert_rows", "dataTableRows.post", {"data_tables": (1, 1), "rows": (0, 1)}),
    Write("add_data_table_column", "dataTable.addColumn", _COLUMN),
    Write("add_data_table_column", "dataTable.addColumn", _COLUMN, _UNIQUE, asked=True),
]
_UPDATED = [
    Write("update_event", "event.patch", {"events": (1, 1), "event_updates": (0, 1)}, backs_up=1),
    Write(
        "update_events",
        "events.patch",
        {"events": (4, 4), "event_updates": (0, 4)},
        reaches=4,
        backs_up=4,
    ),
    Write("update_row", "dataTableRow.patch", _ONE_ROW, backs_up=1),
    Write("update_data_table", "dataTable.patch", {"data_tables": (1, 1)}, backs_up=1),
]
_EXPORTED = [
    Write("export_events", "events.export", _JOB),
    Write("export_rows", "dataTableRows.export", _JOB),
    Write("export_device_data", "data.export", _JOB),
]


def _deletion(tool: str, endpoint: str, number: int, change: Change) -> Write:
    return Write(tool, endpoint, change, asked=True, reaches=number, backs_up=number)


_DELETED = [
    _deletion("delete_event", "event.delete", 1, {"events": (1, 0), "event_tags": (2, 0)}),
    _deletion(
        "delete_events",
        "events.delete",
        12,
        {"events": (12, 0), "event_tags": (24, 0), "event_updates": (24, 0)},
    ),
    _deletion("delete_row", "dataTableRow.delete", 1, {"data_tables": (1, 1), "rows": (1, 0)}),
    _deletion("delete_rows", "dataTableRows.delete", 4, {"data_tables": (1, 1), "rows": (4, 0)}),
    _deletion(
        "truncate_rows", "dataTableRows.truncate", 20, {"data_tables": (1, 1), "rows": (20, 0)}
    ),
    _deletion(
        "remove_data_table_column",
        "dataTable.removeColumn",
        20,
        {"data_tables": (1, 1), "data_table_columns": (1, 0), "rows": (20, 20)},
    ),
    _deletion(
        "delete_data_table",
        "dataTable.delete",
        20,
        {"data_tables": (1, 0), "data_table_columns": (10, 0), "rows": (20, 0)},
    ),
]

_ALL = [*_CREATED, *_UPDATED, *(replace(w, asked=True) for w in _UPDATED), *_EXPORTED, *_DELETED]

WRITES: Mapping[str, Write] = {
    f"{write.tool} {'asked' if write.asked else 'unasked'}": write for write in _ALL
}
"""Every tool that writes, but restore_backup; what may be asked about or not is here twice."""
