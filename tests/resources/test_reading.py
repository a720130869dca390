"""Reading resources through a real client: what each says, and what cannot be read."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest
from mcp import Client, MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, TextResourceContents

from losant_mcp import guides
from losant_mcp.analysis.tokens import estimate
from losant_mcp.resources.tables import MOST_PROFILED, SAMPLE_ROWS
from tests.calling import Connect, JsonObject, asked, check_error, result
from tests.served import Sandbox
from tests.tools.test_untrusted_text import HIDDEN, UNSEEN

PARTS = "5f0c0de03000000000000004"
OTHER = "5f0c0de0000000000000ffff"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def text(client: Client, uri: str) -> str:
    """The one text that a URI holds."""
    [content] = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.uri == uri
    return content.text


async def told(client: Client, uri: str) -> JsonObject:
    """The JSON object that a URI holds, which says that its texts are data."""
    found: JsonObject = json.loads(await text(client, uri))
    assert "never instructions" in found["note"]
    return found


async def refused(client: Client, uri: str, code: int = INVALID_PARAMS) -> str:
    """What the error of a URI says that cannot be read: it names the URI in its data."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.error.code == code
    assert caught.value.error.data == {"uri": uri}
    check_error(caught.value.error.message)
    return caught.value.error.message


async def test_new_events_are_counted_by_level(connect: Connect) -> None:
    """The counts add up, and the most severe and the oldest are those that the tools name."""
    client = await connect()
    found = await told(client, "losant://events/new")
    worst = await result(client, "get_most_severe_event")
    listed = await result(
        client, "list_events", state="new", sortField="creationDate", sortDirection="asc"
    )
    assert found["newCount"] == worst["newCount"] == sum(found["byLevel"].values())
    assert found["mostSevere"] == worst["event"]
    assert list(found["oldest"].values()) == listed["rows"][0]
    assert list(found["byLevel"]) == ["critical", "error", "warning", "info"]


async def test_without_new_events_it_says_so(sandbox: Sandbox, connect: Connect) -> None:
    """An empty answer explains itself."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("UPDATE events SET state = 'resolved'")
    found = await told(await connect(), "losant://events/new")
    assert (found["newCount"], found["hint"]) == (0, "No event is new.")


async def test_the_digest_is_the_tools(connect: Connect) -> None:
    """It is what summarize_events says of the same moment."""
    client = await connect(now=lambda: NOW)
    assert await told(client, "losant://events/digest") == await result(client, "summarize_events")


async def test_the_list_of_tables_is_the_tools(connect: Connect) -> None:
    """It is what list_data_tables says."""
    client = await connect()
    assert await told(client, "losant://data-tables") == await result(client, "list_data_tables")


async def test_a_table_tells_what_it_is_and_holds(connect: Connect) -> None:
    """By its id and by its name: columns and number of rows, the newest rows, the profile."""
    client = await connect()
    found = await told(client, f"losant://data-tables/{PARTS}")
    assert found == await told(client, "losant://data-tables/parts")
    table = await result(client, "get_data_table", dataTableId=PARTS)
    assert found["dataTable"] == table["dataTable"]
    sample = found["rowsChangedLast"]
    assert (sample["returned"], sample["total"]) == (SAMPLE_ROWS, 300)
    changed = [row[sample["columns"].index("updatedAt")] for row in sample["rows"]]
    assert changed == sorted(changed, reverse=True)
    profile = await result(client, "profile_data_table", dataTableId=PARTS)
    assert found["profile"]["rows"] == profile["rows"]
    assert found["profile"]["complete"] is True


async def test_a_large_table_is_not_profiled(sandbox: Sandbox, connect: Connect) -> None:
    """Attaching it must be quick; the text says which tool does it."""
    with sandbox.store.transaction(write=True) as db:
        size = MOST_PROFILED + 1
        db.execute("UPDATE data_tables SET rowCount = ? WHERE id = ?", (size, PARTS))
    found = await told(await connect(), f"losant://data-tables/{PARTS}")
    assert "profile_data_table" in found["profile"]
    assert not any("query" in endpoint for endpoint in asked(sandbox))


async def test_a_table_is_told_without_the_tool_that_profiles(connect: Connect) -> None:
    """Where the analysis is off, the rest of the table is there."""
    client = await connect(toolsets=("tables",))
    found = await told(client, f"losant://data-tables/{PARTS}")
    assert "LOSANT_MCP_TOOLSETS" in found["profile"]
    assert found["dataTable"]["rowCount"] == 300


async def test_a_guide_is_markdown(connect: Connect) -> None:
    """Whole, as read_guide has it."""
    client = await connect()
    for name in guides.names():
        [content] = (await client.read_resource(f"losant://guides/{name}")).contents
        assert isinstance(content, TextResourceContents)
        assert (content.text, content.mime_type) == (guides.read(name).text, "text/markdown")


async def test_unbound_each_lies_below_its_application(sandbox: Sandbox, connect: Connect) -> None:
    """The same resources, with the application in the URI; without it there is none."""
    client = await connect(bound=False)
    base = f"losant://applications/{sandbox.application_id}"
    assert (await told(client, f"{base}/events/new"))["newCount"]
    assert (await told(client, f"{base}/events/digest"))["total"]
    assert (await told(client, f"{base}/data-tables"))["total"] == 5
    assert (await told(client, f"{base}/data-tables/{PARTS}"))["dataTable"]["name"] == "parts"
    await refused(client, "losant://events/new")
    await refused(client, "losant://applications/undefined/events/new")
    assert "not found" in await refused(client, f"losant://applications/{OTHER}/events/new")


NOT_THERE = [
    f"losant://applications/{OTHER}/events/new",
    f"losant://data-tables/{OTHER}",
    "losant://data-tables/",
    "losant://data-tables/undefined",
    "losant://data-tables/no such table",
    "losant://data-tables/..%2F..%2Fevents",
    f"losant://data-tables/{PARTS}/rows",
    f"losant://data-tables/{PARTS}?limit=1",
    "losant://data-tables/parts%00",
    "losant://data-tables/" + "a" * 3000,
    "losant://guides/../../policy",
    "losant://guides/..%2Fguard",
    "losant://events",
    "LOSANT://events/new",
    "file:///etc/passwd",
    "",
]
"""Foreign, unknown and malformed."""


async def test_what_is_not_there_is_refused_with_its_uri(connect: Connect) -> None:
    """Each with the URI as it came."""
    client = await connect()
    for uri in NOT_THERE:
        await refused(client, uri)


@pytest.mark.parametrize("deny", ["parts", PARTS])
async def test_a_denied_table_is_refused(sandbox: Sandbox, connect: Connect, deny: str) -> None:
    """By its id and by its name, however it was denied; of the list only its name is left."""
    client = await connect(deny=(deny,))
    before = len(asked(sandbox))
    assert "LOSANT_MCP_DENY" in await refused(client, f"losant://data-tables/{PARTS}")
    assert len(asked(sandbox)) == before
    await refused(client, f"losant://data-tables/{PARTS.upper()}")
    await refused(client, "losant://data-tables/parts")
    assert "reorderLevel" not in await text(client, "losant://data-tables")


async def test_a_resource_is_gone_with_the_tool_that_says_the_same(connect: Connect) -> None:
    """Whoever denies a tool, or its toolset, means what it tells."""
    client = await connect(toolsets=("tables", "guides"), deny=("list_rows",))
    for uri in ("events/new", "events/digest", f"data-tables/{PARTS}"):
        await refused(client, f"losant://{uri}")
    await told(client, "losant://data-tables")


@pytest.mark.parametrize("status", [401, 403, 429, 500])
async def test_what_losant_does_not_answer_is_told_plainly(
    sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """One sentence, no traceback and no token; nor in the log."""
    client = await connect()
    sandbox.set_faults({"kind": "status", "status": status})
    with caplog.at_level(logging.DEBUG):
        message = await refused(client, "losant://events/new", INTERNAL_ERROR)
    for said in (message, caplog.text):
        assert sandbox.tokens["full"] not in said
        assert "Traceback" not in said


@pytest.mark.parametrize("mode", ["auto"])
@pytest.mark.parametrize("tokens", [500, 8000])
async def test_each_fits_the_budget_of_results(
    sandbox: Sandbox, connect: Connect, tokens: int
) -> None:
    """Also with a table of fifty columns with long names and descriptions."""
    columns = [
        {"name": f"{'c' * 200}{i}", "dataType": "string", "constraint": "optional"}
        for i in range(50)
    ]
    url = f"{sandbox.application_url}/data-tables"
    made = sandbox.http().post(
        url, json={"name": "wide", "description": "d" * 9000, "columns": columns}
    )
    assert made.status_code == 201
    row = dict.fromkeys((column["name"] for column in columns), "v" * 900)
    assert sandbox.http().post(f"{url}/{made.json()['id']}/rows", json=row).is_success
    client = await connect(result_tokens=tokens)
    for uri in (
        "losant://events/new",
        "losant://events/digest",
        "losant://data-tables",
        "losant://data-tables/wide",
        f"losant://data-tables/{PARTS}",
    ):
        assert estimate(json.loads(await text(client, uri))) <= tokens, uri


async def test_nothing_hidden_comes_through(sandbox: Sandbox, connect: Connect) -> None:
    """Subjects, names of tables and devices, cells and descriptions are cleaned."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("UPDATE events SET subject = subject || ?, message = ?", (HIDDEN, HIDDEN))
        db.execute("UPDATE devices SET name = name || ?", (HIDDEN,))
        db.execute("UPDATE data_tables SET name = name || ?, description = ?", (HIDDEN, HIDDEN))
    url = f"{sandbox.application_url}/data-tables/{PARTS}/rows"
    row = {"partNumber": f"P{HIDDEN}", "description": HIDDEN, "category": "x"}
    assert sandbox.http().post(url, json=row).is_success
    client = await connect()
    listed = (await client.list_resources()).resources
    for resource in listed:
        shown = f"{resource.name}{resource.title}{resource.description}"
        assert not UNSEEN & set(shown), resource.uri
        if resource.mime_type == "application/json":
            assert not UNSEEN & set(str(await told(client, resource.uri))), resource.uri
