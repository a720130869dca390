"""What a client is told of the server: the command that it starts, as an entry in its file."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from losant_mcp.cli.install_clients import INPUT, TOKEN, Client, Scope
from losant_mcp.cli.install_jsonc import NotJson, append, parse, put, remove, remove_element
from losant_mcp.cli.options import Source, flag
from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError

Start = Literal["auto", "uvx", "path"]

_THROWN_AWAY = {"archive-v0", "environments-v2", ".cache"}
"""Folders, of uv and of pipx, whose environments `uvx` and `pipx run` make and may remove."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command for the client to start, and what it puts into TOKEN, if it does."""

    words: tuple[str, ...]
    token: str | None

    def told(self, client: Client) -> dict[str, Any]:
        """The entry as the client's file has it."""
        kind = {"type": "stdio"} if client.typed else {}
        env = {"env": {TOKEN: self.token}} if self.token else {}
        return {**kind, "command": self.words[0], "args": list(self.words[1:]), **env}

    def whole_file(self, client: Client, name: str) -> dict[str, Any]:
        """A file with this server alone, for a person to paste from."""
        inputs = {"inputs": [INPUT]} if client.inputs and self.token else {}
        return {**inputs, client.servers: {name: self.told(client)}}


def entry_of(client: Client, source: Source, env_file: Path | None, words: list[str]) -> Entry:
    """The entry that starts the server by these words, with the settings that were given."""
    token = None if source.sandbox or env_file else client.reference
    return Entry((*words, "serve", *_arguments(source, env_file)), token)


def _arguments(source: Source, env_file: Path | None) -> list[str]:
    arguments = ["--sandbox"] if source.sandbox else []
    for option, path in (("--database", source.database), ("--env-file", env_file)):
        if path is not None:
            arguments += [option, _absolute(path)]
    for name in Settings.model_fields:
        if name in source.flags:
            value = source.flags[name]
            is_folder = name in ("state_dir", "backup_dir")
            arguments += [flag(name), _absolute(Path(value)) if is_folder else value]
    return arguments


def _absolute(path: Path) -> str:
    # A client starts the server in a folder of its own choice.
    return os.path.abspath(path.expanduser())  # noqa: PTH100 -- resolve() follows links


# ---- the command ---------------------------------------------------------------------------


def starting_words(start: Start, scope: Scope) -> list[str]:
    """The words that start this program from anywhere. Raises ConfigurationError."""
    is_passing = not _THROWN_AWAY.isdisjoint(Path(sys.prefix).parts)
    if start == "uvx" or (start == "auto" and is_passing):
        found = shutil.which("uvx")
        if found is None:
            raise ConfigurationError(
                "uvx was not found, with which the client would start the server.",
                hint="Install uv, or install losant-mcp for good: pipx install losant-mcp",
            )
        # A project's file is for other machines, too; a desktop application knows no path.
        return ["uvx" if scope == "project" else found, "losant-mcp"]
    started = Path(sys.argv[0])
    if started.stem != "losant-mcp":
        return [sys.executable, "-m", "losant_mcp"]
    # On Windows the name may come without its .exe; from a shell's path, without its folder.
    return [os.path.abspath(shutil.which(started) or started)]  # noqa: PTH100 -- as above


# ---- the file's text -----------------------------------------------------------------------


def added(text: str, client: Client, name: str, entry: Entry) -> str:
    """The file's text with the entry; what a person added to an earlier one stays.

    Raises NotJson, and ConfigurationError where the name is another server's.
    """
    told = entry.told(client)
    before = _server(text, client, name)
    if before is None:
        text = put(text, [client.servers, name], told)
    else:
        place = [client.servers, name]
        for key in ("type", "command", "args"):
            if key in told:
                text = put(text, [*place, key], told[key])
        if entry.token:
            text = put(text, [*place, "env", TOKEN], entry.token)
        else:
            text = remove(text, [*place, "env", TOKEN])
    if client.inputs and entry.token:
        ids = [item.get("id") for item in _inputs(text)]
        return text if INPUT["id"] in ids else append(text, "inputs", INPUT)
    return _without_idle_input(text, client)


def removed(text: str, client: Client, name: str) -> str:
    """The file's text without the server. Raises as ``added`` does."""
    if _server(text, client, name) is None:
        return text
    return _without_idle_input(remove(text, [client.servers, name]), client)


def _server(text: str, client: Client, name: str) -> Mapping[str, Any] | None:
    """The entry of that name, which is ours."""
    whole = parse(text).data
    servers = whole.get(client.servers, {}) if isinstance(whole, dict) else None
    if not isinstance(servers, dict):
        raise NotJson(f"{client.servers} is not an object")
    if name not in servers:
        return None
    entry = servers[name]
    command = [entry.get("command"), entry.get("args")] if isinstance(entry, dict) else []
    if not any(ours in str(command) for ours in ("losant-mcp", "losant_mcp")):
        raise ConfigurationError(
            f"There is another server called {name} in it.", hint="Choose a name with --name."
        )
    assert isinstance(entry, dict)
    return entry


def _inputs(text: str) -> list[Mapping[str, Any]]:
    whole = parse(text).data
    inputs = whole.get("inputs", []) if isinstance(whole, dict) else []
    return [item if isinstance(item, dict) else {} for item in inputs]


def _without_idle_input(text: str, client: Client) -> str:
    """The text without our question for a token that no server asks for any more."""
    if not client.inputs or client.reference is None or client.reference in text:
        return text
    for index, item in enumerate(_inputs(text)):
        if item.get("id") == INPUT["id"]:
            return remove_element(text, "inputs", index)
    return text
