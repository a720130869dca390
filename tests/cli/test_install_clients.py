"""Where each client keeps its configuration, on every system."""

from __future__ import annotations

from pathlib import Path

import pytest

from losant_mcp.cli.install_clients import CLIENTS, Machine

HOME = Path("/home/ada")
PLACES = {
    ("claude-desktop", "darwin"): "Library/Application Support/Claude/claude_desktop_config.json",
    ("claude-desktop", "linux"): ".config/Claude/claude_desktop_config.json",
    ("claude-desktop", "win32"): "AppData/Roaming/Claude/claude_desktop_config.json",
    ("claude-code", "darwin"): ".claude.json",
    ("claude-code", "linux"): ".claude.json",
    ("claude-code", "win32"): ".claude.json",
    ("vscode", "darwin"): "Library/Application Support/Code/User/mcp.json",
    ("vscode", "linux"): ".config/Code/User/mcp.json",
    ("vscode", "win32"): "AppData/Roaming/Code/User/mcp.json",
    ("cursor", "darwin"): ".cursor/mcp.json",
    ("cursor", "linux"): ".cursor/mcp.json",
    ("cursor", "win32"): ".cursor/mcp.json",
}


@pytest.mark.parametrize(("place", "expected"), PLACES.items(), ids=lambda value: str(value)[:40])
def test_a_persons_file_is_where_the_client_looks(place: tuple[str, str], expected: str) -> None:
    """Each client has its place below the home folder on each system."""
    client, system = place
    machine = Machine(system, HOME, Path("/work"), {})
    assert CLIENTS[client].file("user", machine) == HOME / expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("claude-desktop", None),
        ("claude-code", Path("/work/.mcp.json")),
        ("vscode", Path("/work/.vscode/mcp.json")),
        ("cursor", Path("/work/.cursor/mcp.json")),
    ],
)
def test_a_projects_file_lies_in_its_folder(client: str, expected: Path | None) -> None:
    """The project is the folder that the command runs in; Claude Desktop knows none."""
    machine = Machine("linux", HOME, Path("/work"), {})
    assert CLIENTS[client].file("project", machine) == expected


@pytest.mark.parametrize(
    ("system", "variable", "client", "expected"),
    [
        ("linux", "XDG_CONFIG_HOME", "vscode", "/else/Code/User/mcp.json"),
        ("win32", "APPDATA", "vscode", "/else/Code/User/mcp.json"),
        ("linux", "CLAUDE_CONFIG_DIR", "claude-code", "/else/.claude.json"),
    ],
)
def test_a_place_that_was_moved_is_followed(
    system: str, variable: str, client: str, expected: str
) -> None:
    """The variables that move a client's folder move its file."""
    machine = Machine(system, HOME, Path("/work"), {variable: "/else"})
    assert CLIENTS[client].file("user", machine) == Path(expected)


def test_macos_applications_do_not_look_at_the_xdg_variables() -> None:
    """A person who has set them for other tools still gets the file that VS Code reads."""
    machine = Machine("darwin", HOME, Path("/work"), {"XDG_CONFIG_HOME": "/else"})
    found = CLIENTS["vscode"].file("user", machine)
    assert found == HOME / PLACES["vscode", "darwin"]


def test_a_packaged_claude_desktop_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Installed as an MSIX package, it never sees the usual folder."""
    machine = Machine("win32", tmp_path, Path("/work"), {})
    packages = tmp_path / "AppData" / "Local" / "Packages"
    inside = Path("LocalCache", "Roaming", "Claude", "claude_desktop_config.json")
    (packages / "Claude_one").mkdir(parents=True)
    desktop = CLIENTS["claude-desktop"]
    assert desktop.file("user", machine) == packages / "Claude_one" / inside
    used = packages / "Claude_two" / inside
    used.parent.mkdir(parents=True)
    used.write_text("{}")
    assert desktop.file("user", machine) == used
