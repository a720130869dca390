"""A client's file on the disk: read and written whole, where it is, and only as it was shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from losant_mcp.cli.install_file import ConfigurationFile, read
from losant_mcp.cli.install_jsonc import put
from losant_mcp.errors import ConfigurationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a client's file is, or will be."""
    return tmp_path / "client" / "mcp.json"


def test_a_new_file_gets_its_folder(path: Path) -> None:
    """Nothing was there, so no copy is kept."""
    assert read(path).write("{}\n") is None
    assert path.read_text() == "{}\n"
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_what_is_no_text_is_refused(path: Path) -> None:
    """A folder, and bytes that are no UTF-8, are told in a line."""
    path.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(path)
    path.rmdir()
    path.write_bytes(b"\xff{}")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        read(path)


def test_what_somebody_wrote_meanwhile_is_not_overwritten(path: Path) -> None:
    """A client that saves its file while a person reads the change wins."""
    path.parent.mkdir()
    path.write_text("{}")
    file = read(path)
    path.write_text('{"theme": "dark"}')
    with pytest.raises(ConfigurationError, match="was changed meanwhile"):
        file.write('{"mcpServers": {}}')
    assert path.read_text() == '{"theme": "dark"}'
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_file_that_cannot_be_written_is_told(path: Path) -> None:
    """Where something that is in the way keeps it from being written, it stays as it was."""
    path.parent.mkdir()
    path.write_text("{}")
    (path.parent / f"{path.name}.part").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        read(path).write('{"mcpServers": {}}')
    assert path.read_text() == "{}"


def test_a_byte_order_mark_and_a_link_stay(path: Path, tmp_path: Path) -> None:
    """A file that Notepad wrote, in a repository of a person's own, is changed where it is."""
    path.parent.mkdir()
    target = tmp_path / "dotfiles.json"
    target.write_bytes(b'\xef\xbb\xbf{\r\n  "mcpServers": {}\r\n}\r\n')
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("links take a privilege here")
    file = read(path)
    file.write(put(file.text, ["mcpServers", "losant"], {"command": "losant-mcp"}))
    assert path.is_symlink()
    data = target.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf{")
    assert data.count(b"\n") == data.count(b"\r\n")
    assert "losant" in json.loads(data)["mcpServers"]


def test_a_change_shows_nobodys_secrets() -> None:
    """Values that are secret by name or form are hidden; references to one are shown."""
    before = """{
  "API_KEY": "abc\\"def",
  "headers": {"Authorization": "Bearer xyz"},
  "args": ["--jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln"],
  "more": [
    "--api-key",
    "ghi",
    "--password=jkl",
    "--header", "X-Auth: Bearer mno.pqr",
    "--key-file", "/shown/key.pem"
  ],
  "LOSANT_API_TOKEN": "${env:LOSANT_API_TOKEN}"
}
"""
    shown = "\n".join(ConfigurationFile(Path("mcp.json"), before.encode()).change("{}\n"))
    secrets = ("abc", "def", "xyz", "eyJ", "ghi", "jkl", "mno", "pqr")
    assert not any(secret in shown for secret in secrets)
    assert shown.count("(hidden)") == 6
    assert "/shown/key.pem" in shown
    assert '-  "LOSANT_API_TOKEN": "${env:LOSANT_API_TOKEN}"' in shown


def test_a_change_cannot_move_the_terminal() -> None:
    """Escapes in somebody's file are not sent to the screen."""
    before = '{"title": "\x1b[2J\u202e"}\n'
    shown = "".join(ConfigurationFile(Path("mcp.json"), before.encode()).change("{}\n"))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
