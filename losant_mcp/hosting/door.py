"""The door of ``/mcp``: what every request passes before the SDK sees it.

In this order, the cheapest first: is the server ending; may this host and origin be named; can
the headers be read in one way only; whose is it; is there a place; is the body small and in time.
Then it is the caller's own server's. A refusal is a short JSON-RPC error without an id, which MCP
clients show as text; it quotes nothing of the request.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import anyio
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from losant_mcp.hosting.address import Names
from losant_mcp.hosting.callers import Callers, NotAuthorized, Undecided
from losant_mcp.hosting.headers import Ambiguous, Headers
from losant_mcp.hosting.limits import RETRY_SECONDS, NoPlace, Places, TooLarge, TooSlow, read_body
from losant_mcp.hosting.metrics import Metrics
from losant_mcp.hosting.tenants import MOST_BODY, Full, Tenants
from losant_mcp.server import REQUEST_ID
from losant_mcp.tracing import in_trace_of

METHODS = ("GET", "POST", "DELETE")
MOST_HEADERS = 32 * 1024
MOST_STREAMS = 1024
MOST_STREAMS_OF_ONE = 64

LISTEN = "subscriptions/listen"

log = logging.getLogger("losant_mcp.requests")


class Refusal(Exception):
    """Why a request is not answered, as an HTTP status and a sentence."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


class Door:
    """The ASGI app of ``/mcp``."""

    def __init__(
        self,
        names: Names,
        callers: Callers,
        tenants: Tenants,
        metrics: Metrics,
        *,
        max_requests: int,
        request_seconds: float,
        shares: bool,
    ) -> None:
        self.names = names
        self._callers = callers
        self._tenants = tenants
        self._metrics = metrics
        self._seconds = request_seconds
        self._shares = shares
        # Where there are many callers, one alone must not take every place.
        share = max(max_requests // 2, 1) if shares else max_requests
        self.calls = Places(max_requests, of_one=share)
        self.streams = Places(MOST_STREAMS, of_one=MOST_STREAMS_OF_ONE)
        self.is_ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        answer = _Answer(send)
        try:
            await self._admit(scope, receive, answer)
        except Refusal as refusal:
            self._metrics.refused(refusal.status)
            log.info(
                "refused: %d %s",
                refusal.status,
                refusal.message,
                extra={"request": answer.request_id, "status": refusal.status},
            )
            if answer.is_begun:
                await answer.finish()
            else:
                await _refuse(refusal, answer)

    async def _admit(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADERS:
            raise Refusal(431, "The headers are too large.", {"Connection": "close"})
        try:
            headers = Headers(scope["headers"], scope["query_string"])
        except Ambiguous as error:
            raise Refusal(400, str(error)) from None
        answer.request_id = headers.request_id or secrets.token_hex(8)
        self.check_names(headers)
        if scope["method"] not in METHODS:
            raise Refusal(405, "MCP is spoken by POST.", {"Allow": ", ".join(METHODS)})
        self._check_open()
        if headers.is_forwarded and not self._shares:
            # Whoever set the proxy up did not mean that everybody may do everything.
            raise Refusal(403, "This server is for its own machine alone: --auth is none.")
        try:
            caller = await self._callers.identify(headers.bearer)
        except NotAuthorized as error:
            raise _unauthorized(error, given=bool(headers.get("authorization"))) from None
        except Undecided as error:
            raise Refusal(503, f"Who calls cannot be checked now: {error}", _later()) from None
        self._check_open()  # it may have ended while Losant was asked who calls
        is_stream = scope["method"] == "GET" or _listens(headers)
        places = self.streams if is_stream else self.calls
        try:
            with places.place(caller.key):
                declared = headers.get("content-length")
                # Only the later versions' calls end with their connection.
                goes_on = not is_stream and not _is_modern(headers)
                whole = await read_body(receive, declared, MOST_BODY, goes_on=goes_on)
                async with self._tenants.of(caller) as tenant:
                    limit = tenant.stream() if is_stream else _at_most(self._seconds)
                    trace = in_trace_of(headers.get("traceparent"), headers.get("tracestate"))
                    with limit, trace, answer.once_whole():
                        await tenant(_marked(scope, answer), whole, answer)
                    await answer.finish()
        except NoPlace:
            raise Refusal(503, "Too many requests at a time.", _later()) from None
        except Full:
            raise Refusal(503, "Too many callers at a time.", _later()) from None
        except TooLarge:
            # The connection stays: a client that is still sending would not see the answer.
            raise Refusal(413, f"The body is larger than {MOST_BODY:,} bytes.") from None
        except TooSlow:
            raise Refusal(408, "The body did not come in time.", {"Connection": "close"}) from None

    def _check_open(self) -> None:
        """Refuse what would begin while everything ends. Raises Refusal."""
        if self.is_ending:
            raise Refusal(503, "The server is ending.", {**_later(), "Connection": "close"})

    def check_names(self, headers: Headers) -> None:
        """Refuse what a web page of somebody else would send. Raises Refusal."""
        if not self.names.allows_host(headers.get("host")):
            raise Refusal(421, "This server is not reached by this host name.")
        if (origin := headers.get("origin")) and not self.names.allows_origin(origin):
            raise Refusal(403, "Web pages of this origin may not call.")


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    with anyio.move_on_after(seconds) as limit:
        yield
    if limit.cancelled_caught:
        raise Refusal(504, "The request took too long, and was given up.")


class _Answer:
    """The ``send`` of a request: it adds our headers, and knows whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.request_id = ""
        self.is_begun = False
        self._is_whole = False

    async def __call__(self, message: Message) -> None:
        if self._is_whole:
            return  # see once_whole
        if message["type"] == "http.response.start":
            self.is_begun = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers.setdefault("cache-control", "no-store")
            headers["x-content-type-options"] = "nosniff"
            if self.request_id:
                headers[REQUEST_ID] = self.request_id
            if message["status"] == 503:
                headers.setdefault("retry-after", str(RETRY_SECONDS))
        elif message["type"] == "http.response.body":
            self._is_whole = not message.get("more_body", False)
        await self._send(message)

    @contextmanager
    def once_whole(self) -> Iterator[None]:
        """Let nothing come after the answer.

        A session that its client ends at the same moment is closed when the SDK, which has said
        that it takes a notification, hands it on; it would then answer a second time, and fail.
        """
        try:
            yield
        except anyio.ClosedResourceError:
            if not self._is_whole:
                raise

    async def finish(self) -> None:
        """End an answer that was cut short, so that its client sees an end and not a fault."""
        if self.is_begun and not self._is_whole:
            await self({"type": "http.response.body", "body": b"", "more_body": False})


def _listens(headers: Headers) -> bool:
    """Whether the request stays open to hear of changes.

    Only of the later versions' requests does the SDK hold this header against the body.
    """
    return _is_modern(headers) and headers.get("mcp-method") == LISTEN


def _is_modern(headers: Headers) -> bool:
    version = headers.get("mcp-protocol-version")
    return bool(version) and version not in HANDSHAKE_PROTOCOL_VERSIONS


def _marked(scope: Scope, answer: _Answer) -> Scope:
    """The scope with the request's id, and without its secrets, which nobody further in needs.

    Nor is it told since when a client wants to hear: events are not kept, and the SDK would not
    answer at all.
    """
    dropped = (b"authorization", b"cookie", b"last-event-id", REQUEST_ID.encode())
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in dropped]
    return {**scope, "headers": [*kept, (REQUEST_ID.encode(), answer.request_id.encode())]}


def _unauthorized(error: NotAuthorized, *, given: bool) -> Refusal:
    # Without a token there is no error yet, as RFC 6750 has it: the client shall only bring one.
    challenge = 'Bearer realm="losant-mcp"' + (', error="invalid_token"' if given else "")
    headers = {"WWW-Authenticate": challenge} if error.status == 401 else {}
    return Refusal(error.status, str(error), headers)


def _later() -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)}


async def _refuse(refusal: Refusal, send: Send) -> None:
    error = {"code": -32600, "message": refusal.message}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in refusal.headers.items()},
    }
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
