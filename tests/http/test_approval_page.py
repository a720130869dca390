"""Deciding on the page, as a person with a browser does it."""

from __future__ import annotations

import pytest

from losant_mcp.guard.deciding import TRIES
from losant_mcp.guard.pin import set_pin
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.store import binding_digest
from tests.http.asked import address_of, deletion, truncation
from tests.http.conftest import LIMITS, Served

YES = {"decision": "approve", "phrase": "Sites"}
NO = {"decision": "decline"}


async def test_a_typed_name_approves_and_the_page_says_so(served: Served) -> None:
    """The exact name is a yes, which is recorded, audited and shown."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    page = await person.enter(file)
    assert page.status_code == 200
    assert "Nothing happens unless you agree below, before 2026-11-18 11:16:40 UTC." in page.text
    served.clock.seconds += 42
    answered = await person.post(_path(plan), YES)
    assert (answered.status_code, answered.headers["location"]) == (303, _path(plan))
    decided = await served.store.plan(plan.id)
    assert decided is not None
    assert (decided.status, decided.way) == ("approved", "page")
    shown = await person.get(_path(plan))
    assert ">Approved</h1>" in shown.text
    assert "before 2026-11-18 11:09:22 UTC" in shown.text
    [line] = served.audit()
    assert (line.kind, line.facts["way"], line.facts["ms"]) == ("approved", "page", 42_000)
    assert line.facts["client"] == "Claude Desktop"
    assert line.facts["principal"] == "prn_ops"


async def test_a_single_object_takes_a_plain_yes(served: Served) -> None:
    """There is nothing to type for one event, and the yes is a button that says the effect."""
    plan, file = await served.asked(deletion())
    person = served.visitor()
    page = await person.enter(file)
    assert ">Yes, DELETE this event</button>" in page.text
    assert 'name="phrase"' not in page.text
    await person.post(_path(plan), {"decision": "approve"})
    assert await served.status(plan) == "approved"


async def test_a_decline_is_recorded_and_told(served: Served) -> None:
    """A no is a no, in the store, the audit and on the page."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    await person.enter(file)
    await person.post(_path(plan), NO)
    assert await served.status(plan) == "declined"
    shown = await person.get(_path(plan))
    assert "You said no. Nothing was changed." in shown.text
    assert [line.kind for line in served.audit()] == ["declined"]


@pytest.mark.parametrize(
    "typed", ["", "sites", "Sites.", "yes", "true", "Sites (old)", "delete 72e609", "Si tes"]
)
async def test_a_wrong_phrase_changes_nothing(served: Served, typed: str) -> None:
    """What is not the exact name leaves the plan open, and the page says so."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    await person.enter(file)
    await person.post(_path(plan), {**YES, "phrase": typed})
    assert await served.status(plan) == "pending"
    shown = await person.get(_path(plan))
    assert "That was not exactly what is to be typed." in shown.text
    assert "4 tries are left" in shown.text
    assert served.audit() == []


async def test_the_fifth_wrong_phrase_is_a_no(served: Served) -> None:
    """Whoever guesses the name is stopped, and the right name comes too late."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    await person.enter(file)
    for number in range(TRIES):
        assert await served.status(plan) == "pending"
        await person.post(_path(plan), {**YES, "phrase": f"guess {number}"})
    await person.post(_path(plan), YES)
    assert await served.status(plan) == "declined"
    shown = await person.get(_path(plan))
    assert "The wrong text was typed 5 times. Nothing was changed." in shown.text
    [line] = served.audit()
    assert (line.kind, line.facts["why"]) == ("declined", "wrong phrase, 5 times")


async def test_back_and_send_again_changes_nothing(served: Served) -> None:
    """A form that is sent twice, or again with the other answer, finds the first one standing."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    await person.enter(file)
    await person.post(_path(plan), NO)
    for form in (NO, YES, *[{**YES, "phrase": "wrong"}] * TRIES):
        again = await person.post(_path(plan), form)
        assert again.status_code == 303
    assert await served.status(plan) == "declined"
    assert "You said no. Nothing was changed." in (await person.get(_path(plan))).text
    assert len(served.audit()) == 1


async def test_looking_changes_nothing(served: Served) -> None:
    """Any number of looks leave the plan, the audit and the tries as they are."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    first = await person.enter(file)
    before = await served.store.plan(plan.id)
    for _ in range(5):
        assert (await person.get(_path(plan))).text == first.text
    assert await served.store.plan(plan.id) == before
    assert served.audit() == []


async def test_an_expired_question_cannot_be_answered(served: Served) -> None:
    """Ten minutes later the page says that it is too late, and a yes is none."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    await person.enter(file)
    served.clock.seconds += 601
    assert (await person.post(_path(plan), YES)).status_code == 303
    assert await served.status(plan) == "expired"
    assert "The time for it is over. Nothing was changed." in (await person.get(_path(plan))).text
    assert served.audit() == []


async def test_a_key_dies_with_its_question(served: Served) -> None:
    """A redirect file that is opened too late leads nowhere."""
    plan, file = await served.asked(truncation())
    address = await address_of(file)
    served.clock.seconds += 601
    assert (await served.visitor().follow(address)).status_code == 404
    assert await served.status(plan) == "expired"


async def test_the_page_follows_the_run(served: Served) -> None:
    """After the yes, the page tells what became of it, in the words of the outcome."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    await person.enter(file)
    await person.post(_path(plan), YES)
    await served.store.burn(plan.id, binding_digest(plan.binding), LIMITS)
    assert ">Running now</h1>" in (await person.get(_path(plan))).text
    message = "3,000 objects removed. <b>restore_backup</b> can bring it back: bak_1."
    await served.store.finish(plan.id, "done", {"status": "done", "message": message})
    shown = (await person.get(_path(plan))).text
    assert ">Done</h1>" in shown
    assert "&lt;b&gt;restore_backup&lt;/b&gt; can bring it back: bak_1." in shown


async def test_the_pin_is_demanded_where_the_operator_says_so(served_with_pin: Served) -> None:
    """Without a PIN nobody can approve; with one, only who knows it; and anybody may decline."""
    served = served_with_pin
    plan, file = await served.asked(deletion())
    person = served.visitor()
    page = await person.enter(file)
    assert "Approving takes the approval PIN, and none is set." in page.text
    await person.post(_path(plan), {"decision": "approve", "pin": ""})
    assert await served.status(plan) == "pending"
    await set_pin(served.store, "correct horse")
    assert 'name="pin"' in (await person.get(_path(plan))).text
    for pin in ("", "correct hors", "Correct horse"):
        await person.post(_path(plan), {"decision": "approve", "pin": pin})
        assert await served.status(plan) == "pending"
    await person.post(_path(plan), {"decision": "approve", "pin": "correct horse"})
    decided = await served.store.plan(plan.id)
    assert decided is not None
    assert (decided.status, decided.way) == ("approved", "pin")
    assert "correct horse" not in (served.state_dir.audit).read_text(encoding="utf-8")


async def test_the_fifth_wrong_pin_is_a_no(served_with_pin: Served) -> None:
    """A PIN cannot be guessed on one question, whatever is typed between."""
    served = served_with_pin
    await set_pin(served.store, "correct horse")
    plan, file = await served.asked(truncation())
    person = served.visitor()
    await person.enter(file)
    for number in range(TRIES):
        assert await served.status(plan) == "pending"
        await person.post(_path(plan), {**YES, "pin": f"guess {number}"})
    await person.post(_path(plan), {**YES, "pin": "correct horse"})
    assert await served.status(plan) == "declined"
    assert "The wrong PIN was typed 5 times." in (await person.get(_path(plan))).text
    [line] = served.audit()
    assert line.facts["why"] == "wrong pin, 5 times"


async def test_a_hundred_questions_do_not_mix(served: Served) -> None:
    """With a hundred plans pending, each page decides its own and no other."""
    asked = [await served.asked(deletion(number)) for number in range(100)]
    person = served.visitor()
    expected = {plan.id: "pending" for plan, _ in asked}
    for number, (plan, file) in list(enumerate(asked))[::9]:
        await person.enter(file)
        await person.post(_path(plan), {"decision": "approve"} if number % 2 else NO)
        expected[plan.id] = "approved" if number % 2 else "declined"
    assert {plan.id: await served.status(plan) for plan, _ in asked} == expected


def _path(plan: Plan) -> str:
    return f"/approvals/{plan.id}"
