"""What people do in one go, as stories: each a few calls that belong together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
from mcp.types import PromptReference, ResourceTemplateReference

from tests.soak.person import Failed, Person
from tests.tools.plausible import PUMP

Story = Callable[[Person], Awaitable[None]]

TABLES = ("sites", "assets", "parts", "maintenance_log", "shift_notes")
SQL = (
    "SELECT district, count(*) AS n FROM sites GROUP BY ALL ORDER BY n DESC",
    "SELECT a.kind, sum(m.cost) FROM maintenance_log m JOIN assets a USING (assetTag) GROUP BY 1",
    "SELECT s.name, count(*) AS notes FROM shift_notes n JOIN sites s USING (siteCode) GROUP BY 1",
    "SELECT level, count(*) AS n FROM events GROUP BY ALL",
    "SELECT d.name, count(*) AS n FROM devices d JOIN events e ON e.deviceId = d.id GROUP BY 1",
)
HEAVY = "SELECT count(*) FROM shift_notes a, shift_notes b, shift_notes c WHERE a.note <> b.note"
"""More than the workbench has time for."""


async def triage_events(person: Person) -> None:
    """What is new, page by page, the worst, one of them whole, and all in figures."""
    page = await person.ask("list_events", state="new", perPage=20)
    event = person.chance.choice(page["rows"])[page["columns"].index("id")]
    while page.get("next") and person.chance.random() < 0.7:
        page = await person.ask("list_events", **page["next"])
    await person.attempt("get_event", eventId=event)
    await person.ask("get_most_severe_event", query={"level": {"$gte": "error"}})
    await person.ask("summarize_events", start=person.chance.choice(("-2h", "-2d", "-30d")))


async def raise_an_event(person: Person) -> None:
    """An event is raised, seen to and done with; Losant takes fifteen in fifteen seconds."""
    made = await person.attempt(
        "create_event", level="info", subject="Soaked", message="wet " * 50, deviceId=PUMP
    )
    if made is not None:
        event = made["event"]["id"]
        await person.attempt("update_event", eventId=event, state="acknowledged", comment="Seen.")
        await person.attempt("update_event", eventId=event, state="resolved")
    await person.attempt(
        "update_events", query={"subject": "Soaked"}, fromState="new", state="acknowledged"
    )


async def browse_tables(person: Person) -> None:
    """Rows are paged through, found, counted, and one is read."""
    table = person.chance.choice(TABLES)
    await person.ask("list_data_tables")
    await person.ask("get_data_table", dataTableId=table)
    page = await person.ask("list_rows", dataTableId=table, limit=15)
    row = page["rows"][0][page["columns"].index("id")]
    for _ in range(2):
        if page.get("next"):
            page = await person.ask("list_rows", **page["next"])
    await person.ask("get_row", dataTableId=table, rowId=row)
    await person.ask("query_rows", dataTableId=table, query={"id": {"$ne": None}}, countOnly=True)


async def look_at_devices(person: Person) -> None:
    """Devices, what they measured, and what the server says of itself."""
    await person.ask("list_applications")
    await person.ask("list_devices", query={"name": {"$startsWith": "Alder"}})
    await person.ask("get_device", deviceId=PUMP)
    pump: dict[str, Any] = {"deviceIds": [PUMP], "attributes": ["flow"]}
    await person.ask("query_time_series", **pump, resolution=3_600_000)
    await person.ask("query_last_values", deviceIds=[PUMP], attribute="flow")
    await person.ask("list_jobs")
    await person.ask("get_server_status")
    await person.ask("read_guide", name=person.chance.choice(("sql", "time-series")))


async def ask_by_sql(person: Person) -> None:
    """Questions over several tables, at the same time, and a table's profile."""
    async with anyio.create_task_group() as tasks:
        for sql in person.chance.sample(SQL, 2):
            tasks.start_soon(_sql, person, sql)
    await person.ask("profile_data_table", dataTableId=person.chance.choice(TABLES))


async def _sql(person: Person, sql: str) -> None:
    with suppress(Failed):
        await person.ask("query_sql", sql=sql)


async def draw_a_chart(person: Person) -> None:
    """A picture of measurements, drawn by a process of its own."""
    await person.ask("render_chart", kind="line", deviceIds=[PUMP], attributes=["flow"])


async def read_resources(person: Person) -> None:
    """All that a client shows in its menus: tools, resources, prompts, completions."""
    client = person.client
    await person.see("tools/list", client.list_tools(cache_mode="bypass"))
    await person.see("resources/templates", client.list_resource_templates(cache_mode="bypass"))
    listed = await person.see("resources/list", client.list_resources(cache_mode="bypass"))
    for resource in person.chance.sample(listed.resources, 3):
        await person.see(
            "resources/read", client.read_resource(str(resource.uri), cache_mode="bypass")
        )
    table = ResourceTemplateReference(uri="losant://data-tables/{dataTableId}")
    await person.see("complete", client.complete(table, {"name": "dataTableId", "value": "s"}))


async def use_prompts(person: Person) -> None:
    """Prompts with live data in them."""
    client = person.client
    await person.see("prompts/list", client.list_prompts(cache_mode="bypass"))
    for name in ("triage_new_events", "review_event_storm", "shift_handover"):
        await person.see("prompts/get", client.get_prompt(name))
    about = {"table": person.chance.choice(TABLES), "question": "How many are there?"}
    await person.see("prompts/get", client.get_prompt("ask_data_table", about))
    level = PromptReference(name="triage_new_events")
    await person.see("complete", client.complete(level, {"name": "level", "value": "e"}))


async def err(person: Person) -> None:
    """What is misspelt, unknown, left out or forbidden is refused in words."""
    await person.mistake("list_events", perpage=5)
    await person.mistake("list_rows", dataTableId="no such table")
    await person.mistake("get_event", eventId="YOUR_EVENT_ID")
    await person.mistake("query_rows", dataTableId="sites", query={"name": {"$regex": "a"}})
    await person.mistake("query_sql", sql="SELECT * FROM nowhere")
    await person.mistake("query_sql", sql="DROP TABLE sites")
    await person.mistake("insert_rows", dataTableId="sites", rows=[{"nonsense": 1}])
    await person.mistake("restore_backup", backupId="bak_" + "a" * 26)
    client = person.client
    await person.see_nothing("unknown tool", client.call_tool("no_such_tool", {}))
    await person.see_nothing("unknown prompt", client.get_prompt("no_such_prompt"))
    await person.see_nothing("unknown resource", client.read_resource("losant://nothing"))


async def change_ones_mind(person: Person) -> None:
    """Calls are cancelled: in a load, in a statement, in a digest, or when they had ended."""
    chance = person.chance
    await person.give_up(chance.uniform(0.1, 0.8), "query_sql", sql=HEAVY)
    await person.give_up(chance.uniform(0, 0.1), "query_sql", sql=chance.choice(SQL))
    await person.give_up(chance.uniform(0, 0.1), "summarize_events", start="-30d")
    await person.give_up(chance.uniform(0, 0.1), "profile_data_table", dataTableId="shift_notes")
    await person.give_up(chance.uniform(0, 0.3), "render_chart", kind="bar", sql=SQL[0])


READING: tuple[Story, ...] = (
    triage_events,
    browse_tables,
    look_at_devices,
    ask_by_sql,
    draw_a_chart,
    read_resources,
    use_prompts,
    err,
    change_ones_mind,
    raise_an_event,
)
