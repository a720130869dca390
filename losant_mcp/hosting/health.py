"""Whether the server can do its work: asked often, by anybody, so answered from memory.

What is told says nothing of settings, paths or tokens.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Literal

import anyio
from anyio.to_thread import run_sync

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.errors import (
    ApiError,
    LosantMcpError,
    ServerError,
    Unauthorized,
)
from losant_mcp.guard.backup_volume import Standing
from losant_mcp.guard.durable import remove, write_whole
from losant_mcp.guard.shared_state import SharedState
from losant_mcp.guard.state_dir import open_state_dir

GOOD_SECONDS = 10.0
BAD_SECONDS = 2.0
PROBE_SECONDS = 5.0

State = Literal["ok", "failed", "not needed", "not yet"]


class Health:
    """Asks Losant and the state store, at most every few seconds, however many want to know.

    ``has_token`` says that ``client`` has the server's own token, which Losant then has to know.
    ``shared`` is what is shared with other replicas, if anything.
    """

    def __init__(
        self,
        settings: Settings,
        client: LosantClient,
        *,
        has_token: bool,
        shared: Callable[[], SharedState | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._client = client
        self._has_token = has_token
        self._shared = shared
        self._lock = anyio.Lock()
        self._told: Mapping[str, State] = {}
        self._until = 0.0

    async def look(self) -> Mapping[str, State]:
        """What works and what does not."""
        async with self._lock:
            if monotonic() >= self._until:
                self._told = {
                    "losant": await _in_time(self._losant),
                    "state": await _in_time(self._state),
                }
                if self._settings.state_url is not None:
                    self._told = {**self._told, "backup_volume": await _in_time(self._volume)}
                is_good = "failed" not in self._told.values()
                self._until = monotonic() + (GOOD_SECONDS if is_good else BAD_SECONDS)
            return self._told

    async def _losant(self) -> State:
        application = self._client.policy.application_id
        try:
            if application is not None:
                await self._client.application_get(applicationId=application)
            else:
                await self._client.applications_get(perPage=1)
        except Unauthorized:
            return "failed" if self._has_token else "ok"
        except ServerError:
            return "failed"
        except ApiError:
            return "ok"  # it answers; what a token may do is another question
        except LosantMcpError:
            return "failed"
        return "ok"

    async def _state(self) -> State:
        if self._settings.access == "read":
            return "not needed"
        try:
            await run_sync(self._write)
            if (shared := self._shared()) is not None:
                await shared.store.now()
        except (OSError, LosantMcpError):
            return "failed"
        return "ok"

    async def _volume(self) -> State:
        """Whether backups lie where the other replicas find them."""
        shared = self._shared()
        if shared is None or shared.volume is None:
            return "not needed"
        try:
            standing = await shared.volume.look()
        except LosantMcpError:
            return "failed"
        told: Mapping[Standing, State] = {"shared": "ok", "new": "not yet", "another": "failed"}
        return told[standing]

    def _write(self) -> None:
        state = open_state_dir(self._settings.state_dir, self._settings.api_url)
        path = state.path / f".ready-{secrets.token_hex(4)}"
        write_whole(path, b"")
        remove(path)


async def _in_time(look: Callable[[], Awaitable[State]]) -> State:
    with anyio.move_on_after(PROBE_SECONDS):
        return await look()
    return "failed"
