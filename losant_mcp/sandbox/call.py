"""What a handler gets and gives: one checked request, one answer, and Losant's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from losant_mcp.api.endpoint import Endpoint
from losant_mcp.sandbox.store import Store

MAX_TIME = 253_402_300_799_999
"""The last ms of the year 9999."""


@dataclass(frozen=True, slots=True)
class Token:
    """Who calls. ``kind`` is user, application or device; ``id`` is that holder's id."""

    kind: str
    id: str
    name: str
    scopes: frozenset[str]
    application_id: str | None
    """The one application that an application or device token can reach."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is authenticated, in scope and valid by its schema.

    ``path`` holds the path parameters, ``params`` the query parameters by name, parsed by kind
    and with defaults filled in (absent ones are not there); ``body`` is JSON data, already
    validated by the endpoint's model. ``db`` is inside the call's transaction.
    """

    endpoint: Endpoint
    store: Store
    db: sqlite3.Connection
    token: Token
    path: Mapping[str, str]
    params: Mapping[str, Any]
    body: Any
    now: int
    base_url: str
    """Where this sandbox is reached, for download URLs; no trailing slash."""

    @property
    def application_id(self) -> str:
        """The application in the path."""
        return self.path["applicationId"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: a status that the endpoint declares, and JSON data."""

    status: int
    body: Any
    after: Callable[[Store], None] | None = None
    """Work for after the answer was sent: a background job."""


Handler = Callable[[Call], Answer]


class Problem(Exception):
    """Ends a call with Losant's error body ``{type, message}``; nothing is stored."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def invalid(message: str) -> Problem:
    """400, as Losant answers what does not pass its validation."""
    return Problem(400, "Validation", message)


def not_found(what: str) -> Problem:
    """404, for an object that is not there or belongs to another application."""
    return Problem(404, "NotFound", f"{what} was not found")


def iso(at: int) -> str:
    """Ms since the epoch as Losant writes dates: ``2026-01-31T08:15:00.000Z``."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
