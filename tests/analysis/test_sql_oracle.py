"""query_sql beside SQLite: the same statements, over the same rows, have the same results."""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from losant_mcp.analysis.workbench import Answer, Workbench
from losant_mcp.api.tables import DataType
from losant_mcp.client import LosantClient
from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from tests.analysis.stored_tables import quoted, sqlite_view, store_table

COLUMNS: dict[str, DataType] = {
    "a": "string",
    "n": "number",
    "b": "boolean",
    "Long name-2": "string",
}
_names = itertools.count()


@dataclass(frozen=True)
class Both:
    """A sandbox whose SQLite and whose workbench are asked the same."""

    server: SandboxServer
    client: LosantClient
    workbench: Workbench

    async def ask(self, sql: str, **options: Any) -> Answer:
        """The workbench's answer."""
        application = self.server.application_id
        return await self.workbench.query(self.client, application, sql, **options)


@pytest.fixture(scope="module")
async def both() -> AsyncIterator[Both]:
    """One for all examples: each makes tables of its own."""
    with SandboxServer(Store(), empty=True) as server:
        token = SecretStr(server.tokens["full"])
        async with (
            LosantClient(token, base_url=server.url) as client,
            Workbench(seconds=20, time_zone="UTC") as workbench,
        ):
            yield Both(server, client, workbench)
        server.store.close()


# Sums of quarters are exact in any order.
NUMBERS = st.integers(-(2**40), 2**40) | st.integers(-40, 40).map(lambda n: n / 4)
TEXTS = st.sampled_from(["", "x", "X", "pump", "Pumpe 7", "ä", "'", '"', "%", "水", "null", "1"])
ROWS = st.lists(
    st.tuples(
        st.none() | TEXTS,
        st.none() | NUMBERS,
        st.none() | st.booleans(),
        st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    ),
    max_size=25,
)


def text(value: str) -> str:
    """The value as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


COMPARISON = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
TESTS = st.one_of(
    st.builds("n {} {}".format, COMPARISON, NUMBERS),
    st.builds("a {} {}".format, COMPARISON, TEXTS.map(text)),
    st.builds("b = {}".format, st.sampled_from(["TRUE", "FALSE"])),
    st.builds("{} IS {}NULL".format, st.sampled_from("anb"), st.sampled_from(["", "NOT "])),
    st.builds("n BETWEEN {} AND {}".format, NUMBERS, NUMBERS),
    st.builds("a IN ({})".format, st.lists(TEXTS.map(text), min_size=1, max_size=4).map(", ".join)),
    st.builds('length("Long name-2") {} {}'.format, COMPARISON, st.integers(0, 8)),
    st.builds("n * 2 - 1 {} n + {}".format, COMPARISON, NUMBERS),
    st.just('a = "Long name-2"'),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=4,
)
KEYS = st.lists(st.sampled_from(["a", "b", "n", "a IS NULL", "n > 0"]), min_size=1, max_size=2)
STATEMENTS = st.one_of(
    st.builds('SELECT id, a, n, b, "Long name-2" FROM {{t}} WHERE {}'.format, CONDITIONS),
    st.builds(
        "SELECT {0}, count(*), count(n), sum(n), min(n), max(a), count(DISTINCT b) FROM {{t}}"
        " WHERE {1} GROUP BY {0}".format,
        KEYS.map(", ".join),
        CONDITIONS,
    ),
    st.builds("SELECT avg(n), total FROM {{t}}, (SELECT count(*) AS total FROM {{u}}) q"
              " WHERE {} GROUP BY total".format, CONDITIONS),
    st.builds(
        "SELECT t.id, u.id, t.n + u.n FROM (SELECT * FROM {{t}} WHERE {}) t {} JOIN {{u}} u"
        " ON t.a = u.a".format,
        CONDITIONS,
        st.sampled_from(["", "LEFT", "RIGHT", "FULL"]),
    ),
    st.builds("SELECT a, count(*) FROM {{t}} JOIN {{u}} USING (a) GROUP BY a HAVING count(*) > {}"
              .format, st.integers(0, 3)),
    st.builds("WITH big AS (SELECT * FROM {{t}} WHERE {}) SELECT a, row_number() OVER"
              " (PARTITION BY a ORDER BY id) FROM big".format, CONDITIONS),
    st.builds("SELECT id FROM {{t}} WHERE a IN (SELECT a FROM {{u}} WHERE {}) UNION"
              " SELECT id FROM {{u}}".format, CONDITIONS),
)  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Whether two cells are equal; a mean may differ in its last digit."""
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


def comparable(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows in an order of their own; SQLite's booleans are numbers."""
    plain = [[int(cell) if isinstance(cell, bool) else cell for cell in row] for row in rows]
    return sorted(
        plain, key=lambda row: [(cell is not None, type(cell) is str, str(cell)) for cell in row]
    )


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=ROWS, second=ROWS, statements=st.lists(STATEMENTS, min_size=3, max_size=6))
async def test_a_statement_has_the_result_that_sqlite_gives(
    both: Both,
    first: list[tuple[Any, ...]],
    second: list[tuple[Any, ...]],
    statements: list[str],
) -> None:
    """Filters, groupings, joins, subqueries and windows agree, row by row."""
    store = both.server.store
    names = {"t": f"Left table {next(_names)}", "u": f"right-{next(_names)}"}
    ids = {
        "t": store_table(store, names["t"], COLUMNS, first),
        "u": store_table(store, names["u"], COLUMNS, second),
    }
    written = {key: quoted(name) for key, name in names.items()}
    with (
        sqlite_view(store, names["t"], ids["t"], list(COLUMNS)),
        sqlite_view(store, names["u"], ids["u"], list(COLUMNS)),
    ):
        for statement in statements:
            sql = statement.format(**written)
            expected = [list(row) for row in store.rows(sql)]
            answer = await both.ask(sql)
            assert answer.exact
            ours, theirs = comparable(answer.rows), comparable(expected)
            assert len(ours) == len(theirs) == answer.total, sql
            for one, other in zip(ours, theirs, strict=True):
                assert all(map(same, one, other)), f"{sql}: {one} is not {other}"


# An advanced query, and the condition that it stands for.
Asked = tuple[dict[str, Any], str]
ORDERS = st.sampled_from([("$gt", ">"), ("$gte", ">="), ("$lt", "<"), ("$lte", "<=")])
MATCHES = st.sampled_from([("$startsWith", "{}*"), ("$endsWith", "*{}"), ("$contains", "*{}*")])
WORDS = st.sampled_from(["x", "X", "pump", "7", "umpe"])


def joined(operator: str, between: str, parts: list[Asked]) -> Asked:
    """The queries under an operator of logic, and their conditions joined."""
    conditions = between.join(f"({condition})" for _, condition in parts)
    return {operator: [query for query, _ in parts]}, conditions


ADVANCED = st.recursive(
    st.one_of(
        st.builds(lambda o, v: ({"n": {o[0]: v}}, f"coalesce(n {o[1]} {v}, FALSE)"),
                  ORDERS, NUMBERS),
        st.builds(lambda v: ({"a": v}, f"coalesce(a = {text(v)}, FALSE)"), TEXTS),
        st.builds(lambda v: ({"a": {"$ne": v}}, f"coalesce(a <> {text(v)}, TRUE)"), TEXTS),
        st.builds(lambda v: ({"a": {"$in": v}},
                             f"coalesce(a IN ({', '.join(map(text, v))}), FALSE)"),
                  st.lists(TEXTS, min_size=1, max_size=3)),
        st.builds(lambda v: ({"n": {"$nin": v}}, f"coalesce(n NOT IN ({str(v)[1:-1]}), TRUE)"),
                  st.lists(NUMBERS, min_size=1, max_size=3)),
        st.builds(lambda m, v: ({"a": {m[0]: v}}, f"coalesce(a GLOB '{m[1].format(v)}', FALSE)"),
                  MATCHES, WORDS),
        st.builds(lambda m, v: ({"a": {m[0]: v, "$ci": True}},
                                f"coalesce(lower(a) GLOB lower('{m[1].format(v)}'), FALSE)"),
                  MATCHES, WORDS),
        st.sampled_from([({"b": True}, "b IS TRUE"), ({"b": {"$ne": True}}, "b IS NOT TRUE"),
                         ({"n": None}, "n IS NULL"), ({"a": {"$ne": None}}, "a IS NOT NULL")]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda them: joined("$and", " AND ", them)),
        st.lists(inner, min_size=1, max_size=3).map(lambda them: joined("$or", " OR ", them)),
        st.lists(inner, min_size=1, max_size=3)
        .map(lambda them: joined("$nor", " OR ", them))
        .map(lambda them: (them[0], f"NOT ({them[1]})")),
    ),
    max_leaves=5,
)  # fmt: skip


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, asked=st.lists(ADVANCED, min_size=3, max_size=6))
async def test_an_advanced_query_selects_what_its_sql_selects(
    both: Both, rows: list[tuple[Any, ...]], asked: list[Asked]
) -> None:
    """As a prefilter, and in SQLite as a condition, where a null is a value like any other."""
    store, name = both.server.store, f"prefiltered {next(_names)}"
    table = store_table(store, name, COLUMNS, rows)
    sql = f"SELECT id FROM {quoted(name)}"
    with sqlite_view(store, name, table, list(COLUMNS)):
        for query, condition in asked:
            expected = [row["id"] for row in store.rows(f"{sql} WHERE {condition} ORDER BY id")]
            answer = await both.ask(sql, prefilter={name: query})
            assert [row[0] for row in answer.rows] == expected, (query, condition)
            assert answer.scanned == {name: len(expected)}


async def test_events_and_devices_are_what_the_database_holds(
    both: Both, demo_store: Store
) -> None:
    """Counts by level, state and device agree with the sandbox's own tables."""
    both.server.use(demo_store.copy())
    async with LosantClient(
        SecretStr(both.server.tokens["full"]), base_url=both.server.url
    ) as client:
        answer = await both.workbench.query(
            client,
            both.server.application_id,
            "SELECT d.name, e.level, count(*) FROM events e LEFT JOIN devices d"
            " ON e.deviceId = d.id GROUP BY ALL",
            start=1,
            end=both.server.store.clock(),
        )
        expected = both.server.store.rows(
            "SELECT d.name, CASE e.level WHEN 0 THEN 'info' WHEN 1 THEN 'warning'"
            " WHEN 2 THEN 'error' ELSE 'critical' END, count(*) FROM events e"
            " LEFT JOIN devices d ON e.deviceId = d.id AND d.deletedAt IS NULL GROUP BY 1, 2"
        )
    assert comparable(answer.rows) == comparable([list(row) for row in expected])
    assert answer.exact
