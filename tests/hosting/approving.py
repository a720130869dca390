"""Approvers of a hosted server, their browsers as far as HTTP goes, and what they are asked."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
from mcp import Client

from losant_mcp.guard.durable import write_whole
from losant_mcp.guard.scrypt import hashed
from losant_mcp.hosting.approvals import LOGIN
from losant_mcp.hosting.approvers import Approver, _Content
from losant_mcp.http.sessions import form_token
from tests.calling import JsonObject, cells, result
from tests.hosting.serving import Served, served
from tests.http.asked import Person
from tests.served import Sandbox

PASSPHRASE = "correct horse battery"
WRONG = "wrong horse battery"

_hashed = cache(hashed)  # one hash a process: each takes as long as a guess


def approver(
    name: str,
    applications: Sequence[str] | Literal["all"] = "all",
    callers: Sequence[str] = (),
    passphrase: str | None = PASSPHRASE,
) -> Approver:
    """An approver as the command writes them."""
    return Approver(
        name=name,
        applications="all" if applications == "all" else tuple(applications),
        callers=tuple(callers),
        created=datetime(2026, 11, 1, tzinfo=UTC),
        hash=_hashed(passphrase) if passphrase else None,
    )


def write(path: Path, *approvers: Approver) -> None:
    """The file has these approvers."""
    write_whole(path, _Content(approvers=approvers).model_dump_json().encode())


@dataclass
class Visitor(Person):
    """A browser at the page, with cookies of its own."""

    async def log_in(
        self, name: str = "anna", passphrase: str = PASSPHRASE, plan: str = "", **headers: str
    ) -> httpx.Response:
        """Send the login form."""
        form = {"name": name, "passphrase": passphrase, "plan": plan}
        sent = {"Sec-Fetch-Site": "same-origin", "Origin": self.origin} | headers
        return await self.client.post(
            self.origin + LOGIN, data=form, headers={k: v for k, v in sent.items() if v}
        )

    async def sees(self, path: str, text: str) -> None:
        """Look again and again until the page says this, at most twenty seconds."""
        with anyio.fail_after(20):
            while text not in (await self.get(path)).text:  # noqa: ASYNC110 - nobody tells a page
                await anyio.sleep(0.05)

    @property
    def session(self) -> str:
        """The secret in the cookie."""
        [cookie] = self.client.cookies.jar
        return cookie.value or ""

    def token_for(self, about: str) -> str:
        """What a form about this bears in this session."""
        return form_token(self.session, about)


@dataclass
class Desk:
    """A hosted server with approvers."""

    host: Served
    sandbox: Sandbox
    file: Path
    state: Path

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Visitor]:
        """Somebody who has not logged in."""
        async with httpx.AsyncClient(timeout=30, verify=False) as client:  # noqa: S501 - no TLS
            yield Visitor(client, self.host.url.partition("//")[2])

    def audited(self, kind: str) -> list[JsonObject]:
        """The lines of this kind."""
        [audit] = self.state.rglob("audit.jsonl")
        lines = [json.loads(line) for line in audit.read_text().splitlines()]
        return [line for line in lines if line["kind"] == kind]


@asynccontextmanager
async def desk(
    sandbox: Sandbox, folder: Path, *approvers: Approver, **settings: Any
) -> AsyncIterator[Desk]:
    """A server with these approvers, and anna where there are none."""
    file = folder / "approvers.json"
    write(file, *(approvers or [approver("anna")]))
    given = {"auth": "keys", "time_zone": "UTC", **settings}
    async with served(sandbox, folder, approvers_file=file, **given) as host:
        yield Desk(host, sandbox, file, folder / "state")


async def ask(client: Client, **more: Any) -> tuple[JsonObject, JsonObject]:
    """Ask for the deletion of an event: the arguments, and the answer."""
    [event] = cells(await result(client, "list_events", perPage=1, **more), "id")
    arguments = {"eventId": event, **more}
    answer = await result(client, "delete_event", **arguments)
    assert answer["status"] == "approval_required"
    return arguments, answer


def link_in(answer: JsonObject) -> str:
    """The address in what the model is told."""
    match = re.search(r"https?://\S+/approvals/apr_[a-z2-7]+", answer["message"])
    assert match, answer["message"]
    return match[0]


def path_in(answer: JsonObject) -> str:
    """The path of the plan's page."""
    return f"/approvals/{answer['approvalId']}"
