"""What an hour holds: deletions, unasked changes, new rows and events, and easy yeses."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.calling import by_column, refusal, result, stored
from tests.guard.guarding import Guarded, refuse
from tests.guard.meddling import LOW, TANKS, Somebody, agree

MOST = len(TANKS)
AN_HOUR = 5 * MOST


async def _approved(guarded: Guarded, who: Somebody, number: int) -> list[dict[str, Any]]:
    """The arguments of calls that empty as many tables, each with a person's yes."""
    client = await guarded.connect()
    store = (await guarded.guard()).ledger.store
    calls = []
    for _ in range(number):
        table = who.make_tanks()
        planned = await result(client, "truncate_rows", dataTableId=table)
        await store.decide(planned["approvalId"], "approved", way="terminal", by="somebody")
        calls.append({"dataTableId": table, "approvalId": planned["approvalId"]})
    return calls


def _rows_left(guarded: Guarded, calls: list[dict[str, Any]]) -> list[int]:
    count = guarded.sandbox.store.rows
    return [len(count(f"SELECT id FROM rows_{call['dataTableId']}")) for call in calls]


async def test_ten_approved_plans_at_once_stay_within_the_hour(guarded: Guarded) -> None:
    """Each is agreed to, and five of them are all that an hour holds, also for a second server."""
    small = await guarded.beside(max_delete=MOST)
    who = Somebody(small)
    calls = await _approved(small, who, 10)
    client = await small.connect()
    told: list[str] = []

    async def call(arguments: dict[str, Any]) -> None:
        answer = await client.call_tool("truncate_rows", arguments)
        told.append("error" if answer.is_error else (answer.structured_content or {})["status"])

    async with anyio.create_task_group() as tasks:
        for arguments in calls:
            tasks.start_soon(call, arguments)

    assert sorted(_rows_left(small, calls)) == [0] * 5 + [MOST] * 5
    assert sorted(told) == ["done"] * 5 + ["error"] * 5
    refused = next(c for c in calls if _rows_left(small, [c]) == [MOST])
    again = await refusal(client, "truncate_rows", **refused)
    assert f"At most {AN_HOUR} objects may be destroyed an hour" in again
    assert again.endswith("Nothing was changed.")

    other = await small.beside(max_delete=MOST)
    [more] = await _approved(other, who, 1)
    assert "an hour" in await refusal(await other.connect(), "truncate_rows", **more)
    assert _rows_left(small, [more]) == [MOST]


async def test_after_ten_easy_yeses_the_next_one_is_typed(guarded: Guarded) -> None:
    """A hand that clicks yes ten times within the hour has to read again."""
    client = await guarded.connect(agree)
    listed = by_column(await result(client, "list_events", perPage=12))

    for event in listed[:11]:
        outcome = await result(client, "delete_event", eventId=event["id"])
        assert outcome["status"] == "done"

    kinds = [schema["properties"]["confirmation"]["type"] for _, schema in guarded.questions]
    assert kinds == ["boolean"] * 10 + ["string"]
    last = listed[10]["id"]
    assert guarded.questions[-1][0].endswith(f"To agree, type: delete {last[-6:]}")
    assert not {event["id"] for event in listed[:11]} & set(guarded.events())


async def test_a_no_stands_for_the_plans_that_wait_beside_it(guarded: Guarded) -> None:
    """Several plans for one table are made before the person says no to the first of them."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    waiting = await guarded.connect()
    plans = [
        await result(waiting, "delete_rows", **table, query={"name": name})
        for name in ("dam", "hill")
    ]
    store = (await guarded.guard()).ledger.store
    await store.decide(plans[0]["approvalId"], "declined", way="terminal", by="somebody")
    client = await guarded.connect(agree)

    told = await refusal(client, "delete_rows", **table, query={"name": "hill"})

    assert "A person said no to this on this target" in told
    assert guarded.questions == []
    assert who.left() == TANKS


async def test_changes_that_nobody_is_asked_about_are_counted(guarded: Guarded) -> None:
    """Eight times confirm_above an hour; the next one is asked, and a no leaves all as it is."""
    guarded = await guarded.beside(confirm_above=1)
    who = Somebody(guarded)
    row = {"dataTableId": who.make_tanks(), "rowId": who.rows["east"]}
    client = await guarded.connect(refuse)

    for level in range(8):
        await result(client, "update_row", **row, row={"level": level})
    assert guarded.questions == []
    asked = await result(client, "update_row", **row, row={"level": 99})

    assert asked["status"] == "declined"
    assert who.left()["east"] == 7
    assert len(guarded.questions) == 1
    backups = by_column(await result(client, "list_backups"))
    assert [backup["action"] for backup in backups] == ["update_row"] * 8
    kinds = [line.kind for line in await guarded.audited()]
    assert kinds[:3] == ["running", "backed_up", "ran"]


async def test_the_phrase_of_a_change_says_that_it_is_one(guarded: Guarded) -> None:
    """Whoever types it must not think that the table goes, whose name cannot be shown."""
    who = Somebody(guarded)
    table = who.make_tanks()
    who.rename("**tanks**")
    client = await guarded.connect(agree)

    await result(client, "update_data_table", dataTableId=table, name="reservoirs")

    assert guarded.questions[0][0].endswith(f"To agree, type: change {table[-6:]}")


@pytest.mark.parametrize("agrees", [True, False])
async def test_a_change_beyond_the_hour_happens_with_a_yes_only(
    guarded: Guarded, agrees: bool
) -> None:
    """One event is changed with a person's yes, and not without."""
    guarded = await guarded.beside(confirm_above=0)
    who = Somebody(guarded)
    event_id = who.raise_event()
    before = guarded.events()[event_id]
    client = await guarded.connect(agree if agrees else refuse)

    await client.call_tool("update_event", {"eventId": event_id, "state": "resolved"})

    assert (guarded.events()[event_id] != before) is agrees
    assert len(guarded.questions) == 1


async def test_events_that_arrive_while_it_is_planned_are_asked_about(guarded: Guarded) -> None:
    """Two events need no question; five do, also where three came after they were counted."""
    guarded = await guarded.beside(confirm_above=2)
    who = Somebody(guarded)

    def raise_some(number: int) -> None:
        for _ in range(number):
            who.raise_event(subject="Storm")

    raise_some(2)
    before = guarded.events()
    # The tool counts what is reached and what there is; the third request is the plan's.
    guarded.meddler.before("GET", "/events", lambda: raise_some(3), number=3)
    client = await guarded.connect(refuse)

    outcome = await result(client, "update_events", query={"subject": "Storm"}, state="resolved")

    assert outcome["status"] == "declined"
    assert len(guarded.questions) == 1
    after = guarded.events()
    assert {i: after[i] for i in before} == before


async def test_new_rows_have_a_budget(guarded: Guarded) -> None:
    """What does not fit is refused whole, and the reason says when there is room."""
    guarded = await guarded.beside(max_create_rows=5)
    who = Somebody(guarded)
    table = who.make_tanks()
    client = await guarded.connect()
    three = [{"name": f"new {i}", "level": i} for i in range(3)]

    await result(client, "insert_rows", dataTableId=table, rows=three)
    told = await refusal(client, "insert_rows", dataTableId=table, rows=three)

    assert "At most 5 rows may be created an hour" in told
    assert "There is room for this at" in told
    assert len(who.left()) == len(TANKS) + 3


async def test_new_events_have_a_budget(guarded: Guarded) -> None:
    """A flood of events starves real alarms."""
    guarded = await guarded.beside(max_create_events=2)
    client = await guarded.connect()
    before = len(guarded.events())

    for _ in range(2):
        await result(client, "create_event", level="info", subject="Hello")
    told = await refusal(client, "create_event", level="info", subject="Hello")

    assert "At most 2 events may be created an hour" in told
    assert len(guarded.events()) == before + 2


# ---- modes ---------------------------------------------------------------------------------


async def test_the_page_is_asked_where_the_form_is_not_trusted(guarded: Guarded) -> None:
    """With LOSANT_MCP_ASK=page a client that answers its own forms is never asked."""
    guarded = await guarded.beside(ask="page")
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(agree)

    first = await result(client, "truncate_rows", **table)
    again = await result(client, "truncate_rows", **table, approvalId=first["approvalId"])

    assert first["status"] == again["status"] == "approval_required"
    assert guarded.questions == []
    assert who.left() == TANKS
    assert [line.kind for line in await guarded.audited()] == ["planned", "asked"]


PREVIEW: dict[str, Any] = {
    "confirm": "preview",
    "preview_allow": ("truncate_rows", "delete_rows", "tanks"),
    "preview_max": MOST,
}


async def test_a_preview_works_once_and_says_that_nobody_was_asked(guarded: Guarded) -> None:
    """The second call with the reference is the yes, and a third one only repeats the outcome."""
    guarded = await guarded.beside(**PREVIEW)
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(agree)

    first = await result(client, "truncate_rows", **table)
    assert first["status"] == "approval_required"
    assert "Nobody is asked here" in first["message"]
    assert "Only the person" not in first["message"]
    assert who.left() == TANKS

    done = await result(client, "truncate_rows", **table, approvalId=first["approvalId"])
    who.add("new", 1)
    again = await result(client, "truncate_rows", **table, approvalId=first["approvalId"])

    assert (done["status"], done["removed"]) == ("done", MOST)
    assert again == done
    assert who.left() == {"new": 1}
    assert guarded.questions == []
    [approved] = [line for line in await guarded.audited() if line.kind == "approved"]
    assert approved.facts["way"] == "preview"
    [plan] = await guarded.plans("done")
    assert (plan.way, plan.decided_by) == ("preview", "nobody")


async def test_a_preview_at_the_same_time_is_one_run(guarded: Guarded) -> None:
    """Both calls are answered, and neither with an error."""
    guarded = await guarded.beside(**PREVIEW)
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect()
    first = await result(client, "truncate_rows", **table)

    async def call() -> None:
        await result(client, "truncate_rows", **table, approvalId=first["approvalId"])

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)

    assert who.left() == {}
    assert [line.kind for line in await guarded.audited()].count("running") == 1


@pytest.mark.parametrize(
    ("tool", "more", "told"),
    [
        ("delete_data_table", {}, "not on the operator's preview list"),
        ("truncate_rows", {}, "more than the preview's limit"),
        ("delete_rows", {"query": LOW}, "not on the operator's preview list"),
    ],
    ids=["tool", "too many", "table"],
)
async def test_a_preview_keeps_to_its_list_and_its_limit(
    guarded: Guarded, tool: str, more: dict[str, Any], told: str
) -> None:
    """Another tool, another table and more objects than the operator allowed are refused."""
    limits = {"preview_max": MOST - 1} if tool == "truncate_rows" else {}
    guarded = await guarded.beside(**(PREVIEW | limits))
    who = Somebody(guarded)
    table = who.make_tanks()
    if tool == "delete_rows":
        who.rename()
    client = await guarded.connect(agree)

    assert told in await refusal(client, tool, dataTableId=table, **more)

    assert who.left() == TANKS


async def test_a_preview_lists_tables_and_not_what_others_call_things(guarded: Guarded) -> None:
    """A column and an event's subject open nothing by their names, nor a table by a tool's."""
    tools = ("remove_data_table_column", "delete_event", "truncate_rows")
    guarded = await guarded.beside(**PREVIEW | {"preview_allow": (*tools, "level", "Hello")})
    who = Somebody(guarded)
    table = who.make_tanks()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("remove_data_table_column", {"dataTableId": table, "columnName": "level"}),
        ("delete_event", {"eventId": who.raise_event(subject="Hello")}),
        ("delete_event", {"eventId": who.raise_event(subject="delete_event")}),
        ("truncate_rows", {"dataTableId": table}),
    ]
    who.rename("truncate_rows")
    client = await guarded.connect()

    for tool, arguments in calls:
        told = await refusal(client, tool, **arguments)
        assert "not on the operator's preview list" in told, (tool, arguments)


async def test_a_preview_lets_a_column_of_a_listed_table_go(guarded: Guarded) -> None:
    """The table is on the list by its name, whatever its columns are called."""
    allow = ("remove_data_table_column", "tanks")
    guarded = await guarded.beside(**PREVIEW | {"preview_allow": allow})
    who = Somebody(guarded)
    column = {"dataTableId": who.make_tanks(), "columnName": "level"}
    client = await guarded.connect()

    first = await result(client, "remove_data_table_column", **column)
    await result(client, "remove_data_table_column", **column, approvalId=first["approvalId"])

    assert not who.has_column("level")


async def test_a_blocked_server_changes_nothing_that_would_be_asked(guarded: Guarded) -> None:
    """Renaming a table with rows and changing every event are refused, too."""
    guarded = await guarded.beside(confirm="block")
    who = Somebody(guarded)
    table = who.make_tanks()
    before = stored(guarded.sandbox)
    client = await guarded.connect(agree)

    for tool, arguments in (
        ("delete_rows", {"dataTableId": table, "query": LOW}),
        ("delete_data_table", {"dataTableId": table}),
        ("update_data_table", {"dataTableId": table, "name": "other"}),
        ("update_events", {"all": True, "state": "resolved"}),
    ):
        assert "is blocked" in await refusal(client, tool, **arguments)

    assert stored(guarded.sandbox) == before
    assert guarded.questions == []
