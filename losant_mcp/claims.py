"""What an API token says of itself: kind, scopes, expiry, application.

Read without verifying the signature, for advice to a person only; Losant decides what a token
may do. Losant's tokens are JSON Web Tokens, but nothing here fails if one is not.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_OBJECT_ID = re.compile(r"[A-Fa-f0-9]{24}\Z")


@dataclass(frozen=True)
class Claims:
    """``kind`` is Losant's subtype: user, apiToken (an application token), device, ...

    A field is empty or None where the token does not say.
    """

    kind: str = ""
    scopes: tuple[str, ...] = ()
    expires: datetime | None = None
    application_id: str | None = None
    user_id: str = ""
    """Whose token it is, for the token of a user."""

    def expired(self, now: datetime) -> bool:
        """Whether the token had expired by then."""
        return self.expires is not None and self.expires <= now


def read_claims(token: str) -> Claims:
    """The claims of a token; empty ones where it is no JSON Web Token."""
    payload = _payload(token)
    scope = payload.get("scope", ())
    scopes = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else ()
    application_id = payload.get("applicationId")
    if not isinstance(application_id, str) or not _OBJECT_ID.match(application_id):
        application_id = None
    return Claims(
        kind=str(payload.get("subtype") or payload.get("type") or ""),
        scopes=tuple(str(s) for s in scopes),
        expires=_moment(payload.get("exp")),
        application_id=application_id,
        user_id=_user(payload),
    )


def _user(payload: Mapping[str, Any]) -> str:
    subject = payload.get("sub") if payload.get("subtype") == "user" else None
    return subject if isinstance(subject, str) and _OBJECT_ID.match(subject) else ""


def _payload(token: str) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        payload = json.loads(body)
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
