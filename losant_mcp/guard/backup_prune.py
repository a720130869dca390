"""Retention: which backups go by age and size, and what crashes left behind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from losant_mcp.guard import durable
from losant_mcp.guard.backup_manifest import Manifest, is_backup_id

LEFTOVER_AGE = timedelta(days=1)
"""A file without its manifest that is younger may be a backup that is being written."""

# In this order: without its manifest a backup is no longer offered.
_PARTS = (".json", ".jsonl.gz", ".journal", ".lock")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go in a dry run: the ids, oldest first, and the bytes of all of it.

    ``leftovers`` are files of backups that were never finished.
    """

    ids: tuple[str, ...]
    bytes: int
    leftovers: int


def prune(
    folder: Path,
    manifests: Sequence[Manifest],
    *,
    now: datetime,
    older_than_days: float | None,
    max_bytes: int | None,
    dry_run: bool,
    running: Sequence[str],
    only: Collection[str] | None = None,
) -> Pruned:
    """Remove what is too old or too much; ``manifests`` come newest first. Blocks.

    Raises OSError where the folder cannot be read.
    """
    sizes = {manifest.id: _size(folder, manifest.id) for manifest in manifests}
    total = sum(sizes.values())
    gone: list[str] = []
    freed = 0
    for manifest in reversed(manifests):
        old = older_than_days is not None and _age(manifest, now) > timedelta(days=older_than_days)
        much = max_bytes is not None and total - freed > max_bytes
        kept = manifest.plan_id in running or (only is not None and manifest.id not in only)
        if kept or not (old or much):
            continue
        if _remove(folder, manifest.id, dry_run):
            gone.append(manifest.id)
            freed += sizes[manifest.id]
    leftovers, left = _leftovers(folder, now, dry_run)
    return Pruned(tuple(gone), freed + left, leftovers)


def _age(manifest: Manifest, now: datetime) -> timedelta:
    return now - datetime.fromisoformat(manifest.created)


def _size(folder: Path, backup_id: str) -> int:
    return sum(_bytes(folder / f"{backup_id}{part}") for part in _PARTS)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(folder: Path, backup_id: str, dry_run: bool) -> bool:
    """Whether the backup is gone, or would be; one that is being restored stays."""
    path = folder / f"{backup_id}.lock"
    if dry_run and not path.exists():
        return True
    try:
        lock = durable.lock(path)
    except OSError:
        return False
    try:
        if dry_run:
            return True
        for part in _PARTS:
            durable.remove(folder / f"{backup_id}{part}")
        return not (folder / f"{backup_id}.json").exists()
    finally:
        lock.release()


def _leftovers(folder: Path, now: datetime, dry_run: bool) -> tuple[int, int]:
    """How many files of no backup there were, and their bytes."""
    count = freed = 0
    for path in sorted(folder.iterdir()):
        backup_id, _, _ = path.name.partition(".")
        if not is_backup_id(backup_id) or (folder / f"{backup_id}.json").exists():
            continue
        try:
            info = path.stat()
        except OSError:
            continue
        if now.timestamp() - info.st_mtime < LEFTOVER_AGE.total_seconds():
            continue
        count += 1
        freed += info.st_size
        if not dry_run:
            durable.remove(path)
    return count, freed
