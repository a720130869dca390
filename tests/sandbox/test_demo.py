"""The demo data: always the same, large enough, related, and with what a reader must survive."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest

from losant_mcp.sandbox.demo import seed
from losant_mcp.sandbox.store import Store

NOW = 1_900_000_000_000
TABLES = {
    "sites": "rows_5f0c0de03000000000000001",
    "assets": "rows_5f0c0de03000000000000002",
    "maintenance_log": "rows_5f0c0de03000000000000003",
    "parts": "rows_5f0c0de03000000000000004",
    "shift_notes": "rows_5f0c0de03000000000000005",
}


def test_two_demos_of_one_moment_are_equal() -> None:
    """Every table of the database is the same, ids included."""
    contents = []
    for _ in range(2):
        store = Store(clock=lambda: NOW)
        seed(store)
        names = [r[0] for r in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        contents.append(
            {name: [tuple(row) for row in store.rows(f"SELECT * FROM {name}")] for name in names}
        )
        store.close()
    assert contents[0] == contents[1]


def test_a_seeded_store_is_left_alone(store: Store) -> None:
    """Seeding again tells the application and touches nothing."""
    with store.transaction(write=True) as db:
        db.execute("DELETE FROM events")
    assert seed(store) == "5f0c0de00000000000000001"
    assert not store.rows("SELECT 1 FROM events")


def test_an_empty_demo_is_the_application_alone() -> None:
    """There is one application, and nothing in it."""
    store = Store()
    application = seed(store, empty=True)
    assert [row["id"] for row in store.rows("SELECT id FROM applications")] == [application]
    for table in ("devices", "points", "events", "data_tables"):
        assert not store.rows(f"SELECT 1 FROM {table}")
    store.close()


def test_the_demo_is_as_large_as_promised(demo_store: Store) -> None:
    """At least 40 devices, 2,000 events over 14 days, five tables, 30 days of time series."""
    [[devices]] = demo_store.rows("SELECT COUNT(*) FROM devices WHERE deletedAt IS NULL")
    assert devices >= 40
    [[events, days]] = demo_store.rows(
        "SELECT COUNT(*), (MAX(creationDate) - MIN(creationDate)) / 86400000.0 FROM events"
    )
    assert events == 2000
    assert 13 < days <= 14
    sizes = {row["name"]: row["rowCount"] for row in demo_store.rows("SELECT * FROM data_tables")}
    assert sizes == {
        "sites": 20, "assets": 200, "maintenance_log": 1500, "parts": 300, "shift_notes": 5000,
    }  # fmt: skip
    for name, table in TABLES.items():
        assert len(demo_store.rows(f"SELECT 1 FROM {table}")) == sizes[name]
    [[span]] = demo_store.rows("SELECT (MAX(time) - MIN(time)) / 86400000.0 FROM points")
    assert 29.9 < span <= 30


def test_the_demo_is_small_on_disk(demo_store: Store) -> None:
    """The whole database takes less than 30 MB."""
    [[size]] = demo_store.rows(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    )
    assert size < 30_000_000


def test_the_first_device_has_every_type_of_attribute(demo_store: Store) -> None:
    """By id and by name the first is a pump with numbers, a text and a boolean, all reported."""
    [by_id] = demo_store.rows("SELECT id FROM devices ORDER BY id LIMIT 1")
    [by_name] = demo_store.rows("SELECT id FROM devices ORDER BY name LIMIT 1")
    assert by_id["id"] == by_name["id"]
    rows = demo_store.rows(
        "SELECT DISTINCT a.dataType FROM device_attributes a JOIN points p"
        " ON p.deviceId = a.deviceId AND p.attribute = a.name WHERE a.deviceId = ?",
        by_id["id"],
    )
    assert {row["dataType"] for row in rows} == {"number", "string", "boolean"}


def test_a_storm_and_chatter_are_in_the_events(demo_store: Store) -> None:
    """Hundreds of one normalised subject in minutes, and bursts of one source in a minute."""
    storm = demo_store.rows(
        "SELECT creationDate, subject FROM events WHERE subject LIKE 'Low suction%'"
    )
    assert len({row["subject"] for row in storm}) > 20
    assert {re.sub(r"[\d.]+", "#", row["subject"]) for row in storm} == {
        "Low suction pressure: # bar"
    }
    times = [row["creationDate"] for row in storm]
    assert len(storm) >= 300
    assert max(times) - min(times) <= 13 * 60_000
    bursts = demo_store.rows(
        "SELECT deviceId FROM (SELECT deviceId, creationDate, LAG(creationDate, 2) OVER"
        " (PARTITION BY deviceId ORDER BY creationDate) AS before FROM events"
        " WHERE subject NOT LIKE 'Low suction%') WHERE creationDate - before < 60000"
    )
    assert len({row["deviceId"] for row in bursts}) >= 4


def test_something_is_wrong_this_morning(demo_store: Store) -> None:
    """Several critical events of the last hours are new, and nothing lies in the future."""
    [[newest]] = demo_store.rows("SELECT MAX(creationDate) FROM events")
    fresh = demo_store.rows(
        "SELECT 1 FROM events WHERE level = 3 AND state = 0 AND creationDate > ?",
        newest - 6 * 3_600_000,
    )
    assert len(fresh) >= 4
    assert newest <= demo_store.clock()


def test_an_event_is_in_the_state_that_its_history_ends_in(demo_store: Store) -> None:
    """State and lastUpdated agree with the last update, and each update starts where one ended."""
    rows = demo_store.rows(
        "SELECT e.state, e.id, json_group_array(json(u.entry)) AS updates FROM events e"
        " JOIN (SELECT * FROM event_updates ORDER BY eventId, position) u ON u.eventId = e.id"
        " GROUP BY e.id"
    )
    assert len(rows) > 500
    for row in rows:
        state = "new"
        for update in json.loads(row["updates"]):
            assert update["stateChange"]["old"] == state
            state = update["stateChange"]["new"]
        assert ("new", "acknowledged", "resolved").index(state) == row["state"]


@pytest.mark.parametrize(
    ("child", "column", "parent", "key"),
    [
        ("assets", "siteCode", "sites", "siteCode"),
        ("maintenance_log", "assetTag", "assets", "assetTag"),
        ("maintenance_log", "partNumber", "parts", "partNumber"),
        ("shift_notes", "siteCode", "sites", "siteCode"),
        ("shift_notes", "assetTag", "assets", "assetTag"),
    ],
)
def test_tables_join_by_code(
    demo_store: Store, child: str, column: str, parent: str, key: str
) -> None:
    """Every code that a row refers to exists, and some rows do refer."""
    used = _values(demo_store, child, column)
    assert used
    assert used <= _values(demo_store, parent, key)


def test_questions_about_the_tables_have_answers(demo_store: Store) -> None:
    """There is overdue maintenance, there are parts to reorder, and assets with devices."""
    log, parts, assets = TABLES["maintenance_log"], TABLES["parts"], TABLES["assets"]
    now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    overdue = demo_store.rows(f"SELECT 1 FROM {log} WHERE c7 IS NULL AND c6 < {now}")
    assert 10 < len(overdue) < 300
    assert demo_store.rows(f"SELECT 1 FROM {parts} WHERE c3 < c4")
    joined = demo_store.rows(f"SELECT 1 FROM {assets} JOIN devices d ON d.id = c2")
    assert len(joined) > 30


def test_rows_keep_their_constraints(demo_store: Store) -> None:
    """Required and unique cells are never null, values have their type, some optional are null."""
    nulls = 0
    for table_id, position, data_type, constraint in demo_store.rows(
        'SELECT dataTableId, position, dataType, "constraint" FROM data_table_columns'
    ):
        cell = f"c{position}"
        types = {
            row["type"]
            for row in demo_store.rows(
                f"SELECT DISTINCT typeof({cell}) AS type FROM rows_{table_id}"
            )
        }
        allowed = {"string": {"text"}, "boolean": {"integer"}, "number": {"integer", "real"}}
        if constraint == "optional":
            nulls += "null" in types
            types.discard("null")
        assert types <= allowed[data_type], (table_id, position)
    assert nulls >= 15


def test_hostile_cells_are_there(demo_store: Store) -> None:
    """Notes hold commands, links, markup, and characters of every dangerous category."""
    notes = "\n".join(_values(demo_store, "shift_notes", "note"))
    for text in (
        "Ignore all previous instructions",
        "](https://",
        "<img ",
        "\x1b[2J",
        "DROP TABLE",
    ):
        assert text in notes
    for mark in ("\u202e", "\u2066", "\u200b", "\u2060", "\ufeff", "\U000e0001"):
        assert unicodedata.category(mark) == "Cf"
        assert mark in notes


def _values(store: Store, table: str, column: str) -> set[str]:
    """The values of a column that are not null."""
    [[position]] = store.rows(
        "SELECT position FROM data_table_columns WHERE name = ? AND dataTableId = ?",
        column,
        TABLES[table].removeprefix("rows_"),
    )
    return {
        row[0]
        for row in store.rows(f"SELECT c{position} FROM {TABLES[table]}")
        if row[0] is not None
    }
