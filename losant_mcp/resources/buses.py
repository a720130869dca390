"""Buses on which everybody hears only what concerns them."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ResourceUpdated,
    ServerEvent,
    SubscriptionBus,
)


class PrincipalBus:
    """A subscription bus whose resource updates reach only the principal that they are for.

    Below it may lie any other bus, shared with other servers and replicas: there an update
    carries the principal before its URI. ``principal`` says whose request is being handled.
    """

    def __init__(self, principal: Callable[[], str], below: SubscriptionBus | None = None) -> None:
        self._principal = principal
        self._below = below or InMemorySubscriptionBus()

    async def publish(self, event: ServerEvent) -> None:
        """Deliver an event of the present request: an update to its own principal."""
        if isinstance(event, ResourceUpdated):
            await self.publish_update(self._principal(), event.uri)
        else:
            await self._below.publish(event)

    async def publish_update(self, principal: str, uri: str) -> None:
        """Tell the listeners of this principal that the content of the URI has changed."""
        await self._below.publish(ResourceUpdated(uri=f"{principal} {uri}"))

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Register a listener of the present request; what is returned ends it."""
        principal = self._principal()

        def hear(event: ServerEvent) -> None:
            if not isinstance(event, ResourceUpdated):
                listener(event)
                return
            whose, _, uri = event.uri.partition(" ")
            if whose == principal:
                listener(ResourceUpdated(uri=uri))

        return self._below.subscribe(hear)


class WriteBus:
    """Tells a principal's servers on other replicas of each write, so that they look at once.

    ``below`` is the bus that replicas share, and ``principal`` a name that all of them know.
    """

    def __init__(self, below: SubscriptionBus, principal: str) -> None:
        self._below = below
        # No client hears of it, since nobody can subscribe to what is no resource.
        self._begin = f"{principal} wrote:"
        self._me = secrets.token_hex(8)

    async def publish(self, application_id: str, toolset: str) -> None:
        """Tell the others."""
        told = f"{self._begin}{self._me} {application_id} {toolset}"
        await self._below.publish(ResourceUpdated(uri=told))

    def subscribe(self, heard: Callable[[str, str], None]) -> Callable[[], None]:
        """Hear of the others' writes, by application and toolset; what is returned ends it."""

        def hear(event: ServerEvent) -> None:
            if isinstance(event, ResourceUpdated) and event.uri.startswith(self._begin):
                who, application_id, toolset = event.uri.removeprefix(self._begin).split(" ")
                if who != self._me:
                    heard(application_id, toolset)

        return self._below.subscribe(hear)
