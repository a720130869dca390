"""The many who call a hosted server: who they are, with what client they come, and how they go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from losant_mcp.hosting.keys import KeyFile
from tests.calling import Mode
from tests.served import Sandbox
from tests.soak.person import REPLIES, Failed, Person, Reply, Tally
from tests.soak.stories import Story

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "latency", "ms": 40, "times": 60},
    {"kind": "status", "status": 429, "retryAfter": 0, "times": 4},
    {"kind": "status", "status": 500, "times": 3},
    {"kind": "html", "status": 502, "times": 2},
    {"kind": "reset", "times": 2},
    {"kind": "drop_before", "times": 2},
    {"kind": "drop_after", "times": 2},
    {"kind": "truncated_json", "times": 2},
    {"kind": "slow_body", "ms": 100, "times": 4},
)
"""What befalls the requests of a round, whoever they are of; after some it is over."""


@dataclass
class Callers:
    """The people who come, and what their clients may be told about Losant."""

    url: str
    keys: KeyFile
    sandbox: Sandbox
    chance: Random = field(default_factory=lambda: Random(7))
    tally: Tally = field(default_factory=Tally)
    bearers: dict[str, str] = field(default_factory=dict)
    """The keys that are good now, by their names."""
    replies: Iterator[Reply] = field(default_factory=lambda: cycle(REPLIES))
    is_shaken: bool = False
    is_polite: bool = False
    """Whether everybody says goodbye."""

    async def prepare(self, number: int) -> None:
        """In with the newcomer, out with the last one; Losant fails in every other round."""
        await anyio.to_thread.run_sync(self.change_keys, number)
        self.is_shaken = number % 2 == 1
        faults = self.chance.sample(FAULTS, 5) if self.is_shaken else []
        await anyio.to_thread.run_sync(self.sandbox.set_faults, *faults)

    def change_keys(self, number: int) -> None:
        """The keys of this round."""
        if number == 0:
            self.bearers["regular"] = self.keys.add("regular", "full")
        else:
            self.keys.remove(f"newcomer-{number - 1}")
            del self.bearers[f"newcomer-{number - 1}"]
        self.bearers[f"newcomer-{number}"] = self.keys.add(f"newcomer-{number}", "full")

    async def visit(self, story: Story, name: str | None = None) -> None:
        """Somebody comes with a new client; whoever it is, or the one of this name."""
        mode: Mode = self.chance.choice(("auto", "legacy"))
        person = Person(self.chance, mode, self.tally, lambda: self.is_shaken, self.replies)
        bearer = self.bearers[name or self.chance.choice(sorted(self.bearers))]
        says_goodbye = self.is_polite or self.chance.random() < 0.7
        async with self._client(person, bearer, says_goodbye=says_goodbye):
            with suppress(Failed):  # inside, since a client wraps what goes through it
                await story(person)

    async def vanish(self, story: Story) -> None:
        """As above, but torn from the connection at any moment."""
        with anyio.move_on_after(self.chance.uniform(0.1, 1.5)):
            await self.visit(story)

    @asynccontextmanager
    async def _client(
        self, person: Person, bearer: str, *, says_goodbye: bool
    ) -> AsyncIterator[None]:
        headers = {"authorization": f"Bearer {bearer}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60, verify=False) as http:
            transport = streamable_http_client(
                self.url, http_client=http, terminate_on_close=says_goodbye
            )
            answer = person.answer
            async with Client(transport, mode=person.mode, elicitation_callback=answer) as client:
                person.client = client
                yield
