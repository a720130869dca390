"""``losant-mcp backups``: what was kept before it was deleted or changed, and how it comes back.

Looking needs no connection to Losant. ``restore`` is in ``restoring``.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import click

from losant_mcp.cli.options import SettingsCommand, Source, takes_settings
from losant_mcp.cli.restoring import restore_backup
from losant_mcp.cli.shelf import Shelf, settings_with_token, shelf_of, size, what_of, when
from losant_mcp.cli.table import table, terminal_width, to_json
from losant_mcp.cli.terminal import Records, Terminal, require_person, settings_of, tell, wrapped
from losant_mcp.config import Settings
from losant_mcp.errors import describe
from losant_mcp.guard.assembly import backups_of
from losant_mcp.guard.audit_lines import Facts
from losant_mcp.guard.backup_manifest import Manifest
from losant_mcp.guard.backup_prune import Pruned
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.deciding import person
from losant_mcp.guard.run_restore import NOUNS
from losant_mcp.guard.state_dir import open_state_dir
from losant_mcp.guard.store import GuardError
from losant_mcp.guard.wording import counted, shown_name
from losant_mcp.text import clean

MOST_SHOWN = 1000
"""Objects that ``show`` prints at most: it is for a look, not for an export."""


@click.group()
def backups() -> None:
    """List, show, restore and prune backups."""


backups.add_command(restore_backup)


# ---- list ----------------------------------------------------------------------------------


@backups.command("list", cls=SettingsCommand)
@takes_settings
@click.option("--all", "everyone", is_flag=True, help="Also those of other tokens; needs none.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifests as JSON.")
def list_backups(source: Source, everyone: bool, as_json: bool) -> None:
    """List the backups of this token, newest first.

    Those of one application where the settings or the token name one, of this API URL in any
    case. --all is for the operator: every backup that was made at this API URL.
    """
    settings = settings_of(source) if everyone else settings_with_token(source)
    found, others = _listed(settings, everyone=everyone)
    if as_json:
        click.echo(to_json([_json(manifest) for manifest in found]))
        return
    if not found:
        click.echo(f"No backups of {'anybody' if everyone else 'this token'} here.")
    for manifest in found:
        tell(_entry(manifest, settings.time_zone, whose=everyone))
    if others:
        click.echo(f"{counted(others, 'backup')} of other tokens or applications: see --all.")


def _listed(settings: Settings, *, everyone: bool) -> tuple[Sequence[Manifest], int]:
    """The backups to list, and how many more there are."""
    if everyone:
        return _folder(settings).read_all(), 0
    shelf = shelf_of(settings)
    everything = shelf.backups.read_all()
    found = shelf.ours(everything)
    return found, len(everything) - len(found)


def _folder(settings: Settings) -> Backups:
    return backups_of(settings, open_state_dir(settings.state_dir, settings.api_url))


def _entry(manifest: Manifest, time_zone: str, *, whose: bool) -> Iterator[str]:
    """A backup in two or three lines; its id is never cut, so that it can be copied."""
    yield f"{manifest.id}  {when(manifest, time_zone)}"
    yield from wrapped(
        f"{what_of(manifest)}, before {manifest.action}; {size(manifest.stored_size)}", "    "
    )
    if whose:
        yield from wrapped(f"{manifest.principal}, application {manifest.application_id}", "    ")


def _json(manifest: Manifest) -> Any:
    return manifest.model_dump(mode="json", by_alias=True)


# ---- show ----------------------------------------------------------------------------------


@backups.command("show", cls=SettingsCommand)
@takes_settings
@click.argument("backup_id")
@click.option(
    "--rows",
    type=click.IntRange(0, MOST_SHOWN),
    default=5,
    show_default=True,
    metavar="N",
    help="How many of its objects to print.",
)
@click.option("--json", "as_json", is_flag=True, help="Print manifest and objects as JSON.")
def show_backup(source: Source, backup_id: str, rows: int, as_json: bool) -> None:
    """Show what a backup is and its first objects.

    The whole file is checked before; of one that is damaged, no object is shown, and the exit
    code is 1.
    """
    settings = settings_with_token(source)
    shelf = shelf_of(settings)
    manifest = shelf.find(backup_id)
    try:
        change, objects = anyio.run(_first, shelf, manifest, rows)
    except GuardError as error:
        if not as_json:
            tell(_facts(manifest, settings.time_zone))
        click.echo(f"losant-mcp: {describe(error)}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(to_json({"manifest": _json(manifest), "change": change, "objects": objects}))
    else:
        tell(_facts(manifest, settings.time_zone))
        tell(_objects(manifest, change, objects))


async def _first(
    shelf: Shelf, manifest: Manifest, most: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What was written over the objects, and the first of them. Raises BackupDamaged."""
    async with shelf.backups.open(manifest) as source:
        async for chunk in source.chunks(most or 1):
            return source.change, chunk[:most]
        return source.change, []


def _facts(manifest: Manifest, time_zone: str) -> Iterator[str]:
    kept = manifest.table
    facts = [
        ("Backup", manifest.id),
        ("Holds", what_of(manifest)),
        ("Made", f"{when(manifest, time_zone)}, before {manifest.action}"),
        ("Data table", f"{shown_name(kept.name)}, {kept.id}" if kept is not None else ""),
        ("Application", manifest.application_id),
        ("At", manifest.api_url),
        ("Plan", manifest.plan_id),
        ("Newest", manifest.newest or ""),
        ("Size", f"{size(manifest.stored_size)}, {size(manifest.size)} uncompressed"),
        ("Encrypted", "yes" if manifest.encrypted else "no"),
    ]
    for label, text in facts:
        if text:
            yield from wrapped(clean(text), f"{label:<13}")
    if manifest.notes:
        yield ""
        yield "What a restore does differently"
        for note in manifest.notes:
            yield from wrapped(clean(note), "  - ")


def _objects(
    manifest: Manifest, change: dict[str, Any], objects: Sequence[dict[str, Any]]
) -> Iterator[str]:
    if change:
        yield ""
        yield "What was written over the objects (data)"
        yield from table(list(change), [list(change.values())], terminal_width())
    if objects:
        yield ""
        yield f"{len(objects):,} of {counted(manifest.count, NOUNS[manifest.kind])} (data)"
        columns = list(dict.fromkeys(name for item in objects for name in item))
        cells = [[item.get(name) for name in columns] for item in objects]
        yield from table(columns, cells, terminal_width())


# ---- prune ---------------------------------------------------------------------------------


@backups.command("prune", cls=SettingsCommand)
@takes_settings
@click.option(
    "--older-than",
    type=click.IntRange(0, 36_500),
    metavar="DAYS",
    help="Remove those that are older; by default LOSANT_MCP_BACKUP_DAYS.",
)
@click.option(
    "--keep-bytes",
    type=click.IntRange(0),
    metavar="N",
    help="Then remove the oldest until all take at most N bytes; by default"
    " LOSANT_MCP_BACKUP_MEGABYTES.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune_backups(
    source: Source, older_than: int | None, keep_bytes: int | None, dry_run: bool
) -> None:
    """Remove old backups of every token at this API URL, for good.

    Without options, what a server removes by itself when it starts. What goes is listed, and a
    person at a terminal is asked. Backups that a run or a restore needs at this moment stay. The
    exit code is 0 where it was done, 1 where a person said no.
    """
    settings = settings_of(source)
    if not dry_run:
        require_person("nothing was removed", hint="--dry-run works anywhere.")
    folder = _folder(settings)
    terminal = Terminal(settings, open_state_dir(settings.state_dir, settings.api_url))
    limits = {
        "older_than_days": settings.backup_days if older_than is None else older_than,
        "max_bytes": settings.backup_megabytes * 10**6 if keep_bytes is None else keep_bytes,
    }
    due = terminal.run(partial(_due, folder=folder, limits=limits))
    _tell_due(due, folder.read_all(), settings.time_zone)
    if dry_run or not (due.ids or due.leftovers):
        return
    terminal.agree("prune", f"remove {size(due.bytes)} for good; nothing can be restored then")
    done = terminal.run(partial(_prune, folder=folder, limits=limits, only=due.ids))
    click.echo(f"{counted(len(done.ids), 'backup')} removed, {size(done.bytes)} freed.")
    if len(done.ids) < len(due.ids):
        click.echo("The others are being restored, or could not be removed.")


def _tell_due(due: Pruned, manifests: Sequence[Manifest], time_zone: str) -> None:
    for manifest in reversed(manifests):
        if manifest.id in due.ids:
            tell(_entry(manifest, time_zone, whose=True))
    if due.leftovers:
        click.echo(f"{counted(due.leftovers, 'file')} of backups that were never finished")
    if due.ids or due.leftovers:
        click.echo(f"In all {counted(len(due.ids), 'backup')}, {size(due.bytes)}.")
    else:
        click.echo(f"Nothing is to be removed, of {counted(len(manifests), 'backup')}.")


async def _due(records: Records, *, folder: Backups, limits: Mapping[str, Any]) -> Pruned:
    return await folder.prune(**limits, dry_run=True, running=await _running(records, folder))


async def _prune(
    records: Records, *, folder: Backups, limits: Mapping[str, Any], only: Collection[str]
) -> Pruned:
    """Remove what was agreed to. The audit comes first: where it fails, nothing goes."""
    about = Facts(action="prune_backups", way="terminal", by=person())
    await records.ledger.note("running", **about | Facts(counts={"planned": len(only)}))
    done = await folder.prune(**limits, running=await _running(records, folder), only=only)
    counts = {"backups": len(done.ids), "bytes": done.bytes, "leftovers": done.leftovers}
    await records.ledger.note("pruned", **about | Facts(counts=counts))
    return done


async def _running(records: Records, folder: Backups) -> list[str]:
    """The plans that may still need their backup."""
    ids = {manifest.plan_id for manifest in folder.read_all()} - {""}
    plans = [await records.store.plan(plan_id) for plan_id in sorted(ids)]
    return [plan.id for plan in plans if plan is not None and plan.status == "running"]
