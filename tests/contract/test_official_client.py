"""A second witness: Losant's own Python client drives every operation of the sandbox.

It was written by others, from the real API. Where our client and our sandbox agree on a mistake,
it does not. What each call did is read from the database, not from the answer alone.
"""

from __future__ import annotations

import pytest
from losant_rest import Client, LosantError

from losant_mcp.api.endpoint import Endpoint
from losant_mcp.api.endpoints import ENDPOINTS
from tests.client.calls import ids_in
from tests.contract import official_data, official_events, official_tables
from tests.contract.official import DRIVERS
from tests.served import Sandbox

FILES = (official_events, official_tables, official_data)
"""Importing them registers their drivers."""


@pytest.fixture
def official(sandbox: Sandbox) -> Client:
    """The official client with the full token."""
    return Client(auth_token=sandbox.tokens["full"], url=sandbox.url)


def test_every_operation_has_a_driver() -> None:
    """The witness leaves out nothing of the catalogue."""
    assert set(DRIVERS) == set(ENDPOINTS)
    assert {driver.__module__ for driver in DRIVERS.values()} == {file.__name__ for file in FILES}


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda e: e.id)
def test_the_official_client_and_the_sandbox_agree(
    official: Client, sandbox: Sandbox, endpoint: Endpoint
) -> None:
    """The call arrives as this operation, succeeds, and has the effect that it should have."""
    DRIVERS[endpoint.id](official, sandbox, ids_in(sandbox))
    called = [request for request in sandbox.requests if request.endpoint_id == endpoint.id]
    assert called
    assert all(request.status in endpoint.responses for request in called)


def test_the_official_client_sees_losants_errors(official: Client, sandbox: Sandbox) -> None:
    """An error has the status, the type and the message that the official client reads."""
    with pytest.raises(LosantError) as caught:
        official.event.get(applicationId=sandbox.application_id, eventId="0" * 24)
    assert caught.value.status == 404
    assert caught.value.data["type"] == "NotFound"
    assert caught.value.data["message"]
