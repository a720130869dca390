"""What a person reads before deciding: a plan in labelled words, the same on page and terminal.

Every text that comes from the platform or from the model is cleaned here and handed on as a
``Cell``, so that both show it as data: never as a heading, a label or a sentence of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from losant_mcp.api.endpoint import BASE_URL
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.wording import counted, mixes_scripts, shown_name
from losant_mcp.text import clean, one_line, shorten

MOST_FIELDS = 12
"""Of a sample or a change; a table may have a hundred columns."""
CELL_CHARACTERS = (400, 100)
"""Of a single object, and of each of several that are shown side by side."""
NAME_CHARACTERS = 300
WORDS_CHARACTERS = 2000
"""Of a query or a change: a person decides about it, so that it is hardly ever cut."""

_ABSENT = object()
_NOUNS = {"event": "Event", "events": "Application", "row": "Row", "column": "Column"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A label of ours (or a cleaned column name), and a text that is data."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Samples:
    """A few of the objects that would go, side by side: a row is a field, a column an object."""

    count: int = 0
    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """A field's cleaned name, and its value in each of the samples."""
    more: int = 0
    """How many fields are left out."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A plan in words. ``Cell`` is data; every plain text here is ours."""

    verb: str
    """The effect: "DELETE 3,000 rows"."""
    destroys: bool
    noun: str
    """What the target is."""
    name: str
    """The target's name, made harmless."""
    full_name: str | None
    """The whole cleaned name, where ``name`` does not show it as it is."""
    mixed_alphabets: bool
    target_id: str
    created: str
    former_names: tuple[str, ...]
    environment: str
    is_losant: bool
    """Whether this is Losant's own cloud, and not a sandbox or another server."""
    application: str
    table: str
    """The id of the table of a row; empty for everything else."""
    count: int
    breakdown: tuple[Cell, ...]
    samples: Samples
    effects: tuple[str, ...]
    backup: str
    losses: tuple[str, ...]
    """What a restore cannot bring back."""
    changes: tuple[str, ...]
    """What this server changed there in the last 24 hours."""
    from_model: tuple[Cell, ...]
    """What the assistant chose: the selection, the new values, whom Losant tells."""
    client: str
    """What the MCP client calls itself: data."""
    caller: str
    """Under which name the server knows who called."""
    origin: str
    asked_at: str
    expires_at: str
    phrase: str | None


def sheet(
    plan: Plan, *, client: str = "", time_zone: str = "system", machine: str = "this machine"
) -> Sheet:
    """The plan in words; times in the time zone and in UTC. ``machine`` is the server's."""
    operation, target, shown = plan.operation, plan.target, plan.shown
    name = shown_name(target.name)
    whole = shorten(clean(target.name), NAME_CHARACTERS)
    return Sheet(
        verb=plan.verb,
        destroys=bool(plan.destroys) or plan.verb.startswith("DELETE"),
        noun=_noun(plan),
        name=name,
        full_name=whole if whole != name else None,
        mixed_alphabets=mixes_scripts(target.name),
        target_id=one_line(target.id, 60),
        created=_losant_time(target.created, time_zone),
        former_names=tuple(shown_name(former) for former in shown.former_names),
        environment=_environment(plan.binding.api_url),
        is_losant=plan.binding.api_url.rstrip("/") == BASE_URL,
        application=one_line(operation.application_id, 60),
        table=one_line(operation.parent_id or "", 60),
        count=plan.planned.count,
        breakdown=tuple(_breakdown(plan)),
        samples=_samples(shown.samples),
        effects=tuple(clean(effect) for effect in shown.side_effects),
        backup=_backup(plan, machine),
        losses=tuple(clean(loss) for loss in shown.not_restorable),
        changes=tuple(one_line(change, 200) for change in shown.recent_changes),
        from_model=tuple(_from_model(plan)),
        client=one_line(client, 60),
        caller=one_line(plan.binding.principal, 80),
        origin=one_line(plan.binding.origin, 80),
        asked_at=moment(plan.created_at, time_zone),
        expires_at=moment(plan.expires_at, time_zone),
        phrase=plan.phrase,
    )


def moment(seconds: float, time_zone: str) -> str:
    """A time of the store as the person's clock shows it, and in UTC."""
    return _moment(datetime.fromtimestamp(seconds, UTC), time_zone, seconds=True)


def _moment(at: datetime, time_zone: str, *, seconds: bool) -> str:
    clock = "%H:%M:%S" if seconds else "%H:%M"
    local = at.astimezone(None if time_zone == "system" else ZoneInfo(time_zone))
    utc = at.astimezone(UTC)
    if local.utcoffset() == utc.utcoffset():
        return f"{utc:%Y-%m-%d {clock}} UTC"
    day = "" if local.date() == utc.date() else "%Y-%m-%d "
    return f"{local:%Y-%m-%d {clock} %Z} ({utc:{day}{clock}} UTC)"


def _losant_time(text: str | None, time_zone: str) -> str:
    """A date of Losant's; as it came, where it is none."""
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
        return _moment(at if at.tzinfo else at.replace(tzinfo=UTC), time_zone, seconds=False)
    except (ValueError, OverflowError):
        return one_line(text, 40)


def _noun(plan: Plan) -> str:
    if plan.operation.action == "remove_data_table_column":
        return "Column"
    return _NOUNS.get(plan.target.kind, "Data table")


def _environment(api_url: str) -> str:
    host = one_line(urlsplit(api_url).netloc, 80)
    if api_url.rstrip("/") == BASE_URL:
        return f"Losant cloud, {host}"
    if host.endswith(".invalid"):
        return "Embedded sandbox: demo data only"
    return f"Not Losant's cloud: {host}"


def _breakdown(plan: Plan) -> Iterator[Cell]:
    for kind, counts in plan.shown.breakdown.items():
        parts = ", ".join(f"{number:,} {one_line(value, 30)}" for value, number in counts.items())
        yield Cell(f"By {one_line(kind, 30)}", parts)


def _backup(plan: Plan, machine: str) -> str:
    if not plan.planned.count:
        return "There is nothing to back up."
    what = "what goes" if plan.destroys else "how it was"
    return (
        f"A backup of {what} is written to {machine} first; if it cannot be, nothing happens."
        " The tool restore_backup can bring it back."
    )


# ---- data ----------------------------------------------------------------------------------


def _samples(samples: Sequence[Mapping[str, Any]]) -> Samples:
    names = list(dict.fromkeys(name for sample in samples for name in sample))
    most = CELL_CHARACTERS[len(samples) > 1]
    rows = tuple(
        (
            one_line(name, 60) or "(no name)",
            tuple(_value(sample.get(name, _ABSENT), most) for sample in samples),
        )
        for name in names[:MOST_FIELDS]
    )
    return Samples(len(samples), rows, len(names) - len(rows))


def _value(value: Any, most: int) -> str:  # any JSON value
    if value is None or value is _ABSENT:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shorten(_few_lines(clean(text)), most) or "(empty text)"


def _few_lines(text: str) -> str:
    """At most four lines: a cell of line breaks must not push the rest out of sight."""
    lines = re.split(r"\s*\n\s*", text.strip("\n"))
    return "\n".join(lines if len(lines) <= 4 else [*lines[:3], " ".join(lines[3:])])


def _from_model(plan: Plan) -> Iterator[Cell]:
    operation = plan.operation
    if operation.everything:
        yield Cell("Which", "everything there is")
    for name, value in operation.selection.items():
        yield Cell(f"Which ({one_line(name, 30)})", _words(value))
    if operation.change is not None and plan.target.kind != "column":
        for name, value in list(operation.change.items())[:MOST_FIELDS]:
            yield Cell(f"New {one_line(name, 60)}", _words(value))
        if (more := len(operation.change) - MOST_FIELDS) > 0:
            yield Cell("New", f"{counted(more, 'more value')}")
    for name, address in operation.notify.items():
        yield Cell(f"Losant tells ({one_line(name, 30)})", _words(address))


def _words(value: Any) -> str:  # any JSON value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shorten(_few_lines(clean(text)), WORDS_CHARACTERS) or "(empty)"
