"""What a token says of itself, read for advice only."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losant_mcp.claims import Claims, read_claims
from tests.served import Sandbox


def _token(payload: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.signature"


@pytest.mark.parametrize(
    ("name", "kind", "scopes"),
    [
        ("full", "user", ("all.User",)),
        ("read", "apiToken", ("all.Application.read",)),
        ("application", "apiToken", ("all.Application",)),
        ("device", "device", ("all.Device",)),
    ],
)
def test_kind_scopes_and_application_are_read(
    sandbox: Sandbox, name: str, kind: str, scopes: tuple[str, ...]
) -> None:
    """Of each kind of token that the sandbox hands out."""
    claims = read_claims(sandbox.tokens[name])
    assert (claims.kind, claims.scopes) == (kind, scopes)
    assert claims.application_id == (None if kind == "user" else sandbox.application_id)
    assert not claims.expired(datetime.now(UTC))


def test_an_expired_token_is_told(sandbox: Sandbox) -> None:
    """By the moment that is asked about."""
    claims = read_claims(sandbox.tokens["expired"])
    assert claims.expires is not None
    assert claims.expired(datetime.now(UTC))
    assert claims.expired(claims.expires)
    assert not claims.expired(claims.expires - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, Claims()),
        ([], Claims()),
        ({"scope": "a b"}, Claims(scopes=("a", "b"))),
        ({"scope": 5, "applicationId": 5, "exp": "soon"}, Claims()),
        ({"applicationId": "short"}, Claims()),
        ({"exp": True}, Claims()),
        ({"exp": 1e300}, Claims()),
        ({"type": "user"}, Claims(kind="user")),
    ],
)
def test_odd_claims_are_left_out(payload: Any, expected: Claims) -> None:
    """Nothing fails on a token of another shape."""
    assert read_claims(_token(payload)) == expected


@given(st.text(max_size=200) | st.binary(max_size=80).map(lambda b: f"a.{b!r}.c"))
def test_any_text_may_be_a_token(text: str) -> None:
    """Reading it never raises."""
    assert isinstance(read_claims(text), Claims)
