"""A store, an audit and a page in a fresh state folder, and a person who visits it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from losant_mcp.config import Settings
from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.audit_lines import AuditLine
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.plans import Binding, Plan
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from losant_mcp.guard.store import Limits
from losant_mcp.http.approval_page import ApprovalPage
from tests.http.asked import API_URL, Person, Recording
from tests.http.chromium import launched

LIMITS = Limits(
    destroyed=50_000,
    overwritten=200,
    created_rows=1,
    created_events=1,
    pending=200,
    questions=1000,
)


@dataclass
class Clock:
    """The time of day, moved by hand."""

    seconds: float = 1_795_000_000.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.seconds


@dataclass
class Served:
    """A page with everything around it."""

    page: ApprovalPage
    store: SqliteStore
    ledger: Ledger
    state_dir: StateDir
    clock: Clock
    browser: Recording
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def add(self, plan: Plan) -> Plan:
        """Store a plan and begin to ask about it, as the gate does."""
        stored = await self.store.add_plan(plan, LIMITS)
        await self.store.begin_question(stored.id, "page")
        return stored

    async def asked(self, plan: Plan, client: str = "Claude Desktop") -> tuple[Plan, Path]:
        """Store a plan and open its page; the plan and its redirect file."""
        stored = await self.add(plan)
        await self.page.ask(stored, client)
        return stored, self.browser.files[-1]

    def visitor(self) -> Person:
        """Somebody with a browser of their own, without a cookie so far."""
        assert self.page.host is not None, "nothing was asked yet"
        return self.visitor_of(self.page.host)

    def visitor_of(self, host: str) -> Person:
        """The same, of another page."""
        client = httpx.AsyncClient(follow_redirects=False, timeout=10)
        self._clients.append(client)
        return Person(client, host)

    async def status(self, plan: Plan) -> str:
        """What the store says of the plan now."""
        now = await self.store.plan(plan.id)
        assert now is not None
        return now.status

    def audit(self) -> list[AuditLine]:
        """Every line so far."""
        assert self.ledger.audit.verify().ok
        return list(self.ledger.audit.read(1000))

    async def close(self) -> None:
        """Close every visitor's connections."""
        for client in self._clients:
            await client.aclose()


@pytest.fixture
def settings() -> Settings:
    """Times in UTC, so that pages read the same everywhere."""
    return Settings(time_zone="UTC")


@pytest.fixture
async def served(tmp_path: Path, settings: Settings) -> AsyncIterator[Served]:
    """A page that is ready to ask."""
    async with serving(tmp_path, settings) as served:
        yield served


@pytest.fixture
async def served_with_pin(tmp_path: Path, settings: Settings) -> AsyncIterator[Served]:
    """The same, where every approval takes the PIN; none is set yet."""
    async with serving(tmp_path, settings.model_copy(update={"approve": "pin"})) as served:
        yield served


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for a file's tests; each opens a fresh profile in it.

    No longer than that: its event loop would run on under tests that begin one of their own.
    """
    async with launched() as browser:
        yield browser


@asynccontextmanager
async def serving(tmp_path: Path, settings: Settings) -> AsyncIterator[Served]:
    """A page around a fresh state folder."""
    state_dir = open_state_dir(tmp_path / "state", API_URL)
    clock = Clock()
    store = SqliteStore(state_dir.database, key=state_dir.key(), clock=clock)
    audit = AuditLog(
        state_dir.audit, key=state_dir.key("audit"), head_path=state_dir.keys / "audit-head"
    )
    ledger = Ledger(audit, store, Binding(API_URL, "prn_ops", "4711-0123456789abcdef", ""), LIMITS)
    browser = Recording()
    async with ApprovalPage(
        store, ledger, settings, state_dir, browser=browser, clock=clock
    ) as page:
        served = Served(page, store, ledger, state_dir, clock, browser)
        yield served
        await served.close()
    await store.aclose()
