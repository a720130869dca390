"""What a backup says of itself: whose it is, what is in it, and how to tell that it is whole.

The manifest lies beside the data, in the clear, and holds no cell and no subject. A backup
exists once its manifest does; it is written last.
"""

from __future__ import annotations

import re
import secrets
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from losant_mcp.api.tables import Column, DataTable
from losant_mcp.guard.plans import Action, Plan
from losant_mcp.guard.store import GuardError

BackupKind = Literal["rows", "events", "table", "column", "before-image"]
"""What was kept: rows or events that go, a whole table with its rows, the values of one column
with the ids of their rows, or objects as they were before a change."""

BACKUP_ID = r"^bak_[a-z2-7]{26}$"
_backup_id = re.compile(BACKUP_ID[:-1] + r"\Z")

_NEW_IDS = "restored objects get new ids"
_NEW_ROWS = (
    _NEW_IDS,
    "createdAt and updatedAt of restored rows are the time of the restore",
    "workflows that watch the table see restored rows as new ones",
)

NOTES: Mapping[BackupKind, tuple[str, ...]] = {
    "rows": _NEW_ROWS,
    "events": (
        _NEW_IDS,
        "restored events lose their history and name this server's token as their source",
        "workflows that watch events see restored events as new ones",
        "Losant takes 15 new events in 15 seconds, so a large restore takes its time",
    ),
    "table": (
        "a restored table gets a new id; workflows and dashboards that name the old id need it",
        *_NEW_ROWS,
    ),
    "column": (
        "a restored column is optional where the table has rows",
        "updatedAt of the rows is the time of the restore",
    ),
    "before-image": (
        "only fields that still have what was written are set back",
        "comments and history entries stay, and tags that were added cannot be removed",
    ),
}
"""What a restore cannot bring back, or does differently, in fixed words."""


class BackupFailed(GuardError):
    """The backup could not be written whole, so nothing may go; nothing of it is left behind."""


class BackupDamaged(GuardError):
    """The backup is not what was written, so nothing of it is restored."""


class WrongBackupKey(GuardError):
    """The backup is encrypted, and the key that is set does not open it."""


class UnknownBackup(GuardError):
    """There is no such backup, or none that this principal may see."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a backup before its first object. ``change`` is what is about to be
    written over the objects of a before-image; ``column`` the name of a removed column.
    """

    kind: BackupKind
    action: Action
    plan_id: str
    application_id: str
    api_url: str
    principal: str
    table: DataTable | None = None
    column: str | None = None
    change: Mapping[str, Any] | None = None

    @classmethod
    def of_plan(cls, plan: Plan, kind: BackupKind, table: DataTable | None = None) -> Draft:
        """The backup that a plan needs; ``table`` is the table as it is now."""
        operation = plan.operation
        return cls(
            kind=kind,
            action=operation.action,
            plan_id=plan.id,
            application_id=operation.application_id,
            api_url=plan.binding.api_url,
            principal=plan.binding.principal,
            table=table,
            column=plan.target.name if kind == "column" else None,
            change=operation.change if kind == "before-image" else None,
        )


def _is_moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("the date is of no time zone")
    return text


_Count = Annotated[int, Field(ge=0)]
_Moment = Annotated[str, AfterValidator(_is_moment)]


class Manifest(BaseModel):
    """A backup that is complete. ``size`` (bytes) and ``lines`` are of the data uncompressed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    id: Annotated[str, StringConstraints(pattern=BACKUP_ID)]
    kind: BackupKind
    action: Action
    plan_id: str
    application_id: str
    api_url: str
    principal: str
    created: _Moment
    """ISO 8601 in UTC."""
    table: DataTable | None = None
    column: str | None = None
    has_change: bool = False
    """Whether the first line of the data is what was written over the objects."""
    count: _Count
    size: _Count
    stored_size: _Count
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Of the file as it is stored: compressed and, where there is a key, encrypted."""
    newest: str | None = None
    """The newest ``updatedAt`` or ``lastUpdated`` of the objects."""
    encrypted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        """How many lines the data has."""
        return self.count + self.has_change

    @property
    def is_of_one_object(self) -> bool:
        """Whether it is of one event or row, which may be changed without asking. A table that
        has rows may not: its name may be what is set back.
        """
        single = self.kind == "before-image" and self.count == 1
        return single and self.action != "update_data_table"

    @property
    def removed_column(self) -> Column | None:
        """The definition of the column whose values were kept."""
        columns = self.table.columns if self.table is not None else []
        return next((column for column in columns if column.name == self.column), None)

    def visible_to(self, principal: str, api_url: str, application_id: str) -> bool:
        """Whether this principal may see it, at this API URL and in this application."""
        return (
            secrets.compare_digest(self.principal.encode(), principal.encode())
            and self.api_url.rstrip("/") == api_url.rstrip("/")
            and self.application_id.lower() == application_id.lower()
        )

    def to_bytes(self) -> bytes:
        """The manifest as it is stored."""
        return self.model_dump_json(exclude_unset=True, by_alias=True, indent=1).encode() + b"\n"


def new_backup_id() -> str:
    """An id that nobody can guess."""
    return f"bak_{b32encode(secrets.token_bytes(20)).decode()[:26].lower()}"


def is_backup_id(text: str) -> bool:
    """Whether the text has the form of an id, and so can name no other file."""
    return _backup_id.match(text) is not None
