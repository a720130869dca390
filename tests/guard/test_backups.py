"""Backups: whole or not there, readable only as they were written, seen only by their owner."""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from losant_mcp.api.tables import DataTable
from losant_mcp.guard.backup_manifest import BackupFailed, UnknownBackup
from losant_mcp.guard.backups import BackupBusy, Backups
from losant_mcp.guard.store import GuardError
from tests.guard.backing_up import (
    API_URL,
    APPLICATION,
    PRINCIPAL,
    Items,
    backups_in,
    chunks_of,
    draft,
    names_in,
    read_back,
)

ROWS: list[dict[str, Any]] = [
    {
        "id": f"{number:024x}",
        "createdAt": "2026-01-30T00:00:00.000Z",
        "updatedAt": f"2026-01-{1 + number % 30:02}T00:00:00.000Z",
        "text": "line\nbreak \u2028 é 𝄞 \ud800",
        "number": number / 7,
        "whole": 2**60 + number,
        "flag": None if number % 3 else True,
    }
    for number in range(2500)
]
TABLE = DataTable.model_validate(
    {
        "id": "5c00000000000000000000aa",
        "name": "pumps",
        "creationDate": "2026-01-01T00:00:00.000Z",
        "columns": [
            {"name": "flag", "dataType": "boolean", "constraint": "optional", "defaultValue": True}
        ],
        "newField": [1],
    }
)


async def test_every_object_comes_back_as_it_was(tmp_path: Path) -> None:
    """Numbers, nulls, line breaks and odd characters survive, in their order."""
    backups = backups_in(tmp_path)
    manifest = await backups.keep(draft(table=TABLE), chunks_of(ROWS))
    assert (manifest.count, manifest.newest) == (2500, "2026-01-30T00:00:00.000Z")
    assert await read_back(backups, manifest) == ROWS
    found = await backups.get(
        manifest.id, principal=PRINCIPAL, api_url=API_URL, application_id=APPLICATION
    )
    assert found == manifest
    assert found.table == TABLE
    assert found.notes


async def test_a_backup_of_nothing_is_a_backup(tmp_path: Path) -> None:
    """An empty table is kept for its definition."""
    backups = backups_in(tmp_path)
    manifest = await backups.keep(draft("table", table=TABLE), chunks_of([]))
    assert (manifest.count, manifest.newest, await read_back(backups, manifest)) == (0, None, [])


async def test_objects_are_read_in_lists_that_are_bounded(tmp_path: Path) -> None:
    """A list ends at its number of objects, or before its bytes would be too many."""
    backups = backups_in(tmp_path)
    manifest = await backups.keep(draft(), chunks_of(ROWS))
    async with backups.open(manifest) as source:
        sizes = [len(chunk) async for chunk in source.chunks(1000)]
        assert sizes == [1000, 1000, 500]
        small = [len(chunk) async for chunk in source.chunks(1000, 1000)]
        assert max(small) < 10
        assert sum(small) == 2500


async def test_the_change_of_a_before_image_is_kept_with_it(tmp_path: Path) -> None:
    """What was about to be written comes back, and is no object; the manifest does not hold it."""
    backups = backups_in(tmp_path)
    change = {"state": "resolved", "comment": "secret words"}
    manifest = await backups.keep(draft("before-image", change=change), chunks_of(ROWS[:3]))
    async with backups.open(manifest) as source:
        assert source.change == change
        assert [chunk async for chunk in source.chunks(10)] == [ROWS[:3]]
    assert "secret words" not in (tmp_path / f"{manifest.id}.json").read_text()


async def test_files_and_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Modes are 0700 and 0600 where the platform has modes."""
    if os.name == "nt":
        pytest.skip("Windows has no modes")
    backups = backups_in(tmp_path / "kept")
    await backups.keep(draft(), chunks_of(ROWS[:1]))
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kept").iterdir()}
    assert modes == {0o600}


# ---- who may see it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stranger",
    [
        {"principal": "sha256:other"},
        {"api_url": "https://api.example.com"},
        {"application_id": "5c0000000000000000000002"},
    ],
)
async def test_another_principal_url_or_application_sees_nothing(
    tmp_path: Path, stranger: dict[str, str]
) -> None:
    """A foreign backup is neither listed nor found, and the words are those for none at all."""
    backups = backups_in(tmp_path)
    manifest = await backups.keep(draft(), chunks_of(ROWS[:1]))
    own = {"principal": PRINCIPAL, "api_url": API_URL, "application_id": APPLICATION}
    assert await backups.list(**own) == (manifest,)
    assert await backups.list(**{**own, "api_url": f"{API_URL}/"}) == (manifest,)
    assert await backups.list(**{**own, **stranger}) == ()
    with pytest.raises(UnknownBackup) as foreign:
        await backups.get(manifest.id, **{**own, **stranger})
    with pytest.raises(UnknownBackup) as missing:
        await backups.get("bak_" + "a" * 26, **own)
    assert str(foreign.value) == str(missing.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "bak_",
        "../secret",
        "bak_../../../etc/passwd",
        "bak_" + "A" * 26,
        "bak_" + "a" * 26 + "\n",
    ],
)
async def test_only_an_id_names_a_backup(tmp_path: Path, name: str) -> None:
    """Paths, other forms and trailing line breaks are unknown, and nothing is opened."""
    backups = backups_in(tmp_path)
    with pytest.raises(UnknownBackup):
        await backups.get(name, principal=PRINCIPAL, api_url=API_URL, application_id=APPLICATION)


async def test_a_manifest_under_another_id_is_not_believed(tmp_path: Path) -> None:
    """A manifest that was copied to another name, or broken, is neither listed nor found."""
    backups = backups_in(tmp_path)
    manifest = await backups.keep(draft(), chunks_of(ROWS[:1]))
    copy = "bak_" + "a" * 26
    (tmp_path / f"{copy}.json").write_bytes((tmp_path / f"{manifest.id}.json").read_bytes())
    (tmp_path / f"bak_{'b' * 26}.json").write_text("{}")
    assert await backups.list(PRINCIPAL, API_URL, APPLICATION) == (manifest,)
    with pytest.raises(UnknownBackup):
        await backups.get(copy, principal=PRINCIPAL, api_url=API_URL, application_id=APPLICATION)


# ---- where it cannot be written ------------------------------------------------------------


async def test_a_folder_that_is_gone_or_none_keeps_nothing(tmp_path: Path) -> None:
    """Where the folder cannot be written to, the backup fails, and no folder is made."""
    (tmp_path / "file").write_text("no folder")
    for folder in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(BackupFailed) as caught:
            await Backups(folder).keep(draft(), chunks_of(ROWS[:1]))
        assert str(tmp_path) not in f"{caught.value} {caught.value.hint}"
    assert names_in(tmp_path) == ["file"]


async def test_a_folder_that_vanishes_meanwhile_is_noticed(tmp_path: Path) -> None:
    """A backup that cannot be put into its place has failed, even if every byte was written."""
    backups = backups_in(tmp_path / "kept")
    async with await backups.begin(draft()) as writer:
        await writer.write(ROWS[:10])
        (tmp_path / "kept").rename(tmp_path / "elsewhere")
        with pytest.raises(BackupFailed):
            await writer.commit()
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("item", [{"id": {1, 2}}, {"id": float("nan")}, {"id": b"bytes"}])
async def test_what_is_no_json_is_not_kept(tmp_path: Path, item: dict[str, Any]) -> None:
    """An object that cannot be written fails the whole backup."""
    backups = backups_in(tmp_path)
    with pytest.raises(BackupFailed):
        await backups.keep(draft(), chunks_of([*ROWS[:5], item]))
    assert names_in(tmp_path) == []


async def test_a_reader_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Where the objects cannot be read to the end, there is no backup of a part of them."""

    async def breaking() -> AsyncIterator[Items]:
        yield ROWS[:1000]
        raise GuardError("the connection broke")

    backups = backups_in(tmp_path)
    with pytest.raises(GuardError, match="the connection broke"):
        await backups.keep(draft(), breaking())
    assert names_in(tmp_path) == []


async def test_a_cancelled_backup_leaves_nothing_behind(tmp_path: Path) -> None:
    """A cancellation in the middle removes what was written."""
    backups = backups_in(tmp_path)
    with anyio.CancelScope() as scope:

        async def cancelled() -> AsyncIterator[Items]:
            yield ROWS[:1000]
            scope.cancel()
            yield ROWS[1000:]

        await backups.keep(draft(), cancelled())
    assert scope.cancelled_caught
    assert names_in(tmp_path) == []


# ---- retention -----------------------------------------------------------------------------


async def _aged(tmp_path: Path, days: list[int]) -> tuple[Backups, list[str]]:
    """Backups of these ages in days, oldest first, and their ids."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    ids = []
    for number, age in enumerate(days):
        written = now - timedelta(days=age)
        backups = backups_in(tmp_path, clock=lambda at=written: at)
        manifest = await backups.keep(draft(plan_id=f"plan{number}"), chunks_of(ROWS[:50]))
        ids.append(manifest.id)
    return backups_in(tmp_path, clock=lambda: now), ids


async def test_old_backups_go_and_running_plans_keep_theirs(tmp_path: Path) -> None:
    """Age decides; a dry run only tells, and what a running plan wrote stays."""
    backups, ids = await _aged(tmp_path, [40, 35, 31, 2])
    before = names_in(tmp_path)
    dry = await backups.prune(older_than_days=30, dry_run=True, running=["plan1"])
    assert dry.ids == (ids[0], ids[2])
    assert dry.bytes > 0
    assert names_in(tmp_path) == before
    assert await backups.prune(older_than_days=30, running=["plan1"]) == dry
    assert [manifest.id for manifest in backups.read_all()] == [ids[3], ids[1]]
    assert not any(name.startswith((ids[0], ids[2])) for name in names_in(tmp_path))


async def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    """Size decides, the oldest first; without limits nothing goes."""
    backups, ids = await _aged(tmp_path, [5, 4, 3])
    each = (await backups.prune(max_bytes=0, dry_run=True)).bytes // 3
    assert (await backups.prune()).ids == ()
    assert (await backups.prune(max_bytes=2 * each + each // 2)).ids == (ids[0],)
    assert (await backups.prune(max_bytes=0, running=["plan2"])).ids == (ids[1],)
    assert [manifest.id for manifest in backups.read_all()] == [ids[2]]


async def test_nothing_goes_that_nobody_agreed_to(tmp_path: Path) -> None:
    """A backup that became old, or too much, after the question stays."""
    backups, ids = await _aged(tmp_path, [40, 35, 31])
    assert (await backups.prune(older_than_days=30, only=ids[:1])).ids == (ids[0],)
    assert (await backups.prune(max_bytes=0, only=[ids[2]])).ids == (ids[2],)
    assert [manifest.id for manifest in backups.read_all()] == [ids[1]]


async def test_a_backup_that_is_being_restored_stays(tmp_path: Path) -> None:
    """A restore holds its backup, against a second restore, too."""
    backups, ids = await _aged(tmp_path, [5])
    [manifest] = backups.read_all()
    async with backups.restoring(manifest):
        assert (await backups.prune(older_than_days=1)).ids == ()
        assert (await backups.prune(older_than_days=1, dry_run=True)).ids == ()
        with pytest.raises(BackupBusy):
            async with backups.restoring(manifest):
                raise AssertionError
    assert (await backups.prune(older_than_days=1)).ids == tuple(ids)
    assert names_in(tmp_path) == []


async def test_what_a_crash_left_goes_after_a_day(tmp_path: Path) -> None:
    """Files without a manifest are kept while they may still be written, then removed."""
    now = datetime.now(UTC)
    backups = backups_in(tmp_path, clock=lambda: now)
    half = tmp_path / f"bak_{'c' * 26}.part"
    half.write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("a person's own file")
    assert (await backups.prune()).leftovers == 0
    os.utime(half, (now.timestamp() - 90_000,) * 2)
    assert (await backups.prune(dry_run=True)).leftovers == 1
    assert half.exists()
    assert (await backups.prune()).leftovers == 1
    assert names_in(tmp_path) == ["notes.txt"]


async def test_data_is_compressed_json_that_any_tool_reads(tmp_path: Path) -> None:
    """Without our code, too, a person gets at the rows: gzip, one JSON object a line."""
    backups = backups_in(tmp_path)
    manifest = await backups.keep(draft(), chunks_of(ROWS[:20]))
    stored = (tmp_path / f"{manifest.id}.jsonl.gz").read_bytes()
    lines = zlib.decompress(stored, 31).splitlines()
    assert len(stored) == manifest.stored_size
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in ROWS[:20]]
