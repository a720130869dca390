"""Backups: what would go, or was about to be changed, written to the disk before it does.

A backup is two files in a private folder: the data (compressed JSON lines, encrypted where there
is a key) and a manifest, which is written last. Each is written under another name, flushed to
the disk and renamed, so that a backup is whole or not there. Ids are random, and only they name
files; what one principal keeps, no other one sees.
"""

from __future__ import annotations

import logging
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
from anyio.to_thread import run_sync
from pydantic import ValidationError

from losant_mcp.guard import durable
from losant_mcp.guard.backup_file import Input, JsonObject, Output
from losant_mcp.guard.backup_manifest import (
    NOTES,
    BackupFailed,
    Draft,
    Manifest,
    UnknownBackup,
    is_backup_id,
    new_backup_id,
)
from losant_mcp.guard.backup_prune import Pruned, prune
from losant_mcp.guard.backup_seal import SHORTEST_KEY
from losant_mcp.guard.store import GuardError

MOST_MANIFEST_BYTES = 4 * 1024**2
CHUNK_BYTES = 4 * 1024**2
"""Of JSON that one list of objects may have when a backup is read."""

_log = logging.getLogger(__name__)


class Volume(Protocol):
    """Where the backups of several replicas lie."""

    async def check(self) -> None:
        """Raise GuardError where this is another one than the other replicas'."""


class BackupBusy(GuardError):
    """The backup is being restored at this moment, by this process or another one."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Backups:
    """The backups in a folder, which must exist; ``prepare`` makes it.

    ``key`` encrypts what is written from now on, and opens what was written with it. ``volume``
    knows whether the folder is where other replicas look for it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        key: bytes | None = None,
        volume: Volume | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        if key is not None and len(key) < SHORTEST_KEY:
            raise ValueError("the backup key is too short to protect anything")
        self._folder = folder
        self._key = key
        self._volume = volume
        self._clock = clock

    def prepare(self) -> None:
        """Make the folder, once, at the start. Raises OSError.

        Never later: a folder that vanished, such as a disk that was unmounted, must not be
        replaced silently by an empty one.
        """
        durable.make_folder(self._folder)

    async def check(self) -> None:
        """Raise GuardError where other replicas would not find what is kept here."""
        if self._volume is not None:
            await self._volume.check()

    # ---- writing ---------------------------------------------------------------------------

    async def begin(self, draft: Draft) -> BackupWriter:
        """A writer for a new backup; use it as an async context manager.

        Raises BackupFailed, and GuardError where it is not to be kept here.
        """
        await self.check()
        backup_id = new_backup_id()
        path = self._folder / f"{backup_id}.part"
        try:
            # Shielded: what a cancelled call had opened could not be closed.
            with anyio.CancelScope(shield=True):
                output = await run_sync(Output, path, backup_id, self._key)
        except OSError as error:
            raise _failed(error) from error
        writer = BackupWriter(self._folder, backup_id, draft, output, self._key, self._clock)
        if draft.change is not None:
            await writer._begin(draft.change)
        return writer

    async def keep(
        self, draft: Draft, chunks: AsyncIterable[Sequence[Mapping[str, Any]]]
    ) -> Manifest:
        """A backup of all the objects, on the disk. Raises BackupFailed and what ``chunks`` does;
        nothing is left of it then.
        """
        async with await self.begin(draft) as writer:
            async for items in chunks:
                await writer.write(items)
            return await writer.commit()

    # ---- looking ---------------------------------------------------------------------------

    async def list(self, principal: str, api_url: str, application_id: str) -> tuple[Manifest, ...]:
        """The backups that this principal may see, newest first."""
        found = await run_sync(self.read_all)
        return tuple(m for m in found if m.visible_to(principal, api_url, application_id))

    def read_all(self) -> tuple[Manifest, ...]:
        """Every backup of every principal, newest first; for the operator. Blocks."""
        found = [self._read(path.stem) for path in self._folder.glob("bak_*.json")]
        whole = [manifest for manifest in found if manifest is not None]
        return tuple(sorted(whole, key=lambda m: (m.created, m.id), reverse=True))

    async def get(
        self, backup_id: str, *, principal: str, api_url: str, application_id: str
    ) -> Manifest:
        """The backup of this id. Raises UnknownBackup, also where it is another principal's."""
        manifest = await run_sync(self._read, backup_id) if is_backup_id(backup_id) else None
        if manifest is None or not manifest.visible_to(principal, api_url, application_id):
            raise UnknownBackup(
                "There is no such backup in this application.",
                hint="Look it up with list_backups.",
            )
        return manifest

    def _read(self, backup_id: str) -> Manifest | None:
        if not is_backup_id(backup_id):
            return None
        path = self._folder / f"{backup_id}.json"
        try:
            manifest = Manifest.model_validate_json(durable.read_whole(path, MOST_MANIFEST_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            _log.warning("the manifest of backup %s cannot be read", backup_id)
            return None
        return manifest if manifest.id == backup_id else None

    # ---- reading ---------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self, manifest: Manifest) -> AsyncIterator[OpenBackup]:
        """The backup's data, already checked to its end.

        Raises BackupDamaged and WrongBackupKey before it hands out anything.
        """
        path = self._folder / f"{manifest.id}.jsonl.gz"
        with anyio.CancelScope(shield=True):
            source = await run_sync(Input, path, manifest, self._key)
        try:
            await run_sync(source.check)
            yield OpenBackup(source, await run_sync(source.change))
        finally:
            source.close()

    @asynccontextmanager
    async def restoring(self, manifest: Manifest) -> AsyncIterator[Path]:
        """Nobody else restores this backup meanwhile; yields where its journal is kept.

        Raises BackupBusy, GuardError.
        """
        await self.check()
        try:
            with anyio.CancelScope(shield=True):
                lock = await run_sync(durable.lock, self._folder / f"{manifest.id}.lock")
        except durable.Busy:
            raise BackupBusy(
                f"The backup {manifest.id} is being restored already.",
                hint="Wait until that has ended.",
            ) from None
        except OSError as error:
            raise GuardError("The backup folder cannot be written, so nothing is restored.") from (
                error
            )
        try:
            yield self._folder / f"{manifest.id}.journal"
        finally:
            lock.release()

    # ---- clearing up -----------------------------------------------------------------------

    async def prune(
        self,
        *,
        older_than_days: float | None = None,
        max_bytes: int | None = None,
        dry_run: bool = False,
        running: Sequence[str] = (),
        only: Collection[str] | None = None,
    ) -> Pruned:
        """Remove backups that are older, then the oldest until all take at most ``max_bytes``.

        Kept in any case: those of the plans in ``running``, one that is being restored, and,
        where ``only`` names the backups that a person agreed to, every other one.
        What crashes left behind goes after a day. Raises GuardError.
        """

        def work() -> Pruned:
            return prune(
                self._folder,
                self.read_all(),
                now=self._clock(),
                older_than_days=older_than_days,
                max_bytes=max_bytes,
                dry_run=dry_run,
                running=running,
                only=only,
            )

        try:
            return await run_sync(work)
        except OSError as error:
            raise GuardError(
                f"The backups cannot be cleared up: {error.strerror or error}."
            ) from error


class BackupWriter:
    """Writes one backup; leaving its block without ``commit`` leaves nothing behind.

    One task writes to it. After BackupFailed it is over.
    """

    def __init__(
        self,
        folder: Path,
        backup_id: str,
        draft: Draft,
        output: Output,
        key: bytes | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.id = backup_id
        self._folder = folder
        self._draft = draft
        self._output = output
        self._key = key
        self._clock = clock
        self._committed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._committed:
            await self.abort()

    async def _begin(self, change: Mapping[str, Any]) -> None:
        await self._attempt(self._output.add_change, change)

    async def write(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Add objects as the API gave them, off the event loop. Raises BackupFailed."""
        await self._attempt(self._output.add, items)

    async def _attempt(self, work: Callable[[Any], None], given: Any) -> None:
        try:
            await run_sync(work, given)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            await self.abort()
            raise _failed(error) from error

    async def commit(self) -> Manifest:
        """The backup is on the disk, whole, and was read back. Raises BackupFailed."""
        try:
            manifest = await run_sync(self._commit)
        except (OSError, ValueError, GuardError) as error:
            await self.abort()
            raise _failed(error) from error
        self._committed = True
        return manifest

    async def abort(self) -> None:
        """Nothing is left of the backup."""
        with anyio.CancelScope(shield=True):
            await run_sync(self._discard)

    def _discard(self) -> None:
        # The manifest first: without it, what is left is no backup.
        for name in (".json", ".json.part", ".jsonl.gz"):
            durable.remove(self._folder / f"{self.id}{name}")
        self._output.discard()

    def _commit(self) -> Manifest:
        output, draft = self._output, self._draft
        output.finish()
        manifest = Manifest(
            id=self.id,
            kind=draft.kind,
            action=draft.action,
            plan_id=draft.plan_id,
            application_id=draft.application_id,
            api_url=draft.api_url.rstrip("/"),
            principal=draft.principal,
            created=_iso(self._clock()),
            table=draft.table,
            column=draft.column,
            has_change=draft.change is not None,
            count=output.count,
            size=output.size,
            stored_size=output.stored_size,
            sha256=output.sha256,
            newest=output.newest,
            encrypted=self._key is not None,
            notes=NOTES[draft.kind],
        )
        # Read back before anything goes: a backup that cannot be read is none.
        source = Input(output.path, manifest, self._key)
        try:
            source.check()
        finally:
            source.close()
        output.path.replace(self._folder / f"{self.id}.jsonl.gz")
        durable.sync_folder(self._folder)
        durable.write_whole(self._folder / f"{self.id}.json", manifest.to_bytes())
        return manifest


class OpenBackup:
    """The data of a backup that is whole; ``change`` is what was written over the objects."""

    def __init__(self, source: Input, change: JsonObject) -> None:
        self._source = source
        self.change = change

    async def chunks(
        self, most: int, most_bytes: int = CHUNK_BYTES
    ) -> AsyncIterator[list[JsonObject]]:
        """The objects from the first on, at most so many at a time, read off the event loop.

        Raises BackupDamaged where they cannot be read any more.
        """
        chunks: Iterator[list[JsonObject]] = self._source.chunks(most, most_bytes)
        while (items := await run_sync(next, chunks, None)) is not None:
            yield items


def _failed(error: Exception) -> BackupFailed:
    why = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return BackupFailed(
        f"The backup could not be written: {why}.",
        hint="A person should check the backup folder and the space on its disk.",
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
