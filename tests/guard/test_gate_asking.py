"""Asking: what a person can answer, and what then happens to the data."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.guard.assembly import principal_of
from tests.calling import by_column, content, refusal, result, stored
from tests.guard.guarding import Answer, Guarded, accept, close, guarded_server, refuse
from tests.guard.meddling import Somebody, agree

TABLE = "parts"
ROWS = 300


async def truncate(guarded: Guarded, answer: Answer | None, **arguments: Any) -> dict[str, Any]:
    """What truncate_rows answers when the person answers so."""
    client = await guarded.connect(answer)
    return await result(client, "truncate_rows", dataTableId=TABLE, **arguments)


async def test_the_exact_name_empties_the_table_and_keeps_a_backup(guarded: Guarded) -> None:
    """What the person agreed to happens, once, with a backup and its lines in the audit."""
    outcome = await truncate(guarded, accept(TABLE))

    assert outcome["status"] == "done"
    assert outcome["removed"] == ROWS
    assert guarded.rows(TABLE) == []
    [(question, schema)] = guarded.questions
    assert question.startswith(f"DELETE all {ROWS} rows: data table “{TABLE}” (id ")
    assert list(schema["properties"]) == ["confirmation"]
    assert schema["properties"]["confirmation"] == {
        "type": "string",
        "title": f"Type the name to DELETE all {ROWS} rows",
    }
    manifest = (await (await guarded.guard()).backups.list(*_whose(guarded)))[0]
    assert (manifest.id, manifest.count) == (outcome["backupId"], ROWS)
    kinds = [line.kind for line in await guarded.audited()]
    assert kinds == ["planned", "asked", "approved", "running", "backed_up", "ran"]


def _whose(guarded: Guarded) -> tuple[str, str, str]:
    token = guarded.settings.api_token
    assert token is not None
    return principal_of(token), guarded.settings.api_url, guarded.sandbox.application_id


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (refuse, "declined", "The person said no."),
        (close, "cancelled", "closed without an answer"),
        (accept("Parts"), "declined", "not the exact phrase"),
        (accept(""), "declined", "not the exact phrase"),
        (accept(True), "declined", "not the exact phrase"),
    ],
    ids=["no", "closed", "wrong name", "empty", "a plain yes"],
)
async def test_any_other_answer_changes_nothing_and_says_so(
    guarded: Guarded, answer: Answer, status: str, words: str
) -> None:
    """Each kind of no has its own true message."""
    before = stored(guarded.sandbox)

    outcome = await truncate(guarded, answer)

    assert outcome["status"] == status
    assert words in outcome["message"]
    assert "Nothing was changed." in outcome["message"]
    assert stored(guarded.sandbox) == before


async def test_without_forms_a_person_is_pointed_to_and_nothing_runs(guarded: Guarded) -> None:
    """The reference in the answer grants nothing, however often it is used."""
    before = stored(guarded.sandbox)

    first = await truncate(guarded, None)
    second = await truncate(guarded, None, approvalId=first["approvalId"])
    third = await truncate(guarded, None)

    assert first["status"] == second["status"] == third["status"] == "approval_required"
    assert first["approvalId"] == second["approvalId"] == third["approvalId"]
    assert "losant-mcp approve" in first["message"]
    assert stored(guarded.sandbox) == before


async def test_a_yes_given_elsewhere_runs_the_plan_once(guarded: Guarded) -> None:
    """Approved at the terminal, the same call with the reference runs; again it tells the end."""
    first = await truncate(guarded, None)
    store = (await guarded.guard()).ledger.store
    await store.decide(first["approvalId"], "approved", way="terminal", by="somebody")

    done = await truncate(guarded, None, approvalId=first["approvalId"])
    again = await truncate(guarded, None, approvalId=first["approvalId"])

    assert done["status"] == "done"
    assert done["removed"] == ROWS
    assert again == done
    assert [line.kind for line in await guarded.audited()].count("ran") == 1


async def test_a_yes_is_for_these_arguments_and_this_tool_only(guarded: Guarded) -> None:
    """Another table, another tool and an edited reference are refused; the yes stays unused."""
    first = await truncate(guarded, None)
    approval = first["approvalId"]
    store = (await guarded.guard()).ledger.store
    await store.decide(approval, "approved", way="terminal", by="somebody")
    before = stored(guarded.sandbox)
    client = await guarded.connect()

    for name, arguments in (
        ("truncate_rows", {"dataTableId": "sites", "approvalId": approval}),
        ("delete_data_table", {"dataTableId": TABLE, "approvalId": approval}),
        ("truncate_rows", {"dataTableId": TABLE, "approvalId": approval[:4] + approval[:3:-1]}),
        ("truncate_rows", {"dataTableId": TABLE, "approvalId": "apr_" + "a" * 26}),
        ("truncate_rows", {"dataTableId": TABLE, "approvalId": "' OR 1=1 --"}),
    ):
        assert "Nothing was changed." in await refusal(client, name, **arguments)

    assert stored(guarded.sandbox) == before


async def test_a_single_event_takes_a_plain_yes_and_nothing_else(guarded: Guarded) -> None:
    """JSON true deletes it; a word that looks like it does not."""
    client = await guarded.connect(accept("true"))
    [event] = (await result(client, "list_events", perPage=1))["rows"]
    no = await client.call_tool("delete_event", {"eventId": event[0]})

    assert content(no)["status"] == "declined"
    [(_, schema)] = guarded.questions
    assert schema["properties"]["confirmation"] == {
        "type": "boolean",
        "title": "Yes, DELETE this event",
    }
    still = guarded.sandbox.store.rows("SELECT 1 FROM events WHERE id = ?", event[0])
    assert len(still) == 1


async def test_after_a_no_the_same_target_rests_for_ten_minutes(guarded: Guarded) -> None:
    """A model that asks again at once is told so; another target may still be asked about."""
    await truncate(guarded, refuse)
    client = await guarded.connect(accept(TABLE))

    told = await refusal(client, "truncate_rows", dataTableId=TABLE)

    assert "Nothing was changed." in told
    assert len(guarded.questions) == 1
    other = await guarded.connect(accept("sites"))
    assert (await result(other, "truncate_rows", dataTableId="sites"))["status"] == "done"


async def test_three_noes_in_a_row_lock_destruction_until_a_person_unlocks_it(
    guarded: Guarded,
) -> None:
    """No further question is asked; the terminal's unlock lets one be asked again."""
    client = await guarded.connect(refuse)
    for table in ("parts", "sites", "assets"):
        await result(client, "truncate_rows", dataTableId=table)
    willing = await guarded.connect(accept("maintenance_log"))

    told = await refusal(willing, "truncate_rows", dataTableId="maintenance_log")
    assert "losant-mcp approve" in told
    assert len(guarded.questions) == 3

    await (await guarded.guard()).ledger.store.unlock()
    outcome = await result(willing, "truncate_rows", dataTableId="maintenance_log")
    assert outcome["status"] == "done"


async def test_a_blocked_server_asks_nobody(guarded: Guarded) -> None:
    """With LOSANT_MCP_CONFIRM=block the tools are listed and refuse."""
    blocked = await guarded_server(
        guarded.sandbox,
        guarded.mode,
        guarded.settings.state_dir,  # type: ignore[arg-type]  # it is set
        guarded.stack,
        confirm="block",
    )
    client = await blocked.connect(accept(TABLE))

    told = await refusal(client, "truncate_rows", dataTableId=TABLE)

    assert "LOSANT_MCP_CONFIRM=human" in told
    assert blocked.questions == []
    assert len(guarded.rows(TABLE)) == ROWS


@pytest.mark.parametrize("setting", [{"ask": "page"}, {"approve": "pin"}], ids=["page", "pin"])
async def test_a_form_is_not_trusted_where_the_operator_wants_more(
    guarded: Guarded, setting: dict[str, Any]
) -> None:
    """With the page, or the PIN, demanded, a client that would say yes is not even asked."""
    folder = guarded.settings.state_dir
    assert folder is not None
    strict = await guarded_server(guarded.sandbox, guarded.mode, folder, guarded.stack, **setting)
    client = await strict.connect(accept(TABLE))

    outcome = await result(client, "truncate_rows", dataTableId=TABLE)

    assert outcome["status"] == "approval_required"
    assert strict.questions == []
    assert len(guarded.rows(TABLE)) == ROWS


async def test_a_change_that_losant_refuses_is_an_error_and_not_an_interruption(
    guarded: Guarded,
) -> None:
    """A clash of a unique column is told as Losant's refusal, with nothing changed."""
    client = await guarded.connect()
    found = await result(client, "list_rows", dataTableId="sites", limit=2)
    first, second = (dict(zip(found["columns"], row, strict=True)) for row in found["rows"])
    before = guarded.rows("sites")

    told = await refusal(
        client,
        "update_row",
        dataTableId="sites",
        rowId=first["id"],
        row={"siteCode": second["siteCode"]},
    )

    assert told.endswith("Nothing was changed.")
    assert guarded.rows("sites") == before


@pytest.mark.parametrize("agrees", [True, False])
async def test_setting_a_name_back_is_asked_as_the_new_name_was(
    guarded: Guarded, agrees: bool
) -> None:
    """A restore is no way around the question about a table that has rows."""
    who = Somebody(guarded)
    table = who.make_tanks()
    renamer = await guarded.connect(agree)
    await result(renamer, "update_data_table", dataTableId=table, name="reservoirs")
    backups = by_column(await result(renamer, "list_backups"))
    client = await guarded.connect(agree if agrees else refuse)

    outcome = await result(client, "restore_backup", backupId=backups[0]["backupId"])

    assert outcome["status"] == ("done" if agrees else "declined")
    assert guarded.questions[-1][0].endswith("To agree, type: tanks")
    assert guarded.table_id("tanks" if agrees else "reservoirs") == table


async def test_a_question_knows_what_this_server_did_there(guarded: Guarded) -> None:
    """Also what nobody was asked about: a row and an event count for the table and all events."""
    who = Somebody(guarded)
    table = {"dataTableId": who.make_tanks()}
    client = await guarded.connect(agree)
    await result(client, "insert_rows", **table, rows=[{"name": "a"}, {"name": "b"}])
    await result(client, "update_row", **table, rowId=who.rows["east"], row={"level": 1})
    await result(client, "delete_row", **table, rowId=who.rows["east"])
    made = await result(client, "create_event", level="info", subject="Hello")
    event = {"eventId": made["event"]["id"]}
    await result(client, "update_event", **event, state="resolved")

    alone = await guarded.connect()
    await result(alone, "truncate_rows", **table)
    await result(alone, "delete_event", **event)
    await result(alone, "delete_events", query={"subject": "Hello"})

    told = [
        [change.rpartition(" (")[0] for change in plan.shown.recent_changes]
        for plan in await guarded.plans("pending")
    ]
    assert told == [
        ["ADD 2 rows", "CHANGE this row", "DELETE this row"],
        ["CHANGE this event"],
        ["ADD 1 event", "CHANGE this event"],
    ]
