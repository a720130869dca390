"""Every request passes the policy, and nothing passes around it."""

from __future__ import annotations

import ast
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

import losant_mcp.client
from losant_mcp.api import endpoints
from losant_mcp.api.endpoint import Effect
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.events import EventsExport
from losant_mcp.client import LosantClient
from losant_mcp.errors import InvalidRequest, Refused, describe
from losant_mcp.policy import Access, Permit, Policy
from tests.client.calls import CALLS, ids_in
from tests.served import Sandbox


class Watched(httpx.AsyncBaseTransport):
    """The network, and all that was put on it."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []
        self.network = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the request, and send it."""
        self.sent.append(request)
        return await self.network.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the real connections."""
        await self.network.aclose()


@pytest.mark.parametrize(
    ("access", "effects"),
    [
        ("read", {Effect.READ}),
        ("write", {Effect.READ, Effect.WRITE, Effect.OVERWRITE, Effect.EXPORT}),
    ],
)
async def test_only_allowed_effects_reach_the_wire(
    sandbox: Sandbox, access: Access, effects: set[Effect]
) -> None:
    """With a token that may do everything, each method sends what its effect allows, or nothing."""
    watched = Watched()
    ids = ids_in(sandbox)
    async with LosantClient(
        SecretStr(sandbox.tokens["full"]),
        base_url=sandbox.url,
        policy=Policy(access, destroy="open"),
        transport=watched,
        retry_wait_scale=0,
    ) as losant:
        for endpoint in ENDPOINTS.values():
            sent = len(watched.sent)
            if endpoint.effect in effects:
                if endpoint is not endpoints.APPLICATION_JOB_LOG_GET:
                    await CALLS[endpoint.id](losant, ids)
                    assert len(watched.sent) == sent + 1
                continue
            with pytest.raises(Refused) as caught:
                await CALLS[endpoint.id](losant, ids)
            assert describe(caught.value).endswith("Nothing was changed.")
            assert len(watched.sent) == sent
    arrived = {ENDPOINTS[request.endpoint_id or ""].effect for request in sandbox.requests}
    assert arrived == effects


async def test_nothing_is_destroyed_without_a_permit(sandbox: Sandbox) -> None:
    """A delete is refused without a permit and with another's, and runs with its own."""
    ids = ids_in(sandbox)
    path = {"applicationId": ids.application, "eventId": ids.event}
    async with LosantClient(SecretStr(sandbox.tokens["full"]), base_url=sandbox.url) as losant:
        for permit in (None, Permit("event.delete", {**path, "eventId": "0" * 24})):
            with pytest.raises(Refused):
                await losant.event_delete(**path, permit=permit)
        assert sandbox.requests == []
        assert sandbox.store.rows("SELECT 1 FROM events WHERE id = ?", ids.event)
        await losant.event_delete(**path, permit=Permit("event.delete", path))
    assert not sandbox.store.rows("SELECT 1 FROM events WHERE id = ?", ids.event)


async def test_another_application_is_not_even_asked_for(sandbox: Sandbox) -> None:
    """A bound client refuses the foreign id before anything is sent."""
    async with LosantClient(
        SecretStr(sandbox.tokens["full"]),
        base_url=sandbox.url,
        policy=Policy(application_id=sandbox.application_id),
    ) as losant:
        with pytest.raises(Refused):
            await losant.events_get(applicationId="0" * 24)
        await losant.events_get(applicationId=sandbox.application_id)
    assert len(sandbox.requests) == 1


async def test_an_export_goes_to_listed_recipients_only(sandbox: Sandbox) -> None:
    """An address outside the allowed domains is refused, and no job was queued."""
    async with LosantClient(
        SecretStr(sandbox.tokens["full"]),
        base_url=sandbox.url,
        policy=Policy(email_domains=frozenset({"good.example"})),
    ) as losant:
        with pytest.raises(Refused):
            await losant.events_export(
                applicationId=sandbox.application_id, body=EventsExport(email="x@evil.example")
            )
        assert not sandbox.store.rows("SELECT 1 FROM jobs")
        await losant.events_export(
            applicationId=sandbox.application_id, body=EventsExport(email="x@good.example")
        )


@pytest.mark.parametrize(
    "bad", ["", "abc", "../applications", "a" * 24 + "/..", "a" * 25, "a" * 24 + "\n", "%2e" * 8]
)
async def test_an_id_that_is_none_cannot_change_the_path(
    losant: LosantClient, sandbox: Sandbox, bad: str
) -> None:
    """A path is made of ids only, so that no argument turns one operation into another."""
    with pytest.raises(InvalidRequest) as caught:
        await losant.event_delete(applicationId=sandbox.application_id, eventId=bad)
    assert describe(caught.value) == (
        "event.delete: eventId must be an id of 24 hexadecimal characters. Nothing was changed."
    )
    assert sandbox.requests == []


def test_there_is_one_place_that_sends() -> None:
    """Of the whole package only the transport makes requests of httpx, and in one line."""
    folder = Path(losant_mcp.client.__file__).parent
    sends = [
        f"{path.name}:{node.func.attr}"
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"request", "send", "stream", "get_async", "build_request", "post"}
    ]
    assert sends == ["transport.py:request"]
