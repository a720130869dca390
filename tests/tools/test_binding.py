"""One application or many: by setting, by token, or by an argument that is never guessed."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.server import bound_application
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, asked, cells, refusal, result, stored
from tests.served import Sandbox
from tests.tools.plausible import arguments, ids_in
from tests.tools.watching import Watch

FOREIGN = "5f0c0de00000000000000002"


@pytest.mark.parametrize("token", ["application", "device", "read"])
def test_a_token_of_one_application_binds(sandbox: Sandbox, token: str) -> None:
    """It reaches no other application, so there is nothing to choose."""
    settings = Settings(api_token=SecretStr(sandbox.tokens[token]))
    assert bound_application(settings) == sandbox.application_id


def test_a_user_token_does_not_bind(sandbox: Sandbox) -> None:
    """A person's token reaches many applications; which one is meant must be said."""
    assert bound_application(Settings(api_token=SecretStr(sandbox.tokens["full"]))) is None
    assert bound_application(Settings(api_token=SecretStr("no-json-web-token"))) is None
    assert bound_application(Settings()) is None


def test_a_token_of_another_application_stops_the_start(sandbox: Sandbox) -> None:
    """Every request would be refused, each less clearly than this."""
    settings = Settings(api_token=SecretStr(sandbox.tokens["application"]), application_id=FOREIGN)
    with pytest.raises(ConfigurationError) as caught:
        bound_application(settings)
    assert sandbox.application_id in str(caught.value)
    assert sandbox.tokens["application"] not in str(caught.value)


async def test_a_server_bound_by_its_token_works(connect: Connect, sandbox: Sandbox) -> None:
    """Without a setting, all tools go without applicationId, and the one is shown."""
    client = await connect(token="application", bound=False)
    for tool in (await client.list_tools()).tools:
        assert "applicationId" not in tool.input_schema["properties"]
    assert (await result(client, "list_events", perPage=1))["total"] == 2000
    assert cells(await result(client, "list_applications"), "id") == [sandbox.application_id]


@pytest.mark.parametrize("mode", ["auto"])
async def test_another_application_is_refused_by_a_bound_server(
    connect: Connect, sandbox: Sandbox
) -> None:
    """In every tool, without asking Losant; its own id is no harm."""
    client = await connect()
    before, given = stored(sandbox), arguments(ids_in(sandbox.store))
    for name in TOOLS:
        text = await refusal(client, name, **given[name], applicationId=FOREIGN)
        assert f"bound to application {sandbox.application_id}; it reaches no other" in text
    assert asked(sandbox) == []
    assert stored(sandbox) == before
    own = await result(client, "list_events", applicationId=sandbox.application_id, perPage=1)
    assert "applicationId" not in own["next"]


@pytest.mark.parametrize("mode", ["auto"])
async def test_an_unbound_server_never_picks_an_application(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Without one, every tool that is about an application says how to find it."""
    client = await connect(bound=False)
    before, given = stored(sandbox), arguments(ids_in(sandbox.store))
    own = [name for name, spec in TOOLS.items() if "applicationId" in spec.arguments(bound=False)]
    assert set(TOOLS) - set(own) == {"list_applications", "get_server_status", "read_guide"}
    for name in own:
        text = await refusal(client, name, **given[name])
        assert text.startswith("applicationId is required. list_applications has it.")
    assert asked(sandbox) == []
    assert stored(sandbox) == before


async def test_an_unbound_server_carries_the_application_along(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Calls go where they are told to, and so does the next page."""
    client = await connect(bound=False)
    own = {"applicationId": sandbox.application_id}
    found = await result(client, "list_rows", **own, dataTableId="sites", limit=3)
    assert found["next"] == {**own, "dataTableId": "sites", "limit": 3, "offset": 3}
    again = await result(client, "list_rows", **found["next"])
    assert again["returned"] == 3
    text = await refusal(client, "list_events", applicationId=FOREIGN)
    assert "list_applications" in text
    assert "(404)" in text


async def test_every_request_of_a_bound_server_is_about_its_application(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Watched at the transport while every tool is called."""
    watch = Watch()
    client = await connect(transport=watch)
    for name, given in arguments(ids_in(sandbox.store)).items():
        await client.call_tool(name, given)
    paths = [request.path for request in sandbox.requests]
    assert paths
    assert all(path.startswith(sandbox.application_url) for path in paths)


async def test_the_one_applications_arguments_are_gone_where_there_is_nothing_to_choose(
    connect: Connect,
) -> None:
    """A filter over one application would be ignored in silence."""
    client = await connect()
    text = await refusal(client, "list_applications", filter="Cedar*")
    assert "Valid: none." in text
