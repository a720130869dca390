"""Replicas keep their backups on one volume, and a replica with another one deletes nothing."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard import backup_volume
from losant_mcp.guard.backup_volume import MARK, SEAL, BackupVolume, WrongVolume
from losant_mcp.guard.redis_store import RedisStore
from losant_mcp.guard.shared_state import shared_state
from losant_mcp.guard.store import StateUnavailable
from tests.guard.redis_server import ANOTHER_SECRET, SECRET, RedisServer, redis_server
from tests.guard.stores import API_URL

Open = Callable[..., BackupVolume]


class Clock:
    """Redis's clock, ahead by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self, now: float) -> float:
        """The time."""
        return now + self.ahead


@pytest.fixture
def clock() -> Clock:
    """All replicas' clock."""
    return Clock()


@pytest.fixture
async def store(redis: RedisServer, clock: Clock) -> AsyncIterator[RedisStore]:
    """What all replicas share."""
    async with contextlib.aclosing(RedisStore(redis.url, SECRET, API_URL, clock=clock)) as store:
        yield store


@pytest.fixture
def opened(store: RedisStore, tmp_path: Path) -> Open:
    """Opens a volume by its name, as a replica does at its start."""

    def opened(name: str, secret: SecretStr = SECRET) -> BackupVolume:
        volume = BackupVolume(tmp_path / name, store, secret)
        volume.prepare()
        return volume

    return opened


async def settle(volume: BackupVolume, clock: Clock) -> None:
    """Let the registration of a first volume stand for as long as it has to."""
    assert await volume.look() == "new"
    clock.ahead += backup_volume.STANDING_SECONDS
    assert await volume.look() == "shared"


async def test_the_first_volume_counts_once_it_has_stood(opened: Open, clock: Clock) -> None:
    """Until then a check says that it can be tried again, and a second replica changes nothing."""
    one, two = opened("nfs"), opened("nfs")
    with pytest.raises(WrongVolume, match="a moment ago") as told:
        await one.check()
    assert told.value.retry
    clock.ahead += backup_volume.STANDING_SECONDS - 1
    assert await two.look() == "new"
    clock.ahead += 1
    await two.check()
    await one.check()


async def test_a_replica_with_another_volume_is_refused(opened: Open, clock: Clock) -> None:
    """Before the first one is settled and afterwards, also once it was restarted."""
    one, other = opened("nfs"), opened("local")
    assert await one.look() == "new"
    assert await other.look() == "another"
    clock.ahead += backup_volume.STANDING_SECONDS
    await one.check()
    clock.ahead += 10 * backup_volume.STANDING_SECONDS
    for volume in (other, opened("local")):
        with pytest.raises(WrongVolume, match="another volume"):
            await volume.check()
    await opened("nfs").check()


async def test_of_two_first_volumes_at_once_one_counts(opened: Open, clock: Clock) -> None:
    """However many look for the first time at the same moment."""
    volumes = [opened(name) for name in "abcdef"]
    found: list[str] = []

    async def look(volume: BackupVolume) -> None:
        found.append(await volume.look())

    for _ in range(2):
        found.clear()
        async with anyio.create_task_group() as tasks:
            for volume in volumes:
                tasks.start_soon(look, volume)
        assert sorted(found)[:5] == ["another"] * 5
        clock.ahead += backup_volume.STANDING_SECONDS
    assert sorted(found) == ["another"] * 5 + ["shared"]


async def test_an_emptied_redis_lets_no_other_volume_in(
    opened: Open, clock: Clock, redis: RedisServer
) -> None:
    """The replicas' own volume takes its place back at its next look, and counts at once."""
    one, other = opened("nfs"), opened("local")
    await settle(one, clock)
    redis.empty()
    assert await other.look() == "new"
    clock.ahead += backup_volume.STANDING_SECONDS - 1
    assert await other.look() == "new"
    assert await opened("nfs").look() == "shared"
    clock.ahead += 2
    assert await other.look() == "another"
    await one.check()


async def test_where_no_replica_of_the_old_volume_lives_a_new_one_can_be_taken(
    opened: Open, clock: Clock, redis: RedisServer
) -> None:
    """A lost volume is replaced by emptying Redis; one that comes back later is refused."""
    old = opened("nfs")
    await settle(old, clock)
    redis.empty()
    new = opened("new")
    await settle(new, clock)
    assert await old.look() == "another"
    redis.empty()
    assert await new.look() == "shared"
    assert await old.look() == "another"


async def test_a_copy_is_the_same_volume(opened: Open, clock: Clock, tmp_path: Path) -> None:
    """Moving the backups with their mark and seal needs nothing else, whatever was lost."""
    await settle(opened("nfs"), clock)
    shutil.copytree(tmp_path / "nfs", tmp_path / "bigger")
    await opened("bigger").check()


async def test_a_volume_that_was_unmounted_is_not_made_anew(
    opened: Open, clock: Clock, tmp_path: Path
) -> None:
    """Neither where nothing is in its place, nor where an empty folder is; it counts when back."""
    volume = opened("nfs")
    await settle(volume, clock)
    (tmp_path / "nfs").rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(WrongVolume, match="mark of the backup volume"):
            await volume.check()
        assert not (tmp_path / "nfs" / MARK).exists()
        (tmp_path / "nfs").mkdir(exist_ok=True)
    (tmp_path / "nfs").rmdir()
    (tmp_path / "away").rename(tmp_path / "nfs")
    await volume.check()


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)], ids=["empty", "short", "long"])
async def test_a_damaged_mark_is_no_volume(opened: Open, tmp_path: Path, content: bytes) -> None:
    """It is told, and left as it is for a person to look at."""
    volume = opened("nfs")
    (tmp_path / "nfs" / MARK).write_bytes(content)
    for found in (volume, opened("nfs")):
        with pytest.raises(WrongVolume, match="mark of the backup volume"):
            await found.look()
    assert (tmp_path / "nfs" / MARK).read_bytes() == content


async def test_a_seal_is_worth_nothing_under_another_key(
    opened: Open, clock: Clock, redis: RedisServer, tmp_path: Path
) -> None:
    """A volume of other replicas is a new one here, and gets a seal of these."""
    await settle(opened("nfs"), clock)
    seal = (tmp_path / "nfs" / SEAL).read_bytes()
    redis.empty()
    await settle(opened("nfs", ANOTHER_SECRET), clock)
    assert (tmp_path / "nfs" / SEAL).read_bytes() != seal


async def test_without_redis_nobody_can_tell(opened: Open, tmp_path: Path) -> None:
    """So it is not the replicas' own volume at this moment."""
    with redis_server() as redis:
        store = RedisStore(redis.url, SECRET, API_URL)
        redis.stop()
        opened("nfs")
        with pytest.raises(StateUnavailable):
            await BackupVolume(tmp_path / "nfs", store, SECRET).check()
        await store.aclose()


@pytest.mark.parametrize(
    ("access", "marked"), [("read", False), ("write", True), ("full", True)], ids=str
)
async def test_a_server_marks_its_volume_at_the_start_where_it_may_write(
    redis: RedisServer, tmp_path: Path, access: Any, marked: bool
) -> None:
    """One that only reads keeps nothing, and touches no folder."""
    settings = Settings(
        state_key=SECRET,
        state_url=redis.url,
        state_dir=tmp_path / "state",
        backup_dir=tmp_path / "nfs",
        access=access,
    )
    async with shared_state(settings) as shared:
        assert shared is not None
        assert (shared.volume is not None) == marked
    assert len(_marks(tmp_path / "nfs")) == marked
    assert (tmp_path / "state").exists() == marked


async def test_a_folder_that_cannot_be_written_stops_the_start(
    redis: RedisServer, tmp_path: Path
) -> None:
    """With the setting to change."""
    (tmp_path / "nfs").write_text("a file")
    settings = Settings(
        state_key=SECRET,
        state_url=redis.url,
        state_dir=tmp_path / "state",
        backup_dir=tmp_path / "nfs",
    )
    with pytest.raises(ConfigurationError) as told:
        async with shared_state(settings):
            pass
    assert "LOSANT_MCP_BACKUP_DIR" in told.value.hint


def _marks(folder: Path) -> list[Path]:
    return list(folder.glob(f"*/{MARK}"))
