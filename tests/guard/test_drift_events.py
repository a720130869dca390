"""Events that change between plan, yes, backup and the deletion or change: the same rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from losant_mcp.api.events import LEVELS
from tests.calling import result
from tests.guard.guarding import Answer, Guarded
from tests.guard.meddling import Somebody, agree, meanwhile, moments

Change = Callable[[Somebody, list[str]], object]

SUBJECT = "Pump 7 vibrates"
QUERY = {"subject": SUBJECT, "state": "new"}
RAISED = 5


def _raised(who: Somebody) -> list[str]:
    return [who.raise_event(subject=SUBJECT, level="error") for _ in range(RAISED)]


def _commented(who: Somebody, ids: list[str]) -> None:
    who.change_event(ids[0], comment="I am on it")


def _out_of_the_query(who: Somebody, ids: list[str]) -> None:
    who.change_event(ids[0], state="acknowledged")


def _out_and_in_again(who: Somebody, ids: list[str]) -> None:
    who.change_event(ids[0], state="acknowledged")
    who.change_event(ids[0], state="new")


def _one_out_one_in(who: Somebody, ids: list[str]) -> None:
    who.change_event(ids[0], state="acknowledged")
    ids.append(who.raise_event(subject=SUBJECT, level="error"))


def _another(who: Somebody, ids: list[str]) -> None:
    ids.append(who.raise_event(subject=SUBJECT, level="error"))


def _gone(who: Somebody, ids: list[str]) -> None:
    who.remove_event(ids[0])


CHANGES: list[tuple[Change, int, int, int]] = [
    # what happens; how many are removed, are kept of the plan, and are there at the end
    (_commented, RAISED - 1, 1, 1),
    (_out_of_the_query, RAISED - 1, 1, 1),
    (_out_and_in_again, RAISED - 1, 1, 1),
    (_one_out_one_in, RAISED - 1, 1, 2),
    (_another, RAISED, 0, 1),
    (_gone, RAISED - 1, 0, 0),
]


@moments
@pytest.mark.parametrize(("change", "removed", "kept", "there"), CHANGES)
async def test_events_that_changed_since_stay_and_the_others_go(
    guarded: Guarded, moment: str, change: Change, removed: int, kept: int, there: int
) -> None:
    """In a storm, too, exactly what the person saw is deleted."""
    who = Somebody(guarded)
    before = set(guarded.events())
    ids = _raised(who)
    seen = list(ids)
    answer: Answer = agree
    if moment == "after the backup":
        guarded.meddler.before("POST", "/events/delete", lambda: change(who, ids))
    else:
        answer = meanwhile(lambda: change(who, ids), agree)
    client = await guarded.connect(answer)

    outcome = await result(client, "delete_events", query=QUERY)

    assert (outcome["status"], outcome["removed"]) == ("done", removed)
    left = set(guarded.events())
    assert before <= left
    assert len(left - before) == there
    assert len(left & set(seen)) == kept
    assert ("1 object changed since the plan and was kept." in outcome["message"]) == bool(kept)


@moments
@pytest.mark.parametrize(("change", "reached", "kept", "there"), CHANGES)
async def test_an_agreed_change_reaches_what_the_person_saw_and_nothing_else(
    guarded: Guarded, moment: str, change: Change, reached: int, kept: int, there: int
) -> None:
    """Also where many events are changed at once, what changed since is left and told."""
    # So that a person is asked about these few.
    guarded = await guarded.beside(confirm_above=2)
    who = Somebody(guarded)
    ids = _raised(who)
    seen = list(ids)
    answer: Answer = agree
    if moment == "after the backup":
        guarded.meddler.before("PATCH", "/events", lambda: change(who, ids))
    else:
        answer = meanwhile(lambda: change(who, ids), agree)
    client = await guarded.connect(answer)

    outcome = await result(client, "update_events", query=QUERY, level="critical")

    assert outcome["status"] == "done"
    found = guarded.sandbox.store.rows("SELECT id, level FROM events WHERE subject = ?", SUBJECT)
    levels = {row["id"]: LEVELS[row["level"]] for row in found}
    assert len(levels) == reached + there
    assert [levels[i] for i in seen if i in levels].count("critical") == reached
    assert {levels[i] for i in levels if i not in seen} <= {"error"}
    if moment == "while the person reads":
        assert outcome["changed"] == reached
        assert ("1 object changed since the plan and was kept." in outcome["message"]) == bool(kept)


@moments
async def test_a_single_event_that_changed_since_stays(guarded: Guarded, moment: str) -> None:
    """The yes was for the event as it was."""
    who = Somebody(guarded)
    event_id = who.raise_event(subject=SUBJECT)
    change = lambda: who.change_event(event_id, comment="Wait!")  # noqa: E731 - it is handed on
    answer = meanwhile(change, agree)
    if moment == "after the backup":
        answer = meanwhile(lambda: guarded.meddler.before("GET", event_id, change, number=2), agree)
    client = await guarded.connect(answer)

    outcome = await result(client, "delete_event", eventId=event_id)

    assert outcome["status"] == "drifted"
    assert event_id in guarded.events()


@moments
async def test_a_single_event_that_vanished_is_no_failure(guarded: Guarded, moment: str) -> None:
    """Somebody else was faster, and that is said."""
    who = Somebody(guarded)
    event_id = who.raise_event(subject=SUBJECT)
    before = set(guarded.events()) - {event_id}
    remove = lambda: who.remove_event(event_id)  # noqa: E731 - it is handed on
    answer = meanwhile(remove, agree)
    if moment == "after the backup":
        answer = meanwhile(lambda: guarded.meddler.before("GET", event_id, remove, number=2), agree)
    client = await guarded.connect(answer)

    outcome = await result(client, "delete_event", eventId=event_id)

    assert (outcome["status"], outcome["removed"]) == ("done", 0)
    assert "already" in outcome["message"]
    assert set(guarded.events()) == before


async def test_an_asked_change_of_one_event_is_for_the_event_as_it_was(guarded: Guarded) -> None:
    """Where the hour's unasked changes are used up, a person sees the event before it changes."""
    guarded = await guarded.beside(confirm_above=0)
    who = Somebody(guarded)
    event_id = who.raise_event(subject=SUBJECT)
    client = await guarded.connect(
        meanwhile(lambda: who.change_event(event_id, state="resolved"), agree)
    )

    outcome: dict[str, Any] = await result(
        client, "update_event", eventId=event_id, state="acknowledged"
    )

    assert outcome["status"] == "drifted"
    [row] = guarded.sandbox.store.rows("SELECT state FROM events WHERE id = ?", event_id)
    assert row["state"] == 2
