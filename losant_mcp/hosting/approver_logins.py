"""Who is at the approval page: logins by passphrase, sessions, and the header of a trusted proxy.

Sessions lie in the store, as hashes, so that one that was opened on one replica works on the
others. One is good as long as it is used, for a working day at most, and as long as the approver's
entry in the file is the very same.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from losant_mcp.guard.scrypt import decoy, is_hash_of
from losant_mcp.guard.store import BudgetSpent, StateStore
from losant_mcp.hosting.approvers import Approver, ApproverFile

IDLE_SECONDS = 15 * 60
SESSION_SECONDS = 8 * 3600
TRIES_OF_ONE = 10
"""Logins by one name in an hour, right ones included: a meter counts what came, in one step."""
TRIES_A_MINUTE = 60
"""Logins by all names, at each replica; so much work nobody can cause more of."""
HASHES_AT_A_TIME = 2

COOKIE = "losant-mcp-approver"

log = logging.getLogger(__name__)


class TooManyTries(Exception):
    """Nobody can log in by this name, or by any, for a while."""


@dataclass(frozen=True, slots=True)
class Visit:
    """An approver at the page, in a session of theirs."""

    approver: Approver
    session: str


class Logins:
    """Finds out who it is. ``header`` is the one in which a trusted proxy names the approver; then
    nobody logs in here. ``is_secure``: the page is reached by https.
    """

    def __init__(
        self,
        store: StateStore,
        file: ApproverFile,
        *,
        header: str | None,
        is_secure: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._file = file
        self._header = header
        self._is_secure = is_secure
        # A browser takes a cookie of this prefix from this very host only, and by https.
        self._cookie = f"__Host-{COOKIE}" if is_secure else COOKIE
        self._clock = clock
        self._tries: deque[float] = deque(maxlen=TRIES_A_MINUTE)
        self._limiter = anyio.CapacityLimiter(HASHES_AT_A_TIME)
        self._decoy = decoy()

    @property
    def by_proxy(self) -> bool:
        """Whether a trusted proxy says who it is."""
        return self._header is not None

    async def log_in(self, name: str, passphrase: str) -> Approver | None:
        """The approver whose passphrase this is. It takes the same time whoever is named.

        Raises TooManyTries, GuardError, and ConfigurationError where the file cannot be read.
        """
        now = self._clock()
        if len(self._tries) == TRIES_A_MINUTE and now - self._tries[0] < 60:
            log.warning("approvers' logins: too many, by any name")
            raise TooManyTries
        self._tries.append(now)
        try:
            # Counted before it is tried, so that many at once are no more than one by one.
            await self._store.spend("logins", name, "", 1, TRIES_OF_ONE)
        except BudgetSpent:
            # Not the name: somebody may have typed a passphrase there.
            log.warning("approvers' logins: too many by one name")
            raise TooManyTries from None
        approver = self._file.find(name)
        kept = (approver.hash if approver else None) or self._decoy
        matches = await run_sync(is_hash_of, kept, passphrase, limiter=self._limiter)
        if approver is None or not matches:
            log.info("approvers' logins: a wrong name or passphrase")
            return None
        log.info("approver %s logged in", approver.name)
        return approver

    async def open(self, approver: Approver) -> Visit:
        """A fresh session."""
        session = secrets.token_urlsafe(32)
        kept = json.dumps([approver.name, approver.digest])
        await self._store.remember(_session(session), kept, seconds=SESSION_SECONDS)
        await self._store.remember(_seen(session), "", seconds=IDLE_SECONDS)
        return Visit(approver, session)

    async def visit(self, request: Request) -> Visit | None:
        """Who it is, where there is a session of theirs; it is then good for a while longer."""
        session = request.cookies.get(self._cookie, "")
        kept = await self._store.recall(_session(session)) if session else None
        if kept is None or await self._store.recall(_seen(session)) is None:
            return None
        name, digest = json.loads(kept)
        approver = self._file.find(name)
        if approver is None or approver.digest != digest:
            return None
        if self.by_proxy and self._named(request) != approver:
            return None
        # One that was closed at this very moment is not opened again: it takes both facts.
        await self._store.remember(_seen(session), "", seconds=IDLE_SECONDS)
        return Visit(approver, session)

    async def arrive(self, request: Request) -> Visit | None:
        """A fresh session for whom a trusted proxy names."""
        approver = self._named(request)
        return await self.open(approver) if approver else None

    async def close(self, request: Request) -> None:
        """The session that the request bears is worth nothing any more."""
        if session := request.cookies.get(self._cookie, ""):
            await self._store.forget(_session(session))
            await self._store.forget(_seen(session))

    def give(self, response: Response, visit: Visit | None) -> Response:
        """The response, with the session as a cookie; without a visit, the browser forgets it."""
        response.set_cookie(
            self._cookie,
            visit.session if visit else "",
            max_age=None if visit else 0,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="strict",
        )
        return response

    def _named(self, request: Request) -> Approver | None:
        """Whom the proxy names; nobody, unless it is one, and on this machine."""
        if self._header is None or request.client is None or not _is_near(request.client.host):
            return None
        names = request.headers.getlist(self._header)
        return self._file.find(names[0]) if len(names) == 1 else None


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _session(session: str) -> str:
    return f"approver-session:{_digest(session)}"


def _seen(session: str) -> str:
    return f"approver-seen:{_digest(session)}"


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()
