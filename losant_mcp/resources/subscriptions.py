"""Subscribing to resources, as each version of the protocol has it.

On 2026-07-28 a client holds ``subscriptions/listen`` open, and hears through the bus until it
ends. Before, it sends ``resources/subscribe`` and ``unsubscribe``, or just goes away; the SDK has
no hook for these two, so they are registered with its low-level server.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from losant_mcp.errors import InvalidRequest
from losant_mcp.resources.problems import answering
from losant_mcp.resources.watching import Watching

# What a lifespan yields and a transport adds is not looked at here.
_Context = ServerRequestContext[Any, Any]
_Watched = dict[str, Callable[[], None]]

_STATE = "losant-mcp.watched"


class Subscriptions:
    """Makes watchers of subscribers, and ends them with the subscription or the connection."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    def serve(self, server: MCPServer[Any]) -> None:
        """Have the server's requests come here."""
        server.middleware.append(self.listen)
        # No public method registers these two.
        add = server._lowlevel_server.add_request_handler
        add("resources/subscribe", SubscribeRequestParams, self.subscribe)
        add("resources/unsubscribe", UnsubscribeRequestParams, self.unsubscribe)

    async def listen(self, ctx: _Context, call_next: CallNext) -> HandlerResult:
        """Middleware: watch what a stream asks for until the stream ends, however it does."""
        if ctx.method != "subscriptions/listen":
            return await call_next(ctx)
        with ExitStack() as watched:
            for uri in _asked_for(ctx):
                with answering(uri):
                    watched.callback(await self._watching.watch(uri))
            return await call_next(ctx)

    async def subscribe(self, context: _Context, params: SubscribeRequestParams) -> EmptyResult:
        """Watch a URI for this connection; a second time makes no difference."""
        uri = str(params.uri)
        # Every request has a session of its own; what lasts is the connection.
        connection = context.session._connection
        watched = _watched(connection)
        if uri in watched:
            return EmptyResult()
        with answering(uri):
            if not connection.has_standalone_channel:
                raise InvalidRequest("Nothing can be sent to this client between its requests.")
            tell = partial(context.session.send_resource_updated, uri)
            release = await self._watching.watch(uri, tell)
        watched.setdefault(uri, release)
        if watched[uri] is not release:  # the same request came twice at once
            release()
        return EmptyResult()

    async def unsubscribe(self, context: _Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """Watch it no longer for this connection."""
        release = _watched(context.session._connection).pop(str(params.uri), None)
        if release is not None:
            release()
        return EmptyResult()


def _asked_for(context: _Context) -> list[str]:
    """The URIs that a stream is to tell of; a malformed request is refused further in."""
    wanted = (context.params or {}).get("notifications")
    uris = wanted.get("resourceSubscriptions") if isinstance(wanted, dict) else None
    found = uris if isinstance(uris, list) else []
    return list(dict.fromkeys(uri for uri in found if isinstance(uri, str)))


def _watched(connection: Connection) -> _Watched:
    """What a connection watches; all of it ends with the connection, also without a word."""
    if _STATE not in connection.state:
        watched: _Watched = {}
        connection.state[_STATE] = watched

        def end() -> None:
            for release in watched.values():
                release()

        connection.exit_stack.callback(end)
    found: _Watched = connection.state[_STATE]
    return found
