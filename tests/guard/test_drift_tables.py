"""Whole tables whose rows change between plan, yes, backup and the one request: nothing goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.calling import result
from tests.guard.guarding import Answer, Guarded, refuse
from tests.guard.meddling import TANKS, Somebody, agree, meanwhile, moments

Change = Callable[[Somebody], object]


def _one_out_one_in(who: Somebody) -> None:
    who.remove("east")
    who.add("east", 7)


def _another_edit_and_another_row(who: Somebody) -> None:
    who.set("east", 6)
    who.add("newer", 2)


CHANGES: dict[str, Change] = {
    "added": lambda who: who.add("new", 1),
    "changed": lambda who: who.set("east", 6),
    "removed": lambda who: who.remove("east"),
    "one out, one in": _one_out_one_in,
}
TOOLS: dict[str, dict[str, Any]] = {
    "truncate_rows": {},
    "delete_data_table": {},
    "remove_data_table_column": {"columnName": "level"},
}


async def _call(guarded: Guarded, who: Somebody, tool: str, answer: Answer) -> dict[str, Any]:
    client = await guarded.connect(answer)
    return await result(client, tool, dataTableId=who.table, **TOOLS[tool])


@moments
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("tool", TOOLS)
async def test_a_table_whose_rows_changed_since_stays_whole(
    guarded: Guarded, tool: str, change: str, moment: str
) -> None:
    """Anything but what the person saw stops the run before its only deletion."""
    who = Somebody(guarded)
    table = who.make_tanks()
    answer = meanwhile(lambda: CHANGES[change](who), agree)
    if moment == "after the backup":
        # The first look after the yes is for the backup, the second one checks again.
        answer = meanwhile(
            lambda: guarded.meddler.before("GET", table, lambda: CHANGES[change](who), number=2),
            agree,
        )

    outcome = await _call(guarded, who, tool, answer)

    assert outcome["status"] == "drifted"
    assert "Nothing was changed." in outcome["message"]
    # Only where all the rows are there that were agreed to, they are offered without the new ones.
    assert ("plan" in outcome) is (tool == "truncate_rows" and change == "added")
    expected = dict(TANKS)
    CHANGES_TO_EXPECT[change](expected)
    assert who.left() == expected
    assert who.has_column("level")


CHANGES_TO_EXPECT: dict[str, Callable[[dict[str, int]], object]] = {
    "added": lambda tanks: tanks.update(new=1),
    "changed": lambda tanks: tanks.update(east=6),
    "removed": lambda tanks: tanks.pop("east"),
    "one out, one in": lambda tanks: None,
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Somebody.rename, "the table was renamed"),
        (Somebody.make_anew, "the table is gone"),
        (Somebody.add_column, "the table's columns were changed"),
    ],
)
async def test_a_table_to_delete_that_is_another_one_stays(
    guarded: Guarded, change: Change, told: str
) -> None:
    """Also where the change comes after the backup."""
    who = Somebody(guarded)
    table = who.make_tanks()
    answer = meanwhile(
        lambda: guarded.meddler.before("GET", table, lambda: change(who), number=2), agree
    )

    outcome = await _call(guarded, who, "delete_data_table", answer)

    assert (outcome["status"], told in outcome["message"]) == ("drifted", True)
    assert who.left() == TANKS


async def test_a_column_that_somebody_else_removed_is_a_drift(guarded: Guarded) -> None:
    """The other columns of the table are not touched."""
    who = Somebody(guarded)
    who.make_tanks()

    outcome = await _call(
        guarded, who, "remove_data_table_column", meanwhile(who.remove_column, agree)
    )

    assert outcome["status"] == "drifted"
    assert who.has_column("name")


@moments
async def test_rows_that_were_only_added_stay_and_the_agreed_ones_go_on_a_second_yes(
    guarded: Guarded, moment: str
) -> None:
    """A drifted truncate offers the rows of before, one by one, and asks for just these."""
    who = Somebody(guarded)
    table = who.make_tanks()
    add = lambda: who.add("new", 1)  # noqa: E731 - it is handed on twice
    late = lambda: guarded.meddler.before("GET", table, add, number=2)  # noqa: E731
    first = meanwhile(late if moment == "after the backup" else add, agree)

    drifted = await _call(guarded, who, "truncate_rows", first)
    assert drifted["status"] == "drifted"
    assert drifted["plan"]["count"] == len(TANKS)
    assert set(who.left()) == {*TANKS, "new"}

    done = await _call(guarded, who, "truncate_rows", agree)

    assert (done["status"], done["removed"]) == ("done", len(TANKS))
    assert set(who.left()) == {"new"}
    (first_question, _), (second_question, _) = guarded.questions
    assert first_question.startswith("DELETE all 6 rows: data table “tanks”")
    assert second_question.startswith("DELETE the 6 rows of before: data table “tanks”")
    kinds = [line.kind for line in await guarded.audited()]
    assert kinds.count("planned") == kinds.count("asked") == kinds.count("approved") == 2
    assert kinds[-1] == "ran"


async def test_what_is_offered_after_a_drift_can_be_refused(guarded: Guarded) -> None:
    """The yes of before is used up."""
    who = Somebody(guarded)
    who.make_tanks()
    await _call(guarded, who, "truncate_rows", meanwhile(lambda: who.add("new", 1), agree))

    outcome = await _call(guarded, who, "truncate_rows", refuse)

    assert outcome["status"] == "declined"
    assert set(who.left()) == {*TANKS, "new"}


async def test_a_second_drift_still_keeps_what_changed(guarded: Guarded) -> None:
    """Between the second question and its run a row of before is edited and a further one comes."""
    who = Somebody(guarded)
    who.make_tanks()
    await _call(guarded, who, "truncate_rows", meanwhile(lambda: who.add("new", 1), agree))

    outcome = await _call(
        guarded,
        who,
        "truncate_rows",
        meanwhile(lambda: _another_edit_and_another_row(who), agree),
    )

    assert (outcome["status"], outcome["removed"]) == ("done", len(TANKS) - 1)
    assert set(who.left()) == {"east", "new", "newer"}
