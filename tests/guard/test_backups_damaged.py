"""Backups that are not what was written: refused before the first object is handed out."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from losant_mcp.guard import backup_file
from losant_mcp.guard.backup_manifest import (
    BackupDamaged,
    BackupFailed,
    Manifest,
    UnknownBackup,
    WrongBackupKey,
)
from losant_mcp.guard.backups import Backups
from tests.guard.backing_up import (
    API_URL,
    APPLICATION,
    PRINCIPAL,
    backups_in,
    chunks_of,
    draft,
    names_in,
    read_back,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")

KEY = b"a key of thirty-two secret bytes"
ROWS: list[dict[str, Any]] = [{"id": f"{n:024x}", "text": f"row {n}" * 20} for n in range(3000)]


async def _kept(folder: Path, **given: Any) -> tuple[Backups, Manifest, Path]:
    """A backup, and the file that its data is in."""
    backups = backups_in(folder, **given)
    manifest = await backups.keep(draft(), chunks_of(ROWS))
    return backups, manifest, folder / f"{manifest.id}.jsonl.gz"


async def _rewritten(backups: Backups, folder: Path, manifest: Manifest, **given: Any) -> Manifest:
    """The backup after someone changed its manifest."""
    path = folder / f"{manifest.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **given}))
    return await backups.get(
        manifest.id, principal=PRINCIPAL, api_url=API_URL, application_id=APPLICATION
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:],
        lambda data: gzip.compress(b"{}\n", mtime=0),
    ],
    ids=["last byte", "half", "empty", "longer", "flipped", "replaced"],
)
@pytest.mark.parametrize("key", [None, KEY])
async def test_a_changed_file_is_refused(
    tmp_path: Path, spoil: Callable[[bytes], bytes], key: bytes | None
) -> None:
    """A cut, grown, flipped or replaced file hands out nothing, encrypted or not."""
    backups, manifest, path = await _kept(tmp_path, key=key)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BackupDamaged):
        async with backups.open(manifest):
            raise AssertionError


def _another_name(path: Path) -> None:
    path.symlink_to(path.rename(path.with_suffix(".moved")))


def _a_pipe(path: Path) -> None:
    path.unlink()
    if sys.platform != "win32":
        os.mkfifo(path)


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        _a_folder,
        pytest.param(_another_name, marks=posix),
        pytest.param(_a_pipe, marks=posix),
    ],
    ids=["gone", "a folder", "a link", "a pipe"],
)
async def test_what_is_no_file_is_refused(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """A manifest without its data is damaged, and nobody waits for what will never be written."""
    backups, manifest, path = await _kept(tmp_path)
    spoil(path)
    with pytest.raises(BackupDamaged):
        async with backups.open(manifest):
            raise AssertionError


def _bomb() -> bytes:
    return gzip.compress(b'{"id":"' + b"0" * 50_000_000 + b'"}\n', mtime=0)


@pytest.mark.parametrize(
    ("data", "given"),
    [
        # What the manifest of 3,000 rows allows is exceeded long before its end.
        (_bomb(), {}),
        (_bomb(), {"count": 1, "size": 10}),
        (gzip.compress(b"x" * 1000, mtime=0), {"count": 1, "size": 1000}),
        (gzip.compress(b"[]\n", mtime=0), {"count": 1, "size": 3}),
        (gzip.compress(b'{"id":"1"}\n' * 2, mtime=0), {"count": 1, "size": 22}),
        (gzip.compress(b'{"id":"1"}\n' * 2, mtime=0), {"count": 3, "size": 22}),
        (gzip.compress(b'{"id":"1"}\n', mtime=0) * 2, {"count": 2, "size": 22}),
        (gzip.compress(b'{"id":"1"}\n', mtime=0)[:-8], {"count": 1, "size": 11}),
        (b"no gzip at all", {"count": 1, "size": 11}),
        (gzip.compress(b'{"a":' * 50_000 + b"\n", mtime=0), {"count": 1, "size": 250_001}),
    ],
)
async def test_a_file_whose_checksum_fits_is_refused_for_its_content(
    tmp_path: Path, data: bytes, given: dict[str, Any]
) -> None:
    """Bombs, wrong counts and sizes, second members and broken lines are found before the end."""
    backups, manifest, path = await _kept(tmp_path)
    path.write_bytes(data)
    fitting = {"sha256": sha256(data).hexdigest(), "stored_size": len(data), **given}
    manifest = await _rewritten(backups, tmp_path, manifest, **fitting)
    with pytest.raises(BackupDamaged):
        async with backups.open(manifest):
            raise AssertionError


async def test_a_manifest_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    """A size beyond the hard limit is refused, whatever the file holds."""
    backups, manifest, _ = await _kept(tmp_path)
    manifest = await _rewritten(backups, tmp_path, manifest, size=backup_file.MOST_BYTES + 1)
    with pytest.raises(BackupDamaged):
        async with backups.open(manifest):
            raise AssertionError


@pytest.mark.parametrize("created", ["yesterday", "", "2026-01-01T00:00:00", "9999-99-99"])
async def test_a_manifest_with_an_odd_date_stops_nobody(tmp_path: Path, created: str) -> None:
    """It is no backup any more; the others are listed and cleared up as before."""
    backups, odd, _ = await _kept(tmp_path)
    _, other, _ = await _kept(tmp_path)
    with pytest.raises(UnknownBackup):
        await _rewritten(backups, tmp_path, odd, created=created)
    assert await backups.list(PRINCIPAL, API_URL, APPLICATION) == (other,)
    assert (await backups.prune(older_than_days=-1)).ids == (other.id,)


# ---- encryption ----------------------------------------------------------------------------


async def test_an_encrypted_backup_shows_no_row(tmp_path: Path) -> None:
    """With a key, neither rows nor gzip are in the file, and every object comes back."""
    backups, manifest, path = await _kept(tmp_path, key=KEY)
    assert manifest.encrypted
    assert not path.read_bytes().startswith(b"\x1f\x8b")
    assert await read_back(backups, manifest) == ROWS


@pytest.mark.parametrize("key", [None, b"another key of thirty-two bytes."])
async def test_another_key_opens_nothing_and_says_so(tmp_path: Path, key: bytes | None) -> None:
    """Without the key, or with another one, the error names the key and not a damage."""
    _, manifest, _ = await _kept(tmp_path, key=KEY)
    with pytest.raises(WrongBackupKey):
        async with Backups(tmp_path, key=key).open(manifest):
            raise AssertionError


async def test_a_key_leaves_older_backups_readable(tmp_path: Path) -> None:
    """What was written before there was a key can still be restored."""
    _, manifest, _ = await _kept(tmp_path)
    assert await read_back(Backups(tmp_path, key=KEY), manifest) == ROWS


async def test_the_data_of_another_backup_is_not_taken(tmp_path: Path) -> None:
    """An encrypted file is bound to its id, even where manifest and file are swapped together."""
    backups, manifest, path = await _kept(tmp_path, key=KEY)
    _, other, other_path = await _kept(tmp_path, key=KEY)
    path.write_bytes(other_path.read_bytes())
    forged = await _rewritten(
        backups, tmp_path, manifest, sha256=other.sha256, stored_size=other.stored_size
    )
    with pytest.raises(WrongBackupKey):
        async with backups.open(forged):
            raise AssertionError


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    """A key that could be guessed is refused at once."""
    with pytest.raises(ValueError, match="short"):
        Backups(tmp_path, key=b"secret")


# ---- a full disk ---------------------------------------------------------------------------

_FULL = """
import random, resource, sys
from pathlib import Path
import anyio
from losant_mcp.guard.backup_manifest import BackupFailed
from losant_mcp.guard.backups import Backups
from tests.guard.backing_up import chunks_of, draft

async def main():
    backups = Backups(Path(sys.argv[1]))
    rows = [{"id": random.randbytes(200).hex()} for _ in range(2000)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        await backups.keep(draft(), chunks_of(rows))
    except BackupFailed as error:
        print(error)

anyio.run(main)
"""


@pytest.mark.parametrize("room", [100_000, 100])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, room: int) -> None:
    """A backup for which there is no room fails, says why, and takes no room afterwards."""
    pytest.importorskip("resource", reason="this platform has no file size limits")
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path), str(room)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "could not be written" in done.stdout
    assert names_in(tmp_path) == []


async def test_what_could_not_be_read_again_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects and backups beyond the limits of reading fail when they are written."""
    backups = backups_in(tmp_path)
    monkeypatch.setattr(backup_file, "LONGEST_LINE", 1000)
    with pytest.raises(BackupFailed):
        await backups.keep(draft(), chunks_of([{"id": "x" * 2000}]))
    monkeypatch.setattr(backup_file, "MOST_BYTES", 5000)
    with pytest.raises(BackupFailed):
        await backups.keep(draft(), chunks_of([{"id": "x" * 900}] * 6))
    assert names_in(tmp_path) == []
