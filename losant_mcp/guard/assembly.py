"""Putting the guard together for one server: its state folder, its memory, its gate."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import anyio
from anyio import to_thread
from pydantic import SecretStr

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.backup_volume import BackupVolume, backup_folder
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.gate import AskElsewhere, Gate, binding_of, limits_of
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.origins import Origin
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.recovering import tell_interrupted
from losant_mcp.guard.shared_state import SHARED_ORIGIN, shared_volume, store_of
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from losant_mcp.guard.store import GuardError, StateStore

log = logging.getLogger(__name__)

TERMINAL_ADVICE = (
    "Ask the person to run `losant-mcp approve` in a terminal on the machine of this server."
)

MakePage = Callable[[StateDir, Ledger], AskElsewhere | None]
"""Makes what opens the approval page; without it, a person decides in the terminal. What it makes
is None where nobody can be asked but by a form.
"""


def principal_of(token: SecretStr) -> str:
    """The name under which a token's plans, budgets and backups are kept; not the token."""
    return f"token-{hashlib.sha256(token.get_secret_value().encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Guard:
    """The opened guard of one server."""

    gate: Gate
    ledger: Ledger
    backups: Backups
    state: StateDir
    origin: Origin
    held: AsyncExitStack
    """What this guard opened for itself."""

    async def aclose(self) -> None:
        """Let go of the files; plans of this origin that still run are then interrupted."""
        with anyio.CancelScope(shield=True):
            await self.held.aclose()


async def open_guard(
    settings: Settings,
    client: LosantClient,
    page: MakePage | None,
    *,
    principal: str | None = None,
    store: StateStore | None = None,
    volume: BackupVolume | None = None,
    clock: Callable[[], float] = time.time,
) -> Guard:
    """The guard of a server, and of the token where no ``principal`` is named.

    A ``store`` that is given is shared with others, who close it, and so is its ``volume``.
    Raises ConfigurationError where its folder is not private, and GuardError where its files
    cannot be used.
    """
    token = settings.api_token
    assert token is not None, "a server has a token"
    async with AsyncExitStack() as held:
        state = await to_thread.run_sync(open_state_dir, settings.state_dir, settings.api_url)
        origin = await to_thread.run_sync(state.claim_origin)
        held.push_async_callback(to_thread.run_sync, origin.close)
        audit_key = await to_thread.run_sync(state.key, "audit")
        if store is None:
            store = await to_thread.run_sync(partial(store_of, settings, state, clock=clock))
            held.push_async_callback(store.aclose)
        ledger = Ledger(
            audit=AuditLog(state.audit, key=audit_key, head_path=state.keys / "audit-head"),
            store=store,
            binding=binding_of(
                settings,
                principal=principal or principal_of(token),
                # Where replicas share the store, one of them may run what another one asked.
                origin=SHARED_ORIGIN if settings.state_url else origin.name,
            ),
            limits=limits_of(settings),
        )
        folder = await to_thread.run_sync(backup_folder, settings, state)
        if volume is None:
            volume = await to_thread.run_sync(shared_volume, settings, store, folder)
            if volume is not None:
                with contextlib.suppress(GuardError):  # it is looked at again when it matters
                    await volume.look()
        backups = backups_of(settings, state, volume)
        await to_thread.run_sync(backups.prepare)
        await _clear_up(settings, backups)

        async def recover() -> None:
            alive = await to_thread.run_sync(state.alive_origins)
            orphans = await ledger.store.interrupt_orphans(alive)
            await tell_interrupted(orphans, client, ledger, backups)
            await ledger.note_expired()

        await recover()
        ask = page(state, ledger) if page is not None else _in_the_terminal
        gate = Gate(
            client, settings, ledger=ledger, backups=backups, ask_elsewhere=ask, recover=recover
        )
        return Guard(gate, ledger, backups, state, origin, held.pop_all())


def backups_of(settings: Settings, state: StateDir, volume: BackupVolume | None = None) -> Backups:
    """The backups of these settings, encrypted where there is a key."""
    key = settings.backup_key
    # The key is the operator's, long and random; what is needed of it here is its length.
    sealed = hashlib.sha256(key.get_secret_value().encode()).digest() if key else None
    return Backups(backup_folder(settings, state), key=sealed, volume=volume)


async def _clear_up(settings: Settings, backups: Backups) -> None:
    """Let go of backups that are too old or take too much room; that this fails stops nobody."""
    try:
        await backups.prune(
            older_than_days=settings.backup_days, max_bytes=settings.backup_megabytes * 10**6
        )
    except GuardError as error:
        log.warning("%s", error)


async def _in_the_terminal(_: Plan, __: str) -> str:
    return TERMINAL_ADVICE
