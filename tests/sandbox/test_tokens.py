"""Tokens: who may do what, over HTTP."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import jwt
import pytest

from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.sandbox import tokens
from losant_mcp.sandbox.store import Store, system_clock
from tests.served import Sandbox


def test_a_sandbox_hands_out_five_tokens(sandbox: Sandbox) -> None:
    """The tokens are full, read, application, device and expired, and each says whose it is."""
    assert list(sandbox.tokens) == ["full", "read", "application", "device", "expired"]
    claims = {
        name: jwt.decode(token, options={"verify_signature": False})
        for name, token in sandbox.tokens.items()
    }
    assert {name: (c["subtype"], c["scope"]) for name, c in claims.items()} == {
        "full": ("user", ["all.User"]),
        "read": ("apiToken", ["all.Application.read"]),
        "application": ("apiToken", ["all.Application"]),
        "device": ("device", ["all.Device"]),
        "expired": ("user", ["all.User"]),
    }
    [device] = sandbox.store.rows("SELECT id FROM devices ORDER BY id LIMIT 1")
    assert claims["device"]["sub"] == device["id"]
    assert claims["read"]["applicationId"] == sandbox.application_id
    assert "applicationId" not in claims["full"]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x.y.z", "Basic {full}", "{full}"])
def test_a_request_without_a_good_token_is_unauthorized(
    sandbox: Sandbox, authorization: str
) -> None:
    """A missing, malformed or unsigned token is a 401."""
    headers = {"Authorization": authorization.format(**sandbox.tokens)}
    answer = sandbox.http(None).get("/applications", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["type"] == "Unauthorized"


def test_an_expired_token_is_unauthorized(sandbox: Sandbox) -> None:
    """A token whose time is over is a 401 that says so."""
    answer = sandbox.http("expired").get("/applications")
    assert (answer.status_code, answer.json()) == (
        401,
        {"type": "Unauthorized", "message": "The token has expired"},
    )


def test_a_token_of_another_sandbox_is_unauthorized(sandbox: Sandbox) -> None:
    """Each database signs with a secret of its own."""
    other = Store()
    stranger = tokens.mint(other, sandbox.application_id, "0" * 24)["full"]
    other.close()
    answer = sandbox.http(None).get(
        "/applications", headers={"Authorization": f"Bearer {stranger}"}
    )
    assert answer.status_code == 401


def test_tokens_stay_good_for_a_database_that_is_opened_again(sandbox: Sandbox) -> None:
    """Minting again keeps the secret, so that older tokens still open the same database."""
    before = sandbox.tokens["full"]
    tokens.mint(sandbox.store, sandbox.application_id, "0" * 24)
    answer = sandbox.http(None).get("/applications", headers={"Authorization": f"Bearer {before}"})
    assert answer.status_code == 200


def _days_on(days: int) -> int:
    return system_clock() + days * 24 * 3600 * 1000


def test_a_database_has_the_same_tokens_until_they_expire(tmp_path: Path) -> None:
    """What a server keeps under a token's name is found again after a restart."""
    minted = []
    for day in (0, 1, 363, 365, 366):
        store = Store(tmp_path / "sandbox.sqlite", clock=partial(_days_on, day))
        minted.append(tokens.mint(store, "5" * 24, "0" * 24))
        with store.transaction(write=False) as db:
            tokens.authenticate(store, db, f"Bearer {minted[-1]['full']}")
        store.close()
    assert minted[0] == minted[1] == minted[2]
    assert minted[3] == minted[4]
    assert set(minted[0].values()).isdisjoint(minted[3].values())


@pytest.mark.parametrize("name", ["full", "read", "application", "device"])
def test_a_token_reaches_exactly_what_its_scopes_allow(sandbox: Sandbox, name: str) -> None:
    """An action without a matching scope is a 403; with one, it gets past the gate."""
    http = sandbox.http(name)
    [scope] = jwt.decode(sandbox.tokens[name], options={"verify_signature": False})["scope"]
    for endpoint in ENDPOINTS.values():
        path = endpoint.path.replace("{applicationId}", sandbox.application_id)
        for other in endpoint.path_params:
            path = path.replace(f"{{{other}}}", "0" * 24)
        # Past the gate all fail on this parameter, so that nothing is destroyed on the way.
        answer = http.request(endpoint.method, path, params={"nonsense": "1"})
        expected = 400 if scope in endpoint.scopes else 403
        assert answer.status_code == expected, endpoint.id


def test_reading_scopes_are_enough_to_delete_events_in_bulk(sandbox: Sandbox) -> None:
    """The oddity of the published scopes is kept: a read-only token may delete events."""
    answer = sandbox.http("read").post(
        f"{sandbox.application_url}/events/delete", json={"subject": "no such subject"}
    )
    assert (answer.status_code, answer.json()) == (200, {"removed": 0})


@pytest.mark.parametrize("name", ["full", "read"])
def test_a_foreign_application_is_not_found(sandbox: Sandbox, name: str) -> None:
    """An application that is not there, or that the token is not for, is a 404."""
    foreign = "5e0000000000000000000001"
    if name == "read":
        with sandbox.store.transaction(write=True) as db:
            db.execute("INSERT INTO applications VALUES (?, 'Other', NULL, 0, 0)", (foreign,))
    answer = sandbox.http(name).get(f"/applications/{foreign}/events")
    assert (answer.status_code, answer.json()) == (
        404,
        {"type": "NotFound", "message": "Application was not found"},
    )
