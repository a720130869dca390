"""Every tool, where all that Losant says is hostile: what a model gets is data, and only that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp import Client
from mcp.types import ElicitResult

from losant_mcp.text import NOTE
from losant_mcp.tools.results import BYTES_PER_TOKEN, size
from losant_mcp.tools.spec import TOOLS
from tests.calling import JsonObject, content
from tests.guard.guarding import FIELD, Guarded
from tests.hostile.corpus import CORPUS
from tests.hostile.inertness import assert_sentence, assert_value_inert
from tests.hostile.planting import Planted

BUDGET = 8_000 * BYTES_PER_TOKEN

NOWHERE = Planted("", "", "", "", "", "", ())
Calls = Mapping[str, list[JsonObject]]


def reads(planted: Planted) -> Calls:
    """Arguments by tool that lead to what is hostile."""
    table = {"dataTableId": planted.table}
    device = {"deviceIds": [planted.device]}
    everything = ["subject", "message", "data", "deviceName", "eventTags", "updates"]
    pages = [{"perPage": 100}, {"perPage": 100, "page": 1}]
    return {
        "list_events": [{"fields": everything}, {"fields": ["subject"], "perPage": 100}],
        "get_most_severe_event": [{}],
        "get_event": [{"eventId": planted.event}],
        "summarize_events": [{"start": "-1h"}],
        "list_data_tables": pages,
        "get_data_table": [table],
        "list_rows": [{**table, "limit": 200}],
        "query_rows": [{**table, "query": {}}],
        "get_row": [{**table, "rowId": planted.row}],
        "list_applications": [{}],
        "list_devices": pages,
        "get_device": [{"deviceId": planted.device}],
        "list_jobs": [{}],
        "query_time_series": [{**device, "resolution": 60_000, "aggregation": "LAST"}],
        "query_last_values": [{**device, "attribute": planted.attribute}],
        "query_sql": [
            {"sql": f'SELECT * FROM "{planted.table}"'},
            {"sql": "SELECT subject, message, data, deviceName FROM events"},
        ],
        "profile_data_table": [table],
        "render_chart": [
            {"kind": "bar", "sql": "SELECT subject, count(*) AS n FROM events GROUP BY 1 LIMIT 40"}
        ],
    }


OWN: Calls = {"get_server_status": [{}], "read_guide": [{"name": "sql"}]}
"""What says nothing of Losant's."""


def writes(planted: Planted) -> Calls:
    """Arguments by tool that change what is hostile; a later one finds what an earlier one left."""
    table = {"dataTableId": planted.table}
    row = {**table, "rowId": planted.row}
    event = {"eventId": planted.event}
    subject = {"subject": {"$contains": "evil"}}
    return {
        "create_event": [{"level": "info", "subject": CORPUS[0], "deviceId": planted.device}],
        "update_event": [{**event, "comment": CORPUS[1]}],
        "update_events": [{"query": subject, "state": "acknowledged"}],
        "export_events": [{"query": subject}],
        "create_data_table": [{"name": CORPUS[2], "description": CORPUS[3]}],
        "update_data_table": [{**table, "description": CORPUS[4]}],
        "add_data_table_column": [{**table, "name": "__proto__", "dataType": "string"}],
        "insert_rows": [{**table, "rows": [{planted.column: CORPUS[6]}]}],
        "update_row": [{**row, "row": {planted.column: CORPUS[7]}}],
        "export_rows": [{**table, "query": {planted.column: {"$contains": "evil"}}}],
        "export_device_data": [
            {"deviceIds": [planted.device], "attributes": [planted.attribute], "start": "-2h"}
        ],
        "delete_event": [event],
        "delete_events": [{"query": subject}],
        "delete_row": [row],
        "delete_rows": [{**table, "query": {planted.column: {"$contains": "evil"}}}],
        "remove_data_table_column": [{**table, "columnName": planted.column}],
        "truncate_rows": [table],
        "delete_data_table": [table],
        "list_backups": [{}],
    }


CALLED = (*reads(NOWHERE), *OWN, *writes(NOWHERE), "restore_backup")


def agree(question: str, schema: dict[str, Any]) -> ElicitResult:
    """A person who reads the question and types what it asks for."""
    assert_sentence(question, most=1_000)
    assert_value_inert(schema)
    _, asked, phrase = question.rpartition(" To agree, type: ")
    return ElicitResult(action="accept", content={FIELD: phrase if asked else True})


async def told(client: Client, name: str, arguments: JsonObject) -> JsonObject:
    """The answer, of which every part was looked at."""
    answer = await client.call_tool(name, arguments)
    found = content(answer)
    assert_value_inert(found)
    assert size(found) <= BUDGET, name
    for sentence in (found.get(key) for key in ("message", "hint", "truncated", "plan")):
        if isinstance(sentence, str):
            assert_sentence(sentence)
    return found


def test_every_tool_is_tried() -> None:
    """Each is here, whether it reads hostile text, writes it, or says nothing of Losant's."""
    assert sorted(CALLED) == sorted(TOOLS)


async def test_what_a_tool_reads_is_data(guarded: Guarded, planted: Planted) -> None:
    """Inert, within the budget, and with the note that says what it is."""
    client = await guarded.connect()
    for name, calls in reads(planted).items():
        for arguments in calls:
            found = await told(client, name, arguments)
            assert found["note"] == NOTE, name
    for name, calls in OWN.items():
        for arguments in calls:
            assert "note" not in await told(client, name, arguments)


async def test_what_a_tool_changes_is_told_in_our_words(guarded: Guarded, planted: Planted) -> None:
    """Neither the question to the person nor the answer to the model lets hostile text speak."""
    client = await guarded.connect(agree)
    for name, calls in writes(planted).items():
        for arguments in calls:
            found = await told(client, name, arguments)
            assert ("status" in found) or found["note"] == NOTE, name
            if "status" in found:
                assert found["status"] == "done", found
            if name == "delete_events":
                restored = {"backupId": found["backupId"]}
                assert (await told(client, "restore_backup", restored))["status"] == "done"
    assert len(guarded.questions) == 8
