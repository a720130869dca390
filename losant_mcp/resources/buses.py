"""A bus on which everybody hears only what concerns them."""

from __future__ import annotations

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
