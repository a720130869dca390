"""What SQL can say about tables, events and devices, and in which form the answer comes."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.analysis.workbench import Workbench
from losant_mcp.client import LosantClient
from losant_mcp.errors import InvalidRequest, UnknownName
from losant_mcp.sandbox.demo.shift_notes import HOSTILE
from tests.analysis.conftest import Lab
from tests.analysis.stored_tables import DAY, store_table
from tests.served import Sandbox


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("NULL", "NULL", None),
        ("true", "BOOLEAN", True),
        ("42", "INTEGER", 42),
        ("3.0::DOUBLE", "DOUBLE", 3),
        ("0.1::DOUBLE", "DOUBLE", 0.1),
        ("-0.0::DOUBLE", "DOUBLE", 0),
        ("1e300::DOUBLE", "DOUBLE", 1e300),
        ("'nan'::DOUBLE", "DOUBLE", "NaN"),
        ("'inf'::DOUBLE", "DOUBLE", "Infinity"),
        ("'-inf'::FLOAT", "FLOAT", "-Infinity"),
        ("9007199254740992", "BIGINT", 9007199254740992),
        ("9007199254740993", "BIGINT", "9007199254740993"),
        ("170141183460469231731687303715884105727::HUGEINT", "HUGEINT",
         "170141183460469231731687303715884105727"),
        ("1.50::DECIMAL(5,2)", "DECIMAL(5,2)", 1.5),
        ("2.00::DECIMAL(5,2)", "DECIMAL(5,2)", 2),
        ("0.1234567890123456789::DECIMAL(38,19)", "DECIMAL(38,19)", "0.1234567890123456789"),
        ("'ä水'", "VARCHAR", "ä水"),
        ("DATE '2026-03-01'", "DATE", "2026-03-01"),
        ("TIME '08:15:00'", "TIME", "08:15:00"),
        ("TIMESTAMP '2026-03-01 08:15:00.5'", "TIMESTAMP", "2026-03-01T08:15:00.5"),
        ("TIMESTAMPTZ '2026-03-01T08:15:00Z'", "TIMESTAMP WITH TIME ZONE",
         "2026-03-01T09:15:00+01:00"),
        ("TIMESTAMPTZ '2026-07-01T08:15:00Z'", "TIMESTAMP WITH TIME ZONE",
         "2026-07-01T10:15:00+02:00"),
        ("'infinity'::TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", "infinity"),
        ("date_trunc('day', TIMESTAMPTZ '2026-07-01T23:30:00Z')", "TIMESTAMP WITH TIME ZONE",
         "2026-07-02T00:00:00+02:00"),
        ("INTERVAL 3 DAY", "INTERVAL", "3 days"),
        ("'\\x41b'::BLOB", "BLOB", "Ab"),
        ("'00000000-0000-0000-0000-000000000001'::UUID", "UUID",
         "00000000-0000-0000-0000-000000000001"),
        ("[1, NULL, 3]", "INTEGER[]", [1, None, 3]),
        ("[9007199254740993, 1]", "BIGINT[]", ["9007199254740993", 1]),
        ("['nan'::DOUBLE, 1]", "DOUBLE[]", ["NaN", 1.0]),
        ("{'a': 1, 'b': {'c': DATE '2026-03-01'}}", "STRUCT(a INTEGER, b STRUCT(c DATE))",
         {"a": 1, "b": {"c": "2026-03-01"}}),
        ("MAP {'k': [1]}", "MAP(VARCHAR, INTEGER[])", {"k": [1]}),
        ("'{\"a\": [1, {\"b\": null}]}'::JSON", "JSON", {"a": [1, {"b": None}]}),
        ("'\"text\"'::JSON", "JSON", "text"),
        ("'x'::ENUM('x', 'y')", "ENUM('x', 'y')", "x"),
        ("NULL::INTEGER[]", "INTEGER[]", None),
    ],
)  # fmt: skip
async def test_every_type_has_a_form_in_json(
    expression: str, kind: str, value: object, lab: Lab
) -> None:
    """A value that JSON, or who reads it, has no form for comes as text; nothing is lost."""
    answer = await lab.ask(f"SELECT {expression} AS it")
    assert answer.columns[0][0] == "it"
    assert answer.columns[0][1].strip('"') == kind
    assert answer.rows == [[value]]
    assert type(answer.rows[0][0]) is type(value)


async def test_columns_are_typed_by_the_tables_definition(
    lab: Lab,
) -> None:
    """Numbers are DOUBLE whatever they hold, dates TIMESTAMPTZ, the rest as defined."""
    answer = await lab.ask("DESCRIBE sites")
    types = {row[0]: row[1] for row in answer.rows}
    assert types == {
        "id": "VARCHAR",
        **dict.fromkeys(("siteCode", "name", "kind", "district", "notes"), "VARCHAR"),
        **dict.fromkeys(("latitude", "longitude", "households", "builtYear"), "DOUBLE"),
        "staffed": "BOOLEAN",
        **dict.fromkeys(("createdAt", "updatedAt"), "TIMESTAMP WITH TIME ZONE"),
    }


async def test_rows_come_in_the_order_of_their_ids(lab: Lab) -> None:
    """Without ORDER BY the oldest come first, as at Losant, and every time the same."""
    answer = await lab.ask("SELECT id FROM maintenance_log LIMIT 1000")
    ids = [row[0] for row in answer.rows]
    assert ids == sorted(ids)


async def test_a_long_result_is_bounded_and_counted(lab: Lab) -> None:
    """The first thousand rows come, and how many there are in all."""
    answer = await lab.ask("SELECT ticket FROM maintenance_log ORDER BY ticket")
    assert (len(answer.rows), answer.total) == (1000, 1500)
    assert answer.rows[0] == ["MNT-10001"]
    answer = await lab.ask("SELECT repeat('x', 100000) FROM maintenance_log")
    assert 1 < len(answer.rows) < 30
    assert answer.total == 1500


async def test_a_result_too_long_to_count_is_not_counted(lab: Lab) -> None:
    """What cannot be counted in time still has its first rows."""
    sql = "SELECT a.id || b.id || c.id || d.id FROM assets a, assets b, assets c, assets d, assets"
    async with Workbench(seconds=8) as patient:
        answer = await patient.query(lab.client, lab.application_id, f"{sql} WHERE a.id <> b.id")
    assert len(answer.rows) == 1000
    assert answer.total is None


async def test_columns_of_one_name_are_told_apart(lab: Lab) -> None:
    """A join's second ``id`` gets a number."""
    answer = await lab.ask("SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a")
    assert [name for name, _ in answer.columns] == ["a", "a_2", "a_2_2", "a_3"]
    assert answer.rows == [[1, 2, 3, 4]]


# ---- PIVOT ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "columns", "first"),
    [
        (("PIVOT (SELECT kind, district FROM sites) ON kind IN ('depot', 'reservoir')"
         " USING count(*) ORDER BY district"), ["district", "depot", "reservoir"], ["East", 0, 1]),
        (("PIVOT (SELECT kind, district FROM sites WHERE kind > 'p') ON kind USING count(*)"
         " ORDER BY district"),
         ["district", "pumping station", "reservoir", "treatment works"], ["East", 3, 1, 0]),
        (("WITH k AS (SELECT kind, district FROM sites WHERE kind < 'e')"
         " SELECT * FROM (PIVOT k ON kind USING count(*) GROUP BY district) ORDER BY ALL"),
         ["district", "boiler house", "depot"], None),
        (("PIVOT sites ON upper(district) USING count(*) AS n, max(builtYear) AS y GROUP BY kind"
         " ORDER BY kind LIMIT 1"),
         ["kind", "EAST_n", "EAST_y", "NORTH_n", "NORTH_y", "SOUTH_n", "SOUTH_y", "WEST_n",
          "WEST_y"], None),
        (("PIVOT sites ON staffed, district IN ('East') USING count(*) GROUP BY kind"
         " ORDER BY kind LIMIT 1"), ["kind", "false_East", "true_East"], None),
        ("SELECT * FROM sites UNPIVOT (v FOR n IN (latitude, longitude)) LIMIT 1", None, None),
        ("PIVOT sites ON kind || '''' USING count(*) GROUP BY district LIMIT 1", None, None),
        ("PIVOT sites /* ON x, y */ ON kind -- ON z\n USING count(*) GROUP BY staffed", None, None),
    ],
)  # fmt: skip
async def test_pivot_finds_its_columns_itself(
    sql: str, columns: list[str] | None, first: list[Any] | None, lab: Lab
) -> None:
    """With the values named or looked up, at the top or inside, over tables and WITHs."""
    answer = await lab.ask(sql)
    assert columns is None or [name for name, _ in answer.columns] == columns
    assert first is None or answer.rows[0] == first
    assert answer.rows


# ---- names ---------------------------------------------------------------------------------


async def test_tables_go_by_name_in_any_form_and_by_id(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox
) -> None:
    """Blanks, dots, quotes, another case where it is unique, ids; reserved names by id only."""
    store = sandbox.store
    made = {
        name: store_table(store, name, {"n": "number"}, [(number,)])
        for number, name in enumerate(
            ["Werte (neu)", 'a "b".c', "Case", "CASE", "events", "Äpfel", "range", "select"]
        )
    }

    async def ask(name: str) -> Any:
        quoted = name.replace('"', '""')
        answer = await workbench.query(losant, sandbox.application_id, f'SELECT n FROM "{quoted}"')
        return answer.rows[0][0]

    for number, name in enumerate(made):
        assert await ask(made[name]) == number
        assert await ask(made[name].upper()) == number
        if name != "events":
            assert await ask(name) == number
    assert await ask("WERTE (neu)") == 0
    assert await ask("äpfel") == 5
    with pytest.raises(UnknownName, match="2 tables may be meant by 'case'"):
        await ask("case")
    with pytest.raises(InvalidRequest, match="cannot tell 'CASE'"):
        await workbench.query(losant, sandbox.application_id, 'FROM "Case", "CASE"')
    answer = await workbench.query(
        losant, sandbox.application_id, f'SELECT a.n, b.n FROM "Case" a, "{made["CASE"]}" b'
    )
    assert answer.rows == [[2, 3]]
    answer = await workbench.query(losant, sandbox.application_id, "SELECT subject FROM events")
    assert answer.scanned["events"] > 1


async def test_columns_that_differ_by_case_get_numbers(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox
) -> None:
    """SQL minds no case, Losant does: each has its own values under its own name."""
    store_table(
        sandbox.store,
        "cases",
        {"temp": "number", "Temp": "string", "TEMP": "boolean", "ID": "string", "a-b": "number"},
        [(1, "x", True, "own", 5), (None, None, None, None, None)],
    )
    answer = await workbench.query(
        losant,
        sandbox.application_id,
        'SELECT temp, Temp_2, TEMP_3, ID_2, "a-b" FROM cases ORDER BY temp',
    )
    assert answer.rows == [[1, "x", True, "own", 5], [None] * 5]
    assert [name for name, _ in answer.columns] == ["temp", "Temp_2", "TEMP_3", "ID_2", "a-b"]
    assert answer.exact


async def test_a_table_that_is_made_anew_under_its_name_is_the_new_one(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox
) -> None:
    """Names are looked up for every statement."""
    store_table(sandbox.store, "mine", {"n": "number"}, [(1,)])
    sql = "SELECT n FROM mine"
    assert (await workbench.query(losant, sandbox.application_id, sql)).rows == [[1]]
    with sandbox.store.transaction(write=True) as db:
        db.execute("UPDATE data_tables SET name = 'old' WHERE name = 'mine'")
    store_table(sandbox.store, "mine", {"n": "string"}, [("two",)])
    assert (await workbench.query(losant, sandbox.application_id, sql)).rows == [["two"]]


# ---- events and devices --------------------------------------------------------------------


async def test_events_are_those_of_the_window(lab: Lab) -> None:
    """The default is the last 30 days, a window can be given, and the answer says which."""
    now = round(lab.client.losant_now().timestamp() * 1000)
    sql = "SELECT count(*), min(creationDate), max(creationDate) FROM events"
    default = await lab.ask(sql)
    assert default.window is not None
    assert abs(default.window.start - (now - 30 * DAY)) < 60_000
    assert default.window.end is None
    start, end = now - 9 * DAY - 12_345, now - 2 * DAY + 6_789
    some = await lab.ask(sql, start=start, end=end)
    assert some.window is not None
    assert (some.window.start, some.window.end) == (start, end)
    inside = await lab.ask(
        f"SELECT count(*) FROM events WHERE epoch_ms(creationDate) >= {start}"
        f" AND epoch_ms(creationDate) < {end}",
        start=1,
    )
    assert some.rows[0][0] == inside.rows[0][0] > 0
    with pytest.raises(InvalidRequest, match="window of events is empty"):
        await lab.ask(sql, start=end, end=start)


async def test_nested_data_is_json(lab: Lab) -> None:
    """Tags of events and devices are reached by key; a key with several values has a list."""
    answer = await lab.ask(
        "SELECT eventTags->>'site', typeof(eventTags), typeof(data) FROM events"
        " WHERE eventTags->>'site' IS NOT NULL LIMIT 1"
    )
    assert answer.rows[0][0]
    assert answer.rows[0][1:] == ["JSON", "JSON"]
    answer = await lab.ask(
        "SELECT tags->>'site', tags->'duty', attributes->>'flow', connected, typeof(connectionTime)"
        " FROM devices WHERE name = 'Alder Street Pump 1'"
    )
    assert answer.rows == [["ALD", ["lead", "night"], "number", True, "TIMESTAMP WITH TIME ZONE"]]


async def test_a_question_over_three_kinds_of_things(lab: Lab) -> None:
    """Sites with critical events and overdue work, in one statement."""
    answer = await lab.ask(
        """
        WITH critical AS (
          SELECT d.tags->>'site' AS site, count(*) AS events FROM events e
          JOIN devices d ON e.deviceId = d.id WHERE e.level = 'critical' GROUP BY 1
        ), overdue AS (
          SELECT a.siteCode AS site, count(*) AS tickets FROM maintenance_log m
          JOIN assets a USING (assetTag)
          WHERE m.completedAt IS NULL AND m.dueAt::TIMESTAMPTZ < now() GROUP BY 1
        )
        SELECT s.name, events, tickets FROM sites s JOIN critical c ON c.site = s.siteCode
        JOIN overdue o ON o.site = s.siteCode WHERE events > 3 ORDER BY events DESC, s.name
        """
    )
    assert answer.exact
    assert set(answer.scanned) == {"events", "devices", "maintenance_log", "assets", "sites"}
    assert answer.total == len(answer.rows) > 0


async def test_a_prefilter_narrows_events_and_devices(lab: Lab) -> None:
    """They are narrowed at Losant by their own advanced queries, within the window."""
    answer = await lab.ask(
        "SELECT (SELECT count(*) FROM events WHERE level <> 'critical'), count(*) FROM devices"
        " WHERE deviceClass <> 'gateway'",
        prefilter={"events": {"level": "critical"}, "devices": {"deviceClass": "gateway"}},
    )
    assert answer.rows == [[0, 0]]
    assert answer.scanned["events"] > 0


async def test_hostile_cells_are_only_data(lab: Lab) -> None:
    """Instructions, markup and SQL in cells come out as they are, and do nothing."""
    answer = await lab.ask("SELECT note FROM shift_notes", rows=10_000)
    notes = {row[0] for row in answer.rows}
    assert set(HOSTILE) <= notes
    assert answer.total == 5000
