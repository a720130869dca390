"""What a plan is: one resolved operation, the set it reaches, its planner, and its fate.

A plan is immutable here; its status changes in the store alone, each change by one atomic
statement.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Action = Literal[
    "delete_event",
    "delete_events",
    "delete_row",
    "delete_rows",
    "truncate_rows",
    "delete_data_table",
    "remove_data_table_column",
    "update_event",
    "update_events",
    "update_row",
    "update_data_table",
    "add_data_table_column",
    "restore_backup",
]
"""The tool that was called."""

Status = Literal[
    "pending",  # nobody has answered
    "approved",  # a person said yes, and it was not yet used
    "declined",
    "cancelled",  # the question was taken back, or closed without an answer
    "expired",
    "running",  # burned: it can never run again
    "done",
    "drifted",  # the target was not what the person saw; nothing was done
    "failed",
    "interrupted",  # the process ended while it ran
]
OPEN: tuple[Status, ...] = ("pending", "approved")
STATUSES: tuple[Status, ...] = get_args(Status)

Way = Literal["form", "page", "terminal", "pin", "preview"]
"""How a person was asked; in ``preview`` nobody was."""

PLAN_SECONDS = 600
"""How long a question stands."""

YES_SECONDS = 120
"""How long a yes can be used."""


def canonical(value: Any) -> str:  # any JSON value
    """The value as JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(value: Any) -> str:  # any JSON value
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Operation:
    """What would be done, with nothing left to interpretation: ids, ms, the checked query.

    ``target_id`` is the table, event or row, or the application for sets of events;
    ``parent_id`` the table of a row. ``selection`` are the parameters that select the set:
    ``query``, or ``filter`` and ``state``. ``change`` is the patch, the new column or the
    column's name. ``notify`` are the parameters by which Losant tells someone of the job.
    """

    action: Action
    application_id: str
    target_id: str
    parent_id: str | None = None
    selection: Mapping[str, Any] = field(default_factory=dict)
    everything: bool = False
    change: Mapping[str, Any] | None = None
    notify: Mapping[str, str] = field(default_factory=dict)

    @property
    def target_key(self) -> str:
        """What a no is remembered for: the same action on the same target."""
        return canonical([self.action, self.application_id, self.parent_id, self.target_id])


@dataclass(frozen=True, slots=True)
class Binding:
    """Who may use a plan, and under which rules. A plan is worth nothing to anybody else."""

    api_url: str
    principal: str
    """A name, or a hash of the token; never a token."""
    origin: str
    """The process or session that planned."""
    policy: str
    """A digest of the policy in force."""


@dataclass(frozen=True, slots=True)
class Target:
    """The object as it was when it was planned; anything else at run time is a drift."""

    kind: Literal["event", "events", "row", "data table", "column"]
    id: str
    name: str
    """As Losant has it: uncleaned. Shown only through ``text.one_line``."""
    created: str | None = None
    shape: str = ""
    """A digest of what else must not change: a table's columns."""


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """What would go. ``items`` are (id, when last changed), for sets that are named one by one;
    for a whole table they are empty, and ``count`` and ``newest`` stand for it.
    """

    count: int
    newest: str | None = None
    items: tuple[tuple[str, str | None], ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the set."""
        return tuple(item[0] for item in self.items)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the person sees beside the operation; purged from plans that are finished."""

    where: str
    """Environment and application, in fixed words."""
    breakdown: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    samples: tuple[Mapping[str, Any], ...] = ()
    former_names: tuple[str, ...] = ()
    recent_changes: tuple[str, ...] = ()
    """What this server changed in the target in the last 24 hours, in fixed words."""
    side_effects: tuple[str, ...] = ()
    not_restorable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it is stored. Times are seconds since the epoch by the store's clock."""

    id: str
    """The ``approvalId``: a reference that is told to the model, not a secret."""
    operation: Operation
    binding: Binding
    arguments: str
    """The digest of the tool's arguments as they were given, without ``approvalId``."""
    target: Target
    planned: PlannedSet
    shown: Shown
    verb: str
    """The effect in capitals, such as "DELETE 3,000 rows"."""
    phrase: str | None
    """What the person types; None for a plain yes to one single object."""
    destroys: int
    """How many objects count against the hourly budget."""
    created_at: float
    expires_at: float
    status: Status = "pending"
    way: Way | None = None
    nonce: str = ""
    """The question that is being asked by form; an answer must bear it."""
    decided_at: float | None = None
    decided_by: str = ""
    outcome: Mapping[str, Any] | None = None
    """What the tool answered at the end, for whoever asks again."""

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON data; ``plan_from_json`` is its inverse."""
        return asdict(self)


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """The plan of ``Plan.to_json`` data that went through JSON text."""
    parts = dict(data)
    planned = dict(parts["planned"])
    shown = dict(parts["shown"])
    planned["items"] = tuple((item[0], item[1]) for item in planned["items"])
    for name in ("samples", "former_names", "recent_changes", "side_effects", "not_restorable"):
        shown[name] = tuple(shown[name])
    return Plan(
        **{
            **parts,
            "operation": Operation(**parts["operation"]),
            "binding": Binding(**parts["binding"]),
            "target": Target(**parts["target"]),
            "planned": PlannedSet(**planned),
            "shown": Shown(**shown),
        }
    )
