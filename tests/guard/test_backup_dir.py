"""Backups in a folder of their own, such as a mounted volume: as private as the state folder."""

from __future__ import annotations

import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.state_dir import open_backup_dir
from tests.calling import Mode, result
from tests.guard.guarding import accept, guarded_server
from tests.guard.stores import API_URL
from tests.served import Sandbox

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


async def test_backups_lie_where_they_are_wanted(
    sandbox: Sandbox, mode: Mode, tmp_path: Path
) -> None:
    """None of them is in the state folder, and they are found and brought back from there."""
    async with AsyncExitStack() as stack:
        guarded = await guarded_server(
            sandbox, mode, tmp_path / "state", stack, backup_dir=tmp_path / "volume"
        )
        rows = guarded.rows("parts")
        client = await guarded.connect(accept("parts"))
        done = await result(client, "truncate_rows", dataTableId="parts")
        assert _kept(tmp_path) == _kept(tmp_path / "volume") == [f"{done['backupId']}.json"]
        await result(client, "restore_backup", backupId=done["backupId"])
        assert len(guarded.rows("parts")) == len(rows)


def test_each_api_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """So that a sandbox's backups never mix with production's; the same one at each opening."""
    folders = [open_backup_dir(tmp_path, url) for url in (API_URL, "http://127.0.0.1:8000")]
    assert len({*folders, open_backup_dir(tmp_path, API_URL)}) == 2
    assert {folder.parent for folder in folders} == {tmp_path}


@posix
def test_a_folder_that_others_can_look_into_is_refused(tmp_path: Path) -> None:
    """With what to do about it; the volume itself may be open to be seen."""
    tmp_path.chmod(0o755)
    folder = open_backup_dir(tmp_path, API_URL)
    folder.chmod(0o750)
    with pytest.raises(ConfigurationError) as told:
        open_backup_dir(tmp_path, API_URL)
    assert told.value.hint == f"Run: chmod 700 {folder}"


@posix
@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a folder away"
)
def test_a_folder_of_another_user_names_the_setting(tmp_path: Path) -> None:
    """The one of the backups, not that of the state folder."""
    os.chown(open_backup_dir(tmp_path, API_URL), 12345, 12345)
    with pytest.raises(ConfigurationError, match="belongs to another user") as told:
        open_backup_dir(tmp_path, API_URL)
    assert "a folder of your own with LOSANT_MCP_BACKUP_DIR" in told.value.hint


@posix
def test_a_volume_on_which_everybody_can_replace_it_is_refused(tmp_path: Path) -> None:
    """Nothing is made in it."""
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="could be replaced by anybody"):
        open_backup_dir(tmp_path, API_URL)
    assert list(tmp_path.iterdir()) == []


def test_a_volume_that_is_a_file_names_the_setting(tmp_path: Path) -> None:
    """What the system says comes with the setting that has to be changed."""
    (tmp_path / "volume").write_text("")
    with pytest.raises(ConfigurationError, match="backup folder cannot be used") as told:
        open_backup_dir(tmp_path / "volume", API_URL)
    assert "LOSANT_MCP_BACKUP_DIR" in told.value.hint


def _kept(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("bak_*.json")]
