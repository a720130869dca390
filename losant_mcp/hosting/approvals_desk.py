"""Approvals of a hosted server, put together: what its settings must say, its records, its page.

The page is the server's and not a caller's: it has a store and an audit of its own, in which the
plans of all callers lie.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from starlette.types import Receive, Scope, Send

from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.assembly import MakePage
from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.deciding import Asked, Deciding
from losant_mcp.guard.gate import AskElsewhere
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.plans import Binding, Plan
from losant_mcp.guard.shared_state import store_of
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from losant_mcp.guard.store import Limits, StateStore
from losant_mcp.hosting.address import Address, origin_of
from losant_mcp.hosting.approvals import LIST, HostedApprovals
from losant_mcp.hosting.approver_logins import Logins
from losant_mcp.hosting.approvers import ApproverFile
from losant_mcp.http.plan_page import Place, path_of
from losant_mcp.http.sheet import moment

LIMITS = Limits(destroyed=0, overwritten=0, created_rows=0, created_events=0)
"""Nothing is planned or spent at the desk."""


def check_approvals(settings: Settings) -> None:
    """Refuse settings that contradict each other. Raises ConfigurationError."""
    if settings.approvers_file is None:
        if settings.approver_header is not None or settings.four_eyes:
            raise ConfigurationError(
                "There is a setting about approvers, and no approvers.",
                hint="Set LOSANT_MCP_APPROVERS_FILE, and write it with: losant-mcp approvers add",
            )
        return
    if settings.ask == "form":
        raise ConfigurationError(
            "LOSANT_MCP_ASK=form trusts the clients' forms, and there are approvers.",
            hint="Leave one of them out: where there are approvers, nobody else says yes.",
        )
    if settings.public_url is None:
        raise ConfigurationError(
            "Approvers need an address at which they find what waits for them.",
            hint="Set LOSANT_MCP_PUBLIC_URL to the address that people use, such as"
            " https://mcp.example.com.",
        )
    origin = urlsplit(origin_of(settings.public_url))
    if origin.scheme == "http" and not Address(origin.hostname or "", 0).is_loopback:
        raise ConfigurationError(
            "LOSANT_MCP_PUBLIC_URL: passphrases would be sent in the clear.",
            hint="Use https, by a proxy before this server; http is for this machine alone.",
        )
    if settings.four_eyes and settings.auth == "none":
        raise ConfigurationError(
            "--four-eyes needs to know who asks, and with --auth none nobody is known.",
            hint="Choose --auth keys or --auth losant.",
        )


class ApprovalDesk:
    """Where approvers decide. Raises ConfigurationError where their file cannot be read."""

    def __init__(self, settings: Settings) -> None:
        assert settings.approvers_file is not None, "or there is no desk"
        assert settings.public_url is not None, "check_approvals has seen to that"
        self._settings = settings
        self._file = ApproverFile(settings.approvers_file)
        self._file.entries()  # what is wrong with it is told at the start
        self._place = Place(
            origin=origin_of(settings.public_url),
            time_zone=settings.time_zone,
            command="losant-mcp approve",
            refusal_seconds=LIMITS.refusal_seconds,
        )
        self._app: HostedApprovals | None = None
        self.store: StateStore | None = None
        """Where the plans of all callers lie, once the desk is open."""

    @property
    def host(self) -> str:
        """The host, and the port if it is not the usual one, by which people come here."""
        return self._place.host

    @property
    def told(self) -> str:
        """Who approves, for the status."""
        return f"approvers named by the operator, at {self._place.origin}{LIST}"

    @asynccontextmanager
    async def opened(self, shared: StateStore | None) -> AsyncIterator[None]:
        """The page is ready during the block; on a store that replicas share, if there is one."""
        settings = self._settings
        state = await run_sync(open_state_dir, settings.state_dir, settings.api_url)
        key = await run_sync(state.key, "audit")
        store = await run_sync(store_of, settings, state) if shared is None else shared
        self.store = store
        try:
            binding = Binding(settings.api_url, principal="approvers", origin="page", policy="")
            audit = AuditLog(state.audit, key=key, head_path=state.keys / "audit-head")
            deciding = Deciding(Ledger(audit, store, binding, LIMITS))
            logins = Logins(
                store,
                self._file,
                header=settings.approver_header,
                is_secure=self._place.origin.startswith("https:"),
            )
            self._app = HostedApprovals(
                self._place, store, logins, deciding, four_eyes=settings.four_eyes
            )
            yield
        finally:
            if shared is None:
                await store.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of a person's browser."""
        assert self._app is not None, "the server takes requests once the desk is open"
        await self._app(scope, receive, send)

    # ---- asking ----------------------------------------------------------------------------

    def page_of(self, user: str) -> MakePage:
        """What makes the way to ask for a caller, who is this user of Losant's where known."""
        return partial(self._make, user)

    def _make(self, user: str, _: StateDir, ledger: Ledger) -> AskElsewhere:
        deciding = Deciding(ledger)

        async def ask(plan: Plan, client: str) -> str:
            needs_pin = self._settings.approve == "pin"
            await deciding.note_asked(plan, Asked(client, needs_pin, user))
            return self._advice(plan)

        return ask

    def _advice(self, plan: Plan) -> str:
        until = f"until {moment(plan.expires_at, self._settings.time_zone)}"
        address = f"{self._place.origin}{path_of(plan.id)}"
        if not any(approver.may_decide(plan) for approver in self._file.entries()):
            return (
                "No approver may decide about this application: tell the person that whoever runs"
                " this server can add one with `losant-mcp approvers add`."
            )
        return (
            f"An approver has to decide at {address} {until}. Tell the person to pass this address"
            " on to one: it is no secret, since approvers log in there."
        )
