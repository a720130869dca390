"""Rows that change between plan, yes, backup and deletion: what was seen goes, the rest stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.calling import result
from tests.guard.guarding import Answer, Guarded
from tests.guard.meddling import LOW, OTHERS, TANKS, Somebody, agree, meanwhile, moments

Change = Callable[[Somebody], object]


def _edited(who: Somebody) -> None:
    who.set("east", 6)


def _edited_out(who: Somebody) -> None:
    who.set("east", 70)


def _out_and_in_again(who: Somebody) -> None:
    who.set("east", 70)
    who.set("east", 7)


def _swapped(who: Somebody) -> None:
    who.set("east", 70)
    who.set("hill", 1)


def _added(who: Somebody) -> None:
    who.add("new", 1)


def _removed(who: Somebody) -> None:
    who.remove("east")


CHANGES: list[tuple[Change, set[str], str]] = [
    (_edited, {"east"}, "1 object changed since the plan and was kept."),
    (_edited_out, {"east"}, "1 object changed since the plan and was kept."),
    (_out_and_in_again, {"east"}, "1 object changed since the plan and was kept."),
    (_swapped, {"east"}, "1 object changed since the plan and was kept."),
    (_added, {"new"}, "were removed."),
    (_removed, set(), "1 object had already vanished."),
]


async def _delete_low(guarded: Guarded, who: Somebody, answer: Answer) -> dict[str, Any]:
    client = await guarded.connect(answer)
    return await result(client, "delete_rows", dataTableId=who.table, query=LOW)


@moments
@pytest.mark.parametrize(("change", "kept", "told"), CHANGES)
async def test_what_the_person_saw_goes_and_what_changed_since_stays(
    guarded: Guarded, moment: str, change: Change, kept: set[str], told: str
) -> None:
    """Neither an edit nor a newcomer is deleted, even where the counts stay equal."""
    who = Somebody(guarded)
    who.make_tanks()
    answer: Answer = agree
    if moment == "after the backup":
        guarded.meddler.before("POST", "/rows/delete", lambda: change(who))
    else:
        answer = meanwhile(lambda: change(who), agree)

    outcome = await _delete_low(guarded, who, answer)

    assert outcome["status"] == "done"
    assert set(who.left()) == OTHERS | kept
    assert outcome["removed"] == len(set(TANKS) - OTHERS - kept) - (change is _removed)
    assert told in outcome["message"]


def _renamed(who: Somebody) -> None:
    who.rename()


def _made_anew(who: Somebody) -> None:
    who.make_anew()


def _column_added(who: Somebody) -> None:
    who.add_column()


TABLE_CHANGES: list[tuple[Change, str]] = [
    (_renamed, "the table was renamed"),
    (_made_anew, "the table is gone"),
    (_column_added, "the table's columns were changed"),
]


@moments
@pytest.mark.parametrize(("change", "told"), TABLE_CHANGES)
@pytest.mark.parametrize("tool", ["delete_rows", "truncate_rows"])
async def test_another_table_than_the_person_saw_loses_nothing(
    guarded: Guarded, tool: str, moment: str, change: Change, told: str
) -> None:
    """Renamed, made anew under its name, or with another column: the run stops as drifted."""
    who = Somebody(guarded)
    table = who.make_tanks()
    answer: Answer = agree
    if moment == "after the backup":
        # The first look after the yes is for the backup, the second one checks again.
        answer = meanwhile(
            lambda: guarded.meddler.before("GET", table, lambda: change(who), number=2), agree
        )
    else:
        answer = meanwhile(lambda: change(who), agree)
    client = await guarded.connect(answer)

    more = {"query": LOW} if tool == "delete_rows" else {}
    outcome = await result(client, tool, dataTableId=table, **more)

    assert outcome["status"] == "drifted"
    assert told in outcome["message"]
    assert "Nothing was changed." in outcome["message"]
    assert who.left() == TANKS
    assert [line.kind for line in await guarded.audited()][-1] == "drifted"


async def test_a_table_called_by_name_is_not_another_one_of_that_name(guarded: Guarded) -> None:
    """While the person reads, the table is deleted and made anew under its name."""
    who = Somebody(guarded)
    who.make_tanks()
    client = await guarded.connect(meanwhile(who.make_anew, agree))

    answer = await client.call_tool("truncate_rows", {"dataTableId": "tanks"})

    assert "Nothing was changed." in str(answer.content)
    assert who.left() == TANKS


@pytest.mark.parametrize(
    ("moment", "change", "told"),
    [
        ("while the person reads", _edited, "the row was changed since"),
        ("while the person reads", _out_and_in_again, "the row was changed since"),
        ("while the person reads", _renamed, "the table was renamed"),
        ("while the person reads", _column_added, "the table's columns were changed"),
        ("after the backup", _edited, "the row was changed since"),
        ("after the backup", _out_and_in_again, "the row was changed since"),
    ],
)
async def test_a_single_row_that_changed_since_stays(
    guarded: Guarded, moment: str, change: Change, told: str
) -> None:
    """The yes was for the row as it was."""
    who = Somebody(guarded)
    who.make_tanks()
    row = who.rows["east"]
    answer = meanwhile(lambda: change(who), agree)
    if moment == "after the backup":
        answer = meanwhile(
            lambda: guarded.meddler.before("GET", row, lambda: change(who), number=2), agree
        )
    client = await guarded.connect(answer)

    outcome = await result(client, "delete_row", dataTableId=who.table, rowId=row)

    assert outcome["status"] == "drifted"
    assert told in outcome["message"]
    assert set(who.left()) == set(TANKS)


async def test_a_single_row_that_vanished_is_no_failure(guarded: Guarded) -> None:
    """Somebody else was faster, and that is said."""
    who = Somebody(guarded)
    who.make_tanks()
    client = await guarded.connect(meanwhile(lambda: who.remove("east"), agree))

    outcome = await result(client, "delete_row", dataTableId=who.table, rowId=who.rows["east"])

    assert outcome["status"] == "done"
    assert outcome["removed"] == 0
    assert "already gone" in outcome["message"]
    assert set(who.left()) == set(TANKS) - {"east"}
