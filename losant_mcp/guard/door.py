"""The door to the guard: opened at the first call that is more than a read.

So a server that only reads needs no state folder, and none pays for the guard at its start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings

if TYPE_CHECKING:
    from losant_mcp.guard.assembly import Guard, MakePage
    from losant_mcp.guard.backup_volume import BackupVolume
    from losant_mcp.guard.store import StateStore


class GuardDoor:
    """Opens the guard once. ``page`` makes what shows a person the approval page; without it
    they decide in the terminal. ``principal`` is who calls, where the token does not tell.
    ``store`` is one that is shared with other guards, and is not closed with this one; ``volume``
    is where the replicas that share it keep backups.
    ``clock`` gives seconds since the epoch. Close it with ``aclose``.
    """

    def __init__(
        self,
        settings: Settings,
        client: LosantClient,
        *,
        page: MakePage | None = None,
        principal: str | None = None,
        store: StateStore | None = None,
        volume: BackupVolume | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._client = client
        self._page = page
        self._principal = principal
        self._store = store
        self._volume = volume
        self._clock = clock
        self._lock = anyio.Lock()
        self._guard: Guard | None = None

    @property
    def principal(self) -> str:
        """Whose plans these are: the same on every replica."""
        from losant_mcp.guard.assembly import principal_of

        token = self._settings.api_token
        return self._principal or (principal_of(token) if token else "")

    async def open(self) -> Guard:
        """The guard. Raises ConfigurationError and GuardError where it cannot be opened."""
        from losant_mcp.guard.assembly import open_guard

        async with self._lock:
            if self._guard is None:
                self._guard = await open_guard(
                    self._settings,
                    self._client,
                    self._page,
                    principal=self._principal,
                    store=self._store,
                    volume=self._volume,
                    clock=self._clock,
                )
            return self._guard

    @property
    def opened(self) -> Guard | None:
        """The guard, if it was opened."""
        return self._guard

    async def idle(self) -> None:
        """Wait until no run is under way."""
        if self._guard is not None:
            await self._guard.gate.idle()

    async def aclose(self) -> None:
        """Let go of the guard's files, if it was opened."""
        guard, self._guard = self._guard, None
        if guard is not None:
            await guard.aclose()
