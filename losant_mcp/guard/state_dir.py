"""The state folder: where plans, backups, audit and keys lie, and who may look into it.

A folder of mode 0700 that belongs to the person who runs the server, no symbolic link, and
below it one folder per API URL, so that a sandbox never mixes with production. Anything else
is refused at the start. On Windows there are no such modes: the folder in the person's
profile inherits access rights that keep other people out, and a folder chosen elsewhere is as
private as its owner made it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import platformdirs

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.durable import create_whole, exposure, open_private
from losant_mcp.guard.origins import Origin, alive_origins, claim_origin

KEY_BYTES = 32

_SETTING = "LOSANT_MCP_STATE_DIR"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)


@dataclass(frozen=True, slots=True)
class StateDir:
    """The state of one API URL; open it with ``open_state_dir``."""

    path: Path

    @property
    def database(self) -> Path:
        """The database of plans, limits and facts."""
        return self.path / "state.sqlite"

    @property
    def backups(self) -> Path:
        """The folder of backups."""
        return self.path / "backups"

    @property
    def audit(self) -> Path:
        """The audit, one JSON line after the other."""
        return self.path / "audit.jsonl"

    @property
    def keys(self) -> Path:
        """The folder of secret keys."""
        return self.path / "keys"

    @property
    def origins(self) -> Path:
        """The folder in which every living process holds a lock."""
        return self.path / "origins"

    def key(self, name: str = "state") -> bytes:
        """The 32 secret bytes of this name, drawn and stored at their first use."""
        if not re.fullmatch(r"[a-z]{1,20}", name):
            raise ValueError("a key's name is a word in lower case")
        path = self.keys / name
        with _explained(path):
            if not path.exists():
                _create_key(path)
            return _read_key(path)

    def claim_origin(self) -> Origin:
        """A name for this process, alive until ``close`` or until the process is gone."""
        with _explained(self.origins):
            return claim_origin(self.origins)

    def alive_origins(self) -> tuple[str, ...]:
        """The names of the processes that are alive now, this one included."""
        with _explained(self.origins):
            return alive_origins(self.origins)


def open_state_dir(base: Path | None, api_url: str) -> StateDir:
    """The state folder of this API URL below ``base``, or below the platform's data folder.

    Makes what is missing. Raises ConfigurationError where somebody else could look into it.
    """
    if base is None:
        base = platformdirs.user_data_path("losant-mcp", appauthor=False)
    base = Path(os.path.abspath(base.expanduser()))  # noqa: PTH100 -- resolve() follows links
    with _explained(base):
        base.parent.mkdir(parents=True, exist_ok=True)
        _refuse_open_ancestors(base)
        state = StateDir(base / _folder_name(api_url))
        for folder in (base, state.path, state.backups, state.keys, state.origins):
            _make_private(folder, _SETTING)
    return state


def open_backup_dir(base: Path, api_url: str) -> Path:
    """The folder of this API URL's backups below ``base``, which may be a mounted volume.

    Raises ConfigurationError where somebody else could look into it.
    """
    folder = Path(os.path.abspath(base.expanduser())) / _folder_name(api_url)  # noqa: PTH100 -- resolve() follows links
    setting = "LOSANT_MCP_BACKUP_DIR"
    with _explained(folder, "backup folder", setting):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _refuse_open_ancestors(folder)
        _make_private(folder, setting)
    return folder


def _folder_name(api_url: str) -> str:
    """The host, to be recognised by a person, and a hash of scheme, host and port."""
    try:
        parts = urlsplit(api_url)
        host = (parts.hostname or "").lower()
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ConfigurationError("The API URL is not a URL.") from None
    whole = f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"
    readable = re.sub(r"[^a-z0-9.-]", "-", host)[:80].strip(".-") or "host"
    return f"{readable}-{hashlib.sha256(whole.encode()).hexdigest()[:10]}"


# ---- private folders -----------------------------------------------------------------------


def _make_private(folder: Path, setting: str) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    info = folder.lstat()
    if _is_link(info):
        _refuse(folder, "is a link", "Name the folder that it points to.")
    if not stat.S_ISDIR(info.st_mode):
        _refuse(folder, "is not a folder", "Move the file away or name another folder.")
    _refuse_strangers(folder, info, "700", setting)


def _refuse_open_ancestors(base: Path) -> None:
    """Refuse a folder whose parent lets everybody replace it; /tmp is sticky and does not."""
    if not hasattr(os, "geteuid"):
        return
    parent = base.parent.resolve()
    for folder in (parent, *parent.parents):
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            _refuse(
                base,
                f"could be replaced by anybody who uses this machine, since {folder} is "
                "writable for all",
                f"Run: chmod o-w {folder}, or name another folder.",
            )


def _refuse_strangers(path: Path, info: os.stat_result, mode: str, setting: str) -> None:
    exposed = exposure(info)
    if exposed == "belongs to another user":
        _refuse(
            path,
            exposed,
            f"Run the server as that user, or name a folder of your own with {setting}; one that "
            "does not exist yet is made.",
        )
    if exposed:
        _refuse(path, exposed, f"Run: chmod {mode} {path}")


def _is_link(info: os.stat_result) -> bool:
    # A junction is Windows' other kind of link; it is a folder to S_ISLNK.
    return stat.S_ISLNK(info.st_mode) or getattr(info, "st_reparse_tag", 0) == _JUNCTION


def _refuse(path: Path, what: str, hint: str) -> NoReturn:
    raise ConfigurationError(f"{path} {what}, so plans and backups are not safe in it.", hint=hint)


@contextlib.contextmanager
def _explained(path: Path, what: str = "state folder", setting: str = _SETTING) -> Iterator[None]:
    """Say in words what the operating system refused."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The {what} cannot be used: {error.filename or path}: "
            f"{error.strerror or type(error).__name__}.",
            hint=f"Name a writable folder of your own with {setting}.",
        ) from None


# ---- keys ----------------------------------------------------------------------------------


def _create_key(path: Path) -> None:
    """Draw a key; where another process was faster, that one's key counts."""
    create_whole(path, secrets.token_bytes(KEY_BYTES))


def _read_key(path: Path) -> bytes:
    if _is_link(path.lstat()):
        _refuse(path, "is a link", "Put the key file itself there.")
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        _refuse_strangers(path, os.fstat(file.fileno()), "600", _SETTING)
        content = file.read(KEY_BYTES + 1)
    if len(content) != KEY_BYTES:
        _refuse(
            path,
            f"does not hold {KEY_BYTES} bytes",
            "Put the right file back from a backup. If it is lost, move the whole folder "
            f"{path.parent.parent} away: open plans and the audit cannot be checked without it.",
        )
    return content
