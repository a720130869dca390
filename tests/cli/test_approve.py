"""`losant-mcp approve`: a person at a real terminal decides, and nobody else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.audit_lines import AuditLine
from losant_mcp.guard.deciding import Asked, Deciding
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.pin import is_pin, set_pin
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from losant_mcp.guard.store import Limits, TooManyQuestions
from tests.cli.command import Run, as_process
from tests.cli.pseudo_terminal import dialogue, needs_terminal
from tests.http.asked import API_URL, deletion, hostile, truncation

LIMITS = Limits(destroyed=50_000, overwritten=200, created_rows=1, created_events=1)


class State:
    """The state folder that server and terminal share."""

    def __init__(self, base: Path) -> None:
        self.folder: StateDir = open_state_dir(base, API_URL)
        self.store = SqliteStore(self.folder.database, key=self.folder.key())
        self._audit = AuditLog(
            self.folder.audit,
            key=self.folder.key("audit"),
            head_path=self.folder.keys / "audit-head",
        )

    async def add(self, plan: Plan) -> Plan:
        """Store a plan, as the server does."""
        return await self.store.add_plan(plan, LIMITS)

    async def demand_pin(self, plan: Plan) -> None:
        """Ask as a server does that has LOSANT_MCP_APPROVE=pin."""
        ledger = Ledger(self._audit, self.store, plan.binding, LIMITS)
        await Deciding(ledger).note_asked(plan, Asked("Claude Desktop", pin=True))

    async def now(self, plan: Plan) -> Plan:
        """The plan as it is now."""
        found = await self.store.plan(plan.id)
        assert found is not None
        return found

    def audit(self) -> list[AuditLine]:
        """Every line so far."""
        assert self._audit.verify().ok
        return list(self._audit.read(100))


@pytest.fixture
async def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[State]:
    """A fresh state folder, which the environment names."""
    monkeypatch.setenv("LOSANT_MCP_STATE_DIR", str(tmp_path / "state"))
    state = State(tmp_path / "state")
    yield state
    await state.store.aclose()


async def _dialogue(*lines: tuple[str, str], arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    return await dialogue("approve", *arguments, lines=lines)


@needs_terminal
async def test_a_typed_name_approves(state: State) -> None:
    """The only question is shown as on the page, and its phrase typed."""
    plan = await state.add(truncation())
    code, screen = await _dialogue(
        ("Type a or d", "a"), ("Type Sites to DELETE all 3,000 rows", "Sites")
    )
    assert code == 0, screen
    assert "Losant cloud, api.losant.com" in screen
    assert "Approved." in screen
    decided = await state.now(plan)
    assert (decided.status, decided.way) == ("approved", "terminal")
    [line] = state.audit()
    assert (line.kind, line.facts["way"]) == ("approved", "terminal")
    assert line.facts["principal"] == plan.binding.principal


@needs_terminal
async def test_one_of_several_is_picked_and_declined(state: State) -> None:
    """The list has numbers; a no leaves the others as they are."""
    plans = [await state.add(truncation()), await state.add(deletion())]
    code, screen = await _dialogue(("Which one?", "2"), ("Type a or d", "d"))
    assert code == 0, screen
    assert "You said no. Nothing was changed." in screen
    assert [(await state.now(plan)).status for plan in plans] == ["pending", "declined"]


@needs_terminal
@pytest.mark.parametrize("answers", [("",), ("a", "Sites!"), ("a", "")])
async def test_what_is_no_answer_decides_nothing(state: State, answers: tuple[str, ...]) -> None:
    """Enter leaves it open, a wrong phrase is told, and the exit code is 1."""
    plan = await state.add(truncation())
    prompts = zip(("Type a or d", "Type Sites to DELETE"), answers, strict=False)
    code, screen = await _dialogue(*prompts, arguments=(plan.id,))
    assert code == 1, screen
    assert (await state.now(plan)).status == "pending"
    assert state.audit() == []


@needs_terminal
async def test_a_single_object_takes_the_word_yes(state: State) -> None:
    """A letter is not enough to delete something."""
    plan = await state.add(deletion())
    code, screen = await _dialogue(("Type a or d", "a"), ("Type yes to DELETE this event", "y"))
    assert code == 1, screen
    assert (await state.now(plan)).status == "pending"
    code, screen = await _dialogue(("Type a or d", "a"), ("Type yes to DELETE this event", "yes"))
    assert code == 0, screen
    assert (await state.now(plan)).status == "approved"


@needs_terminal
async def test_a_server_that_wants_the_pin_gets_it_from_the_terminal_too(state: State) -> None:
    """What the server demanded holds here, whatever the terminal's own settings are."""
    plan = await state.add(deletion())
    await state.demand_pin(plan)
    yes = (("Type a or d", "a"), ("Type yes to", "yes"))
    code, screen = await _dialogue(*yes)
    assert code == 1
    assert "none is set" in screen
    await set_pin(state.store, "correct horse")
    code, screen = await _dialogue(*yes, ("Your approval PIN", "battery staple"))
    assert code == 1
    assert "That was not the approval PIN. Nothing was changed. 4 tries are left." in screen
    assert (await state.now(plan)).status == "pending"
    code, screen = await _dialogue(*yes, ("Your approval PIN", "correct horse"))
    assert code == 0, screen
    assert "horse" not in screen
    assert (await state.now(plan)).way == "pin"


@needs_terminal
async def test_the_pin_is_set_by_typing_it_twice_and_changed_by_who_knows_it(state: State) -> None:
    """Nothing of it is on the screen, and a second PIN takes the first one."""
    first = (("A new PIN", "correct horse"), ("The same again", "correct horse"))
    code, screen = await _dialogue(*first, arguments=("--set-pin",))
    assert code == 0, screen
    assert "horse" not in screen
    second = (("A new PIN", "battery staple"), ("The same again", "battery staple"))
    code, screen = await _dialogue(("Your present PIN", "wrong"), arguments=("--set-pin",))
    assert code == 1
    assert "Nothing was changed." in screen
    code, screen = await _dialogue(
        ("Your present PIN", "correct horse"), *second, arguments=("--set-pin",)
    )
    assert code == 0, screen
    assert await is_pin(state.store, "battery staple")
    assert [line.kind for line in state.audit()] == ["pin_set", "pin_set"]


@needs_terminal
async def test_unlocking_allows_questions_again(state: State) -> None:
    """After three noes nothing may be asked, until a person says so here."""
    for number in range(LIMITS.noes_in_a_row):
        plan = await state.add(deletion(number))
        await state.store.decide(plan.id, "declined", way="page", by="x")
    with pytest.raises(TooManyQuestions):
        await state.add(truncation())
    code, screen = await _dialogue(("Type unlock", "unlock"), arguments=("--unlock",))
    assert code == 0, screen
    assert (await state.add(truncation())).status == "pending"
    assert [line.kind for line in state.audit()] == ["unlocked"]


@pytest.mark.parametrize("arguments", [(), ("{plan}",), ("--set-pin",), ("--unlock",)])
async def test_a_program_decides_nothing(state: State, arguments: tuple[str, ...]) -> None:
    """Answers that are piped in are refused, whatever they say."""
    plan = await state.add(truncation())
    given = [argument.replace("{plan}", plan.id) for argument in arguments]
    done = await run_sync(lambda: as_process("approve", *given, input="a\nSites\nyes\nunlock\n"))
    assert done.returncode == 2
    assert "This takes a person at a terminal; nothing was decided." in done.stderr
    assert (await state.now(plan)).status == "pending"
    assert state.audit() == []


async def test_looking_takes_no_terminal_and_decides_nothing(state: State, run: Run) -> None:
    """`--list` and `--show` print what waits, for whoever may read the state folder."""
    assert "No question waits" in (await run_sync(run, "approve", "--list")).output
    plan = await state.add(truncation())
    listed = await run_sync(run, "approve", "--list")
    assert (listed.exit_code, listed.stdout.splitlines()[0]) == (
        0,
        "1. DELETE all 3,000 rows: Sites",
    )
    shown = await run_sync(run, "approve", "--show", plan.id.upper())
    assert shown.exit_code == 0
    assert "    | site: North pump house" in shown.stdout
    assert "restored rows get new ids and new dates." in shown.stdout
    assert (await state.now(plan)).status == "pending"
    unknown = await run_sync(run, "approve", "--show", "apr_" + "a" * 26)
    assert unknown.exit_code == 2


async def test_hostile_text_cannot_pass_for_ours(state: State, run: Run) -> None:
    """No escape reaches the terminal, and every foreign line stands behind a bar."""
    plan = await state.add(replace(hostile(), arguments="hostile"))
    for arguments in (("--list",), ("--show", plan.id)):
        shown = (await run_sync(run, "approve", *arguments)).stdout
        assert not re.search(
            "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]", shown
        )
        for line in shown.splitlines():
            assert not line.startswith("Answer yes")
            assert "<" not in line or line.startswith("    | "), line


async def test_a_decided_question_says_so(state: State, run: Run) -> None:
    """Who comes too late reads how it was decided."""
    plan = await state.add(truncation())
    await state.store.decide(plan.id, "declined", way="page", by="somebody")
    shown = await run_sync(run, "approve", "--show", plan.id)
    assert shown.exit_code == 0
    assert "Declined." in shown.stdout
