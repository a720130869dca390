"""Exact names for ids: of tables and devices, in every argument that refers to one."""

from __future__ import annotations

import pytest

from losant_mcp.tools.arguments import Ref
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, asked, cells, refusal, result, stored
from tests.served import Sandbox
from tests.tools.plausible import PUMP, arguments, ids_in

TABLE_TOOLS = [n for n, spec in TOOLS.items() if spec.markers.get("dataTableId") == Ref("table")]
DEVICE_TOOLS = [n for n, spec in TOOLS.items() if Ref("device") in spec.markers.values()]


def test_the_tools_that_refer_to_a_table_or_a_device_are_many() -> None:
    """The tables below go over what is there."""
    assert len(TABLE_TOOLS) == 15
    assert len(DEVICE_TOOLS) == 8


async def _twins(connect: Connect, sandbox: Sandbox) -> None:
    """A second table "sites" and a second pump of the same name."""
    client = await connect()
    await result(client, "create_data_table", name="sites")
    with sandbox.store.transaction(write=True) as db:
        db.execute(
            "INSERT INTO devices SELECT '5f0c0de020000000000000ff', applicationId, name,"
            " description, deviceClass, gatewayId, parentId, creationDate, lastUpdated, deletedAt,"
            " connected, connectedAt, disconnectedAt FROM devices WHERE name = ?",
            (PUMP,),
        )


@pytest.mark.parametrize("mode", ["auto"])
async def test_an_ambiguous_name_lists_the_candidates(connect: Connect, sandbox: Sandbox) -> None:
    """Two objects of one name: both ids are told, and neither is picked."""
    await _twins(connect, sandbox)
    client = await connect()
    before, ids = stored(sandbox), ids_in(sandbox.store)
    given = arguments(ids)
    for name in TABLE_TOOLS:
        text = await refusal(client, name, **given[name])
        assert "2 data tables are called 'sites'" in text
        assert ids.table in text
        assert "Use the id." in text
    for name in DEVICE_TOOLS:
        text = await refusal(client, name, **given[name])
        assert f"2 devices are called {PUMP!r}" in text
        assert "5f0c0de020000000000000ff" in text
        assert ids.device in text
    assert stored(sandbox) == before


@pytest.mark.parametrize("mode", ["auto"])
async def test_an_unknown_name_lists_what_there_is(connect: Connect, sandbox: Sandbox) -> None:
    """The nearest name is guessed, and the tool that shows all is named."""
    client = await connect()
    before, given = stored(sandbox), arguments(ids_in(sandbox.store))
    for name in TABLE_TOOLS:
        text = await refusal(client, name, **{**given[name], "dataTableId": "Site"})
        assert "No data table is called 'Site'; did you mean 'sites'?" in text
        assert "'assets'" in text
        assert "list_data_tables shows them all." in text
    for name in DEVICE_TOOLS:
        argument = "deviceIds" if "deviceIds" in TOOLS[name].markers else "deviceId"
        value = "alder street pump"
        some = {**given[name], argument: [value] if argument == "deviceIds" else value}
        text = await refusal(client, name, **some)
        assert f"No device is called {value!r}; did you mean 'Alder Street Pump" in text
        assert "list_devices shows them all." in text
    assert stored(sandbox) == before


async def test_names_match_exactly_with_every_character(connect: Connect, sandbox: Sandbox) -> None:
    """Globs, quotes, blanks and other scripts are characters of a name like any other."""
    client = await connect()
    names = ["a*", "[x]", 'O\'Brien "B" \\', " padded ", "Über", "日本 tables", "50% & more"]
    for name in names:
        made = await result(client, "create_data_table", name=name)
        found = await result(client, "get_data_table", dataTableId=name)
        assert found["dataTable"]["id"] == made["dataTable"]["id"]
    await result(client, "create_data_table", name="ab")
    found = await result(client, "get_data_table", dataTableId="a*")
    assert found["dataTable"]["name"] == "a*"
    padded = await result(client, "get_data_table", dataTableId="padded")
    assert padded["dataTable"]["name"] == " padded "


async def test_many_device_names_are_looked_up_together(connect: Connect, sandbox: Sandbox) -> None:
    """Thirty names cost a few requests, not thirty; ids among them cost none."""
    client = await connect()
    names = [
        row["name"]
        for row in sandbox.store.rows(
            "SELECT name FROM devices WHERE deletedAt IS NULL ORDER BY name LIMIT 30"
        )
    ]
    ids = ids_in(sandbox.store)
    found = await result(
        client, "query_last_values", attribute="flow", deviceIds=[*names, ids.device, PUMP]
    )
    assert cells(found, "deviceId").count(ids.device) == 1
    lookups = asked(sandbox).index("data.lastValueQuery")
    assert lookups <= 3


async def test_a_name_is_looked_up_afresh_each_time(connect: Connect, sandbox: Sandbox) -> None:
    """A table that was deleted and made anew under its name is not the old one."""
    client = await connect()
    old = (await result(client, "get_data_table", dataTableId="sites"))["dataTable"]["id"]
    sandbox.http().delete(f"{sandbox.application_url}/data-tables/{old}")
    await refusal(client, "get_data_table", dataTableId="sites")
    made = await result(client, "create_data_table", name="sites")
    new = (await result(client, "get_data_table", dataTableId="sites"))["dataTable"]["id"]
    assert new == made["dataTable"]["id"] != old


async def test_an_id_that_is_not_there_says_where_to_look(connect: Connect) -> None:
    """404 names the tool that lists what there is."""
    client = await connect()
    gone = "5f0c0de0aaaaaaaaaaaaaaaa"
    for name, given, finder in (
        ("get_event", {"eventId": gone}, "list_events"),
        ("get_data_table", {"dataTableId": gone}, "list_data_tables"),
        ("get_row", {"dataTableId": "sites", "rowId": gone}, "list_rows or query_rows"),
        ("get_device", {"deviceId": gone}, "list_devices"),
        ("list_jobs", {"jobId": gone}, "list_jobs"),
    ):
        text = await refusal(client, name, **given)
        assert "(404)" in text
        assert finder in text


async def test_an_application_without_tables_says_so(connect: Connect, sandbox: Sandbox) -> None:
    """There is nothing to list then."""
    for row in sandbox.store.rows("SELECT id FROM data_tables"):
        sandbox.http().delete(f"{sandbox.application_url}/data-tables/{row['id']}")
    client = await connect()
    text = await refusal(client, "list_rows", dataTableId="sites")
    assert text == "No data table is called 'sites': the application has none."


async def test_a_name_from_the_platform_is_cleaned_in_an_error(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Candidates are data: one line, no control characters, at most 60 characters each."""
    client = await connect()
    await result(client, "create_data_table", name="sitez\n\u202eIGNORE \x1b[31m" + "z" * 200)
    text = await refusal(client, "get_data_table", dataTableId="sitez")
    assert not {"\u202e", "\x1b", "\n"} & set(text)
    assert "z" * 61 not in text
