"""Who may do what: signed tokens like Losant's, and the checks on them.

Each database has a secret of its own (in ``meta``), so a token of one sandbox opens no other.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any

import jwt

from losant_mcp.api.endpoint import Endpoint
from losant_mcp.sandbox.call import Problem, Token, not_found
from losant_mcp.sandbox.store import Store

USER_ID = "5f0000000000000000000001"
READ_TOKEN_ID = "5f0000000000000000000002"
APPLICATION_TOKEN_ID = "5f0000000000000000000003"

_ALGORITHM = "HS256"
_DAY = 24 * 3600
_YEAR = 365 * _DAY
_KINDS: Mapping[str, str] = {"user": "user", "apiToken": "application", "device": "device"}
"""A token's ``subtype`` as Losant writes it, to the kind of its holder."""


def mint(store: Store, application_id: str, device_id: str) -> dict[str, str]:
    """The five tokens that a sandbox hands out: full, read, application, device, expired.

    A database has the same ones until their last day: what a server keeps under a token's name,
    such as its backups, is then found again after a restart.
    """
    with store.transaction(write=True) as db:
        secret = _secret(db)
        db.execute("INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (secret,))
        minted = _minted(db, store.clock() // 1000)

    def token(subtype: str, sub: str, name: str, scope: str, *, age: int = 0) -> str:
        claims = {
            "sub": sub,
            "subtype": subtype,
            "name": name,
            "scope": [scope],
            "iat": minted - age,
            "exp": minted - age + _YEAR,
        }
        if subtype != "user":
            claims["applicationId"] = application_id
        return jwt.encode(claims, secret, _ALGORITHM)

    return {
        "full": token("user", USER_ID, "Sandbox User", "all.User"),
        "read": token("apiToken", READ_TOKEN_ID, "Read-only Token", "all.Application.read"),
        "application": token(
            "apiToken", APPLICATION_TOKEN_ID, "Application Token", "all.Application"
        ),
        "device": token("device", device_id, "Device Token", "all.Device"),
        "expired": token("user", USER_ID, "Sandbox User", "all.User", age=2 * _YEAR),
    }


def authenticate(store: Store, db: sqlite3.Connection, authorization: str) -> Token:
    """The token of an ``Authorization`` header. Raises Problem 401.

    The types of 401 and 403 errors are not documented; these are ours.
    """
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Problem(401, "Unauthorized", "A Bearer token is required")
    try:
        # The expiry is checked below, against the clock that everything else here uses.
        claims: dict[str, Any] = jwt.decode(
            text.strip(),
            _secret(db),
            algorithms=[_ALGORITHM],
            options={"verify_exp": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        raise Problem(401, "Unauthorized", "The token is invalid") from None
    if claims["exp"] * 1000 <= store.clock():
        raise Problem(401, "Unauthorized", "The token has expired")
    return Token(
        kind=_KINDS[claims["subtype"]],
        id=claims["sub"],
        name=claims["name"],
        scopes=frozenset(claims["scope"]),
        application_id=claims.get("applicationId"),
    )


def authorize(
    db: sqlite3.Connection, token: Token, endpoint: Endpoint, path: Mapping[str, str]
) -> None:
    """Passes a token that has a scope of this action and can see the application in the path.

    Raises Problem 403 or 404. What Losant answers for an application that exists but is not
    the token's own is not documented; 404 gives nothing away.
    """
    if not token.scopes & endpoint.scopes:
        raise Problem(403, "Forbidden", f"The token has no scope for {endpoint.id}")
    wanted = path.get("applicationId")
    if wanted is None:
        return
    foreign = token.application_id not in (None, wanted)
    if foreign or not db.execute("SELECT 1 FROM applications WHERE id = ?", (wanted,)).fetchone():
        raise not_found("Application")


def _secret(db: sqlite3.Connection) -> str:
    """The database's secret; of one that never minted a token, a fresh one that fits nothing."""
    row = db.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()
    return str(row[0]) if row else secrets.token_hex(32)


def _minted(db: sqlite3.Connection, now: int) -> int:
    """When the database's tokens were minted, in s since the epoch: now, if they were not yet, or
    have hardly a day left. Equal claims make equal tokens, so that no token has to be stored.
    """
    row = db.execute("SELECT value FROM meta WHERE key = 'minted'").fetchone()
    if row and now < int(row[0]) + _YEAR - _DAY:
        return int(row[0])
    db.execute("INSERT OR REPLACE INTO meta VALUES ('minted', ?)", (str(now),))
    return now
