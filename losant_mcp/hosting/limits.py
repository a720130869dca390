"""How much at a time, and how slowly: places for requests, and bodies read against a clock.

Who finds no place is told at once to come again, instead of waiting in a queue that nobody sees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from starlette.types import Message, Receive

BODY_SECONDS = 15.0
RETRY_SECONDS = 2
"""When to come again who finds no place."""


class NoPlace(Exception):
    """Every place is taken; by this caller alone, or by all of them together."""


class Places:
    """``most`` places for everybody, of which one caller takes at most a share."""

    def __init__(self, most: int, *, of_one: int) -> None:
        self._most = most
        self._of_one = min(of_one, most)
        self._taken: Counter[str] = Counter()
        self._empty: anyio.Event | None = None

    @property
    def taken(self) -> int:
        """How many are taken now."""
        return self._taken.total()

    @contextmanager
    def place(self, whose: str) -> Iterator[None]:
        """One place for the block. Raises NoPlace."""
        if self.taken >= self._most or self._taken[whose] >= self._of_one:
            raise NoPlace
        self._taken[whose] += 1
        try:
            yield
        finally:
            self._taken[whose] -= 1
            if not self._taken[whose]:
                del self._taken[whose]
            if not self._taken and self._empty is not None:
                self._empty.set()

    async def emptied(self) -> None:
        """Wait until nobody is left."""
        if self._taken:
            self._empty = anyio.Event()
            await self._empty.wait()


class TooLarge(Exception):
    """The body is larger than it may be."""


class TooSlow(Exception):
    """The body did not come in time, or its sender has gone."""


async def read_body(receive: Receive, declared: str, most: int, *, goes_on: bool) -> Receive:
    """The whole body, as the ``receive`` of whoever handles the request. Raises TooLarge, TooSlow.

    ``declared`` is the Content-Length. What comes after the body, a disconnect, is passed on,
    unless what was asked for ``goes_on`` without its client: then it is still being handled, and
    has its place.
    """
    if declared.isdigit() and int(declared) > most:
        raise TooLarge
    body = bytearray()
    try:
        with anyio.fail_after(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise TooSlow
                body += message.get("body", b"")
                if len(body) > most:
                    raise TooLarge
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise TooSlow from None
    whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def replay() -> Message:
        if not whole and goes_on:
            await anyio.sleep_forever()
        return whole.pop() if whole else await receive()

    return replay
