"""Where a guard remembers: in a file of its own machine, or in a Redis that replicas share."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread
from mcp.server.subscriptions import SubscriptionBus

from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.backup_volume import BackupVolume, backup_folder
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from losant_mcp.guard.store import StateStore, StateUnavailable

if TYPE_CHECKING:
    from losant_mcp.guard.redis_store import RedisStore

SHARED_ORIGIN = "replicas"
"""The origin of every plan in a shared store: what one replica asked, another one may run."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SharedState:
    """One store, one bus and one volume for all principals of this process."""

    store: StateStore
    bus: SubscriptionBus
    volume: BackupVolume | None
    """None where nothing may be written, so that nothing is kept."""


def store_of(
    settings: Settings, state: StateDir, *, clock: Callable[[], float] = time.time
) -> StateStore:
    """The memory that the settings name; close it. Redis goes by a clock of its own."""
    if settings.state_url is not None:
        return shared_store(settings)
    return SqliteStore(state.database, key=state.key(), clock=clock)


@asynccontextmanager
async def shared_state(settings: Settings) -> AsyncIterator[SharedState | None]:
    """The shared state during the block; None where each process has its own.

    Raises ConfigurationError where the Redis is none that can be trusted to keep what it gets.
    One that cannot be reached is waited for: until then, reading goes on and nothing else.
    """
    if settings.state_url is None or settings.state_key is None:
        yield None
        return
    store = shared_store(settings)
    try:
        from losant_mcp.guard.redis_store.bus import redis_bus

        try:
            await store.check()
        except StateUnavailable as error:
            log.warning("%s %s", error, error.hint)
        volume = await to_thread.run_sync(_volume_of, settings, store)
        async with (
            redis_bus(settings.state_url, settings.state_key, settings.api_url) as bus,
            anyio.create_task_group() as tasks,
        ):
            if volume is not None:
                tasks.start_soon(volume.watch)
            yield SharedState(store, bus, volume)
            tasks.cancel_scope.cancel()
    finally:
        await store.aclose()


def _volume_of(settings: Settings, store: StateStore) -> BackupVolume | None:
    if settings.access == "read":
        return None
    state = open_state_dir(settings.state_dir, settings.api_url)
    return shared_volume(settings, store, backup_folder(settings, state))


def shared_volume(settings: Settings, store: StateStore, folder: Path) -> BackupVolume | None:
    """The volume that replicas keep their backups on, marked; None where there is no other one.

    Raises ConfigurationError where it cannot be written.
    """
    if settings.state_key is None or settings.state_url is None:
        return None
    volume = BackupVolume(folder, store, settings.state_key)
    try:
        volume.prepare()
    except OSError as error:
        raise ConfigurationError(
            f"The backup folder cannot be written: {error.strerror or error}.",
            hint="Mount the volume of all replicas at LOSANT_MCP_BACKUP_DIR, writable.",
        ) from None
    return volume


def shared_store(settings: Settings) -> RedisStore:
    """A store of this replica on the Redis of the settings; close it."""
    assert settings.state_url is not None
    assert settings.state_key is not None
    if find_spec("redis") is None:
        raise ConfigurationError(
            "LOSANT_MCP_STATE_URL needs the Redis client, which is not installed.",
            hint="Install it with: pip install 'losant-mcp[redis]'",
        )
    from losant_mcp.guard.redis_store import RedisStore

    return RedisStore(
        settings.state_url, settings.state_key, settings.api_url, replica=secrets.token_hex(8)
    )
