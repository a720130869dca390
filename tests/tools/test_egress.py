"""Addresses to which data or a notice would go: refused unless an operator listed them."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.api.endpoint import Effect
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, asked, refusal, result, stored
from tests.served import Sandbox
from tests.tools.plausible import GUARDED, PUMP, arguments, ids_in
from tests.tools.watching import Watch

TOOLS_WITH_EGRESS = [n for n in TOOLS if "email" in TOOLS[n].arguments(bound=True)]
UNGUARDED = [n for n in TOOLS_WITH_EGRESS if n not in GUARDED]
ALLOWED = {
    "email_domains": ("example.com",),
    "callback_prefixes": ("https://hooks.example.com/losant/",),
}
MAIL, HOOK = "ops@example.com", "https://hooks.example.com/losant/done"


def test_the_tools_that_notify_are_those_of_the_api() -> None:
    """Both arguments always come together."""
    assert [
        n for n in TOOLS if "callbackUrl" in TOOLS[n].arguments(bound=True)
    ] == TOOLS_WITH_EGRESS
    assert len(TOOLS_WITH_EGRESS) == 5


@pytest.mark.parametrize("settings", [{}, ALLOWED], ids=["default", "with lists"])
@pytest.mark.parametrize(
    ("given", "listed_by"),
    [
        ({"email": "mallory@evil.example"}, "LOSANT_MCP_EMAIL_DOMAINS"),
        ({"email": "a@example.com,mallory@evil.example"}, "email"),
        ({"callbackUrl": "https://evil.example/"}, "LOSANT_MCP_CALLBACK_PREFIXES"),
        ({"callbackUrl": "http://hooks.example.com/losant/"}, "LOSANT_MCP_CALLBACK_PREFIXES"),
        ({"callbackUrl": "https://hooks.example.com/losant/../x"}, "LOSANT_MCP_CALLBACK_PREFIXES"),
    ],
)
async def test_an_address_that_is_not_listed_is_refused(
    connect: Connect,
    sandbox: Sandbox,
    settings: dict[str, Any],
    given: dict[str, str],
    listed_by: str,
) -> None:
    """Nothing leaves, and the answer names the setting that a person could change."""
    client = await connect(**settings)
    before, plausible = stored(sandbox), arguments(ids_in(sandbox.store))
    for name in UNGUARDED:
        text = await refusal(client, name, **plausible[name], **given)
        assert listed_by in text, text
        assert text.endswith("Nothing was changed.")
    assert {ENDPOINTS[endpoint].effect for endpoint in asked(sandbox)} == {Effect.READ}
    assert stored(sandbox) == before


@pytest.mark.parametrize("given", [{"email": MAIL}, {"callbackUrl": HOOK}])
async def test_a_listed_address_is_passed_on(
    connect: Connect, sandbox: Sandbox, given: dict[str, str]
) -> None:
    """Each tool hands it to Losant as it was given."""
    watch = Watch()
    client = await connect(transport=watch, job_seconds=0, **ALLOWED)
    with sandbox.store.transaction(write=True) as db:
        # Stuck jobs call nobody back, so that no test reaches out of this machine.
        db.execute("INSERT INTO meta VALUES ('job_fault', 'stuck')")
    [value] = given.values()
    plausible = arguments(ids_in(sandbox.store))
    for tool in UNGUARDED:
        watch.sent.clear()
        answer = await client.call_tool(tool, {**plausible[tool], **given})
        assert not answer.is_error, answer
        assert watch.carried(value)


async def test_without_an_address_losant_writes_to_the_tokens_owner(
    connect: Connect, sandbox: Sandbox
) -> None:
    """That is always allowed, and nothing is sent in its stead."""
    watch = Watch()
    client = await connect(transport=watch)
    found = await result(client, "export_device_data", deviceIds=[PUMP], start="-1h")
    assert found["status"] == "done"
    assert not watch.carried("email")
    assert not watch.carried("callbackUrl")


async def test_a_column_called_email_is_data_like_any_other(
    connect: Connect, sandbox: Sandbox
) -> None:
    """Only a field that the API declares sends mail."""
    client = await connect()
    columns = [
        {"name": name, "dataType": "string", "constraint": "optional"}
        for name in ("email", "callbackUrl")
    ]
    await result(client, "create_data_table", name="people", columns=columns)
    row = {"email": "mallory@evil.example", "callbackUrl": "https://evil.example/"}
    found = await result(client, "insert_rows", dataTableId="people", rows=[row])
    assert found["changed"] == 1
