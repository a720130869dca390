"""Whose request it is, in each mode of ``--auth``: a caller, or nobody.

``Anybody`` is for this machine alone. ``KeyHolders`` share the server's Losant token, each within
the limits of their key. ``TokenHolders`` bring their own Losant token, and the server has none
that it could fall back to. Tokens and keys are kept as hashes only, but for the token that a
caller's own client speaks to Losant with.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal, Protocol

import anyio
from pydantic import SecretStr

from losant_mcp.claims import Claims, read_claims
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError, Forbidden, LosantMcpError, NotFound, Unauthorized
from losant_mcp.hosting.keys import ClientKey, KeyFile
from losant_mcp.policy import Access, Policy
from losant_mcp.server import bound_application, policy_of
from losant_mcp.text import one_line

GOOD_SECONDS = 60.0
"""How long a token that Losant knew is believed; a token withdrawn there works so long here."""
BAD_SECONDS = 10.0
UNDECIDED_SECONDS = 1.0
CHECK_SECONDS = 10.0
MOST_VERDICTS = 4096
MOST_CHECKS = 8
MOST_WAITING = 64
"""At a time, and in line for it: whoever tries tokens must not keep Losant, or others, busy.
Tokens that were good before have a line of their own, which nobody else can fill.
"""

_RANKS: tuple[Access, ...] = ("read", "write", "full")
_token = re.compile(r"[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*")

Connect = Callable[[SecretStr, Policy, str], LosantClient]
"""Makes a client of this token under this policy; the text tells apart users of one token."""


class NotAuthorized(Exception):
    """Nobody we know; the text says why, without quoting what was given."""

    status: Literal[401, 403] = 401


class NotAllowed(NotAuthorized):
    """Somebody we know, who may not do anything here."""

    status = 403


class Undecided(Exception):
    """Who it is cannot be told at the moment: Losant, or the file of keys, cannot be read."""


@dataclass(frozen=True)
class Caller:
    """One principal: their settings, and how their own client is made.

    ``key`` is equal for requests that may share a server: the same caller with the same rights.
    ``name`` is for logs, the audit and the status. ``principal`` is under what the guard keeps
    their plans, budgets and backups; None where the token tells. ``user`` is the Losant user whose
    token they brought, where it is one's.
    """

    key: str
    name: str
    settings: Settings
    policy: Policy
    principal: str | None = None
    label: str = ""
    expires: datetime | None = None
    user: str = ""


class Callers(Protocol):
    """Who may call."""

    async def identify(self, bearer: str | None) -> Caller:
        """The caller who has this bearer. Raises NotAuthorized and Undecided."""
        ...

    async def is_current(self, caller: Caller) -> bool:
        """Whether a caller who was identified before would still be."""
        ...


class Anybody:
    """Whoever reaches this machine's loopback; a bearer is not looked at."""

    def __init__(self, settings: Settings, policy: Policy) -> None:
        self._caller = Caller("anybody", "anybody", settings, policy)

    async def identify(self, bearer: str | None) -> Caller:
        """The one caller."""
        return self._caller

    async def is_current(self, caller: Caller) -> bool:
        """They always are."""
        return True


class KeyHolders:
    """Holders of client keys. ``policy`` is the server's own, which no key can widen."""

    def __init__(self, settings: Settings, policy: Policy) -> None:
        if settings.keys_file is None:
            raise ConfigurationError(
                "--auth keys needs the file of client keys.",
                hint="Set LOSANT_MCP_KEYS_FILE, and write it with: losant-mcp keys add NAME",
            )
        self._file = KeyFile(settings.keys_file)
        self._file.entries()  # what is wrong with it is told at the start
        self._settings = _for_many(settings)
        self._policy = policy
        self._entries: tuple[ClientKey, ...] = ()
        self._current: frozenset[str] = frozenset()
        """What ``_key_of`` makes of the entries."""

    async def identify(self, bearer: str | None) -> Caller:
        """The caller with this key."""
        if bearer is None:
            raise NotAuthorized("A client key is needed: Authorization: Bearer lmk_...")
        key = await self._looked_up(lambda: self._file.find(bearer))
        if key is None:
            raise NotAuthorized("This client key is not known here.")
        return self._caller(key)

    async def is_current(self, caller: Caller) -> bool:
        """Whether the key is there, with the same rights."""
        try:
            entries = await self._looked_up(self._file.entries)
        except Undecided:
            return True
        if entries is not self._entries:  # the file has changed: all callers are asked about
            self._entries, self._current = entries, frozenset(map(_key_of, entries))
        return caller.key in self._current

    @staticmethod
    async def _looked_up(look: Callable[[], Any]) -> Any:
        try:
            # A file of at most a thousand keys, read only when it changes: not worth a thread.
            return look()
        except ConfigurationError as error:
            raise Undecided(str(error)) from None

    def _caller(self, key: ClientKey) -> Caller:
        settings, policy = self._settings, self._policy
        access = min(settings.access, key.access, key=_RANKS.index)
        toolsets = tuple(t for t in settings.toolsets if t in (key.toolsets or settings.toolsets))
        if not toolsets:
            raise NotAllowed("This key's toolsets are all off at this server.")
        applications = {application.lower() for application in key.applications}
        if policy.application_id is not None and applications:
            if policy.application_id.lower() not in applications:
                raise NotAllowed("This key's applications are not those of this server.")
            applications = set()
        bound = next(iter(applications)) if len(applications) == 1 else settings.application_id
        several = frozenset(applications) if len(applications) > 1 else frozenset()
        name = f"key-{key.name}"
        return Caller(
            key=_key_of(key),
            name=name,
            principal=name,
            label=_key_of(key),
            settings=settings.model_copy(
                update={"access": access, "toolsets": toolsets, "application_id": bound}
            ),
            policy=replace(
                policy,
                access=access,
                application_id=policy.application_id or bound,
                applications=several,
            ),
        )


def _key_of(key: ClientKey) -> str:
    return hashlib.sha256(key.model_dump_json().encode()).hexdigest()


class TokenHolders:
    """Holders of Losant API tokens. ``connect`` makes the client that asks Losant about one."""

    def __init__(
        self,
        settings: Settings,
        connect: Connect,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if settings.api_token is not None:
            raise ConfigurationError(
                "LOSANT_API_TOKEN is set, but with --auth losant every caller brings their own.",
                hint="Leave it out: no caller may ever act with the server's token.",
            )
        self._settings = _for_many(settings)
        self._connect = connect
        self._now = now
        self._clock = clock
        self._verdicts: OrderedDict[str, tuple[float, _Verdict]] = OrderedDict()
        self._under_way: dict[str, anyio.Event] = {}
        self._regulars: OrderedDict[str, None] = OrderedDict()
        """The hashes of tokens that Losant knew when it was last asked."""
        self._lines = {
            is_regular: anyio.CapacityLimiter(MOST_CHECKS) for is_regular in (False, True)
        }

    async def identify(self, bearer: str | None) -> Caller:
        """The caller with this token, if Losant knew it a short while ago, or knows it now."""
        if bearer is None:
            raise NotAuthorized("Your Losant API token is needed: Authorization: Bearer ...")
        claims = read_claims(bearer)
        if not _token.fullmatch(bearer) or not claims.kind:
            raise NotAuthorized("This is no Losant API token.")
        if claims.expired(self._now()):
            raise NotAuthorized("This Losant API token has expired.")
        digest = hashlib.sha256(bearer.encode()).hexdigest()
        while (verdict := self._known(digest)) is None:
            if (event := self._under_way.get(digest)) is not None:
                await event.wait()
                continue
            line = self._lines[digest in self._regulars]
            if line.statistics().tasks_waiting >= MOST_WAITING:
                raise Undecided("too many tokens are being checked.")
            event = self._under_way[digest] = anyio.Event()
            try:
                self._learn(digest, await self._judge(SecretStr(bearer), claims, digest, line))
            finally:
                del self._under_way[digest]
                event.set()
        if isinstance(verdict, Caller):
            return verdict
        raise type(verdict)(str(verdict))

    async def is_current(self, caller: Caller) -> bool:
        """Whether the token has not expired; Losant itself is asked at the next request."""
        return caller.expires is None or caller.expires > self._now()

    def _known(self, digest: str) -> _Verdict | None:
        until, verdict = self._verdicts.get(digest, (0.0, None))
        return verdict if until > self._clock() else None

    def _learn(self, digest: str, verdict: _Verdict) -> None:
        seconds = (
            GOOD_SECONDS
            if isinstance(verdict, Caller)
            else UNDECIDED_SECONDS
            if isinstance(verdict, Undecided)
            else BAD_SECONDS
        )
        if isinstance(verdict, Caller):
            self._regulars[digest] = None
            self._regulars.move_to_end(digest)
            if len(self._regulars) > MOST_VERDICTS:
                self._regulars.popitem(last=False)
        elif isinstance(verdict, NotAuthorized):
            self._regulars.pop(digest, None)
        self._verdicts[digest] = (self._clock() + seconds, verdict)
        self._verdicts.move_to_end(digest)
        # The oldest go where there are too many, and where they are over: they hold tokens.
        while (
            len(self._verdicts) > MOST_VERDICTS or self._known(next(iter(self._verdicts))) is None
        ):
            self._verdicts.popitem(last=False)

    async def _judge(
        self, token: SecretStr, claims: Claims, digest: str, line: anyio.CapacityLimiter
    ) -> _Verdict:
        settings = self._settings.model_copy(update={"api_token": token})
        try:
            application = bound_application(settings)
            policy = policy_of(settings)
        except ConfigurationError:
            return NotAllowed("This token belongs to another application than this server's.")
        try:
            with anyio.fail_after(CHECK_SECONDS):
                async with line, self._connect(token, policy, "check") as client:
                    if application is not None:
                        await client.application_get(applicationId=application)
                    else:
                        await client.applications_get(perPage=1)
        except Unauthorized:
            return NotAuthorized("Losant does not know this token.")
        except (Forbidden, NotFound):
            pass  # Losant knows whose token it is; what it may do shows in each call
        except TimeoutError:
            return Undecided("Losant did not answer in time.")
        except LosantMcpError as error:
            return Undecided(one_line(str(error), 200))
        return Caller(
            key=digest,
            name=f"token-{digest[:16]}",
            settings=settings,
            policy=policy,
            expires=claims.expires,
            user=claims.user_id,
        )


_Verdict = Caller | NotAuthorized | Undecided


def _for_many(settings: Settings) -> Settings:
    """The settings where callers are not the operator: a form in their client is their own word.

    So it counts only where the operator has said that it may.
    """
    return settings.model_copy(update={"ask": "form" if settings.ask == "form" else "page"})
