"""Tables that an operator put on the deny list: named where they are listed, and never touched."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.server import build_server, policy_of, resolve_denied
from losant_mcp.tools.spec import TOOLS
from losant_mcp.tools.tables import DENIED
from tests.calling import Connect, asked, by_column, refusal, result, stored
from tests.served import Sandbox
from tests.tools.plausible import arguments, ids_in
from tests.tools.test_names import TABLE_TOOLS

SITES = "5f0c0de03000000000000001"


@pytest.mark.parametrize("deny", [("sites",), (SITES,), (SITES.upper(),)])
@pytest.mark.parametrize("mode", ["auto"])
async def test_a_denied_table_is_refused_in_every_tool(
    connect: Connect, sandbox: Sandbox, deny: tuple[str, ...]
) -> None:
    """Whether the operator and the caller write its name or its id."""
    client = await connect(deny=deny)
    before, given = stored(sandbox), arguments(ids_in(sandbox.store))
    for name in TABLE_TOOLS:
        for reference in ("sites", SITES, SITES.upper()):
            text = await refusal(client, name, **{**given[name], "dataTableId": reference})
            assert "never touched" in text
            assert "LOSANT_MCP_DENY" in text
    assert stored(sandbox) == before
    assert set(asked(sandbox)) == {"dataTables.get"}


async def test_a_denied_table_is_listed_by_name_alone(connect: Connect) -> None:
    """Who looks for it learns why it cannot be had, and nothing of what is in it."""
    client = await connect(deny=("sites",))
    tables = {row["name"]: row for row in by_column(await result(client, "list_data_tables"))}
    assert tables["sites"] == {
        "id": SITES,
        "name": "sites",
        "columns": None,
        "description": DENIED,
        "lastUpdated": None,
    }
    assert tables["assets"]["columns"]
    other = await result(client, "get_data_table", dataTableId="assets")
    assert other["dataTable"]["rowCount"] == 200


@pytest.fixture
def settings(sandbox: Sandbox) -> Settings:
    """A bound server's."""
    return Settings(
        api_token=SecretStr(sandbox.tokens["full"]),
        api_url=sandbox.url,
        application_id=sandbox.application_id,
    )


def _denying(settings: Settings, *names: str, **changes: Any) -> Settings:
    return settings.model_copy(update={"deny": names, **changes})


@pytest.mark.parametrize("bound", [True, False])
async def test_every_table_of_a_name_is_denied(
    sandbox: Sandbox, losant: LosantClient, settings: Settings, bound: bool
) -> None:
    """Of two tables called alike both are meant; unbound, in every application there is."""
    url = f"{sandbox.application_url}/data-tables"
    twin = sandbox.http().post(url, json={"name": "sites"}).json()["id"]
    changes = {} if bound else {"application_id": None}
    chosen = _denying(settings, "sites", "truncate_rows", "5F0C0DE0AAAAAAAAAAAAAAAA", **changes)
    policy = await resolve_denied(chosen, losant)
    assert policy.denied_tables == {SITES, twin, "5F0C0DE0AAAAAAAAAAAAAAAA"}


async def test_without_names_nothing_is_asked(
    sandbox: Sandbox, losant: LosantClient, settings: Settings
) -> None:
    """Ids and tools need no look at Losant, so that a start stays quick."""
    chosen = _denying(settings, "truncate_rows", SITES)
    assert (await resolve_denied(chosen, losant)).denied_tables == {SITES}
    assert asked(sandbox) == []


@pytest.mark.parametrize(
    ("name", "guess"),
    [("Sites", "did you mean 'sites'?"), ("truncate_row", "did you mean 'truncate_rows'?")],
)
async def test_a_name_that_fits_nothing_fails_the_start(
    losant: LosantClient, settings: Settings, name: str, guess: str
) -> None:
    """It would protect nothing, and nobody would notice."""
    with pytest.raises(ConfigurationError) as caught:
        await resolve_denied(_denying(settings, name), losant)
    assert str(caught.value) == (
        f"LOSANT_MCP_DENY: there is no tool and no data table called {name!r}; {guess}"
    )


async def test_a_server_is_not_built_on_a_name_that_nobody_looked_up(
    losant: LosantClient, settings: Settings
) -> None:
    """Forgetting to resolve names must not leave a table unprotected."""
    chosen = _denying(settings, "sites")
    losant.policy = policy_of(chosen)
    with pytest.raises(ConfigurationError) as caught:
        build_server(chosen, losant)
    assert "was not looked up" in str(caught.value)


def test_a_tool_is_not_taken_for_a_table() -> None:
    """What names a tool denies the tool."""
    assert policy_of(Settings(deny=tuple(TOOLS))).denied_tables == frozenset()
