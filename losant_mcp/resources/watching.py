"""Watching resources: one poller for each caller and URI, however many watch it.

It begins with the first watcher and ends with the last. A poller looks by one or two small
requests and tells its watchers only where the content has changed; what Losant refuses or cannot
answer makes it wait longer. After one of our own writes it looks at once, whichever replica
wrote.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, cast, get_args

import anyio
import anyio.abc

from losant_mcp.config import Toolset
from losant_mcp.errors import InvalidRequest, LosantMcpError, NotFound, describe
from losant_mcp.resources.buses import WriteBus
from losant_mcp.resources.reading import Address, find
from losant_mcp.tools.call import Services

log = logging.getLogger(__name__)

MOST_WATCHED = 50
"""URIs that one caller may watch at once: each costs four looks a minute."""

LONGEST_SECONDS = 600.0
BETWEEN_WRITES = 1.0
"""Seconds between two looks that our own writes cause."""

_JITTER = 0.1
# A look may take a tenth of the time: the digest of a busy application reads many pages.
_SHARE = 10
# A client that has stopped reading must not keep the others waiting.
_TELL_SECONDS = 5.0

_GONE = "gone"

Tell = Callable[[], Awaitable[None]]
"""Tells one watcher that the content has changed."""

Publish = Callable[[str, str], Awaitable[None]]
"""Tells all watchers of a caller (the principal) and a URI at once, wherever they listen."""

Pause = Callable[[float, anyio.Event], Awaitable[None]]
"""Returns after so many seconds, or as soon as the event is set."""


async def pause(seconds: float, woken: anyio.Event) -> None:
    """Wait for the event, but not longer than so many seconds."""
    with anyio.move_on_after(seconds):
        await woken.wait()


def next_wait(
    seconds: float, *, failures: int = 0, error: Exception | None = None, took: float = 0.0
) -> float:
    """How long to wait before the next look, where they are ``seconds`` apart.

    Twice as long after each failure in a row, never shorter than Losant asked for, and longer
    where a look took long.
    """
    longest = max(LONGEST_SECONDS, seconds)
    # Of a long outage the power would outgrow what a float holds.
    backed_off = min(seconds * 2.0 ** min(failures, 20), longest)
    asked_for = getattr(error, "retry_after", None) or 0.0
    spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, hides nothing
    return max(backed_off * spread, asked_for, took * _SHARE)


@dataclass(eq=False)
class Poller:
    """What one caller watches at one URI. ``seen`` is what the last look showed."""

    principal: str
    address: Address
    seen: object
    watchers: int = 0
    tells: dict[object, Tell] = field(default_factory=dict)
    content: str | None = None
    """The fingerprint of what the watchers know, where a look does not suffice."""
    woken: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    @property
    def begins(self) -> bool:
        """Whether the content has yet to be read that others are compared with."""
        return self.content is None and not self.address.spec.exact

    async def has_changed(self) -> bool:
        """Look, and where that is not conclusive compare the contents. Raises what reading does."""
        first = await _fingerprint(self.address) if self.begins else None
        seen = await look(self.address)
        self.content = first or self.content
        if seen == self.seen:
            return False
        # What changed while the first content was read may or may not be in it.
        changed = first is not None or self.address.spec.exact
        if not changed:
            content = await _fingerprint(self.address)
            changed, self.content = content != self.content, content
        # Only now: where reading failed, the next look must find the difference again.
        self.seen = seen
        return changed


async def look(address: Address) -> object:
    """What differs wherever the content may; what was deleted has changed a last time."""
    try:
        return await address.look()
    except NotFound:
        return _GONE


async def _fingerprint(address: Address) -> str:
    try:
        return (await address.read()).fingerprint
    except NotFound:
        return _GONE


class Watching:
    """The pollers of one server; they run while it is entered.

    ``publish`` tells those who listen on a bus; ``pause`` waits between looks; ``others`` are this
    caller's servers on other replicas.
    """

    def __init__(
        self,
        services: Services,
        publish: Publish,
        *,
        pause: Pause = pause,
        others: WriteBus | None = None,
    ) -> None:
        self._services = services
        self._publish = publish
        self._pause = pause
        self._tasks: anyio.abc.TaskGroup | None = None
        self._pollers: dict[tuple[str, str], Poller] = {}
        self._others = others
        self._ending = ExitStack()
        services.after_writes.append(self._wrote)
        if others is not None:
            services.after_writes.append(self._announce)

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        if self._others is not None:
            self._ending.callback(self._others.subscribe(self._others_wrote))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None
        tasks, self._tasks = self._tasks, None
        self._ending.close()
        tasks.cancel_scope.cancel()
        return await tasks.__aexit__(kind, error, traceback)

    @property
    def watched(self) -> list[str]:
        """The URIs that are polled, in the order in which that began."""
        return [uri for _, uri in self._pollers]

    async def watch(self, uri: str, tell: Tell | None = None) -> Callable[[], None]:
        """Watch a URI until what is returned is called, once or more often.

        ``tell`` tells a watcher who does not listen on the bus. Raises what reading it raises: who
        may not read it may not watch it.
        """
        principal = self._services.client.principal
        poller = self._pollers.get((principal, uri))
        if poller is None:
            address = find(self._services, uri)
            if address.spec.look is None:
                await address.read()  # it never changes, but it must be there
                return lambda: None
            seen = await address.look()
            # Somebody else may have begun meanwhile.
            poller = self._pollers.get((principal, uri)) or self._begin(principal, address, seen)
        watcher = object()
        poller.watchers += 1
        if tell is not None:
            poller.tells[watcher] = tell
        ending = ExitStack()
        ending.callback(self._release, poller, watcher)
        return ending.close

    def _begin(self, principal: str, address: Address, seen: object) -> Poller:
        if sum(whose == principal for whose, _ in self._pollers) >= MOST_WATCHED:
            raise InvalidRequest(
                f"{MOST_WATCHED} resources are watched already.", hint="Give some of them up first."
            )
        if self._tasks is None:
            raise InvalidRequest("This server does not watch resources.")
        poller = Poller(principal, address, seen)
        self._pollers[principal, address.uri] = poller
        self._tasks.start_soon(self._run, poller, name=f"watch {address.uri}")
        return poller

    def _release(self, poller: Poller, watcher: object) -> None:
        poller.tells.pop(watcher, None)
        poller.watchers -= 1
        if not poller.watchers:
            del self._pollers[poller.principal, poller.address.uri]
            poller.scope.cancel()

    async def _run(self, poller: Poller) -> None:
        seconds = self._services.settings.poll_seconds
        failures = 0
        wait = 0.0 if poller.begins else next_wait(seconds)
        with poller.scope:
            while True:
                await self._pause(wait, poller.woken)
                hurried = poller.woken.is_set()
                poller.woken = anyio.Event()
                began = anyio.current_time()
                if error := await self._look(poller):
                    failures += 1
                    # Not even a write of our own makes the next look come earlier.
                    wait = next_wait(seconds, failures=failures, error=error)
                    await self._pause(wait, anyio.Event())
                    wait = 0.0
                    continue
                failures = 0
                wait = next_wait(seconds, took=anyio.current_time() - began)
                if hurried:
                    await self._pause(BETWEEN_WRITES, anyio.Event())

    async def _look(self, poller: Poller) -> Exception | None:
        """Look once, and tell what has changed; what prevented it."""
        try:
            if await poller.has_changed():
                await self._tell(poller)
        except LosantMcpError as error:
            log.info("watching %s: %s", poller.address.uri, describe(error))
            return error
        except Exception as error:  # the outermost boundary: a bug must not end the server
            log.exception("watching %s failed", poller.address.uri)
            return error
        return None

    async def _tell(self, poller: Poller) -> None:
        await self._publish(poller.principal, poller.address.uri)
        for tell in list(poller.tells.values()):
            with anyio.move_on_after(_TELL_SECONDS):
                await tell()

    def _wrote(self, application_id: str, toolset: Toolset) -> None:
        """Have everything looked at that the write may have changed."""
        for poller in self._pollers.values():
            address = poller.address
            touched = toolset == "safety" or toolset in address.spec.toolsets
            if touched and address.application_id.lower() == application_id.lower():
                poller.woken.set()

    def _announce(self, application_id: str, toolset: Toolset) -> None:
        if self._tasks is not None and self._others is not None:
            self._tasks.start_soon(self._others.publish, application_id, toolset)

    def _others_wrote(self, application_id: str, toolset: str) -> None:
        """What another replica wrote counts like a write here, but is not told on."""
        for tell in self._services.after_writes:
            if tell != self._announce and toolset in get_args(Toolset):
                tell(application_id, cast("Toolset", toolset))
