"""Answers that come twice, late, at the same time, or not at all."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from losant_mcp.guard.plans import PLAN_SECONDS, YES_SECONDS
from tests.calling import content, refusal, result, stored
from tests.guard.asking import ask, reply, yes_to
from tests.guard.guarding import Guarded, accept, guarded_server, refuse
from tests.guard.meddling import TANKS, Somebody, agree
from tests.guard.stored import Clock

LONG = 10

modern_only = pytest.mark.parametrize("mode", ["auto"], indirect=True)
legacy_only = pytest.mark.parametrize("mode", ["legacy"], indirect=True)
CANCEL = ElicitResult(action="cancel")


async def _runs(guarded: Guarded) -> int:
    return [line.kind for line in await guarded.audited()].count("running")


@modern_only
async def test_an_old_answer_never_fits_a_fresh_plan(guarded: Guarded) -> None:
    """Each answer belongs to one question, and a question of before is not this one."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(refuse)
    question, old = await ask(client, "truncate_rows", **table)
    first = await reply(client, "truncate_rows", old, CANCEL, **table)
    _, fresh = await ask(client, "truncate_rows", **table)

    replayed = await reply(client, "truncate_rows", old, yes_to(question), **table)

    assert content(replayed) == content(first)
    assert content(first)["status"] == "cancelled"
    assert who.left() == TANKS
    done = await reply(client, "truncate_rows", fresh, yes_to(question), **table)
    assert content(done)["removed"] == len(TANKS)


@modern_only
async def test_a_replayed_yes_returns_the_outcome_of_then_and_changes_nothing(
    guarded: Guarded,
) -> None:
    """Rows that came after the run are not its business."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(refuse)
    question, state = await ask(client, "truncate_rows", **table)
    done = await reply(client, "truncate_rows", state, yes_to(question), **table)
    who.add("new", 1)
    before = stored(guarded.sandbox)

    again = [await reply(client, "truncate_rows", state, yes_to(question), **table) for _ in "123"]

    assert [content(answer) for answer in again] == [content(done)] * 3
    assert stored(guarded.sandbox) == before
    assert await _runs(guarded) == 1


@modern_only
async def test_a_question_that_is_asked_anew_voids_the_one_before(guarded: Guarded) -> None:
    """Both are about one plan, and only the newest form can be answered."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(refuse)
    question, old = await ask(client, "truncate_rows", **table)
    _, new = await ask(client, "truncate_rows", **table)

    late = await reply(client, "truncate_rows", old, yes_to(question), **table)

    assert late.is_error
    assert who.left() == TANKS
    done = await reply(client, "truncate_rows", new, yes_to(question), **table)
    assert content(done)["status"] == "done"


@modern_only
async def test_the_same_yes_twice_at_the_same_time_is_one_run(guarded: Guarded) -> None:
    """One of the calls carries it out; the others say truthfully what they found."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(refuse)
    question, state = await ask(client, "truncate_rows", **table)
    answers: list[dict[str, Any]] = []

    async def answer() -> None:
        given = await reply(client, "truncate_rows", state, yes_to(question), **table)
        answers.append(content(given))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(answer)

    assert who.left() == {}
    assert await _runs(guarded) == 1
    [plan] = await guarded.plans("done")
    assert plan.outcome in answers
    others = [given for given in answers if given["status"] != "done"]
    assert all("approvalId" in given for given in others), others


@modern_only
@pytest.mark.parametrize("forged", ["", "x", "apr_" + "a" * 26 + ":nonce", "{}", "null"])
async def test_a_state_that_the_server_did_not_make_is_refused(
    guarded: Guarded, forged: str
) -> None:
    """Not even the stored plan's own id and nonce are worth anything unsealed."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(refuse)
    question, _ = await ask(client, "truncate_rows", **table)
    [plan] = await guarded.plans("pending")

    for state in (forged, f"{plan.id}:{plan.nonce}"):
        with pytest.raises(MCPError, match="requestState"):
            await reply(client, "truncate_rows", state, yes_to(question), **table)

    assert who.left() == TANKS


@modern_only
async def test_a_state_of_another_server_or_another_token_is_refused(guarded: Guarded) -> None:
    """A second server and a second principal share the state folder, and nothing else."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(refuse)
    question, state = await ask(client, "truncate_rows", **table)
    [plan] = await guarded.plans("pending")
    application = guarded.sandbox.tokens["application"]

    for other in (await guarded.beside(), await guarded.beside(api_token=application)):
        stranger = await other.connect(refuse)
        with pytest.raises(MCPError, match="requestState"):
            await reply(stranger, "truncate_rows", state, yes_to(question), **table)
        told = await refusal(stranger, "truncate_rows", approvalId=plan.id, **table)
        assert "belongs to no plan" in told

    assert who.left() == TANKS


async def test_a_yes_of_one_server_is_no_yes_for_another(guarded: Guarded) -> None:
    """Two processes on one state folder, one approved plan: one run, by the one that planned."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect()
    planned = await result(client, "truncate_rows", **table)
    approval = planned["approvalId"]
    store = (await guarded.guard()).ledger.store
    await store.decide(approval, "approved", way="terminal", by="somebody")
    other = await (await guarded.beside()).connect()

    assert "belongs to no plan" in await refusal(
        other, "truncate_rows", approvalId=approval, **table
    )
    assert (await result(other, "truncate_rows", **table))["status"] == "approval_required"
    assert who.left() == TANKS

    done = await result(client, "truncate_rows", approvalId=approval, **table)
    assert done["removed"] == len(TANKS)
    assert await _runs(guarded) == 1


async def test_an_approved_plan_is_carried_out_once_however_often_it_is_called(
    guarded: Guarded,
) -> None:
    """Calls at the same time share one run, with and without the reference."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect()
    planned = await result(client, "truncate_rows", **table)
    store = (await guarded.guard()).ledger.store
    await store.decide(planned["approvalId"], "approved", way="terminal", by="somebody")
    answers: list[dict[str, Any]] = []

    async def call() -> None:
        given = await result(client, "truncate_rows", approvalId=planned["approvalId"], **table)
        answers.append(given)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(call)

    assert who.left() == {}
    assert await _runs(guarded) == 1
    assert {given["status"] for given in answers} <= {"done", "interrupted"}


@legacy_only
async def test_a_cancelled_call_voids_its_question(guarded: Guarded) -> None:
    """Whoever answers the form after the call was taken back answers nothing."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    shown, go = anyio.Event(), anyio.Event()

    async def answer_late(
        context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        shown.set()
        await go.wait()
        return yes_to(params.message)

    client = await guarded.stack.enter_async_context(
        Client(guarded.server, mode="legacy", elicitation_callback=answer_late)
    )
    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "truncate_rows", table)
            await shown.wait()
            tasks.cancel_scope.cancel()
        while (await guarded.audited())[-1].kind != "cancelled":
            await anyio.lowlevel.checkpoint()
    go.set()

    assert who.left() == TANKS
    assert len(await guarded.plans("cancelled")) == 1
    # The server is well, the yes was not kept for the next call, and that one can be answered.
    willing = await guarded.connect(agree)
    assert (await result(willing, "truncate_rows", **table))["status"] == "done"
    assert len(guarded.questions) == 1


async def test_a_yes_in_the_form_after_a_no_elsewhere_is_too_late(guarded: Guarded) -> None:
    """The first decision stands, whichever way it came."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}

    async def decline_first(
        context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        store = (await guarded.guard()).ledger.store
        [plan] = await store.pending_plans()
        await store.decide(plan.id, "declined", way="terminal", by="somebody")
        return yes_to(params.message)

    client = await guarded.stack.enter_async_context(
        Client(guarded.server, mode=guarded.mode, elicitation_callback=decline_first)
    )

    outcome = await result(client, "truncate_rows", **table)

    assert outcome["status"] == "declined"
    assert "The person said no." in outcome["message"]
    assert who.left() == TANKS


async def test_a_no_in_the_form_runs_nothing_even_after_a_yes_elsewhere(guarded: Guarded) -> None:
    """The answer of this call was no, so this call deletes nothing."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}

    async def approve_first(
        context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        store = (await guarded.guard()).ledger.store
        [plan] = await store.pending_plans()
        await store.decide(plan.id, "approved", way="terminal", by="somebody")
        return ElicitResult(action="decline")

    client = await guarded.stack.enter_async_context(
        Client(guarded.server, mode=guarded.mode, elicitation_callback=approve_first)
    )

    outcome = await result(client, "truncate_rows", **table)

    assert "agreed to elsewhere" in outcome["message"]
    assert who.left() == TANKS


@pytest.mark.parametrize("decided", [False, True], ids=["unanswered", "after the yes"])
async def test_what_has_expired_is_worth_nothing(guarded: Guarded, decided: bool) -> None:
    """A question stands for ten minutes, and a yes can be used for two."""
    clock = Clock()
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    folder = guarded.settings.state_dir
    assert folder is not None
    timed = await guarded_server(
        guarded.sandbox, guarded.mode, folder / "timed", guarded.stack, clock=clock
    )
    client = await timed.connect()
    planned = await result(client, "truncate_rows", **table)
    store = (await timed.guard()).ledger.store
    if decided:
        await store.decide(planned["approvalId"], "approved", way="terminal", by="somebody")
    clock.wait((YES_SECONDS if decided else PLAN_SECONDS) + 1)

    outcome = await result(client, "truncate_rows", approvalId=planned["approvalId"], **table)

    assert outcome["status"] == "expired"
    assert who.left() == TANKS
    kinds = [line.kind for line in await timed.audited(planned["approvalId"])]
    assert kinds == ["planned", "asked", "expired"]
    fresh = await timed.connect(accept("tanks"))
    assert (await result(fresh, "truncate_rows", **table))["status"] == "done"
