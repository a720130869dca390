"""The resources of one server, put together: its lists, its watchers, the bus that tells them."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import UnexpectedResourceError
from mcp.server.subscriptions import SubscriptionBus
from mcp.types import Resource, ResourceTemplate

from losant_mcp.errors import LosantMcpError
from losant_mcp.resources.buses import PrincipalBus, WriteBus
from losant_mcp.resources.listing import Listing
from losant_mcp.resources.problems import answering
from losant_mcp.resources.reading import read
from losant_mcp.resources.subscriptions import Subscriptions
from losant_mcp.resources.watching import Pause, Watching, pause
from losant_mcp.tools.call import Services


class Resources:
    """What a server answers about resources. ``pause`` waits between looks at what is watched.

    ``below`` is a bus that is shared with other replicas; ``principal`` is whose server this is,
    by a name that they know as well.
    """

    def __init__(
        self,
        services: Services,
        *,
        pause: Pause = pause,
        below: SubscriptionBus | None = None,
        principal: str = "",
    ) -> None:
        self._services = services
        self._listing = Listing(services)
        self.bus = PrincipalBus(lambda: principal or services.client.principal, below)

        async def publish(whose: str, uri: str) -> None:
            await self.bus.publish_update(principal or whose, uri)

        others = WriteBus(below, principal) if below is not None else None
        self.watching = Watching(services, publish, pause=pause, others=others)

    def serve(self, server: MCPServer[Any]) -> None:
        """Have the server's subscribers watch."""
        Subscriptions(self.watching).serve(server)

    async def listing(self) -> list[Resource]:
        """What is there to choose from."""
        return await self._listing.resources()

    def templates(self) -> list[ResourceTemplate]:
        """What is there with something to fill in."""
        return self._listing.templates()

    async def read(self, uri: str, context: Context[Any, Any] | None) -> list[ReadResourceContents]:
        """What the URI holds. Raises MCPError with the URI, and what a bug is for the SDK."""
        with answering(uri):
            try:
                content = await read(self._services, uri, context)
            except LosantMcpError:
                raise
            except Exception as error:  # the outermost boundary: it is logged, and not told
                raise UnexpectedResourceError(f"{uri} could not be read.") from error
        return [ReadResourceContents(content=content.text, mime_type=content.mime_type)]
