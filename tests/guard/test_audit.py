"""The audit trail: what a line holds, that it is on the disk, and that no line is lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from losant_mcp.guard.audit import AuditLog, AuditUnavailable, Verdict

KEY = b"k" * 32
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def trail(folder: Path, key: bytes = KEY) -> AuditLog:
    """A trail in a folder, its head in another one."""
    (folder / "head").mkdir(exist_ok=True)
    return AuditLog(
        folder / "audit.jsonl", key=key, head_path=folder / "head" / "audit", clock=lambda: NOON
    )


async def test_a_line_says_what_happened_and_nothing_more(tmp_path: Path) -> None:
    """A line holds its number, time, kind, facts and MAC, the name cleaned and cut."""
    log = trail(tmp_path)
    await log.append(
        "approved",
        plan="plan1",
        name="Pumps\n\u202e" + "x" * 100,
        counts={"rows": 12},
        way="form",
        ms=1530,
    )
    [line] = (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    written = json.loads(line)
    assert len(written.pop("mac")) == 64
    assert written == {
        "seq": 1,
        "at": "2026-01-31T12:00:00.000Z",
        "kind": "approved",
        "plan": "plan1",
        "name": "Pumps " + "x" * 53 + "…",
        "counts": {"rows": 12},
        "way": "form",
        "ms": 1530,
    }


async def test_what_no_line_may_hold_is_refused(tmp_path: Path) -> None:
    """A fact that is not on the list is a mistake of the caller, and nothing is written."""
    log = trail(tmp_path)
    with pytest.raises(TypeError) as caught:
        await log.append("planned", subject="a cell")  # type: ignore[call-arg]
    assert "subject" in str(caught.value)
    assert not (tmp_path / "audit.jsonl").exists()


async def test_lines_are_read_newest_last_and_by_plan(tmp_path: Path) -> None:
    """The newest lines are told, oldest first, and only those of a plan where one is named."""
    log = trail(tmp_path)
    for i in range(6):
        await log.append("asked", plan=f"plan{i % 2}", ms=i)
    assert [line.sequence for line in log.read(2)] == [5, 6]
    assert [line.facts["ms"] for line in log.read(2, "plan0")] == [2, 4]
    assert log.read(10, "plan7") == ()


async def test_a_trail_that_was_never_written_is_whole(tmp_path: Path) -> None:
    """Where nothing was ever written, nothing is missing."""
    log = trail(tmp_path)
    assert log.verify() == Verdict(ok=True, lines=0)
    assert log.read(5) == ()
    elsewhere = AuditLog(tmp_path / "a" / "x", key=KEY, head_path=tmp_path / "b" / "x")
    assert elsewhere.verify() == Verdict(ok=True, lines=0)


async def test_tasks_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    """Many appends at the same time each get a line of their own."""
    log = trail(tmp_path)
    async with anyio.create_task_group() as tasks:
        for _ in range(40):
            tasks.start_soon(log.append, "wrote")
    assert log.verify() == Verdict(ok=True, lines=40)


_APPENDS = """
import sys
from pathlib import Path
import anyio
from losant_mcp.guard.audit import AuditLog

async def main():
    folder = Path(sys.argv[1])
    log = AuditLog(folder / "audit.jsonl", key=b"k" * 32, head_path=folder / "head" / "audit")
    for number in range(60):
        await log.append("wrote", origin=sys.argv[2], ms=number)

anyio.run(main)
"""


def test_two_processes_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    """Appends of two processes interleave without breaking the chain or losing a line."""
    log = trail(tmp_path)
    running = [
        subprocess.Popen([sys.executable, "-c", _APPENDS, str(tmp_path), name])
        for name in ("first", "second")
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    assert log.verify() == Verdict(ok=True, lines=120)
    for name in ("first", "second"):
        own = [line.facts["ms"] for line in log.read(200) if line.facts["origin"] == name]
        assert own == list(range(60))


async def test_a_crash_between_line_and_head_is_healed(tmp_path: Path) -> None:
    """One whole line beyond the head is taken in by the next append; the trail stays whole."""
    log = trail(tmp_path)
    await log.append("planned")
    head = (tmp_path / "head" / "audit").read_bytes()
    await log.append("running")
    (tmp_path / "head" / "audit").write_bytes(head)
    assert log.verify() == Verdict(ok=True, lines=2)
    await log.append("ran")
    assert log.verify() == Verdict(ok=True, lines=3)
    assert [line.kind for line in log.read(5)] == ["planned", "running", "ran"]


@pytest.mark.parametrize("extra", [b"{}\n", b'{"seq": 2', b"\n", b"x" * 20_000])
async def test_anything_else_beyond_the_head_is_not_healed(tmp_path: Path, extra: bytes) -> None:
    """What is no line that follows stops every further append, and is left for a person."""
    log = trail(tmp_path)
    await log.append("planned")
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(extra)
    before = (tmp_path / "audit.jsonl").read_bytes()
    with pytest.raises(AuditUnavailable) as caught:
        await log.append("running")
    assert "audit verify" in caught.value.hint
    assert (tmp_path / "audit.jsonl").read_bytes() == before
    verdict = log.verify()
    assert (verdict.ok, verdict.line) == (False, 2)


async def test_two_lines_beyond_the_head_are_not_healed(tmp_path: Path) -> None:
    """A head that is older than one line was put back, not left by a crash."""
    log = trail(tmp_path)
    await log.append("planned")
    head = (tmp_path / "head" / "audit").read_bytes()
    await log.append("running")
    await log.append("ran")
    (tmp_path / "head" / "audit").write_bytes(head)
    with pytest.raises(AuditUnavailable):
        await log.append("planned")
    verdict = log.verify()
    assert (verdict.ok, verdict.line) == (False, 3)


async def test_where_the_folder_cannot_be_used_the_trail_is_unavailable(tmp_path: Path) -> None:
    """A folder that is none, or not there, makes every append fail and say so."""
    (tmp_path / "file").write_text("no folder")
    for folder in (tmp_path / "file", tmp_path / "missing"):
        log = AuditLog(folder / "audit.jsonl", key=KEY, head_path=tmp_path / "head.json")
        with pytest.raises(AuditUnavailable) as caught:
            await log.append("running")
        assert str(tmp_path) not in str(caught.value)
        log = AuditLog(tmp_path / "audit.jsonl", key=KEY, head_path=folder / "head")
        with pytest.raises(AuditUnavailable):
            await log.append("running")
    assert not (tmp_path / "audit.jsonl").exists() or not (tmp_path / "audit.jsonl").read_bytes()


async def test_a_link_or_a_device_is_no_audit_file(tmp_path: Path) -> None:
    """A trail that would be written through a link, or into a device, is refused."""
    if not hasattr(os, "O_NOFOLLOW"):
        pytest.skip("this platform cannot refuse links")
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditUnavailable):
        await trail(tmp_path).append("running")
    assert (tmp_path / "elsewhere").read_bytes() == b""
    device = AuditLog(Path(os.devnull), key=KEY, head_path=tmp_path / "head" / "audit")
    with pytest.raises(AuditUnavailable):
        await device.append("running")


_FULL = """
import resource, sys
from pathlib import Path
import anyio
from losant_mcp.guard.audit import AuditLog, AuditUnavailable

async def main():
    folder = Path(sys.argv[1])
    log = AuditLog(folder / "audit.jsonl", key=b"k" * 32, head_path=folder / "head" / "audit")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    written = 0
    try:
        for _ in range(100):
            await log.append("wrote", name="n" * 60)
            written += 1
    except AuditUnavailable as error:
        print(written)

anyio.run(main)
"""


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path) -> None:
    """An append for which there is no room fails, and the trail goes on once there is."""
    pytest.importorskip("resource", reason="this platform has no file size limits")
    log = trail(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    written = int(done.stdout)
    assert written > 1
    assert log.verify() == Verdict(ok=True, lines=written)
    anyio.run(log.append, "wrote")
    assert log.verify() == Verdict(ok=True, lines=written + 1)


async def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Trail and head have mode 0600 where the platform has modes."""
    if os.name == "nt":
        pytest.skip("Windows has no modes")
    await trail(tmp_path).append("planned")
    for path in (tmp_path / "audit.jsonl", tmp_path / "head" / "audit"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_must_be_long_enough(tmp_path: Path) -> None:
    """A key that could be guessed is refused at once."""
    with pytest.raises(ValueError, match="short"):
        trail(tmp_path, key=b"secret")
