"""Every tool that writes, through a real client on both versions, with what is then stored."""

from __future__ import annotations

import json

from losant_mcp.api.events import LEVELS, STATES
from tests.calling import Connect, asked, result
from tests.served import Sandbox
from tests.tools.plausible import PUMP, SITE, ids_in


async def test_create_event_stores_what_was_given(connect: Connect, sandbox: Sandbox) -> None:
    """Names become ids, times ms, and the result is the event as stored."""
    client = await connect()
    found = await result(
        client,
        "create_event",
        level="warning",
        subject="Made by a test",
        message="Two\nlines",
        data={"reading": [1, 2.5, None]},
        deviceId=PUMP,
        eventTags={"site": "ALD"},
        creationDate="2026-01-31T08:00:00Z",
        state="acknowledged",
    )
    [event] = sandbox.store.rows("SELECT * FROM events WHERE subject = 'Made by a test'")
    assert found["event"]["id"] == event["id"]
    assert found["resolved"] == {"creationDate": "2026-01-31T08:00:00Z"}
    assert event["creationDate"] == 1_769_846_400_000
    assert LEVELS[event["level"]] == "warning"
    assert STATES[event["state"]] == "acknowledged"
    assert event["message"] == "Two\nlines"
    assert json.loads(event["data"]) == {"reading": [1, 2.5, None]}
    assert event["deviceId"] == ids_in(sandbox.store).device
    tags = sandbox.store.rows("SELECT key, value FROM event_tags WHERE eventId = ?", event["id"])
    assert [tuple(tag) for tag in tags] == [("site", "ALD")]


async def test_update_event_changes_one_event_and_keeps_a_history(
    connect: Connect, sandbox: Sandbox
) -> None:
    """State, comment and device change; the history says so; the other events stay."""
    ids = ids_in(sandbox.store)
    others = sandbox.store.rows("SELECT COUNT(*) FROM events WHERE state = 1")[0][0]
    client = await connect()
    await result(
        client, "update_event", eventId=ids.event, state="acknowledged", comment="On my way."
    )
    await result(client, "update_event", eventId=ids.event, detachDevice=True)
    [event] = sandbox.store.rows("SELECT * FROM events WHERE id = ?", ids.event)
    assert STATES[event["state"]] == "acknowledged"
    assert event["deviceId"] is None
    history = [
        json.loads(row["entry"])
        for row in sandbox.store.rows(
            "SELECT entry FROM event_updates WHERE eventId = ? ORDER BY position", ids.event
        )
    ]
    assert history[-2]["comment"] == "On my way."
    assert "deviceIdChange" in history[-1]
    [(now,)] = sandbox.store.rows("SELECT COUNT(*) FROM events WHERE state = 1")
    assert now == others + 1


async def test_update_events_changes_what_is_selected_and_no_more(
    connect: Connect, sandbox: Sandbox
) -> None:
    """The query and fromState both narrow it down; state is the new one."""
    critical_new = "FROM events WHERE level = 3 AND state = 0"
    expected = sandbox.store.rows(f"SELECT COUNT(*) {critical_new}")[0][0]
    resolved = sandbox.store.rows("SELECT COUNT(*) FROM events WHERE state = 2")[0][0]
    client = await connect()
    found = await result(
        client,
        "update_events",
        query={"level": "critical"},
        fromState="new",
        state="resolved",
        comment="Checked on site.",
    )
    assert (found["status"], found["changed"]) == ("done", expected)
    assert found["message"].startswith(f"{expected} events were changed. restore_backup can")
    assert sandbox.store.rows(f"SELECT COUNT(*) {critical_new}")[0][0] == 0
    [(now,)] = sandbox.store.rows("SELECT COUNT(*) FROM events WHERE state = 2")
    assert now == resolved + expected


async def test_update_events_that_match_nothing_sends_no_change(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Nothing to do is said, and not asked of Losant."""
    client = await connect()
    found = await result(client, "update_events", filter="no such subject", state="resolved")
    assert (found["status"], found["changed"]) == ("done", 0)
    assert "events.patch" not in asked(sandbox)


async def test_create_data_table_stores_columns(connect: Connect, sandbox: Sandbox) -> None:
    """The table is there with its columns, constraints and defaults."""
    client = await connect()
    found = await result(
        client,
        "create_data_table",
        name="visits",
        description="Who came",
        columns=[
            {"name": "who", "dataType": "string", "constraint": "required"},
            {"name": "paid", "dataType": "boolean", "constraint": "optional", "defaultValue": True},
        ],
    )
    [table] = sandbox.store.rows("SELECT * FROM data_tables WHERE name = 'visits'")
    assert found["dataTable"]["id"] == table["id"]
    assert table["description"] == "Who came"
    columns = sandbox.store.rows(
        'SELECT name, dataType, "constraint", defaultValue FROM data_table_columns'
        " WHERE dataTableId = ? ORDER BY position",
        table["id"],
    )
    assert [tuple(column) for column in columns] == [
        ("who", "string", "required", None),
        ("paid", "boolean", "optional", "true"),
    ]


async def test_update_data_table_describes_and_asks_before_it_renames(
    connect: Connect, sandbox: Sandbox
) -> None:
    """The description changes at once; the new name of a table with rows needs a person's yes."""
    client = await connect()
    found = await result(client, "update_data_table", dataTableId="sites", description="")
    asked_for = await result(client, "update_data_table", dataTableId="sites", name="places")
    assert asked_for["status"] == "approval_required"
    [table] = sandbox.store.rows("SELECT * FROM data_tables WHERE name = 'sites'")
    assert found["dataTable"]["id"] == table["id"]
    assert (table["description"], table["rowCount"]) == ("", 20)


async def test_add_data_table_column_leaves_rows_null(connect: Connect, sandbox: Sandbox) -> None:
    """The column is there; existing rows hold null whatever its default."""
    client = await connect()
    await result(
        client,
        "add_data_table_column",
        dataTableId="sites",
        name="floor",
        dataType="number",
        defaultValue=1,
    )
    found = await result(
        client, "query_rows", dataTableId="sites", query={"floor": None}, countOnly=True
    )
    assert found["total"] == 20
    [(kind, default)] = sandbox.store.rows(
        "SELECT dataType, defaultValue FROM data_table_columns WHERE name = 'floor'"
    )
    assert (kind, default) == ("number", "1")


async def test_insert_rows_stores_one_and_many(connect: Connect, sandbox: Sandbox) -> None:
    """The answer counts them and names the first twenty; defaults fill what is left out."""
    table = ids_in(sandbox.store).table
    client = await connect()
    one = await result(client, "insert_rows", dataTableId="sites", rows=[SITE])
    assert one["changed"] == len(one["rowIds"]) == 1
    many = await result(
        client,
        "insert_rows",
        dataTableId="sites",
        rows=[{**SITE, "siteCode": f"N{n}"} for n in range(30)],
    )
    assert many["changed"] == 30
    assert many["message"] == "30 of 30 rows were inserted. rowIds has the first 20."
    assert len(many["rowIds"]) == 20
    [(count,)] = sandbox.store.rows(f"SELECT COUNT(*) FROM rows_{table}")
    assert count == 51
    row = (await result(client, "get_row", dataTableId="sites", rowId=one["rowIds"][0]))["row"]
    assert (row["siteCode"], row["staffed"], row["notes"]) == ("NEW", False, None)


async def test_insert_rows_counts_rows_not_a_column_called_count(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Losant answers a single row with its columns, which may be called anything."""
    client = await connect()
    column = {"name": "count", "dataType": "number", "constraint": "optional"}
    await result(client, "create_data_table", name="tallies", columns=[column])
    found = await result(client, "insert_rows", dataTableId="tallies", rows=[{"count": 99}])
    assert found["changed"] == 1
    assert found["message"] == "1 of 1 rows were inserted."


async def test_update_row_changes_the_given_columns_only(
    connect: Connect, sandbox: Sandbox
) -> None:
    """A column that is not given stays; null empties an optional one."""
    ids = ids_in(sandbox.store)
    client = await connect()
    await result(
        client,
        "update_row",
        dataTableId="sites",
        rowId=ids.row,
        row={"households": 2200, "builtYear": None},
    )
    row = (await result(client, "get_row", dataTableId="sites", rowId=ids.row))["row"]
    assert (row["households"], row["builtYear"], row["name"]) == (2200, None, "Alder Street")
    others = await result(client, "query_rows", dataTableId="sites", query={"builtYear": None})
    assert others["total"] == 1


async def test_exports_write_a_file_and_tell_where(connect: Connect, sandbox: Sandbox) -> None:
    """Each export is followed to its end; its link works and holds what was asked for."""
    client = await connect()
    events = await result(
        client, "export_events", query={"level": "critical"}, format="json", excludeUpdates=True
    )
    rows = await result(
        client,
        "export_rows",
        dataTableId="sites",
        query={"district": "West"},
        sortColumn="name",
        limit=2,
    )
    data = await result(
        client, "export_device_data", deviceIds=[PUMP], attributes=["flow"], start="-2h"
    )
    files = []
    for found in (events, rows, data):
        assert (found["status"], found["message"]) == ("done", "The job has ended.")
        [url] = found["output"]["downloadUrls"]
        files.append(sandbox.http().get(url).text)
    [(critical,)] = sandbox.store.rows("SELECT COUNT(*) FROM events WHERE level = 3")
    assert len(json.loads(files[0])) == critical
    assert [line.split(",")[4] for line in files[1].splitlines()[1:]] == ["Dairy Farm", "Kingsway"]
    assert files[2].splitlines()[0].endswith("deviceName,flow")
