"""Misbehaviour on demand: what a network, a proxy or an overloaded Losant does to a client.

``PUT /sandbox/faults`` takes a list of rules. A request takes the first rule that fits it, and
on the way there every ``latency`` that fits. A rule without ``times`` stays until it is replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import anyio
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from losant_mcp.sandbox.store import Store

HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    endpoint: str = "*"
    """An endpoint's id, or method and path; both may hold ``*``. Left out, every request."""

    times: int | None = Field(default=None, ge=1)
    """How often; left out, until the rules are replaced."""

    def fits(self, endpoint_id: str, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return fnmatchcase(endpoint_id, self.endpoint) or fnmatchcase(
            f"{method} {path}", self.endpoint
        )


class Latency(_Rule):
    """Waits before anything else; the request then goes on."""

    kind: Literal["latency"]
    ms: int = Field(ge=0, le=600_000)


class Status(_Rule):
    """An error status; the work is not done, unless ``worked``."""

    kind: Literal["status"]
    worked: bool = False
    """Whether the work is done and stored all the same, as behind a proxy that gave up."""
    status: int = Field(ge=400, le=599)
    type: str = "Error"
    message: str | None = "Injected fault"
    """None leaves the whole body out, as some of Losant's 413s do."""
    retryAfter: int | str | None = None
    """The ``Retry-After`` header: seconds, or a date as HTTP writes it."""


class DropBefore(_Rule):
    """The connection closes; nothing was done."""

    kind: Literal["drop_before"]


class DropAfter(_Rule):
    """The work is done and stored; the connection closes before the answer."""

    kind: Literal["drop_after"]


class Reset(_Rule):
    """The work is done; half of the answer comes, then the connection is reset."""

    kind: Literal["reset"]


class Hang(_Rule):
    """No answer ever comes; it ends when the client closes the connection.

    The work is never done, or before the silence, or after the client gave up.
    """

    kind: Literal["hang"]
    work: Literal["never", "before", "after"] = "never"


class Html(_Rule):
    """A page where JSON should be; the work is not done, unless ``worked``."""

    kind: Literal["html"]
    worked: bool = False
    status: int = Field(default=502, ge=200, le=599)


class TruncatedJson(_Rule):
    """The work is done; the answer is well-formed HTTP whose JSON ends half-way."""

    kind: Literal["truncated_json"]


class SlowBody(_Rule):
    """The work is done; the answer's body comes in pieces, over ``ms``."""

    kind: Literal["slow_body"]
    ms: int = Field(ge=0, le=600_000)
    pieces: int = Field(default=10, ge=2, le=1000)


class Clock(_Rule):
    """The server's clock is wrong by ``offset`` ms, for everyone, while the rule stands."""

    kind: Literal["clock"]
    offset: int


Rule = Annotated[
    Latency
    | Status
    | DropBefore
    | DropAfter
    | Reset
    | Hang
    | Html
    | TruncatedJson
    | SlowBody
    | Clock,
    Field(discriminator="kind"),
]
_rules: TypeAdapter[list[Rule]] = TypeAdapter(list[Rule])


class Faults:
    """The rules in force."""

    def __init__(self, store: Store) -> None:
        self.rules: list[Rule] = []
        self._store = store
        self._clock = store.clock

    def set(self, rules: object) -> None:
        """Replace all rules. Raises ValidationError, and then changes nothing."""
        self.rules = _rules.validate_python(rules)
        right = self._clock
        offset = sum(rule.offset for rule in self.rules if isinstance(rule, Clock))
        self._store.clock = (lambda: right() + offset) if offset else right

    def shown(self) -> list[dict[str, Any]]:
        """The rules with what is left of their ``times``."""
        return [rule.model_dump(exclude_none=True) for rule in self.rules]

    def take(self, endpoint_id: str, method: str, path: str) -> list[Rule]:
        """The rules for a request, each counted down: latencies, then at most one other."""
        taken: list[Rule] = []
        for rule in list(self.rules):
            if isinstance(rule, Clock) or not rule.fits(endpoint_id, method, path):
                continue
            taken.append(rule)
            if rule.times is not None:
                rule.times -= 1
                if not rule.times:
                    self.rules.remove(rule)
            if not isinstance(rule, Latency):
                break
        return taken


class FaultsMiddleware:
    """Applies the rules to the API's requests and to downloads, never to ``/sandbox/faults``."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        exempt = path.startswith("/sandbox/") and not path.startswith("/sandbox/files/")
        if not self.faults.rules or exempt:
            await self.app(scope, receive, send)
            return
        for rule in self.faults.take(scope["endpoint_id"] or "", scope["method"], path):
            if isinstance(rule, Latency):
                await anyio.sleep(rule.ms / 1000)
            else:
                await self.misbehave(rule, scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def misbehave(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or fail to, as the rule says."""
        match rule:
            case Status():
                await self._work_if(rule.worked, scope, receive)
                await _answer_status(rule, send)
            case Hang():
                await self._hang(rule, scope, receive)
            case Html():
                await self._work_if(rule.worked, scope, receive)
                await _answer(send, rule.status, HTML, [(b"content-type", b"text/html")])
            case DropBefore():
                await _drain(receive)
                await _abort(scope, receive)
            case DropAfter():
                await self.app(scope, receive, _Held().send)
                await _abort(scope, receive)
            case _:
                held = _Held()
                await self.app(scope, receive, held.send)
                await _spoil(rule, held, scope, receive, send)

    async def _work_if(self, worked: bool, scope: Scope, receive: Receive) -> None:
        """Do the work and keep its answer; or only read the request."""
        if worked:
            await self.app(scope, receive, _Held().send)
        else:
            await _drain(receive)

    async def _hang(self, rule: Hang, scope: Scope, receive: Receive) -> None:
        body = [message async for message in _messages(receive)]
        if rule.work == "before":
            await self.app(scope, _replay(body), _Held().send)
        await _disconnected(receive)
        if rule.work == "after":
            await self.app(scope, _replay(body), _Held().send)


class _Held:
    """Keeps an answer instead of sending it."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")


async def _spoil(rule: Rule, held: _Held, scope: Scope, receive: Receive, send: Send) -> None:
    half = held.body[: max(1, len(held.body) // 2)]
    if isinstance(rule, TruncatedJson):
        headers = [header for header in held.start["headers"] if header[0] != b"content-length"]
        await _answer(send, held.start["status"], half, headers)
        return
    await send(held.start)
    if isinstance(rule, SlowBody):
        size = -(-len(held.body) // rule.pieces)
        for at in range(0, len(held.body), size):
            with anyio.move_on_after(rule.ms / 1000 / rule.pieces):
                await _disconnected(receive)
                return
            piece = held.body[at : at + size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await _abort(scope, receive, reset=True)


async def _answer_status(rule: Status, send: Send) -> None:
    body = b""
    if rule.message is not None:
        body = to_json({"type": rule.type, "message": rule.message})
    headers = [(b"content-type", b"application/json")]
    if rule.retryAfter is not None:
        headers.append((b"retry-after", str(rule.retryAfter).encode("latin-1")))
    await _answer(send, rule.status, body, headers)


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _drain(receive: Receive) -> None:
    """Read the request to its end: a server that closes on unread data resets the connection."""
    async for _ in _messages(receive):
        pass


async def _messages(receive: Receive) -> AsyncIterator[Message]:
    """The messages of a request, to its end."""
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message


def _replay(messages: Sequence[Message]) -> Receive:
    """The same messages once more."""
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    return receive


async def _disconnected(receive: Receive) -> None:
    """The client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _abort(scope: Scope, receive: Receive, *, reset: bool = False) -> None:
    """Close the connection without an answer, or reset it.

    ``disconnect`` is put there by the sandbox's server; ASGI itself has no such call.
    """
    disconnect: Callable[[bool], None] | None = scope.get("state", {}).get("disconnect")
    if disconnect is None:
        raise ConnectionAbortedError("the sandbox was told to drop this connection")
    disconnect(reset)
    await _disconnected(receive)
