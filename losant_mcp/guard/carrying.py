"""Carrying a plan out: burn it, run it, and put down what happened, whatever happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import anyio

from losant_mcp.api.tables import DataTable
from losant_mcp.client import LosantClient
from losant_mcp.errors import LosantMcpError
from losant_mcp.guard import outcomes, run_events, run_overwrites, run_rows, run_tables
from losant_mcp.guard.audit import AuditUnavailable
from losant_mcp.guard.audit_lines import Facts, Kind
from losant_mcp.guard.backup_manifest import BackupKind
from losant_mcp.guard.backup_manifest import Draft as BackupDraft
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.outcomes import Outcome
from losant_mcp.guard.plans import Action, Operation, Plan, Status, digest
from losant_mcp.guard.restore import WriteBatch
from losant_mcp.guard.run_restore import restore_backup
from losant_mcp.guard.running import Chunks, Drifted, Progress, Ran, Run, Stopped
from losant_mcp.guard.store import BudgetSpent, NotOpen, StateUnavailable, TooManyQuestions
from losant_mcp.guard.ways import Client
from losant_mcp.guard.wording import counted
from losant_mcp.tracing import span

RUNS: Mapping[Action, Callable[[Run], Awaitable[Ran]]] = {
    # restore_backup is missing: it needs the backups, too.
    "delete_event": run_events.delete_event,
    "delete_events": run_events.delete_events,
    "delete_row": run_rows.delete_row,
    "delete_rows": run_rows.delete_rows,
    "truncate_rows": run_tables.truncate_rows,
    "delete_data_table": run_tables.delete_data_table,
    "remove_data_table_column": run_tables.remove_data_table_column,
    "update_event": run_overwrites.update_event,
    "update_events": run_events.update_events,
    "update_row": run_overwrites.update_row,
    "update_data_table": run_overwrites.update_data_table,
    "add_data_table_column": run_overwrites.add_data_table_column,
}

PROGRESS_SECONDS = 1.0
"""How long a client may take to hear of the progress; one that does not read hears no more."""


@dataclass(frozen=True, slots=True)
class Request:
    """One guarded call: who asks for what. ``arguments`` are as given, without ``approvalId``."""

    operation: Operation
    arguments: Mapping[str, Any]
    approval_id: str | None
    client: Client
    progress: Progress


class Carrier:
    """Carries out what was agreed to, or what nobody needs to be asked about."""

    def __init__(self, client: LosantClient, ledger: Ledger, backups: Backups) -> None:
        self._client = client
        self._ledger = ledger
        self._backups = backups
        self._running = 0
        self._ended = anyio.Event()

    async def idle(self) -> None:
        """Wait until no run is under way in this process."""
        if self._running:
            await self._ended.wait()

    async def approved(self, request: Request, plan: Plan) -> Outcome:
        """Burn an approved plan and run it; any other plan tells what became of it."""
        # From the burning on, a call that is taken back changes nothing: half a run is worse.
        # A restore may be taken back at any point: it goes on where it stopped.
        held = plan.operation.action != "restore_backup"
        with anyio.CancelScope(shield=held) as shield:
            try:
                burned = await self._burn(request, plan)
            except NotOpen as error:
                return outcomes.of_plan(error.plan)
            return await self._execute(request, burned)
        raise AssertionError(shield)  # a shield that nobody cancels lets nothing fall through

    async def _burn(self, request: Request, plan: Plan) -> Plan:
        """The plan, running. Raises NotOpen and BudgetSpent."""
        ledger, burned = self._ledger, plan
        with anyio.CancelScope(shield=True):
            try:
                burned = await ledger.store.burn(
                    plan.id, digest(asdict(ledger.binding)), ledger.limits
                )
            except BudgetSpent:
                await ledger.note_plan("failed", plan, request.client.name, why="budget")
                raise
        return burned

    async def _execute(self, request: Request, plan: Plan) -> Outcome:
        try:
            await self._ledger.note_plan("running", plan, request.client.name)
            outcome, status, ran = await self._attempt(request, plan)
        except LosantMcpError as error:
            outcome, status, ran = outcomes.of_failure(error), "failed", Ran()
        except BaseException as error:
            with anyio.CancelScope(shield=True), suppress(StateUnavailable, AuditUnavailable):
                await self._ledger.store.finish(plan.id, "failed", outcomes.of_crash())
                why = type(error).__name__
                await self._ledger.note_plan("failed", plan, request.client.name, why=why)
            raise
        try:
            with anyio.CancelScope(shield=True):
                await self._ledger.store.finish(plan.id, status, outcomes.storable(outcome))
                await self._tell(request, plan, status, ran)
                await self._remember(plan, ran)
        except LosantMcpError as error:
            # What was done is done, and must not be called a failure.
            return outcomes.untold(outcome, error)
        return outcome

    async def _remember(self, plan: Plan, ran: Ran) -> None:
        """Keep what was done for the next question about the target, and about where it is."""
        if ran.removed or ran.changed:
            operation = plan.operation
            single_event = operation.action in ("delete_event", "update_event")
            place = operation.application_id if single_event else operation.parent_id
            targets = (operation.target_id, plan.target.id, place or operation.target_id)
            await self._ledger.tell_later(operation.application_id, plan.verb, *targets)

    async def _attempt(self, request: Request, plan: Plan) -> tuple[Outcome, Status, Ran]:
        self._running += 1
        try:
            with span("guard run", {"losant_mcp.action": plan.operation.action}) as current:
                outcome, status, ran = await self._carry_out(request, plan)
                current.set_attribute("losant_mcp.status", status)
                return outcome, status, ran
        finally:
            self._running -= 1
            if not self._running:
                self._ended.set()
                self._ended = anyio.Event()

    async def _carry_out(self, request: Request, plan: Plan) -> tuple[Outcome, Status, Ran]:
        async def keep(kind: BackupKind, chunks: Chunks, *, table: DataTable | None = None) -> str:
            # Where the disk is full, pages are still on their way: they must end in this very
            # task, or what fetches them would tear the session down from another one.
            with span("guard backup"):
                async with aclosing(chunks):
                    draft = BackupDraft.of_plan(plan, kind, table)
                    manifest = await self._backups.keep(draft, chunks)
            await self._ledger.note_plan("backed_up", plan, request.client.name, backup=manifest.id)
            return manifest.id

        run = Run(self._client, plan, keep, _patient(request.progress))
        # Rows that a truncate was re-planned for are named, and go one by one.
        named = plan.operation.action == "truncate_rows" and plan.planned.items
        carry_out = run_rows.delete_rows if named else RUNS.get(plan.operation.action)
        try:
            ran = await (carry_out(run) if carry_out else self._restore(request, run))
        except Drifted as drift:
            return outcomes.of_drift(drift, await self._replan(plan, drift)), "drifted", Ran()
        except Stopped as stop:
            if not plan.id and stop.cause.changed == "nothing" and not stop.known.changed:
                # Nobody was asked and nothing was done: Losant's refusal is the whole story.
                raise stop.cause from None
            return outcomes.of_stop(plan, stop), "failed", stop.known
        outcome = outcomes.of_run(plan, ran)
        return ({**outcome, "result": dict(ran.result)} if ran.result else outcome), "done", ran

    async def _replan(self, plan: Plan, drift: Drifted) -> Plan | None:
        """The same call again, for the rows that were agreed to and no others, if there are any."""
        if drift.again is None:
            return None
        fresh = replace(
            plan,
            planned=drift.again,
            verb=f"DELETE the {counted(drift.again.count, 'row')} of before",
            shown=replace(plan.shown, side_effects=("The rows that came since stay.",)),
        )
        try:
            fresh = await self._ledger.store.add_plan(fresh, self._ledger.limits)
        except TooManyQuestions:
            return None
        await self._ledger.note_plan("planned", fresh)
        return fresh

    async def unasked(self, request: Request, plan: Plan) -> Outcome:
        """Run a plan that nobody needs to be asked about; errors of Losant are raised."""
        held = plan.operation.action != "restore_backup"
        with anyio.CancelScope(shield=held) as shield:
            return await self._unasked(request, plan)
        raise AssertionError(shield)  # a shield that nobody cancels lets nothing fall through

    async def _unasked(self, request: Request, plan: Plan) -> Outcome:
        await self._ledger.note_plan("running", plan, request.client.name, way="unasked")
        try:
            outcome, status, ran = await self._attempt(request, plan)
        except BaseException as error:
            # A restore may be taken back on its way; its last line is written all the same.
            with anyio.CancelScope(shield=True), suppress(AuditUnavailable):
                await self._ledger.note_plan(
                    "failed", plan, request.client.name, why=type(error).__name__
                )
            raise
        try:
            with anyio.CancelScope(shield=True):
                await self._tell(request, plan, status, ran)
                await self._remember(plan, ran)
        except LosantMcpError as error:
            return outcomes.untold(outcome, error)
        return outcome

    async def _tell(self, request: Request, plan: Plan, status: Status, ran: Ran) -> None:
        """The last line about a run: how it ended, in numbers."""
        counts = {
            "removed": ran.removed,
            "changed": ran.changed,
            "kept": ran.kept,
            "gone": ran.gone,
        }
        facts = Facts(counts={name: number for name, number in counts.items() if number})
        if ran.backup_id:
            facts["backup"] = ran.backup_id
        kind: Kind = "ran" if status == "done" else "drifted" if status == "drifted" else "failed"
        await self._ledger.note_plan(kind, plan, request.client.name, **facts)

    async def _restore(self, request: Request, run: Run) -> Ran:
        async def remember(batch: WriteBatch) -> None:
            await self._ledger.note_plan(
                "restoring", run.plan, request.client.name, counts={batch.what: batch.count}
            )

        return await restore_backup(run, self._backups, remember=remember)


def _patient(progress: Progress) -> Progress:
    """Tells the progress until the client once does not listen: it must not hold up a run."""
    listens = True

    async def tell(done: float, total: float | None, words: str) -> None:
        nonlocal listens
        if listens:
            with anyio.move_on_after(PROGRESS_SECONDS) as waiting:
                await progress(done, total, words)
            listens = not waiting.cancelled_caught

    return tell
