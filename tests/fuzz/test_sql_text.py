"""SQL that is none, or half of some: the locked child answers or refuses, and goes on."""

from __future__ import annotations

import re

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from tests.analysis.attempts import ESCAPES
from tests.calling import Connect, check_error, content, result, text_of
from tests.fuzz.examples import examples
from tests.fuzz.following import follow, settled
from tests.served import Sandbox

pytestmark = pytest.mark.parametrize("mode", ["auto"])

WORDS = re.findall(
    r"\S+",
    """
SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT JOIN LEFT ON USING WITH RECURSIVE AS UNION ALL INSERT
UPDATE DELETE DROP COPY ATTACH PRAGMA SET CASE WHEN THEN ELSE END NULL NOT IN LIKE EXISTS OVER
PIVOT UNPIVOT QUALIFY DISTINCT LATERAL VALUES sites events devices assets nosuch "shift_notes" id
name district count(*) sum(1) abs(x) read_text('/etc/passwd') range(9) * ( ) [ ] { } , . ; : :: = <
> -- /* */ ' " $$ $1 ? % + - / || 0 1 1e999 'x' '\\' \x00 \ufeff \u202e é 水 0x 1_000 lambda
=> @ # `
""",
)

PLAIN = "SELECT district, count(*) AS n FROM sites GROUP BY district ORDER BY n"


def _cut(text: str, start: int, end: int, put: str) -> str:
    start, end = sorted((start % (len(text) + 1), end % (len(text) + 1)))
    return text[:start] + put + text[end:]


SQL = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=12).map(lambda words: f"SELECT {' '.join(words)}"),
    st.builds(
        _cut,
        st.sampled_from([PLAIN, *ESCAPES]),
        st.integers(0, 200),
        st.integers(0, 200),
        st.sampled_from(["", *WORDS]),
    ),
    st.text(st.characters(codec="utf-8"), max_size=60),
)


@examples(120)
async def test_sql_is_answered_or_refused(
    connect: Connect, sandbox: Sandbox, fuzzing: settings
) -> None:
    """In one paragraph where it is refused; and the next question is answered as ever."""
    client = await connect()
    expected = await result(client, "query_sql", sql=PLAIN)
    before = settled(sandbox)

    async def one(sql: str) -> None:
        answer = await client.call_tool("query_sql", {"sql": sql})
        if answer.is_error:
            check_error(text_of(answer))
        else:
            content(answer)

    await follow(fuzzing, SQL, one)
    assert (await result(client, "query_sql", sql=PLAIN))["rows"] == expected["rows"]
    assert settled(sandbox) == before
