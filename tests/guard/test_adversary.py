"""A model alone never destroys anything, whatever it calls in whatever order."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mcp import MCPError
from mcp.types import CallToolResult, ElicitRequest, ElicitRequestFormParams, InputRequiredResult

from losant_mcp.guard.store import NotOpen
from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from tests.calling import Mode
from tests.guard.adversary import (
    HERE,
    TOOLS,
    Covers,
    JsonObject,
    Snapshot,
    arguments_for,
    changed,
    covered,
    look,
    phrase_in,
    prepare,
    removed,
    rows_of,
    signature,
    wrong_answer,
)
from tests.guard.adversary_world import (
    ALONE,
    CONFIRM_ABOVE,
    FORMED,
    OTHER_ORIGIN,
    OTHER_PRINCIPAL,
    Seen,
    World,
    adversary_world,
)
from tests.served import Sandbox

EXAMPLES, STEPS = 14, 75
LEAST = 1000
"""Steps on each of the two protocol versions; more examples are run until there are as many."""
small = st.integers(0, 59)
numbers = st.tuples(small, small, small)


@pytest.fixture(scope="module")
def small_store(sandbox_server: SandboxServer) -> Iterator[Store]:
    """The world before anybody came, to be copied."""
    store = Store()
    sandbox_server.use(store, empty=True)
    sandbox = Sandbox(sandbox_server)
    prepare(sandbox)
    yield store
    sandbox.close()


class Adversary(RuleBasedStateMachine):
    """Calls everything with anything; what nobody agreed to must still be there afterwards."""

    portal: ClassVar[BlockingPortal]
    server: ClassVar[SandboxServer]
    small_store: ClassVar[Store]
    mode: ClassVar[Mode]
    taken: ClassVar[int] = 0
    """How many steps were compared, in all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        self.server.use(self.small_store.copy(), empty=True)
        sandbox = Sandbox(self.server)
        self.open.callback(sandbox.close)
        self.http = sandbox.http(checked=False)
        world = adversary_world(sandbox, self.mode, folder / "state")
        self.world: World = self.open.enter_context(self.portal.wrap_async_context_manager(world))
        self.calls: dict[str, tuple[str, JsonObject]] = {}
        """The calls that led to plans and questions."""
        self.agreed: dict[str, Covers] = {}
        self.yeses = 0

    def teardown(self) -> None:
        """Every yes in the audit is a person's, and leave nothing behind."""
        lines = self.portal.call(self.world.main.audited)
        by_form = [x for x in lines if x.kind == "approved" and x.facts["way"] == "form"]
        assert len(by_form) <= self.yeses
        self.open.close()

    # ---- one step --------------------------------------------------------------------------

    def _step(self, tool: str, before: Snapshot, *more: Covers, unasked: bool = True) -> None:
        """Compare what is stored with what it was, and with what somebody agreed to."""
        after = look(self.world.sandbox.store)
        allowed = [*more, *self._used()]
        gone = {key for key in removed(before, after) if not any(c(key) for c in allowed)}
        assert not gone, (tool, gone)
        # Nobody is asked about the name of a table without rows.
        empty = {key for key in before if key[0] == "table" and not rows_of(before, key[1])}
        altered = {
            key
            for key in changed(before, after)
            if key not in empty and not any(c(key) for c in allowed)
        }
        most = {"update_event": 1, "update_row": 1, "update_events": CONFIRM_ABOVE}.get(tool, 0)
        if tool == "restore_backup":
            most = 1
        objects = {key[: 2 if key[0] == "event" else 3] for key in altered}
        assert len(objects) <= most, (tool, altered)
        assert not [key for key in altered if key[0] in ("table", "column", "row")]

    def _used(self) -> list[Covers]:
        """What is covered by the yeses that were given elsewhere and are used now."""
        return [self.agreed.pop(i) for i in list(self.agreed) if self._plan(i).status != "approved"]

    def _store(self) -> Any:
        return self.portal.call(self.world.main.guard).ledger.store

    def _plan(self, plan_id: str) -> Any:
        return self.portal.call(self._store().plan, plan_id)

    def _call(
        self, who: int, tool: str, arguments: JsonObject, **raw: Any
    ) -> CallToolResult | InputRequiredResult | None:
        async def call() -> CallToolResult | InputRequiredResult:
            client = self.world.clients[who]
            if raw:
                raw["allow_input_required"] = True
                answer: CallToolResult | InputRequiredResult = await client.session.call_tool(
                    tool, arguments, **raw
                )
                return answer
            return await client.call_tool(tool, arguments)

        try:
            answer = self.portal.call(call)
        except MCPError:
            return None
        content = getattr(answer, "structured_content", None) or {}
        for name, known in (("approvalId", self.world.ids), ("backupId", self.world.backups)):
            if content.get(name):
                known.append(content[name])
        return answer

    def _arguments(self, tool: str, n: tuple[int, ...], before: Snapshot) -> JsonObject:
        return arguments_for(tool, n, before, self.world.backups)

    # ---- what the model does ---------------------------------------------------------------

    @rule(
        who=st.sampled_from([ALONE, ALONE, FORMED, OTHER_ORIGIN, OTHER_PRINCIPAL]),
        tool=st.sampled_from(TOOLS),
        n=numbers,
        approval=st.sampled_from(["none", "none", "known", "known", "edited", "guessed", "odd"]),
        number=small,
    )
    def call(self, who: int, tool: str, n: tuple[int, ...], approval: str, number: int) -> None:
        """A call with any arguments and any reference, by any client, whoever answers it no."""
        before = look(self.world.sandbox.store)
        arguments = self._arguments(tool, n, before)
        known = self.world.ids[number % len(self.world.ids)] if self.world.ids else "apr_"
        match approval:
            case "known":
                arguments["approvalId"] = known
            case "edited":
                arguments["approvalId"] = known[:-1] + "a"
            case "guessed":
                arguments["approvalId"] = "apr_" + "abcdefghijklmnopqrstuvwxyz"[number % 26] * 26
            case "odd":
                arguments["approvalId"] = ["", " ", "*", "' OR 1=1", "approved"][number % 5]
        self.world.person.number = number
        self._call(who, tool, arguments)
        self._step(tool, before)

    @precondition(lambda self: bool(self.world.ids))
    @rule(number=small, who=st.sampled_from([ALONE, FORMED, OTHER_ORIGIN, OTHER_PRINCIPAL]))
    def repeat_a_plan(self, number: int, who: int) -> None:
        """The very call of a known plan, with its reference, from anywhere."""
        before = look(self.world.sandbox.store)
        approval = self.world.ids[number % len(self.world.ids)]
        call = self.calls.get(approval)
        if call is not None:
            self.world.person.number = number
            self._call(who, call[0], {**call[1], "approvalId": approval})
            self._step(call[0], before)

    @rule(tool=st.sampled_from(TOOLS[:7]), n=numbers)
    def plan(self, tool: str, n: tuple[int, ...]) -> None:
        """A call that ends with a reference, which is remembered together with the call."""
        before = look(self.world.sandbox.store)
        arguments = self._arguments(tool, n, before)
        answer = self._call(ALONE, tool, arguments)
        if isinstance(answer, CallToolResult) and "approvalId" in (answer.structured_content or {}):
            self.calls[self.world.ids[-1]] = (tool, arguments)
        self._step(tool, before)

    @precondition(lambda self: self.mode == "auto")
    @rule(tool=st.sampled_from(TOOLS), n=numbers)
    def ask_raw(self, tool: str, n: tuple[int, ...]) -> None:
        """A call whose question is kept instead of being shown to anybody."""
        before = look(self.world.sandbox.store)
        arguments = self._arguments(tool, n, before)
        answer = self._call(FORMED, tool, arguments, request_state=None)
        if isinstance(answer, InputRequiredResult):
            [request] = (answer.input_requests or {}).values()
            assert isinstance(request, ElicitRequest)
            assert isinstance(request.params, ElicitRequestFormParams)
            assert answer.request_state is not None
            self.world.states.append(
                Seen(
                    signature(tool, arguments),
                    answer.request_state,
                    request.params.message,
                    dict(request.params.requested_schema),
                )
            )
            self.calls[answer.request_state] = (tool, arguments)
        self._step(tool, before)

    @precondition(lambda self: bool(self.world.states))
    @rule(
        number=small,
        tool=st.sampled_from(TOOLS),
        n=numbers,
        how=st.sampled_from(["own", "own", "other call", "edited", "forged", "bare"]),
        who=st.sampled_from([FORMED, FORMED, OTHER_PRINCIPAL]),
    )
    def answer_raw(self, number: int, tool: str, n: tuple[int, ...], how: str, who: int) -> None:
        """A second round with a state that is replayed, edited or invented; the right answer
        comes only where the question is not this call's, or was answered before.
        """
        before = look(self.world.sandbox.store)
        seen = self.world.states[number % len(self.world.states)]
        own_tool, own = self.calls[seen.state]
        arguments = self._arguments(tool, n, before) if how == "other call" else own
        tool = tool if how == "other call" else own_tool
        state = {"edited": seen.state[:-2] + "xx", "forged": "apr_x:nonce", "bare": "{}"}.get(
            how, seen.state
        )
        own_call = how == "own" and who == FORMED
        same = signature(tool, arguments) == seen.signature
        answer = wrong_answer(number, seen.question, seen.schema)
        if not (own_call or same) or seen.answered:
            [name] = seen.schema["properties"]
            plain = seen.schema["properties"][name]["type"] == "boolean"
            answer.action = "accept"
            answer.content = {name: True if plain else phrase_in(seen.question)}
        responses = {"confirmation": answer}
        self._call(who, tool, arguments, request_state=state, input_responses=responses)
        seen.answered = seen.answered or (own_call and same)
        self._step(tool, before)

    # ---- what people do --------------------------------------------------------------------

    @rule(tool=st.sampled_from(TOOLS[:-1]), n=numbers)
    def agree(self, tool: str, n: tuple[int, ...]) -> None:
        """A person says yes in the form: exactly what they were asked about may go, once."""
        before = look(self.world.sandbox.store)
        known = len(self.portal.call(self.world.main.audited))
        self.world.person.willing = True
        self._call(FORMED, tool, self._arguments(tool, n, before))
        self.world.person.willing = False
        lines = self.portal.call(self.world.main.audited)[known:]
        yeses = [x.facts["plan"] for x in lines if x.kind == "approved"]
        self.yeses += len(yeses)
        self._step(tool, before, *[covered(self._plan(i).operation, before) for i in yeses])

    @rule(number=small, decision=st.sampled_from(["approved", "approved", "declined"]))
    def decide_elsewhere(self, number: int, decision: Any) -> None:
        """A person decides a pending plan at the terminal; nothing happens by that alone."""
        before = look(self.world.sandbox.store)
        store = self._store()
        pending = self.portal.call(store.pending_plans)
        if not pending:
            return
        plan = pending[number % len(pending)]

        async def decide() -> None:
            with contextlib.suppress(NotOpen):
                await store.decide(plan.id, decision, way="terminal", by="somebody")

        self.portal.call(decide)
        if decision == "approved":
            self.agreed[plan.id] = covered(plan.operation, before)
        self._step("", before)

    @rule(name=st.sampled_from(["north", "dam"]), number=small)
    def add_a_row(self, name: str, number: int) -> None:
        """Somebody else inserts a row, which no yes of before is for."""
        tables = [key[1] for key in look(self.world.sandbox.store) if key[0] == "table"]
        if tables:
            at = f"/applications/{HERE}/data-tables/{tables[number % len(tables)]}/rows"
            self.http.post(at, json={"name": name, "level": number})

    @rule(seconds=st.sampled_from([60.0, 400.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        """Time passes: yeses expire, noes and budgets are forgotten."""
        self.world.clock.wait(seconds)

    @invariant()
    def count(self) -> None:
        """One more step was taken."""
        type(self).taken += 1

    @rule()
    def unlock(self) -> None:
        """A person allows questions again after too many noes."""
        self.portal.call(self._store().unlock)


def test_a_model_alone_destroys_nothing(
    sandbox_server: SandboxServer, small_store: Store, mode: Mode
) -> None:
    """Over a thousand steps of calls, replays and forgeries, all that goes was agreed to."""
    with start_blocking_portal() as opened:

        class Here(Adversary):
            portal, server = opened, sandbox_server

        Here.small_store, Here.mode = small_store, mode
        while Here.taken < LEAST:
            run_state_machine_as_test(
                Here,
                settings=settings(
                    max_examples=EXAMPLES if not Here.taken else 2,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
