"""``losant-mcp audit``: who was asked what, what was done, and whether the record is whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from losant_mcp.cli.options import SettingsCommand, Source, takes_settings
from losant_mcp.cli.table import to_json
from losant_mcp.cli.terminal import audit_of, settings_of, tell, wrapped
from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.audit_lines import AuditLine
from losant_mcp.guard.state_dir import open_state_dir
from losant_mcp.guard.wording import counted, shown_name
from losant_mcp.http.sheet import moment
from losant_mcp.text import one_line

LIMITS_OF_PROOF = (
    "It is not found out where somebody put back an old copy of the audit and its head together,"
    " or took both away; nor what somebody wrote who has the key, as everybody has who can read"
    " this state folder."
)


@click.group()
def audit() -> None:
    """Show the audit trail, or verify that it is whole."""


@audit.command("show", cls=SettingsCommand)
@takes_settings
@click.option("--plan", metavar="ID", help="Only the lines of this plan (its approvalId).")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    metavar="N",
    help="How many lines, the newest.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the lines as JSON.")
def show_audit(source: Source, plan: str | None, limit: int, as_json: bool) -> None:
    """Show the newest lines, oldest first.

    They are shown as they stand in the file; `losant-mcp audit verify` says whether it is whole.
    """
    log, zone = _opened(source)
    found = log.read(limit, plan.strip().lower() if plan is not None else None)
    if as_json:
        click.echo(to_json([_json(line) for line in found]))
        return
    if not found:
        click.echo("The audit has no such lines." if plan else "The audit has no lines yet.")
    for line in found:
        tell(_shown(line, zone))


@audit.command("verify", cls=SettingsCommand)
@takes_settings
def verify_audit(source: Source) -> None:
    """Verify that no line was changed, removed, moved or added.

    The exit code is 0 where the audit is whole, 1 where it is broken, with the first line that is
    wrong.
    """
    log, _ = _opened(source)
    verdict = log.verify()
    if verdict.ok:
        click.echo(
            f"The audit is whole: {counted(verdict.lines, 'line')}, each as it was written."
            if verdict.lines
            else "The audit has no lines yet."
        )
    else:
        where = f" at line {verdict.line:,}" if verdict.line is not None else ""
        click.echo(f"The audit is BROKEN{where}: {verdict.problem}.")
        if verdict.lines:
            click.echo(f"The {counted(verdict.lines, 'line')} before can be trusted.")
    tell(wrapped(LIMITS_OF_PROOF, ""))
    sys.exit(0 if verdict.ok else 1)


def _opened(source: Source) -> tuple[AuditLog, str]:
    settings = settings_of(source)
    return audit_of(open_state_dir(settings.state_dir, settings.api_url)), settings.time_zone


def _json(line: AuditLine) -> dict[str, Any]:
    return {"seq": line.sequence, "at": line.at, "kind": line.kind, **line.facts}


def _shown(line: AuditLine, zone: str) -> Iterator[str]:
    """A line in two or more: what happened to what, and the rest of what it says."""
    facts = dict(line.facts)
    action, name = facts.pop("action", ""), facts.pop("name", "")
    what = " ".join(text for text in (_text(action), shown_name(str(name)) if name else "") if text)
    number = one_line(str(line.sequence), 20)
    yield f"{number:>6}  {_when(line.at, zone)}  {one_line(line.kind, 20)}  {what}".rstrip()
    yield from wrapped(", ".join(_told(facts)), "        ")


def _told(facts: Mapping[str, Any]) -> Iterator[str]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from (f"{_text(key)} {_text(number)}" for key, number in value.items())
        else:
            yield f"{_text(name)} {_text(value)}"


def _text(value: object) -> str:
    # Whoever changed the file may have written anything.
    return f"{value:,}" if isinstance(value, int) else one_line(str(value), 128)


def _when(at: str, zone: str) -> str:
    try:
        return moment(datetime.fromisoformat(at).timestamp(), zone)
    except (ValueError, OverflowError):
        return one_line(at, 40)
