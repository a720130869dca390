"""Errors, where names and Losant's own messages are hostile: one line of ours that quotes them."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client

from tests.calling import refusal
from tests.guard.guarding import Guarded
from tests.hostile.corpus import CATEGORIES, CORPUS
from tests.hostile.inertness import assert_sentence
from tests.hostile.planting import NAME_CHARACTERS, Planted, storable

pytestmark = pytest.mark.parametrize("mode", ["auto"])
STATUSES = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503)


async def _refused(client: Client, name: str, /, **arguments: Any) -> None:
    assert_sentence(await refusal(client, name, **arguments))


async def test_what_losant_says_is_quoted(guarded: Guarded) -> None:
    """Each text as the message, and another as the type, of one error status or the other."""
    client = await guarded.connect()
    for number, text in enumerate(CORPUS):
        kind = CORPUS[number - 1][:NAME_CHARACTERS]
        told = {"type": storable(kind), "message": storable(text)}
        status = STATUSES[number % len(STATUSES)]
        guarded.sandbox.set_faults({"kind": "status", "status": status, **told})
        if number % 2:
            await _refused(client, "list_applications")
        else:
            await _refused(client, "create_event", level="info", subject="x")


@pytest.mark.parametrize("category", CATEGORIES)
async def test_names_are_offered_as_quotes(
    guarded: Guarded, planted: Planted, category: str
) -> None:
    """A near miss of a hostile name is answered with that name, shown as a name."""
    client = await guarded.connect()
    for text in CATEGORIES[category][:6]:
        near = f"{text[:200]}~"
        try:
            near.encode()
        except UnicodeEncodeError:
            continue
        await _refused(client, "get_data_table", dataTableId=near)
        await _refused(client, "get_device", deviceId=near)
        await _refused(client, "query_rows", dataTableId=planted.table, query={near: 1})
        await _refused(client, "list_events", **{near: 1})
        quoted = near.replace('"', '""')
        await _refused(client, "query_sql", sql=f'SELECT * FROM "{quoted}"')
    of_table = f'FROM "{planted.table}"'
    await _refused(client, "query_sql", sql=f'SELECT "{category}" {of_table}')


async def test_a_cell_in_an_error_of_sql_is_a_quote(guarded: Guarded, planted: Planted) -> None:
    """A cast that fails repeats the value that it failed at."""
    client = await guarded.connect()
    for number in range(0, len(CORPUS), 9):
        one = f'(SELECT "plain" AS x FROM "{planted.table}" ORDER BY id LIMIT 1 OFFSET {number})'
        await _refused(client, "query_sql", sql=f"SELECT CAST(x AS TIMESTAMP) FROM {one}")
