"""Ids of the demo's objects: the same in every demo, whatever the clock says."""

from __future__ import annotations

APPLICATION_ID = "5f0c0de00000000000000001"
SUPERVISOR_ID = "5f0c0de0000000000000000a"
"""The person who raises events by hand."""

WORKFLOW_ID = "5f0c0de0000000000000000b"
"""The workflow that raises the demo's events."""

_KINDS = {"technician": 0x10, "device": 0x20, "table": 0x30, "event": 0x40, "row": 0x50}


def demo_id(kind: str, number: int, group: int = 0) -> str:
    """The id of a demo object; ids of one kind and group sort by number.

    They start below every id that is made later, as 5f0c0de0 is a moment in July 2020.
    """
    return f"5f0c0de0{_KINDS[kind]:02x}{group:06x}{number:08x}"
