"""A client's configuration file: read, shown as a change, copied and written whole."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.durable import PRIVATE_FILE, write_whole
from losant_mcp.text import clean

_BOM = "\ufeff"

_NAMED = r"(?:token|key|secret|password|authorization|credential)"
_VALUE = r'(?!\$\{)(?:[^"\\]|\\.)+'
_SECRETS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        # "API_KEY": "…", "--api-key", "…", "--api-key=…" and "Authorization: Bearer …"
        rf'("[^"\n]*{_NAMED}[^"\n]*"\s*:\s*"){_VALUE}',
        rf'("--?(?![\w-]*file")[\w-]*{_NAMED}[\w-]*"\s*,\s*"){_VALUE}',
        rf'("--?[\w-]*{_NAMED}[\w-]*=){_VALUE}',
        r"(\bbearer )(?!\$\{)[\w.~+/=-]+",
        r"(\b)eyJ[\w-]{8,}[\w.-]*",
    )
]


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """A client's file as it was read; ``data`` is None where there was none."""

    path: Path
    data: bytes | None

    @property
    def text(self) -> str:
        """What it says; an empty object where it says nothing."""
        text = "" if self.data is None else self.data.decode("utf-8").removeprefix(_BOM)
        return text if text.strip() else "{}\n"

    def change(self, text: str) -> Iterator[str]:
        """A unified diff to the new text, without what looks like anybody's secret."""
        before = "" if self.data is None else self.text
        old, new = os.devnull if self.data is None else str(self.path), str(self.path)
        lines = difflib.unified_diff(
            _shown(before).splitlines(), _shown(text).splitlines(), old, new, lineterm=""
        )
        yield from map(clean, lines)

    def write(self, text: str) -> Path | None:
        """Replace what was read by the new text. Returns where the old file is kept.

        Raises ConfigurationError where somebody else has written meanwhile, or writing fails.
        """
        if read(self.path).data != self.data:
            raise ConfigurationError(
                f"{self.path} was changed meanwhile, so nothing was written.",
                hint="Close the client, and run the command again.",
            )
        lead = _BOM if (self.data or b"").startswith(_BOM.encode()) else ""
        try:
            # A link stays one: people keep such files in a repository of their own.
            target = self.path.resolve()
            target.parent.mkdir(parents=True, exist_ok=True)
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else PRIVATE_FILE
            copy = None
            if self.data is not None:
                copy = self.path.with_name(
                    f"{self.path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}.bak"
                )
                write_whole(copy, self.data)
            write_whole(target, (lead + text).encode())
            if mode != PRIVATE_FILE:
                target.chmod(mode)
        except OSError as error:
            raise ConfigurationError(
                f"{self.path} cannot be written: {error.strerror or type(error).__name__}."
            ) from None
        return copy


def _shown(text: str) -> str:
    shown = clean(text)
    for secret in _SECRETS:
        shown = secret.sub(r"\1(hidden)", shown)
    return shown


def read(path: Path) -> ConfigurationFile:
    """The file. Raises ConfigurationError where it is there but is no readable text."""
    try:
        data = path.read_bytes()
        data.decode("utf-8")
    except FileNotFoundError:
        return ConfigurationFile(path, None)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror or type(error).__name__}."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text.") from None
    return ConfigurationFile(path, data)
