"""Plans to be asked about, and a person's browser as far as HTTP goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any

import anyio
import httpx

from losant_mcp.guard.plans import Binding, Operation, Plan, PlannedSet, Shown, Target
from losant_mcp.guard.wording import phrase_for
from losant_mcp.http.browser import Browser

API_URL = "https://api.losant.com"
APPLICATION = "575ec8687ae143cd83dc4a97"
TABLE = "596fbb703fc088453872e609"


def truncation(name: str = "Sites", **changes: Any) -> Plan:
    """A plan to empty a data table: 3,000 rows, a phrase to type, samples and warnings."""
    plan = Plan(
        id="",
        operation=Operation("truncate_rows", APPLICATION, TABLE),
        binding=Binding(API_URL, "prn_ops", "4711-0123456789abcdef", "policy"),
        arguments="digest",
        target=Target("data table", TABLE, name, "2025-03-01T08:12:00.000Z"),
        planned=PlannedSet(3000, "2026-11-20T10:00:00.000Z"),
        shown=Shown(
            where=f"Application {APPLICATION} at api.losant.com.",
            samples=(
                {"id": "69a1", "site": "North pump house", "level": 3.5, "note": None},
                {"id": "69a2", "site": "Reservoir 2", "level": 12, "note": "valve stuck"},
                {"id": "69a3", "site": "Old mill", "level": 0.25, "note": ""},
            ),
            former_names=("Sites (old)",),
            recent_changes=("CHANGE this row (2026-11-22T07:55:00Z)",),
            side_effects=(
                "No workflow is told of the rows.",
                "What is written in the very last moment goes, too, and is not in the backup.",
            ),
            not_restorable=("restored rows get new ids and new dates",),
        ),
        verb="DELETE all 3,000 rows",
        phrase=name,
        destroys=3000,
        created_at=0.0,
        expires_at=0.0,
    )
    return replace(plan, **changes)


def deletion(number: int = 1, **changes: Any) -> Plan:
    """A plan to delete one event: a plain yes."""
    event = f"5a0000000000000000{number:06d}"
    plan = truncation()
    plan = replace(
        plan,
        operation=Operation("delete_event", APPLICATION, event),
        arguments=f"digest {number}",
        target=Target("event", event, "Pump 3 overheated", "2026-11-22T03:10:00.000Z"),
        planned=PlannedSet(1, None, ((event, None),)),
        shown=Shown(
            where=plan.shown.where,
            breakdown={"level": {"critical": 1}, "state": {"new": 1}},
            samples=(
                {
                    "id": event,
                    "level": "critical",
                    "state": "new",
                    "subject": "Pump 3 overheated",
                    "message": "Bearing temperature 104 °C\nAutomatic stop",
                },
            ),
            not_restorable=(
                "restored events get new ids, and lose their history and their source",
            ),
        ),
        verb="DELETE this event",
        phrase=None,
        destroys=1,
    )
    return replace(plan, **changes)


ZALGO = "Z" + "\u0335\u0321\u0359\u0301\u0306" * 40
HOSTILE = (
    "</strong></p><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}{{ config }}",
    "Sites\n\nAnswer yes to keep everything\r\n\t",
    "\u202eselbat ruoy peek\u202c \u2066isolated\u2069",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x00\x9b31m",
    "&lt;b&gt; &amp; \"quoted\" 'single' `tick`",
    "javascript:alert(1)",
    "Ѕites",  # noqa: RUF001 -- its first letter is Cyrillic, which is what is tried
    ZALGO,
)


def hostile() -> Plan:
    """A plan whose every text from outside tries to be more than text."""
    name = (" ".join(HOSTILE) + "x" * 255)[:255]
    plan = truncation(name)
    cells = {text[:64]: text * 3 for text in HOSTILE}
    return replace(
        plan,
        phrase=phrase_for(plan.target, ambiguous=False),
        operation=replace(plan.operation, selection={"query": {"note": list(HOSTILE)}}),
        shown=replace(
            plan.shown,
            samples=(cells, dict.fromkeys(cells, "<script>alert(2)</script>" * 9), cells),
            former_names=HOSTILE,
        ),
    )


class Recording(Browser):
    """A screen whose browser only notes which files it was to open."""

    def __init__(self, *, works: bool = True, there: bool = True) -> None:
        super().__init__()
        self.files: list[Path] = []
        self._works = works
        self._there = there

    def is_there(self) -> bool:
        """Whether there is a screen."""
        return self._there

    def open(self, file: Path) -> bool:
        """Note the file."""
        self.files.append(file)
        return self._works


@dataclass
class Person:
    """Follows a redirect file as a browser does: a navigation from a file, cookies, forms."""

    client: httpx.AsyncClient
    host: str
    token: str = field(default="", init=False)

    @property
    def origin(self) -> str:
        """Of the page."""
        return f"http://{self.host}"

    async def follow(self, address: str, **headers: str) -> httpx.Response:
        """Go where a redirect file leads: as far as the entry."""
        return await self.client.get(address, headers=NAVIGATION | headers)

    async def enter(self, file: Path) -> httpx.Response:
        """Open the redirect file, go through the entry, and return the plan's page."""
        entry = await self.follow(await address_of(file))
        assert entry.status_code == 200, entry.text
        return await self.get(address_in(entry.text))

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Navigate on the page."""
        url = path if path.startswith("http") else self.origin + path
        navigation = {**NAVIGATION, "Sec-Fetch-Site": "same-origin"}
        page = await self.client.get(url, headers=navigation | headers)
        if match := re.search(r'name="token" value="([0-9a-f]+)"', page.text):
            self.token = match[1]
        return page

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> httpx.Response:
        """Send a form of the page; an empty header is left out."""
        sent = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": self.origin} | headers
        return await self.client.post(
            self.origin + path,
            data={"token": self.token, **form},
            headers={name: value for name, value in sent.items() if value},
        )


NAVIGATION = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1",
}


async def address_of(file: Path) -> str:
    """Where a redirect file leads; the one place where a key can be read."""
    return address_in(await anyio.Path(file).read_text(encoding="utf-8"))


def address_in(page: str) -> str:
    """Where a page leads by its meta refresh."""
    match = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page)
    assert match, page
    return unescape(match[1])
