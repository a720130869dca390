"""The layers of the package import each other in one direction only.

A layer is a module or a folder directly below `losant_mcp`. Every import counts: those
inside functions, those for type checkers, and `import_module("losant_mcp....")`, since each
is knowledge of another layer. To let a layer know another one, change `MAY_IMPORT`: the
change is then a decision that a reviewer sees.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "losant_mcp"

_BELOW_CLIENT = {"errors", "text", "api", "config", "claims", "observer", "policy", "tracing"}
_BELOW_TOOLS = _BELOW_CLIENT | {"client", "guard", "analysis", "guides"}
_BELOW_SERVER = _BELOW_TOOLS | {"tools", "resources", "prompts", "completions"}

# A layer may always import itself and the root, which holds nothing but the version.
MAY_IMPORT: dict[str, set[str]] = {
    # An error quotes others, and is cleaned where it is put into words.
    "errors": {"text"},
    "text": set(),
    "api": {"errors"},
    # The contract's other face: it must never agree with the client by sharing its code.
    "sandbox": {"errors", "api", "web"},
    "config": {"errors", "api"},
    "claims": set(),
    # What happens, told upwards: whoever counts it is above, and unknown to who tells it.
    "observer": set(),
    "tracing": set(),
    "web": set(),
    "guides": {"errors"},
    "policy": {"errors", "api"},
    "client": _BELOW_CLIENT,
    "guard": _BELOW_CLIENT | {"client"},
    "analysis": _BELOW_CLIENT | {"client"},
    "tools": _BELOW_TOOLS,
    # What a resource says, tools say as well; a prompt embeds resources and names tools.
    "resources": _BELOW_TOOLS | {"tools"},
    "prompts": _BELOW_TOOLS | {"tools", "resources"},
    "completions": _BELOW_TOOLS | {"tools"},
    "server": _BELOW_SERVER,
    "http": _BELOW_SERVER | {"server", "web"},
    "hosting": _BELOW_SERVER | {"server", "http", "web"},
    # The command line also starts the sandbox.
    "cli": _BELOW_SERVER | {"server", "http", "hosting", "sandbox"},
    "__main__": {"cli"},
}

# Libraries that only some layers may know, so that each can be replaced in one place.
OWNERS: dict[str, set[str]] = {
    "httpx": {"client"},
    "starlette": {"web", "sandbox", "http", "hosting"},
    "uvicorn": {"web", "sandbox", "http", "hosting"},
    "prometheus_client": {"hosting"},
    "duckdb": {"analysis"},
    "redis": {"guard"},
    "opentelemetry": {"tracing", "cli"},
    "jinja2": {"http", "prompts"},
    # What Losant says is told without MCP.
    "mcp": set(MAY_IMPORT) - {"errors", "api"},
}

FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_arrows(path: Path) -> None:
    """A module imports only layers below its own, and only the libraries its layer owns."""
    layer = _layer_of(_module_name(path))
    assert layer == "" or layer in MAY_IMPORT, (
        f"{path.relative_to(ROOT)} belongs to no known layer; put it into one of "
        f"{', '.join(MAY_IMPORT)}, or give {layer!r} its place in MAY_IMPORT"
    )
    wrong = list(_violations(path.read_text(encoding="utf-8"), _module_name(path)))
    assert not wrong, f"{path.relative_to(ROOT)}: " + "; ".join(wrong)


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("losant_mcp.api.events", "import httpx", ["line 1: api may not import httpx"]),
        ("losant_mcp.client", "import httpx", []),
        ("losant_mcp.client", "import httpx2", []),
        (
            "losant_mcp.sandbox.app",
            "from losant_mcp import api, client",
            ["line 1: sandbox may not import losant_mcp.client"],
        ),
        ("losant_mcp.sandbox.app", "import starlette.routing, uvicorn", []),
        (
            "losant_mcp.api",
            "def f():\n    from losant_mcp.tools.spec import x",
            ["line 2: api may not import losant_mcp.tools.spec"],
        ),
        (
            "losant_mcp.policy",
            "if TYPE_CHECKING:\n    from . import config",
            ["line 2: policy may not import losant_mcp.config"],
        ),
        (
            "losant_mcp.guard.plan",
            "importlib.import_module('losant_mcp.tools')",
            ["line 1: guard may not import losant_mcp.tools"],
        ),
        (
            "losant_mcp",
            "from losant_mcp.errors import LosantError",
            ["line 1: the package root may not import losant_mcp.errors"],
        ),
        ("losant_mcp.server", "from losant_mcp import __version__", []),
        ("losant_mcp.tools.events", "from losant_mcp.tools import spec", []),
        ("losant_mcp.cli", "import duckdb", ["line 1: cli may not import duckdb"]),
    ],
)
def test_a_wrong_arrow_is_seen(module: str, source: str, expected: list[str]) -> None:
    """The check itself sees each way of importing, and lets what is allowed pass."""
    assert list(_violations(source, module)) == expected


def test_the_drawing_of_the_layers_is_right() -> None:
    """Every layer is in the contributors' picture, and every arrow of it is allowed."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [drawing] = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    drawn = set()
    for line in drawing.splitlines():
        levels = [level.split(", ") for level in line.split(" <- ")]
        drawn |= {name for level in levels for name in level}
        for below, above in pairwise(levels):
            assert all(set(below) <= MAY_IMPORT[name] for name in above), line
    assert drawn == set(MAY_IMPORT) - {"__main__"}


def test_importing_the_package_costs_nothing() -> None:
    """`import losant_mcp` loads no other module of the package and none of its libraries."""
    code = "import losant_mcp, json, sys; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = json.loads(answer.stdout)
    costly = {"mcp", "httpx", "httpx2", "pydantic", "anyio", "starlette", "uvicorn", "duckdb"}
    assert costly.isdisjoint(loaded)
    assert [name for name in loaded if name.startswith("losant_mcp")] == ["losant_mcp"]


def _layer_of(module: str) -> str:
    """The first name below the package; empty for its root."""
    return module.removeprefix("losant_mcp").lstrip(".").partition(".")[0]


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _violations(source: str, module: str) -> Iterator[str]:
    layer = _layer_of(module)
    allowed = MAY_IMPORT.get(layer, set()) | {layer, ""}
    for line, name in _imports(ast.parse(source), module):
        root, _, rest = name.partition(".")
        if root == "losant_mcp":
            wrong = _known_layer(rest) not in allowed
        else:
            wrong = root in OWNERS and layer not in OWNERS[root]
        if wrong:
            yield f"line {line}: {layer or 'the package root'} may not import {name}"


def _known_layer(rest: str) -> str:
    """The layer in `client.paging`; empty for a plain name of the root, like `__version__`."""
    head = rest.split(".")[0]
    is_module = (PACKAGE / f"{head}.py").exists() or (PACKAGE / head).is_dir()
    return head if head in MAY_IMPORT or is_module else ""


def _imports(tree: ast.Module, module: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported anywhere in a module."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=origin, names=names, level=level):
                start = _absolute(origin, level, module)
                if start == "losant_mcp":
                    yield from ((node.lineno, f"{start}.{alias.name}") for alias in names)
                else:
                    yield node.lineno, start
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if ast.unparse(
                function
            ).split(".")[-1] in {"import_module", "__import__"}:
                yield node.lineno, name


def _absolute(origin: str | None, level: int, module: str) -> str:
    """What `from ..x import` means in a module; ruff bans the form, the check survives it."""
    if level == 0:
        return origin or ""
    is_folder = (ROOT / Path(*module.split("."))).is_dir()
    parts = module.split(".")
    start = parts[: len(parts) - level + is_folder]
    return ".".join([*start, *([origin] if origin else [])])
