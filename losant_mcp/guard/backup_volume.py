"""One volume for the backups of all replicas, known by a mark that lies on it.

What one replica deletes, another one must be able to bring back. So the backup folder of every
replica has to be the same volume, and each of them proves it before it deletes or changes
anything: the volume bears a mark, 32 random bytes that are drawn once, and its digest is
registered in the shared store. A replica whose volume bears another mark refuses; reading and
creating, which keep no backup, go on. The mark is read each time, and never made later than at
the start: a volume that was unmounted meanwhile is not replaced by the folder beneath it.

Which volume is the replicas' own:

- The first one that registers, once its registration has stood for ``STANDING_SECONDS``. It then
  is *settled*, and bears a seal for that, made of its mark and the replicas' shared key.
- Where the store has lost the registration (a Redis that was emptied, or restarted without what
  it had), a sealed volume is registered again at once, and takes the place of any that is not
  settled. Every server for many looks every ``LOOK_SECONDS``, so as long as one of them lives,
  reaches the store and has the old volume, another one is never accepted in between.
- A settled volume is replaced by a person only. A copy of it, with mark and seal, is the same
  volume. Where it is lost, end all replicas and empty the Redis: open plans end, limits begin
  anew, and the first volume that comes is taken.

Two sealed volumes of the same replicas (an old one that somebody mounted again) cannot both be
accepted: the one that is registered stays, and whoever has the other one refuses.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NoReturn, Protocol

import anyio
from anyio.to_thread import run_sync
from pydantic import SecretStr

from losant_mcp.config import Settings
from losant_mcp.guard import durable
from losant_mcp.guard.state_dir import StateDir, open_backup_dir
from losant_mcp.guard.state_keys import derived_key
from losant_mcp.guard.store import GuardError

MARK = "volume"
SEAL = "volume-seal"
MARK_BYTES = 32

STANDING_SECONDS = 30.0
"""How long a first registration has to stand; several times what lies between two looks."""
LOOK_SECONDS = 8.0

_FACT = "backup volume"

Standing = Literal["shared", "new", "another"]
"""The replicas' own volume; one that may become it; one that is not."""

log = logging.getLogger(__name__)


class WrongVolume(GuardError):
    """The backups of this replica are not where the others' are; nothing was changed."""


class Registry(Protocol):
    """What a volume is registered in: a part of the shared store."""

    async def now(self) -> float:
        """The store's time."""

    async def recall(self, key: str) -> str | None:
        """The fact."""

    async def swap(self, key: str, old: str | None, new: str) -> bool:
        """Replace the fact, for one of those who saw it."""


@dataclass(frozen=True, slots=True)
class _Registered:
    volume: str
    at: float
    settled: bool


def backup_folder(settings: Settings, state: StateDir) -> Path:
    """Where backups lie. Raises ConfigurationError where others could look into it."""
    if settings.backup_dir is None:
        return state.backups
    return open_backup_dir(settings.backup_dir, settings.api_url)


class BackupVolume:
    """The volume of a folder, which must exist; ``secret`` is the replicas' shared key."""

    def __init__(self, folder: Path, store: Registry, secret: SecretStr) -> None:
        self._folder = folder
        self._store = store
        self._key = derived_key(secret, "backup volume")

    def prepare(self) -> None:
        """Mark the volume where it bears no mark, once, at the start. Blocks; raises OSError."""
        durable.make_folder(self._folder)
        if not (self._folder / MARK).exists():
            durable.create_whole(self._folder / MARK, secrets.token_bytes(MARK_BYTES))

    async def check(self) -> None:
        """Raise WrongVolume unless this is the replicas' own volume, and StateUnavailable where
        that cannot be told.
        """
        standing = await self.look()
        if standing == "another":
            raise WrongVolume(
                "The backups of this replica lie on another volume than those of the others, so "
                "nothing is deleted or changed here: it could not be found when it is needed.",
                hint="A person should mount the replicas' one volume at LOSANT_MCP_BACKUP_DIR and "
                "restart this replica; reading and creating go on.",
            )
        if standing == "new":
            wait = WrongVolume(
                "The backup volume was registered a moment ago; it counts once no other replica "
                f"has objected for {STANDING_SECONDS:.0f} seconds.",
                hint="Try again in half a minute; nothing was changed.",
            )
            wait.retry = True
            raise wait

    async def look(self) -> Standing:
        """How this volume stands, registered where none is. Raises WrongVolume, StateUnavailable.

        WrongVolume says here that the volume has gone, or that its mark cannot be read.
        """
        volume, sealed = await run_sync(self._read)
        while True:
            told = await self._store.recall(_FACT)
            found = _Registered(**json.loads(told)) if told else None
            after = _after(found, volume, sealed, await self._store.now())
            if after == found or await self._store.swap(_FACT, told, json.dumps(asdict(after))):
                break
        if after.volume != volume:
            return "another"
        if after.settled and not sealed:
            await run_sync(self._seal, volume)
        return "shared" if after.settled else "new"

    async def watch(self) -> NoReturn:
        """Look again and again, so that no other volume is taken for the replicas' own."""
        before = ""
        while True:
            try:
                standing: str = await self.look()
                level = logging.ERROR if standing == "another" else logging.INFO
            except GuardError as error:
                standing, level = str(error), logging.WARNING
            if standing != before:
                log.log(level, "the backup volume: %s", standing)
            before = standing
            await anyio.sleep(LOOK_SECONDS)

    # ---- the files -------------------------------------------------------------------------

    def _read(self) -> tuple[str, bool]:
        """The volume's name, and whether it bears a seal of these replicas."""
        try:
            mark = durable.read_whole(self._folder / MARK, MARK_BYTES)
        except OSError as error:
            raise _unreadable(error.strerror or str(error)) from None
        if len(mark) != MARK_BYTES:
            raise _unreadable("it is damaged")
        volume = hashlib.sha256(mark).hexdigest()
        try:
            seal = durable.read_whole(self._folder / SEAL, MARK_BYTES)
        except OSError:
            seal = b""
        return volume, hmac.compare_digest(seal, self._seal_of(volume))

    def _seal(self, volume: str) -> None:
        path = self._folder / SEAL
        try:
            # A seal that is there and does not fit is of another key: this volume has moved.
            durable.remove(path)
            durable.create_whole(path, self._seal_of(volume))
        except OSError as error:
            raise _unreadable(error.strerror or str(error)) from None

    def _seal_of(self, volume: str) -> bytes:
        return hmac.digest(self._key, volume.encode(), "sha256")


def _after(found: _Registered | None, volume: str, sealed: bool, now: float) -> _Registered:
    """What is registered after a look by this volume."""
    mine = _Registered(volume, now, settled=sealed)
    if found is None:
        return mine
    if found.settled:
        return found
    if found.volume != volume:
        return mine if sealed else found
    has_stood = now - found.at >= STANDING_SECONDS
    return replace(found, settled=sealed or has_stood)


def _unreadable(why: str) -> WrongVolume:
    return WrongVolume(
        f"The mark of the backup volume cannot be used ({why}), so nothing is deleted or changed.",
        hint="A person should look whether the volume is mounted at LOSANT_MCP_BACKUP_DIR, and "
        "restart this replica; reading and creating go on.",
    )
