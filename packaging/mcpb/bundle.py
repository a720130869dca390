"""Builds the MCP bundle (.mcpb) that Claude Desktop installs with a double click.

The bundle is of the type "uv": it carries the wheel and the exact versions of the lock, and the
client's own uv installs what fits the machine. The type "python" would need every dependency
inside, and DuckDB, pydantic and cryptography are compiled: a bundle for each system, processor
and version of Python, and a Python that the person has installed.

Usage: python packaging/mcpb/bundle.py WHEEL FOLDER
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from losant_mcp import __version__
from losant_mcp.config import Settings
from losant_mcp.tools.listing import listed

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

# The same files make the same bundle, whenever it is built.
_DATE = (2020, 1, 1, 0, 0, 0)


def build(wheel: Path, folder: Path) -> Path:
    """The bundle, written into the folder."""
    bundle = folder / f"losant-mcp-{__version__}.mcpb"
    files = {
        "manifest.json": manifest(),
        "pyproject.toml": project(wheel.name),
        "server.py": (HERE / "server.py").read_bytes(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        wheel.name: wheel.read_bytes(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return bundle


def manifest() -> bytes:
    """The manifest with the version and the tools of this checkout."""
    whole = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    whole["version"] = __version__
    whole["tools"] = [
        {"name": spec.name, "description": spec.description} for spec in listed(Settings())
    ]
    return json.dumps(whole, indent=2, ensure_ascii=False).encode()


def project(wheel: str) -> bytes:
    """What uv installs: the wheel beside this file, with the versions of the lock."""
    constraints = json.dumps(list(locked()), indent=4)
    return f"""\
[project]
name = "losant-mcp-bundle"
version = "{__version__}"
requires-python = ">=3.11"
dependencies = ["losant-mcp"]

[tool.uv]
package = false
constraint-dependencies = {constraints}

[tool.uv.sources]
losant-mcp = {{ path = "{wheel}" }}
""".encode()


def locked() -> Iterator[str]:
    """Each dependency with its exact version, as in the lock."""
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if pinned := re.match(r"([a-z0-9][^\\]*?)\s*\\$", line):
            yield pinned[1]


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]), Path(sys.argv[2]))}\n")
