"""Somebody at a client: what they call, how they answer a question, and what they get to see.

Every answer is judged on the spot. A right one is done, or says in a sentence why not; nothing
that anybody does may bring a trace of the machinery to light.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from typing import Any, Literal

import anyio
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from tests.calling import JsonObject, Mode, check_error, content, text_of
from tests.guard.meddling import agree

Reply = Literal["agree", "decline", "cancel", "leave"]

REPLIES: tuple[Reply, ...] = ("agree", "agree", "cancel", "leave", "decline")

ENDS: dict[Reply, frozenset[str]] = {
    "agree": frozenset({"done"}),
    "decline": frozenset({"declined"}),
    "cancel": frozenset({"cancelled"}),
}
"""What a guarded call answers after each reply; who leaves gets no answer."""


class Failed(Exception):
    """The call failed as it may while Losant fails, so what builds on it is not done either."""


@dataclass
class Tally:
    """How often each thing was tried, by how it ended."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """All of them."""
        return self.ends.total()

    def never(self, ends: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of these ends that nothing came to."""
        return {end for end in ends if not self.ends[end]}


@dataclass
class Person:
    """A person and their client; ``shaken`` tells whether Losant fails at the moment."""

    chance: Random
    mode: Mode
    tally: Tally
    shaken: Callable[[], bool] = lambda: False
    replies: Iterator[Reply] = field(default_factory=lambda: cycle(REPLIES))
    """How they answer where they may well think twice."""
    reply: Reply = "agree"
    """How they answer the next question."""
    client: Client = field(init=False)
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    """Held while questions may come: a client cannot tell whose question it is."""
    table: str | None = None
    """The data table that is theirs, while there is one."""
    _leaving: anyio.CancelScope | None = None

    async def answer(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        """The client's form was filled in, closed, or is never answered."""
        assert isinstance(params, ElicitRequestFormParams)
        if self.reply == "agree":
            return agree(params.message, dict(params.requested_schema))
        if self.reply == "leave" and self._leaving is not None:
            self._leaving.cancel()
            await anyio.sleep_forever()
        return ElicitResult(action="decline" if self.reply == "decline" else "cancel")

    # ---- calls -----------------------------------------------------------------------------

    async def ask(self, tool: str, /, **arguments: Any) -> JsonObject:
        """What a tool answers that must answer. Raises Failed while Losant fails."""
        answer = await self.client.call_tool(tool, arguments)
        if answer.is_error:
            check_error(text_of(answer))
            self._count(tool, "failed")
            assert self.shaken(), (tool, arguments, text_of(answer))
            raise Failed
        self._count(tool, "done")
        return content(answer)

    async def attempt(self, tool: str, /, **arguments: Any) -> JsonObject | None:
        """What a tool answers, or None where a limit or another call is in its way."""
        answer = await self.client.call_tool(tool, arguments)
        if answer.is_error:
            check_error(text_of(answer))
            self._count(tool, "failed")
            return None
        self._count(tool, "done")
        return content(answer)

    async def destroy(self, tool: str, reply: Reply, /, **arguments: Any) -> JsonObject | None:
        """What a guarded tool answers after this reply; None where it was refused, or left."""
        self.reply = reply
        with anyio.CancelScope() as scope:
            self._leaving = scope
            answer = await self.attempt(tool, **arguments)
        self._leaving, self.reply = None, "agree"
        if scope.cancelled_caught:
            self._count(tool, "left")
            return None
        if answer is not None:
            expected = ENDS.get(reply, frozenset())
            assert answer["status"] in expected or self.shaken(), (tool, reply, answer)
            self._count(tool, reply)
        return answer

    async def mistake(self, tool: str, /, **arguments: Any) -> None:
        """The tool refuses, and says why."""
        answer = await self.client.call_tool(tool, arguments)
        assert answer.is_error, (tool, arguments)
        check_error(text_of(answer))
        self._count(tool, "refused")

    async def give_up(self, seconds: float, tool: str, /, **arguments: Any) -> None:
        """The call is cancelled after a while, unless it has ended."""
        with anyio.move_on_after(seconds) as scope:
            await self.attempt(tool, **arguments)
        self._count(tool, "given up" if scope.cancelled_caught else "in time")

    async def see(self, what: str, look: Any) -> Any:  # any of the client's own calls
        """What the client itself asks for: a prompt, a resource, a completion."""
        try:
            found = await look
        except MCPError as error:
            check_error(error.message)
            self._count(what, "failed")
            if not self.shaken():
                raise
            raise Failed from None
        self._count(what, "done")
        return found

    async def see_nothing(self, what: str, look: Any) -> None:  # as above
        """There is no such thing, and that is said."""
        try:
            await look
        except MCPError as error:
            check_error(error.message)
            self._count(what, "refused")
            return
        raise AssertionError(f"{what} was found")

    def _count(self, what: str, end: str) -> None:
        self.tally.ends[what, end] += 1
