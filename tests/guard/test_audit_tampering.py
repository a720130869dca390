"""The audit trail under attack: each way of changing it without the key is found, and where."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from losant_mcp.guard.audit import AuditLog, AuditUnavailable, Verdict
from losant_mcp.guard.plans import canonical

LINES = 6


def open_trail(folder: Path, key: bytes = b"k" * 32) -> AuditLog:
    """The trail of these tests."""
    return AuditLog(folder / "audit.jsonl", key=key, head_path=folder / "head")


@pytest.fixture
async def trail(tmp_path: Path) -> AuditLog:
    """A trail of six lines that is whole."""
    log = open_trail(tmp_path)
    for number in range(LINES):
        await log.append("wrote", ms=number)
    assert log.verify() == Verdict(ok=True, lines=LINES)
    return log


def _change(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"ms":2', b'"ms":9'), *lines[3:]]


def _respace(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"ms":2', b'"ms": 2'), *lines[3:]]


def _repeat_a_key(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"ms":2', b'"ms":9,"ms":2'), *lines[3:]]


def _remove(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], *lines[3:]]


def _swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def _insert(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[2], *lines[3:]]


def _rechain(lines: list[bytes]) -> list[bytes]:
    """Change a line and chain everything anew, with another key."""
    previous, chained = "0" * 64, []
    for number, raw in enumerate(_remove(lines), start=1):
        line = {**json.loads(raw), "seq": number}
        line.pop("mac")
        previous = hmac.new(b"x" * 32, (previous + canonical(line)).encode(), sha256).hexdigest()
        chained.append(f"{canonical({**line, 'mac': previous})}\n".encode())
    return chained


def _renumber(lines: list[bytes]) -> list[bytes]:
    left = [json.loads(line) for line in _remove(lines)]
    return [f"{canonical({**line, 'seq': n})}\n".encode() for n, line in enumerate(left, start=1)]


def _cut(lines: list[bytes]) -> list[bytes]:
    return lines[:4]


def _cut_inside(lines: list[bytes]) -> list[bytes]:
    return [*lines[:5], lines[5][:40]]


def _empty(lines: list[bytes]) -> list[bytes]:
    return []


@pytest.mark.parametrize(
    ("attack", "line"),
    [
        (_change, 3),
        (_respace, 3),
        (_repeat_a_key, 3),
        (_remove, 3),
        (_swap, 3),
        (_insert, 4),
        (_rechain, 1),
        (_renumber, 3),
        (_cut, 5),
        (_cut_inside, 6),
        (_empty, 1),
    ],
)
async def test_a_changed_trail_is_found_out(
    trail: AuditLog, tmp_path: Path, attack: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    """Verifying names the first line that is wrong, and what is wrong with it."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(attack(path.read_bytes().splitlines(keepends=True))))
    verdict = trail.verify()
    assert (verdict.ok, verdict.line) == (False, line)
    assert verdict.problem
    assert verdict.lines == line - 1


async def test_a_shorter_file_takes_no_more_lines(trail: AuditLog, tmp_path: Path) -> None:
    """Where the file was cut, nothing more is written, so nothing is written to Losant."""
    path = tmp_path / "audit.jsonl"
    cut = b"".join(_cut(path.read_bytes().splitlines(keepends=True)))
    path.write_bytes(cut)
    with pytest.raises(AuditUnavailable):
        await trail.append("running")
    assert path.read_bytes() == cut


async def test_a_file_or_head_that_is_gone_is_found_out(trail: AuditLog, tmp_path: Path) -> None:
    """A trail without its file, and one without its head, is not begun anew."""
    path, head = tmp_path / "audit.jsonl", tmp_path / "head"
    kept = path.read_bytes(), head.read_bytes()
    path.unlink()
    assert trail.verify() == Verdict(ok=False, lines=0, line=1, problem="its file is gone")
    with pytest.raises(AuditUnavailable):
        await trail.append("running")
    assert not path.exists()
    path.write_bytes(kept[0])
    head.unlink()
    assert not trail.verify().ok
    with pytest.raises(AuditUnavailable):
        await trail.append("running")
    head.write_bytes(kept[1])
    assert trail.verify() == Verdict(ok=True, lines=LINES)


async def test_a_heads_folder_that_is_gone_is_found_out(tmp_path: Path) -> None:
    """Taking the head's folder away does not make the lines look like none."""
    (tmp_path / "kept").mkdir()
    log = AuditLog(tmp_path / "audit.jsonl", key=b"k" * 32, head_path=tmp_path / "kept" / "head")
    await log.append("wrote")
    (tmp_path / "kept").rename(tmp_path / "elsewhere")
    assert not log.verify().ok


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b"null",
        b'{"check": 1}',
        b'{"check":"x","length":0,"mac":"x","sequence":0}',
        b"[" * 900,
        b"x" * 2000,
    ],
)
async def test_a_head_that_was_changed_is_found_out(
    trail: AuditLog, tmp_path: Path, head: bytes
) -> None:
    """A head that does not bear the key's mark vouches for nothing."""
    (tmp_path / "head").write_bytes(head)
    with pytest.raises(AuditUnavailable):
        await trail.append("running")
    try:
        assert not trail.verify().ok
    except AuditUnavailable as error:
        assert len(head) > 1024, error  # noqa: PT017 - one of the cases is no head at all


async def test_a_forged_head_for_a_cut_file_is_found_out(trail: AuditLog, tmp_path: Path) -> None:
    """The numbers of the head cannot be set to fit a file that was cut."""
    path, head = tmp_path / "audit.jsonl", tmp_path / "head"
    lines = _cut(path.read_bytes().splitlines(keepends=True))
    path.write_bytes(b"".join(lines))
    forged = {
        **json.loads(head.read_bytes()),
        "sequence": len(lines),
        "mac": json.loads(lines[-1])["mac"],
        "length": path.stat().st_size,
    }
    head.write_text(f"{canonical(forged)}\n")
    assert trail.verify().ok is False


async def test_another_key_vouches_for_nothing(trail: AuditLog, tmp_path: Path) -> None:
    """With another key the trail is neither whole nor written."""
    other = open_trail(tmp_path, key=b"o" * 32)
    assert not other.verify().ok
    with pytest.raises(AuditUnavailable):
        await other.append("running")
    assert trail.verify() == Verdict(ok=True, lines=LINES)
