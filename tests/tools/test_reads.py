"""Every tool that reads, through a real client on both versions, against what is stored."""

from __future__ import annotations

from losant_mcp.sandbox.demo.ids import demo_id
from tests.calling import Connect, by_column, cells, result, stored
from tests.served import Sandbox
from tests.tools.plausible import PUMP, ids_in


def _count(sandbox: Sandbox, sql: str) -> int:
    return int(sandbox.store.rows(f"SELECT COUNT(*) FROM {sql}")[0][0])


async def test_list_events_shows_the_newest_and_counts_all(
    connect: Connect, sandbox: Sandbox
) -> None:
    """The total is Losant's, the page the newest, and the next page is named."""
    client = await connect()
    found = await result(client, "list_events", state="new", perPage=3)
    newest = sandbox.store.rows(
        "SELECT id FROM events WHERE state = 0 ORDER BY creationDate DESC, id DESC LIMIT 3"
    )
    assert cells(found, "id") == [row["id"] for row in newest]
    assert found["total"] == _count(sandbox, "events WHERE state = 0")
    assert found["returned"] == 3
    assert found["next"] == {"state": "new", "perPage": 3, "page": 1}
    assert found["columns"] == [
        "id", "level", "state", "subject", "deviceName", "deviceId", "creationDate",
    ]  # fmt: skip


async def test_list_events_takes_filter_query_state_sort_and_fields(
    connect: Connect, sandbox: Sandbox
) -> None:
    """A filter is a glob on the subject; a state beside a query narrows it."""
    client = await connect()
    globbed = await result(client, "list_events", filter="Motor temp*")
    assert globbed["total"] == _count(sandbox, "events WHERE subject LIKE 'Motor temp%'")
    both = await result(
        client,
        "list_events",
        state="new",
        query={"level": {"$gte": "error"}},
        sortField="level",
        fields=["message", "id", "message"],
    )
    assert both["total"] == _count(sandbox, "events WHERE state = 0 AND level >= 2")
    assert both["columns"] == ["message", "id"]


async def test_get_most_severe_event_tells_the_event_and_how_many_are_new(
    connect: Connect, sandbox: Sandbox
) -> None:
    """It is the newest of the highest level that is new."""
    client = await connect()
    found = await result(client, "get_most_severe_event")
    [worst] = sandbox.store.rows(
        "SELECT id FROM events WHERE state = 0 ORDER BY level DESC, creationDate DESC LIMIT 1"
    )
    assert found["event"]["id"] == worst["id"]
    assert found["newCount"] == _count(sandbox, "events WHERE state = 0")
    narrow = await result(client, "get_most_severe_event", filter="Burner lockout*")
    assert narrow["event"]["subject"].startswith("Burner lockout")
    none = await result(client, "get_most_severe_event", filter="nothing like this")
    assert none == {
        "note": found["note"],
        "newCount": 0,
        "hint": "No new event fits filter or query.",
        "event": None,
    }


async def test_get_event_tells_all_of_it(connect: Connect, sandbox: Sandbox) -> None:
    """Message, data, tags and history come whole."""
    client = await connect()
    [old] = sandbox.store.rows(
        "SELECT e.* FROM events e JOIN event_updates u ON u.eventId = e.id"
        " WHERE e.data IS NOT NULL LIMIT 1"
    )
    event = (await result(client, "get_event", eventId=old["id"]))["event"]
    assert event["subject"] == old["subject"]
    assert event["updates"]
    assert event["data"]
    assert "eventId" not in event


async def test_list_data_tables_tells_columns_and_constraints(connect: Connect) -> None:
    """A model can write a query from the list alone."""
    client = await connect()
    found = await result(client, "list_data_tables")
    assert found["total"] == 5
    by_name = {row["name"]: row for row in by_column(found)}
    assert by_name["sites"]["columns"].startswith("siteCode:string*, name:string!, kind:string!")
    some = await result(client, "list_data_tables", filter="s*", sortDirection="desc")
    assert cells(some, "name") == ["sites", "shift_notes"]


async def test_get_data_table_counts_its_rows(connect: Connect) -> None:
    """Columns with constraints and defaults, and how many rows there are."""
    client = await connect()
    table = (await result(client, "get_data_table", dataTableId="sites"))["dataTable"]
    assert table["id"] == demo_id("table", 1)
    assert table["rowCount"] == 20
    assert {"name": "staffed", "dataType": "boolean", "constraint": "optional"}.items() <= next(
        column for column in table["columns"] if column["name"] == "staffed"
    ).items()


async def test_list_rows_pages_and_sorts(connect: Connect, sandbox: Sandbox) -> None:
    """Rows come in the order asked for, with an offset to go on from."""
    client = await connect()
    found = await result(
        client, "list_rows", dataTableId="sites", sortColumn="builtYear", limit=2, offset=1
    )
    assert cells(found, "builtYear") == [1962, 1964]
    assert found["total"] == 20
    assert found["next"]["offset"] == 3


async def test_query_rows_finds_counts_and_picks_columns(connect: Connect) -> None:
    """A query by column; countOnly gives the number alone."""
    client = await connect()
    north = {"dataTableId": "sites", "query": {"district": "North"}}
    found = await result(client, "query_rows", **north, includeFields=["name", "builtYear"])
    assert found["columns"] == ["id", "name", "builtYear"]
    assert {"Alder Street", "Beacon Hill"} < set(cells(found, "name"))
    counted = await result(client, "query_rows", **north, countOnly=True)
    assert counted == {"columns": [], "rows": [], "returned": 0, "total": found["total"]}
    nobody = {"dataTableId": "sites", "query": {"district": "north", "staffed": "no"}}
    for answer in (
        await result(client, "query_rows", **nobody),
        await result(client, "query_rows", **nobody, countOnly=True),
    ):
        assert answer["total"] == 0
        assert answer["hint"] == (
            'None of the 20 rows of \'sites\' matches {"district":"north","staffed":"no"}. Alone,'
            ' {"district":"north"} matches nothing; {"staffed":"no"} matches nothing.'
            " staffed is a boolean column."
        )


async def test_get_row_tells_one_row(connect: Connect, sandbox: Sandbox) -> None:
    """The row of that id, with its dates."""
    client = await connect()
    ids = ids_in(sandbox.store)
    row = (await result(client, "get_row", dataTableId="sites", rowId=ids.row))["row"]
    assert row["id"] == ids.row
    assert row["siteCode"] == "ALD"
    assert row["createdAt"]


async def test_query_time_series_aggregates_in_buckets(connect: Connect, sandbox: Sandbox) -> None:
    """One line per bucket; without a resolution the window is one bucket."""
    client = await connect()
    [(first, count)] = sandbox.store.rows(
        "SELECT MAX(time), COUNT(*) FROM points WHERE attribute = 'flow' AND deviceId = ?",
        ids_in(sandbox.store).device,
    )
    pump = {"deviceIds": [PUMP], "attributes": ["flow"]}
    hourly = await result(
        client, "query_time_series", **pump, duration=4 * 3_600_000, resolution=3_600_000
    )
    assert hourly["columns"] == ["time", "device", "flow"]
    assert hourly["total"] == 4
    assert set(cells(hourly, "device")) == {PUMP}
    whole = await result(
        client, "query_time_series", **pump, aggregation="COUNT", duration=40 * 86_400_000
    )
    assert cells(whole, "flow") == [count]
    assert whole["resolution"] == 40 * 86_400_000
    raw = await result(client, "query_time_series", **pump, aggregation="NONE", order="desc")
    newest = raw["rows"][0]
    [stored_value] = sandbox.store.rows(
        "SELECT value FROM points WHERE attribute = 'flow' AND deviceId = ? AND time = ?",
        ids_in(sandbox.store).device,
        first,
    )
    assert newest[2] == stored_value[0]


async def test_query_last_values_names_the_devices(connect: Connect, sandbox: Sandbox) -> None:
    """Each chosen device with its last value; the one without data is absent."""
    client = await connect()
    found = await result(client, "query_last_values", attribute="flow", deviceQuery={})
    last = sandbox.store.rows(
        "SELECT deviceId, value, MAX(time) FROM points WHERE attribute = 'flow'"
        " AND deviceId IN (SELECT id FROM devices WHERE deletedAt IS NULL)"
        " GROUP BY deviceId ORDER BY deviceId"
    )
    assert cells(found, "deviceId") == [row["deviceId"] for row in last]
    assert cells(found, "value") == [row["value"] for row in last]
    assert None not in cells(found, "deviceName")


async def test_query_last_values_takes_the_values_before_an_end(
    connect: Connect, sandbox: Sandbox
) -> None:
    """An end in the past gives what was last known then."""
    client = await connect()
    found = await result(client, "query_last_values", attribute="flow", deviceIds=[PUMP], end="-7d")
    [row] = by_column(found)
    assert row["time"] <= found["resolved"]["end"]


async def test_list_applications_shows_what_it_can_reach(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Bound, the one application; unbound, those of the token."""
    for bound in (True, False):
        client = await connect(bound=bound)
        found = await result(client, "list_applications")
        assert cells(found, "id") == [sandbox.application_id]
        assert found["total"] == 1


async def test_list_devices_filters(connect: Connect, sandbox: Sandbox) -> None:
    """By name, by class, or by query; deleted ones are not there."""
    client = await connect()
    every = await result(client, "list_devices", perPage=5)
    assert every["total"] == _count(sandbox, "devices WHERE deletedAt IS NULL")
    named = await result(client, "list_devices", filter="Alder*")
    assert cells(named, "name") == ["Alder Street Pump 1", "Alder Street Pump 2"]
    gateways = await result(client, "list_devices", deviceClass="gateway")
    assert set(cells(gateways, "deviceClass")) == {"gateway"}
    tagged = await result(client, "list_devices", query={"tags": {"site": "ALD"}})
    assert cells(tagged, "name") == cells(named, "name")


async def test_get_device_goes_by_name_or_id(connect: Connect, sandbox: Sandbox) -> None:
    """Both find the same device, with tags and attributes."""
    client = await connect()
    by_name = await result(client, "get_device", deviceId=PUMP)
    by_id = await result(client, "get_device", deviceId=ids_in(sandbox.store).device)
    assert by_name == by_id
    assert {"name": "flow", "dataType": "number"} in by_name["device"]["attributes"]


async def test_reading_changes_nothing(connect: Connect, sandbox: Sandbox) -> None:
    """After a tour of the reading tools the database is the same to the byte."""
    before = stored(sandbox)
    client = await connect(access="read")
    for name in ("list_events", "list_data_tables", "list_devices", "list_jobs"):
        await result(client, name)
    assert stored(sandbox) == before
