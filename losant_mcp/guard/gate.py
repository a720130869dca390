"""The gate: the one way by which a tool destroys or overwrites something.

Plan, ask, burn once, back up, re-check, run, audit; see the package's docstring. In ``human``
mode nothing that passes through the model (an argument, an ``approvalId``, a replayed state) is
a yes: a yes is recorded in the store by the form, the page or the terminal, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal, get_args

import anyio
from mcp import MCPError
from mcp.types import InputRequiredResult

from losant_mcp.api.endpoint import Effect
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.errors import Refused
from losant_mcp.guard import outcomes
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.carrying import Carrier, Request
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.outcomes import Outcome
from losant_mcp.guard.planning import Draft, Planner
from losant_mcp.guard.plans import (
    PLAN_SECONDS,
    Action,
    Binding,
    Operation,
    Plan,
    PlannedSet,
    Target,
    Way,
    digest,
)
from losant_mcp.guard.run_restore import restore_draft
from losant_mcp.guard.store import BudgetSpent, Limits, NotOpen
from losant_mcp.guard.ways import Answer, Returned
from losant_mcp.guard.wording import counted, is_yes, phrase_for, word_of
from losant_mcp.policy import ALLOWED_EFFECTS
from losant_mcp.tracing import span

UNASKED_OVERWRITES = 8
"""An hour's overwrites that nobody was asked about: as many times ``confirm_above``."""
DESTROYED_AN_HOUR = 5
"""An hour's destroyed objects: as many times the limit of one call."""

Decision = Literal["approved", "declined", "cancelled"]
AskElsewhere = Callable[[Plan, str], Awaitable[str]]
"""Opens the approval page for the person; returns what the model should tell them. It is given
the plan and what the client calls itself.
"""


class Gate:
    """The guard of one principal and origin. ``ask_elsewhere`` opens the approval page; without it,
    a person can be asked by the client's form only.
    """

    def __init__(
        self,
        client: LosantClient,
        settings: Settings,
        *,
        ledger: Ledger,
        backups: Backups,
        ask_elsewhere: AskElsewhere | None,
        recover: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self.ledger = ledger
        self.store = ledger.store
        self.binding = ledger.binding
        self.limits = ledger.limits
        self._carrier = Carrier(client, ledger, backups)
        self._client = client
        self._backups = backups
        self._planner = Planner(client, most=settings.max_delete)
        self._ask_elsewhere = ask_elsewhere
        self.recover = recover
        """Finds out what became of runs whose process is gone."""

    async def idle(self) -> None:
        """Wait until nothing runs any more: half a run is worse than a slow end."""
        await self._carrier.idle()

    # ---- asked -----------------------------------------------------------------------------

    async def destroy(self, request: Request) -> Outcome | InputRequiredResult:
        """Carry the operation out if a person says yes to it; else say what is needed."""
        if self._settings.confirm == "block":
            raise Refused(
                f"{request.operation.action} is blocked: nobody may confirm it here.",
                hint="A person can set LOSANT_MCP_CONFIRM=human.",
            )
        self._check_access(request.operation)
        self._check_approver(request)
        await self._backups.check()
        if (returned := request.client.returned) is not None:
            return await self._returned(request, returned)
        if request.approval_id is not None:
            return await self._resumed(request, request.approval_id)
        with span("guard plan", {"losant_mcp.action": request.operation.action}):
            draft = await self._draft(request.operation)
        if not draft.planned.count:
            return outcomes.nothing_to_do("object")
        if self._settings.confirm == "preview":
            self._check_preview(request.operation, draft)
        return await self._ask(request, await self._propose(request, draft))

    def _check_access(self, operation: Operation) -> None:
        """Nobody is asked about what may not go whatever they say. Raises Refused."""
        destroys = operation.action.startswith(("delete_", "truncate_", "remove_"))
        effect = Effect.DESTROY if destroys else Effect.OVERWRITE
        access = self._client.policy.access
        if effect not in ALLOWED_EFFECTS[access]:
            raise Refused(
                f"{operation.action} is refused: access is {access}.",
                hint="A person can set LOSANT_MCP_ACCESS and restart.",
            )

    def _check_approver(self, request: Request) -> None:
        """Nothing is planned that nobody could say yes to. Raises Refused."""
        by_form = asks_by_form(self._settings) and request.client.can_be_asked
        if self._settings.confirm == "human" and self._ask_elsewhere is None and not by_form:
            raise Refused(
                f"{request.operation.action} needs a person's yes, and nobody can be asked: this"
                " server is hosted and has no approver.",
                hint="A person can name approvers (LOSANT_MCP_APPROVERS_FILE), or set"
                " LOSANT_MCP_ASK=form where all clients may be trusted.",
            )

    async def _draft(self, operation: Operation) -> Draft:
        if operation.action != "restore_backup":
            return await self._planner.draft(operation)
        manifest = await self._backups.get(
            operation.target_id,
            principal=self.binding.principal,
            api_url=self.binding.api_url,
            application_id=operation.application_id,
        )
        return await restore_draft(self._client, manifest)

    async def _propose(self, request: Request, draft: Draft) -> Plan:
        operation = request.operation
        changes = await self.store.changes(operation.application_id, operation.target_id)
        former = await self._former_names(draft)
        plan = draft.plan(
            operation,
            self.binding,
            digest(dict(request.arguments)),
            recent_changes=tuple(changes),
            former_names=former,
        )
        fatigue = await self.store.fatigue(self.binding.principal, operation.target_key)
        if plan.phrase is None and fatigue.plain_yeses >= self.limits.plain_yeses:
            # A hand that clicked yes ten times within the hour must read again.
            phrase = phrase_for(plan.target, ambiguous=True, word=word_of(plan.verb))
            plan = replace(plan, phrase=phrase)
        stored = await self.store.add_plan(plan, self.limits)
        await self.ledger.note_expired()
        # One that is asked about already, or holds another set, was planned by an earlier call.
        if stored.way is None and stored.planned == plan.planned:
            await self.ledger.note_plan("planned", stored, request.client.name)
        return stored

    async def _former_names(self, draft: Draft) -> tuple[str, ...]:
        """Names under which this server knew the target before; remembers the present one."""
        target = draft.target
        if target.kind != "data table":
            return ()
        key = f"names:{target.id}"
        known = (await self.store.recall(key) or "").split("\0")
        names = [name for name in known if name]
        if target.name not in names:
            await self.store.remember(key, "\0".join([*names[-4:], target.name]))
        return tuple(name for name in names if name != target.name)

    async def _ask(self, request: Request, plan: Plan) -> Outcome | InputRequiredResult:
        if plan.status == "approved":
            return await self._carrier.approved(request, plan)
        if self._settings.confirm == "preview":
            return outcomes.approval_required(plan, outcomes.PREVIEW)
        by_form = asks_by_form(self._settings) and request.client.can_be_asked
        way: Way = "form" if by_form else "page"
        nonce = ""
        if by_form or plan.way != way:
            try:
                nonce = await self.store.begin_question(plan.id, way)
            except NotOpen as error:  # a call or a person was faster
                return outcomes.of_plan(error.plan)
            await self.ledger.note_plan("asked", plan, request.client.name, way=way)
        if not by_form:
            assert self._ask_elsewhere is not None, "or there was no plan"
            advice = await self._ask_elsewhere(plan, request.client.name)
            return outcomes.approval_required(plan, f"{advice} {outcomes.THEN}")
        if request.client.modern:
            return request.client.ask_later(plan, nonce)
        return await self._ask_now(request, plan, nonce)

    async def _ask_now(self, request: Request, plan: Plan, nonce: str) -> Outcome:
        try:
            with span("guard ask"), anyio.fail_after(PLAN_SECONDS):
                answer = await request.client.ask_now(plan)
        except (TimeoutError, MCPError):
            answer = Answer("cancel")
        except anyio.get_cancelled_exc_class():
            # The call is gone, so its question is void: a late answer must find nothing.
            await self._decide(request, plan, nonce, "cancelled")
            raise
        return await self._answered(request, plan, nonce, answer)

    async def _returned(self, request: Request, returned: Returned) -> Outcome:
        """The second round of a 2026 call: an answer to a stored question, or nothing."""
        plan = await self._known(returned.plan_id)
        if plan is None or not self._belongs(plan, request):
            raise Refused("This answer belongs to no question of this call.")
        if plan.status != "pending":
            return outcomes.of_plan(plan)
        if plan.way != "form" or not plan.nonce or plan.nonce != returned.nonce:
            raise Refused("This answer belongs to a question that is not open any more.")
        return await self._answered(
            request, plan, returned.nonce, returned.answer or Answer("cancel")
        )

    async def _known(self, plan_id: str) -> Plan | None:
        """The plan; one that runs is told as interrupted where its process is gone."""
        plan = await self.store.plan(plan_id)
        if plan is not None and plan.status == "running":
            await self.recover()
            plan = await self.store.plan(plan_id)
        await self.ledger.note_expired()
        return plan

    async def _answered(self, request: Request, plan: Plan, nonce: str, answer: Answer) -> Outcome:
        agreed = answer.reply == "accept" and is_yes(plan, answer.value)
        decision: Decision = (
            "approved" if agreed else "cancelled" if answer.reply == "cancel" else "declined"
        )
        decided = await self._decide(request, plan, nonce, decision)
        if agreed and decided.status == "approved":
            return await self._carrier.approved(request, decided)
        if answer.reply == "accept" and not agreed and decided.status == "declined":
            return outcomes.mismatch(decided)
        return outcomes.of_plan(decided)

    async def _decide(self, request: Request, plan: Plan, nonce: str, decision: Decision) -> Plan:
        asker, decided = request.client.name, plan
        # An answer that is recorded has its line, and a yes goes on into its run: a call that is
        # cancelled in between must not leave a yes behind that the next call would find.
        with anyio.CancelScope(shield=True):
            try:
                decided = await self.store.decide(
                    plan.id, decision, way="form", by=asker or "form", nonce=nonce
                )
            except NotOpen as error:
                return error.plan
            waited = round(((decided.decided_at or 0) - decided.created_at) * 1000)
            await self.ledger.note_plan(decision, decided, asker, way="form", ms=waited)
        return decided

    async def _resumed(self, request: Request, approval_id: str) -> Outcome | InputRequiredResult:
        """A call that refers to a plan: it grants nothing; what was decided elsewhere counts."""
        plan = await self._known(approval_id)
        if plan is None or not self._belongs(plan, request):
            raise Refused(
                "This approvalId belongs to no plan of this very call.",
                hint="Call without approvalId to plan anew.",
            )
        if plan.status == "pending" and self._settings.confirm == "preview":
            plan = await self._decide_unasked(request, plan)
        if plan.status == "approved":
            return await self._carrier.approved(request, plan)
        if plan.status == "pending":
            return await self._ask(request, plan)
        return outcomes.of_plan(plan)

    async def _decide_unasked(self, request: Request, plan: Plan) -> Plan:
        """The yes of the preview, which no person gave."""
        try:
            decided = await self.store.decide(plan.id, "approved", way="preview", by="nobody")
        except NotOpen as error:
            return error.plan
        await self.ledger.note_plan("approved", decided, request.client.name, way="preview")
        return decided

    def _belongs(self, plan: Plan, request: Request) -> bool:
        """Whether the plan is of this caller, this tool, these arguments and this target."""
        return (
            plan.binding == self.binding
            and plan.operation.action == request.operation.action
            and plan.operation.application_id == request.operation.application_id
            and plan.operation.target_id == request.operation.target_id
            and plan.operation.parent_id == request.operation.parent_id
            and plan.arguments == digest(dict(request.arguments))
        )

    def _check_preview(self, operation: Operation, draft: Draft) -> None:
        allowed = self._settings.preview_allow
        if operation.action not in allowed or not (_names(operation, draft) & set(allowed)):
            raise Refused(
                f"{operation.action} on this target is not on the operator's preview list.",
                hint="A person can add the tool and the table to LOSANT_MCP_PREVIEW_ALLOW.",
            )
        if draft.planned.count > self._settings.preview_max:
            raise Refused(
                f"{counted(draft.planned.count, 'object')} are more than the preview's limit of"
                f" {self._settings.preview_max:,}.",
                hint="A person can raise LOSANT_MCP_PREVIEW_MAX.",
            )

    # ---- not asked -------------------------------------------------------------------------

    async def overwrite(
        self, request: Request, *, count: int = 1, ask: bool = False
    ) -> Outcome | InputRequiredResult:
        """Change something, keeping how it was before.

        A person is asked where ``ask`` says so, and once the hour's unasked changes are many.
        """
        operation = request.operation
        self._check_access(operation)
        await self._backups.check()
        asked = ask or request.client.returned is not None or request.approval_id is not None
        if not asked:
            try:
                await self.store.spend(
                    "overwritten",
                    self.binding.principal,
                    operation.application_id,
                    count,
                    self.limits.overwritten,
                )
            except BudgetSpent:
                asked = True
        if asked:
            return await self.destroy(request)
        reads = operation.action in ("update_events", "restore_backup")
        draft = await self._draft(operation) if reads else _unread(operation)
        most = max(count, self._settings.confirm_above)
        if operation.action == "update_events" and draft.planned.count > most:
            # More than were counted when nobody had to be asked: a storm, at this very moment.
            return await self.destroy(request)
        plan = draft.plan(operation, self.binding, digest(dict(request.arguments)))
        return await self._carrier.unasked(request, plan)


def _names(operation: Operation, draft: Draft) -> set[str]:
    """By what the operator may list this target; a table is not listed by being called as a tool
    is.
    """
    ids = {operation.target_id, operation.parent_id or operation.target_id}
    return ids | ({draft.place} - {"", *get_args(Action)})


def _unread(operation: Operation) -> Draft:
    """A draft for one object whose change nobody is asked about, so that it is read only once."""
    what = operation.action.removeprefix("update_").replace("_", " ")
    return Draft(
        target=Target("row", operation.target_id, ""),
        planned=PlannedSet(1),
        verb=f"CHANGE this {what}",
        phrase=None,
        breakdown={},
    )


def asks_by_form(settings: Settings) -> bool:
    """Whether a client's form may be trusted. The PIN has no place in it: what a form holds goes
    through the client, and a client is what the PIN is not for.
    """
    return settings.ask != "page" and settings.approve != "pin"


def binding_of(settings: Settings, *, principal: str, origin: str) -> Binding:
    """Who plans, and under which rules; a change of the rules voids what was planned."""
    asking = [settings.ask, settings.approve]
    preview = [sorted(settings.preview_allow), settings.preview_max]
    rules = [settings.access, settings.confirm, *asking, settings.max_delete, *preview]
    return Binding(settings.api_url, principal, origin, digest(rules))


def limits_of(settings: Settings) -> Limits:
    """How much may be done in an hour."""
    return Limits(
        destroyed=DESTROYED_AN_HOUR * settings.max_delete,
        overwritten=UNASKED_OVERWRITES * settings.confirm_above,
        created_rows=settings.max_create_rows,
        created_events=settings.max_create_events,
    )
