"""What is offered to read: it follows the settings, and the data tables there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from mcp import Client
from mcp.types import Resource

from losant_mcp import guides
from losant_mcp.api.times import iso
from losant_mcp.resources import dates, listing
from losant_mcp.resources.listing import KEPT_SECONDS, Listing
from losant_mcp.resources.spec import RESOURCES
from tests.calling import Connect, Mode, Serve, asked, result
from tests.served import Sandbox

STATIC = ["losant://events/new", "losant://events/digest", "losant://data-tables"]
GUIDES = [f"losant://guides/{name}" for name in guides.names()]
TABLES = ["assets", "maintenance_log", "parts", "shift_notes", "sites"]


async def listed(client: Client) -> list[Resource]:
    """What ``resources/list`` answers."""
    return (await client.list_resources()).resources


async def modified(client: Client) -> dict[str, str | None]:
    """When each of them says that it last changed, by its name."""
    found = {resource.name: resource.annotations for resource in await listed(client)}
    return {name: it.last_modified if it else None for name, it in found.items()}


async def templates(client: Client) -> list[str]:
    """The URIs of ``resources/templates/list``."""
    return [t.uri_template for t in (await client.list_resource_templates()).resource_templates]


async def test_a_bound_server_lists_every_data_table_by_name(
    sandbox: Sandbox, connect: Connect
) -> None:
    """A person picks it in the client's menu; each of them can be read."""
    client = await connect()
    found = await listed(client)
    tables = [r for r in found if r.uri.startswith("losant://data-tables/")]
    assert [r.title for r in tables] == TABLES
    assert [r.uri for r in found if r not in tables] == [*STATIC, *GUIDES]
    assert tables[2].description == "Data table, 9 columns: Spare parts in the North Depot"
    for resource in found:
        assert (await client.read_resource(resource.uri)).contents[0].mime_type == (
            resource.mime_type
        )
    assert await templates(client) == [
        "losant://data-tables/{dataTableId}",
        "losant://guides/{name}",
    ]


async def test_an_unbound_server_lists_templates(sandbox: Sandbox, connect: Connect) -> None:
    """Whose application is chosen when they are filled in; nothing is asked of Losant."""
    client = await connect(bound=False)
    assert [r.uri for r in await listed(client)] == GUIDES
    base = "losant://applications/{applicationId}"
    assert await templates(client) == [
        f"{base}/events/new",
        f"{base}/events/digest",
        f"{base}/data-tables",
        f"{base}/data-tables/{{dataTableId}}",
        "losant://guides/{name}",
    ]
    assert asked(sandbox) == []


async def test_each_says_what_it_is_for_whom_and_how_much_it_matters(
    connect: Connect, mode: Mode
) -> None:
    """Titles, descriptions and annotations; how long an answer may be kept, where that is told."""
    client = await connect()
    answer = await client.list_resources()
    for resource in answer.resources:
        assert resource.name
        assert resource.title
        assert resource.description
        assert resource.annotations
        assert resource.annotations.audience
        assert 0 < (resource.annotations.priority or 0) <= 1
    priorities = [(r.annotations and r.annotations.priority) or 0 for r in answer.resources]
    assert priorities == sorted(priorities, reverse=True)
    if mode == "auto":
        assert (answer.ttl_ms, answer.cache_scope) == (KEPT_SECONDS * 1000, "private")
        read = await client.read_resource(STATIC[0])
        assert (read.ttl_ms, read.cache_scope) == (5000, "private")


@pytest.mark.parametrize(
    ("settings", "gone"),
    [
        ({"toolsets": ("tables", "guides")}, ["losant://events/new", "losant://events/digest"]),
        ({"deny": ("summarize_events",)}, ["losant://events/digest"]),
        ({"deny": ("list_rows",)}, [f"losant://data-tables/{t}" for t in "12345"]),
        ({"deny": ("parts",)}, ["losant://data-tables/4"]),
        ({"deny": ("read_guide",)}, GUIDES),
        ({"access": "read"}, []),
    ],
    ids=["toolset", "tool", "tool of each table", "table", "tool of guides", "access"],
)
async def test_what_is_listed_follows_the_settings(
    connect: Connect, settings: dict[str, object], gone: list[str]
) -> None:
    """A resource goes with the tools that say the same, and a denied table is not named."""
    everything = [r.uri for r in await listed(await connect())]
    short = "losant://data-tables/5f0c0de0300000000000000"
    expected = [u for u in everything if u.replace(short, "losant://data-tables/") not in gone]
    assert [r.uri for r in await listed(await connect(**settings))] == expected
    assert len(expected) == len(everything) - len(gone)


async def test_each_says_when_it_last_changed(sandbox: Sandbox, connect: Connect) -> None:
    """Rows move the date of their table, columns also that of the list; guides have none."""
    http, url = sandbox.http(), sandbox.application_url
    stored = {t["name"]: t["id"] for t in http.get(f"{url}/data-tables").json()["items"]}

    def newest(column: str, where: str) -> int:
        [(found,)] = sandbox.store._connection.execute(f"SELECT max({column}) FROM {where}")
        assert isinstance(found, int)
        return found

    def expected() -> dict[str, str | None]:
        event = iso(newest("lastUpdated", "events"))
        found = {
            "new-events": event,
            "events-digest": event,
            "data-tables": iso(newest("lastUpdated", "data_tables")),
        }
        for name, table in stored.items():
            defined = newest("lastUpdated", f"data_tables WHERE id = '{table}'")
            found[name] = iso(max(defined, newest("updatedAt", f"rows_{table}")))
        return {**found, **dict.fromkeys(guides.names())}

    before = expected()
    assert await modified(await connect()) == before
    row = {"partNumber": "P-1", "description": "Seal", "category": "seal"}
    column = {"name": "floor", "dataType": "string", "constraint": "optional"}
    for change in (
        http.build_request("POST", f"{url}/data-tables/{stored['parts']}/rows", json=row),
        http.build_request("POST", f"{url}/data-tables/{stored['sites']}/column", json=column),
        http.build_request("POST", f"{url}/events", json={"level": "info", "subject": "It drips"}),
    ):
        assert http.send(change).is_success
    after = expected()
    moved = {name for name, date in after.items() if date != before[name]}
    assert moved == {"new-events", "events-digest", "data-tables", "parts", "sites"}
    assert await modified(await connect()) == after


@pytest.mark.parametrize("mode", ["auto"])
async def test_what_is_off_is_asked_for_no_date(sandbox: Sandbox, connect: Connect) -> None:
    """Nor is a denied table."""
    await modified(await connect(toolsets=("events",)))
    assert asked(sandbox) == ["events.get"]
    await modified(await connect(toolsets=("tables",), deny=("parts", "list_rows")))
    assert asked(sandbox)[1:].count("dataTableRows.get") == 0
    before = len(asked(sandbox))
    dated = await modified(await connect(toolsets=("tables",), deny=("parts",)))
    assert asked(sandbox)[before:].count("dataTableRows.get") == len(dated) - 1 == 4


@pytest.mark.parametrize("mode", ["auto"])
async def test_of_many_tables_none_is_dated(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would take a request; what costs one for all of them is still told."""
    monkeypatch.setattr(dates, "MOST_DATED", 4)
    dated = await modified(await connect())
    assert {name for name, date in dated.items() if date} == {
        *("new-events", "events-digest", "data-tables"),
    }
    assert asked(sandbox) == ["dataTables.get", "events.get"]


@pytest.mark.parametrize("mode", ["auto"])
@pytest.mark.parametrize(("status", "times"), [(403, 1000), (403, 1), (429, 1000), (500, 1000)])
async def test_where_losant_refuses_a_date_no_table_has_one(
    sandbox: Sandbox, connect: Connect, status: int, times: int
) -> None:
    """The list is whole, and Losant is not asked for every table once it has refused one."""
    for number in range(dates.MOST_DATED - len(TABLES)):
        made = sandbox.http().post(
            f"{sandbox.application_url}/data-tables", json={"name": f"t{number}"}
        )
        assert made.status_code == 201
    whole = await modified(await connect())
    assert {name for name, date in whole.items() if not date} == set(guides.names())
    before = len(asked(sandbox))
    sandbox.set_faults(
        {"kind": "status", "status": status, "endpoint": "dataTableRows.get", "times": times}
    )
    dated = await modified(await connect())
    assert list(dated) == list(whole)
    assert {name for name, date in dated.items() if date} == {
        *("new-events", "events-digest", "data-tables"),
    }
    assert asked(sandbox)[before:].count("dataTableRows.get") < dates.MOST_DATED


@pytest.mark.parametrize("mode", ["auto"])
async def test_who_may_not_read_events_is_told_the_dates_of_tables(
    sandbox: Sandbox, connect: Connect
) -> None:
    """A token may be for tables alone."""
    sandbox.set_faults({"kind": "status", "status": 403, "endpoint": "events.get"})
    dated = await modified(await connect())
    assert {name for name, date in dated.items() if date} == {"data-tables", *TABLES}


@pytest.mark.parametrize("mode", ["auto"])
async def test_nobody_waits_long_for_dates(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Losant is slow, the list is there without them."""
    monkeypatch.setattr(dates, "SECONDS", 0.0)
    sandbox.set_faults(
        *({"kind": "hang", "endpoint": it} for it in ("dataTableRows.get", "events.get"))
    )
    dated = await modified(await connect())
    assert set(dated) == {"new-events", "events-digest", "data-tables", *TABLES, *guides.names()}
    assert [name for name, date in dated.items() if date] == ["data-tables"]


async def test_the_names_of_tables_are_kept_until_we_write(
    sandbox: Sandbox, connect: Connect
) -> None:
    """One round of requests serves many lists; our own new table is there at once."""
    client = await connect()
    for _ in range(3):
        await client.list_resources(cache_mode="bypass")
    dates = ["events.get", *["dataTableRows.get"] * len(TABLES)]
    assert Counter(asked(sandbox)) == Counter(["dataTables.get", *dates])
    await result(client, "create_data_table", name="a new one")
    found = (await client.list_resources(cache_mode="bypass")).resources
    assert "a new one" in [r.title for r in found]


async def test_a_list_that_a_write_overtook_is_not_kept(sandbox: Sandbox, serve: Serve) -> None:
    """It may lack what the write made."""
    services = (await serve()).resources._services
    it = Listing(services)
    sandbox.set_faults({"kind": "latency", "ms": 100, "endpoint": "events.get", "times": 1})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.resources)
        with anyio.fail_after(10):
            while "events.get" not in asked(sandbox):
                await anyio.lowlevel.checkpoint()
        for tell in services.after_writes:
            tell(sandbox.application_id, "tables")
    await it.resources()
    await it.resources()
    assert asked(sandbox).count("dataTables.get") == 2


async def test_the_names_of_tables_are_kept_for_a_while(sandbox: Sandbox, serve: Serve) -> None:
    """Then somebody else's new table is there as well."""
    now = [0.0]
    it = Listing((await serve()).resources._services, clock=lambda: now[0])
    before = len(await it.resources())
    made = sandbox.http().post(f"{sandbox.application_url}/data-tables", json={"name": "theirs"})
    assert made.status_code == 201
    now[0] = KEPT_SECONDS - 1
    assert len(await it.resources()) == before
    now[0] = KEPT_SECONDS
    assert len(await it.resources()) == before + 1


async def test_without_losant_the_rest_is_listed(sandbox: Sandbox, connect: Connect) -> None:
    """An outage takes the tables' names, and nothing else; it is not kept."""
    client = await connect()
    sandbox.set_faults({"kind": "status", "status": 503})
    assert [r.uri for r in await listed(client)] == [*STATIC, *GUIDES]
    sandbox.set_faults()
    found = (await client.list_resources(cache_mode="bypass")).resources
    assert len(found) == len([*STATIC, *GUIDES, *TABLES])


async def test_a_slow_losant_does_not_keep_a_client_from_the_list(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of the tables are waited for, but not for long."""
    monkeypatch.setattr(listing, "_MOST_SECONDS", 0.0)
    sandbox.set_faults({"kind": "latency", "ms": 60_000})
    assert [r.uri for r in await listed(await connect())] == [*STATIC, *GUIDES]


def test_the_readme_names_every_resource() -> None:
    """By the URI that it has on a bound server."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for spec in RESOURCES.values():
        assert f"| `{spec.template(bound=True)}` |" in readme
