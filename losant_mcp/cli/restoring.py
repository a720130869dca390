"""``losant-mcp backups restore``: a person at a terminal brings back what a backup holds.

It is shown and asked for first, between two connections: a question inside one would hear no
Ctrl-C. What is written stands in the audit, as when a tool restores.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import anyio
import click

from losant_mcp.api.endpoint import Effect
from losant_mcp.cli.connection import Reached, reach
from losant_mcp.cli.options import SettingsCommand, Source, takes_settings
from losant_mcp.cli.shelf import require_database, shelf_of, what_of, when
from losant_mcp.cli.terminal import Terminal, data, require_person, tell, wrapped
from losant_mcp.errors import ConfigurationError, LosantMcpError, describe
from losant_mcp.guard.assembly import backups_of
from losant_mcp.guard.audit import AuditUnavailable
from losant_mcp.guard.audit_lines import Facts
from losant_mcp.guard.backup_manifest import Manifest
from losant_mcp.guard.deciding import person
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.planning import Draft
from losant_mcp.guard.plans import Target
from losant_mcp.guard.restore import RestoreOutcome, RestoreStopped, WriteBatch, restore
from losant_mcp.guard.run_restore import NOUNS, SHOWN_PROBLEMS, restore_draft
from losant_mcp.guard.state_dir import open_state_dir
from losant_mcp.guard.wording import counted, phrase_for, shown_name
from losant_mcp.policy import ALLOWED_EFFECTS
from losant_mcp.text import one_line
from losant_mcp.tools.names import table_id

GOES_ON = "The same command goes on where it stopped, without duplicates."


@click.command("restore", cls=SettingsCommand)
@takes_settings
@click.argument("backup_id")
@click.option("--into", metavar="TABLE", help="Put the rows into this table (its id or name).")
def restore_backup(source: Source, backup_id: str, into: str | None) -> None:
    """Bring back what a backup holds.

    It is shown, and a person at a terminal is asked. Nothing is deleted, what somebody changed
    since stays, and what was restored before is left out. The exit code is 0 where everything is
    there, 1 where something could not be restored or a person said no. Ctrl-C stops it; the same
    command goes on.
    """
    require_person("nothing was restored", hint="`losant-mcp backups show` works anywhere.")
    require_database(source)
    due = anyio.run(_look, source, backup_id, into)
    tell(_shown(due))
    click.echo()
    due.terminal.agree(due.draft.phrase or "yes", due.draft.verb)
    progress = _Progress()
    try:
        done = anyio.run(_restore, source, due, progress)
    except KeyboardInterrupt:
        progress.end()
        click.echo(f"Stopped. What was restored stays. {GOES_ON}")
        sys.exit(1)
    sys.exit(0 if done else 1)


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be restored; ``into`` is the id of another table for its rows."""

    terminal: Terminal
    manifest: Manifest
    draft: Draft
    into: str | None


async def _look(source: Source, backup_id: str, into: str | None) -> _Due:
    async with reach(source, quiet=True) as reached:
        settings, client = reached.settings, reached.client
        if Effect.OVERWRITE not in ALLOWED_EFFECTS[client.policy.access]:
            raise ConfigurationError(
                f"Restoring is refused: access is {client.policy.access}.",
                hint="Set LOSANT_MCP_ACCESS=write for this command.",
            )
        terminal = Terminal(settings, open_state_dir(settings.state_dir, settings.api_url))
        manifest = shelf_of(settings).find(backup_id)
        draft = await restore_draft(client, manifest)
        if into is None:
            return _Due(terminal, manifest, draft, None)
        if manifest.kind not in ("rows", "table"):
            raise click.UsageError("--into is for backups of rows or of a whole table.")
        into = await table_id(client, manifest.application_id, into)
        table = await client.data_table_get(applicationId=manifest.application_id, dataTableId=into)
        target = Target("data table", table.id, table.name, table.creationDate)
        phrase = phrase_for(target, ambiguous=False, word="restore")
        return _Due(terminal, manifest, replace(draft, target=target, phrase=phrase), into)


def _shown(due: _Due) -> Iterator[str]:
    """What the person decides about."""
    manifest, draft = due.manifest, due.draft
    made = f"{when(manifest, due.terminal.settings.time_zone)}, before {manifest.action}"
    kind = "Application" if draft.target.kind == "events" else "Data table"
    facts = [
        ("Backup", manifest.id),
        ("Holds", what_of(manifest)),
        ("Made", made),
        (kind, f"{shown_name(draft.target.name)} (id {draft.target.id})"),
        ("Application", manifest.application_id if kind != "Application" else ""),
        ("At", manifest.api_url),
    ]
    yield draft.verb
    for label, text in facts:
        if text:
            yield from wrapped(one_line(text, 400), f"  {label:<13}")
    yield ""
    yield "What happens, and what is different"
    kept = "What is there already stays as it is."
    if manifest.kind == "before-image":
        kept = "What somebody else changed since stays as it is."
    yield from wrapped(kept, "  - ")
    for sentence in draft.side_effects:
        yield from wrapped(sentence, "  - ")
    for loss in draft.not_restorable:
        yield from wrapped(f"Not the same: {one_line(loss, 200)}.", "  - ")


class _Progress:
    """One line on standard error that says how far it is; on a terminal it is rewritten."""

    def __init__(self) -> None:
        self.done = 0
        self._open = False
        self._rewrites = sys.stderr.isatty()
        self._tenth = 0

    async def __call__(self, done: float, total: float | None, words: str) -> None:
        """Tell how far it is."""
        self.done = round(done)
        text = f"{done:,.0f} of {total or 0:,.0f} {words}"
        if self._rewrites:
            click.echo(f"\r{text}", nl=False, err=True)
            self._open = True
        elif (tenth := int(10 * done / total) if total else 0) > self._tenth:
            self._tenth = tenth
            click.echo(text, err=True)

    def end(self) -> None:
        """What comes next stands on a line of its own."""
        if self._open:
            click.echo(err=True)
        self._open = False


# ---- restoring -----------------------------------------------------------------------------


async def _restore(source: Source, due: _Due, progress: _Progress) -> bool:
    """Restore, and say how it ended; whether everything is there."""
    async with reach(source, quiet=True) as reached, due.terminal.opened() as records:
        facts = Facts(
            action="restore_backup",
            application=due.manifest.application_id,
            target=due.draft.target.id,
            name=due.draft.target.name,
            backup=due.manifest.id,
            way="terminal",
            by=person(),
            principal=due.manifest.principal,
        )
        await _note_start(records.ledger, due, facts)
        try:
            outcome = await _carry_out(reached, records.ledger, due, facts, progress)
        except RestoreStopped as stop:
            await _note_failure(records.ledger, facts, stop.cause, stop.known.restored)
            progress.end()
            click.echo(f"Stopped: {one_line(describe(stop.cause), 600)}")
            _tell(stop.known, due.manifest)
            click.echo(GOES_ON)
            return False
        except LosantMcpError as error:
            await _note_failure(records.ledger, facts, error, 0)
            progress.end()
            click.echo(f"Nothing was restored: {one_line(describe(error), 600)}")
            return False
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await _note_failure(records.ledger, facts, error, progress.done)
            raise
        progress.end()
        _tell(outcome, due.manifest)
        await _note_end(records.ledger, facts, outcome, due.draft.verb)
        return not outcome.problem_count


async def _carry_out(
    reached: Reached, ledger: Ledger, due: _Due, facts: Facts, progress: _Progress
) -> RestoreOutcome:
    async def remember(batch: WriteBatch) -> None:
        about = Facts(target=batch.target_id, counts={batch.what: batch.count})
        await ledger.note("restoring", **facts | about)

    return await restore(
        reached.client,
        backups_of(reached.settings, due.terminal.state),
        due.manifest,
        target=due.into,
        progress=progress,
        remember=remember,
    )


async def _note_start(ledger: Ledger, due: _Due, facts: Facts) -> None:
    counts = {"planned": due.manifest.count}
    await ledger.note("restoring", **facts | Facts(counts=counts))


async def _note_failure(ledger: Ledger, facts: Facts, error: BaseException, done: int) -> None:
    about = Facts(why=type(error).__name__, counts={"done": done})
    # What became of the restore is told in any case.
    with suppress(AuditUnavailable):
        await ledger.note("failed", **facts | about)


async def _note_end(ledger: Ledger, facts: Facts, outcome: RestoreOutcome, verb: str) -> None:
    counts = {
        "restored": outcome.restored,
        "already": outcome.already,
        "failed": outcome.problem_count,
    }
    about = Facts(target=outcome.target_id, name=outcome.target_name, counts=counts)
    await ledger.note("restored", **facts | about)
    if outcome.restored:
        # The next question about the table tells of it.
        await ledger.tell_later(facts["application"], verb, outcome.target_id)


def _tell(outcome: RestoreOutcome, manifest: Manifest) -> None:
    """Print what became of the objects."""
    noun = NOUNS[manifest.kind]
    where = ""
    if manifest.table is not None and outcome.target_id:
        where = f" in {shown_name(outcome.target_name)} (id {outcome.target_id})"
    click.echo(f"{counted(outcome.restored, noun)} restored{where}.")
    if outcome.already:
        click.echo(f"{counted(outcome.already, noun)} there already.")
    if outcome.problem_count:
        click.echo(f"{counted(outcome.problem_count, noun)} could NOT be restored:")
    for problem in outcome.problems[:SHOWN_PROBLEMS]:
        tell(data(one_line(f"{problem.id}: {problem.why}: {problem.text}", 300)))
    if outcome.problem_count > SHOWN_PROBLEMS:
        click.echo(f"    and {outcome.problem_count - SHOWN_PROBLEMS:,} more")
    if outcome.notes:
        click.echo("What is different now:")
    for note in outcome.notes:
        tell(wrapped(one_line(note, 300), "  - "))
