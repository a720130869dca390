"""What is said of a statement or a prefilter that cannot run: what is wrong, and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.errors import InvalidRequest, describe
from tests.analysis.conftest import Lab


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM sits",
         ("There is no table 'sits'; did you mean 'sites'? There are: 'assets',"
         " 'maintenance_log', 'parts', 'shift_notes', 'sites', 'events', 'devices'."
         " Quote names with blanks or capitals that matter.")),
        ("SELECT nam FROM sites",
         'There is no column \'nam\' here. Did you mean "name"?'),
        ('SELECT name FROM sites WHERE siteCode = "MIL"',
         ("There is no column 'MIL' here. A text stands in single quotes. DESCRIBE shows the"
         " columns of a table.")),
        ("SELECT s.nam FROM sites s",
         "There is no column 'nam' in 's'. Did you mean \"name\"?"),
        ("SELECT a.site_code FROM sites s JOIN assets AS a USING (siteCode)",
         "There is no column 'site_code' in 'a'. Did you mean \"siteCode\"?"),
        ("SELECT a.tag FROM assets a",
         "There is no column 'tag' in 'a'. Did you mean \"assetTag\"?"),
        ("SELECT q.name FROM (SELECT kind FROM sites) q",
         "There is no column 'name' in 'q'. DESCRIBE shows the columns of a table."),
        ("SELECT count(*) FROM sites JOIN assets USING (sitecod)",
         "There is no column 'sitecod' to join by. Did you mean \"siteCode\"?"),
        ("SELECT count(*) FROM events JOIN sites ON siteCode = eventTags.site",
         ('Malformed JSON at byte 0 of input: unexpected character. Input: "ALD" when casting from'
         " source column siteCode. A value of a JSON column is text by ->>: eventTags->>'site'.")),
        ("SELECT count(*) FROM events WHERE eventTags->'site' = 'MIL'",
         ("No function matches the given name and argument types 'json_extract(JSON, BOOLEAN)'."
         " An arrow needs parentheses around it: (data->>'reading')::DOUBLE > 5.")),
        ("SELECT now() - 7",
         ("No function matches the given name and argument types '-(TIMESTAMP WITH TIME ZONE,"
         " INTEGER_LITERAL)'. Add and subtract spans, now() - INTERVAL 7 DAY; date_diff('day',"
         " a, b) counts.")),
        ("SELECT kind k, count(*) n, sum(n) OVER (PARTITION BY k) FROM sites GROUP BY ALL",
         ("Cannot mix aggregates with non-aggregated columns."
         " Aggregate in a WITH first, then use windows over its result.")),
        ("SELECT name FROM sites WHERE households > 'many'",
         ('Could not convert string "many" to DOUBLE.'
         " TRY_CAST(x AS type) gives NULL for what does not fit.")),
        ("SELECT left(name, builtYear) FROM sites",
         ("No function matches the given name and argument types 'left(VARCHAR, DOUBLE)'."
         " Cast to the type that is meant: number columns are DOUBLE (x::BIGINT where a whole"
         " number is needed), dates in text columns need x::TIMESTAMPTZ or x::DATE.")),
        ("SELECT date_trunc('month', openedAt) FROM maintenance_log", None),
        ("SELECT kind, count(*) FROM sites", None),
        ("SELECT id FROM sites JOIN assets USING (siteCode)", None),
        ("SELECT uper(name) FROM sites",
         "The function uper is unknown or not allowed. Did you mean upper?"),
        ("SELECT error(name) FROM sites",
         ("The function error is unknown or not allowed. DuckDB's functions of numbers, texts,"
         " dates, lists and JSON are allowed; those that read files, settings or the catalogue"
         " are not.")),
        ("SELECT FROM sites", None),
        ("SELECT list_transform([1], x -> x + 1)", None),
        ("SELECT 5 // 0",
         ("Division by zero in expression (5 // 0). Use TRY(...) to return NULL for this"
         " expression.")),
        ("SELECT * FROM main.sites",
         ("Tables have no schema, so 'main.sites' is none."
         ' A name with a dot needs quotes: "my.table".')),
        ("", "There is no statement. Only one SELECT is run."),
        ("SELECT 1; SELECT 2", "2 statements. Only one SELECT is run."),
        ("UPDATE sites SET name = 'x'",
         "This is a statement of type UPDATE. Only one SELECT is run."),
        ("WITH x AS (DELETE FROM sites RETURNING *) FROM x",
         "DELETE is not allowed. Nothing can be changed by SQL; the other tools do that."),
        ("SHOW TABLES",
         ("SHOW is not allowed. list_data_tables lists the tables; DESCRIBE shows the columns of"
         " one.")),
        ("SELECT list_sort(range(1000000000))",
         ("The statement was stopped: it needs more memory than the 400 MB that it has. Filter or"
         " aggregate earlier, and make no long lists or texts.")),
    ],
)  # fmt: skip
async def test_an_error_says_how_to_go_on(sql: str, message: str | None, lab: Lab) -> None:
    """What is wrong, and the way out, without advice that nobody here can follow."""
    with pytest.raises(InvalidRequest) as caught:
        await lab.ask(sql)
    told = describe(caught.value)
    assert message is None or told == message
    assert "SET " not in told
    assert "LINE 1" not in told


async def test_a_statement_that_takes_too_long_is_stopped(lab: Lab) -> None:
    """The error says after how long, and how to ask for less."""
    with lab.hurried(), pytest.raises(InvalidRequest) as caught:
        await lab.ask("SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a > b")
    assert describe(caught.value) == (
        "The statement was stopped: it took longer than 1 s. Filter before joining, join on"
        " equal columns, aggregate before sorting."
    )


@pytest.mark.parametrize(
    ("prefilter", "message"),
    [
        ({"parts": {}}, "prefilter: the statement names no table 'parts'."),
        ({"nope": {}}, "There is no table 'nope'"),
        ({"SITES": {"staffd": True}}, "unknown column"),
        ({"sites": {"staffed": {"$exists": True}}}, "unknown operator"),
    ],
)
async def test_a_prefilter_is_checked(prefilter: dict[str, Any], message: str, lab: Lab) -> None:
    """Its table must be named by the statement, and its query is held to the grammar."""
    with pytest.raises(InvalidRequest) as caught:
        await lab.ask("SELECT count(*) FROM sites", prefilter=prefilter)
    assert message in str(caught.value) or "staffd" in str(caught.value)
