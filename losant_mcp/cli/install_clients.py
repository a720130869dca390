"""The MCP clients that the server can be installed in: where and how each is told of a server.

The places and forms are those that the clients document. Nothing here touches a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Scope = Literal["user", "project"]

TOKEN = "LOSANT_API_TOKEN"  # noqa: S105 -- the name, not a token
INPUT = {
    "type": "promptString",
    "id": "losant-api-token",
    "description": "Losant API token",
    "password": True,
}
"""What VS Code asks for once, and keeps in the system's own store of secrets."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides where a client's files lie."""

    system: str
    home: Path
    folder: Path
    environ: Mapping[str, str]

    @property
    def application_data(self) -> Path:
        """Where desktop applications keep what they know of a person.

        These clients are Electron applications, which on macOS, unlike platformdirs, do not
        look at the XDG variables.
        """
        if self.system == "win32":
            return Path(self.environ.get("APPDATA") or self.home / "AppData" / "Roaming")
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        return Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")


def this_machine() -> Machine:
    """The machine, person and folder that the command runs on."""
    return Machine(sys.platform, Path.home(), Path.cwd(), os.environ)


@dataclass(frozen=True, slots=True)
class Client:
    """A client; ``reference`` is how its file refers to a token without holding it."""

    title: str
    user_file: Callable[[Machine], Path]
    project_file: str | None
    after: str
    servers: str = "mcpServers"
    typed: bool = False
    reference: str | None = None
    inputs: bool = False

    def file(self, scope: Scope, machine: Machine) -> Path | None:
        """The configuration file of this scope; None where the client has no such scope."""
        if scope == "user":
            return self.user_file(machine)
        return None if self.project_file is None else machine.folder / self.project_file


def _claude_desktop(machine: Machine) -> Path:
    name = "claude_desktop_config.json"
    plain = machine.application_data / "Claude" / name
    if machine.system != "win32":
        return plain
    # Installed as an MSIX package, as it comes from claude.ai since 2026, it sees a data folder
    # of its own in the place of the usual one.
    local = Path(machine.environ.get("LOCALAPPDATA") or machine.home / "AppData" / "Local")
    packaged = [
        folder / "LocalCache" / "Roaming" / "Claude" / name
        for folder in sorted(local.glob("Packages/Claude_*"))
    ]
    return next((path for path in packaged if path.exists()), next(iter(packaged), plain))


def _claude_code(machine: Machine) -> Path:
    return Path(machine.environ.get("CLAUDE_CONFIG_DIR") or machine.home) / ".claude.json"


CLIENTS: Mapping[str, Client] = {
    "claude-desktop": Client(
        "Claude Desktop",
        user_file=_claude_desktop,
        project_file=None,
        after="Quit Claude Desktop and start it again.",
    ),
    "claude-code": Client(
        "Claude Code",
        user_file=_claude_code,
        project_file=".mcp.json",
        typed=True,
        reference=f"${{{TOKEN}}}",
        after="Start Claude Code again; /mcp shows the server.",
    ),
    "vscode": Client(
        "VS Code",
        user_file=lambda machine: machine.application_data / "Code" / "User" / "mcp.json",
        project_file=".vscode/mcp.json",
        servers="servers",
        typed=True,
        reference=f"${{input:{INPUT['id']}}}",
        inputs=True,
        after="In VS Code, run the command MCP: List Servers and start it.",
    ),
    "cursor": Client(
        "Cursor",
        user_file=lambda machine: machine.home / ".cursor" / "mcp.json",
        project_file=".cursor/mcp.json",
        reference=f"${{env:{TOKEN}}}",
        after="In Cursor, open Settings, MCP, and switch the server on.",
    ),
}
