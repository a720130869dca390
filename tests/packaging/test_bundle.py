"""The MCP bundle: valid by the official validator, and a server once it is unpacked."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from losant_mcp import __version__
from losant_mcp.config import VARIABLES, Settings
from losant_mcp.tools.listing import listed
from tests.node import NODE
from tests.packaging.running import ROOT, run, succeeded_or_offline, tool

pytestmark = pytest.mark.xdist_group("packaging")

SCRIPT = ROOT / "packaging" / "mcpb" / "bundle.py"
VALIDATOR = NODE / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"


@pytest.fixture(scope="session")
def bundle(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, built as `make bundle` does."""
    folder = tmp_path_factory.mktemp("bundle")
    return Path(run([sys.executable, SCRIPT, wheel, folder]).stdout.strip())


@pytest.fixture
def unpacked(bundle: Path, tmp_path: Path) -> Path:
    """A folder with what is in the bundle."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "bundle")
    return tmp_path / "bundle"


def manifest_of(folder: Path) -> dict[str, Any]:
    """The unpacked bundle's manifest."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert isinstance(manifest, dict)
    return manifest


def started(folder: Path, **chosen: object) -> dict[str, Any]:
    """How a host starts the bundle, with its variables replaced by folder, choices, defaults."""
    manifest = manifest_of(folder)
    values = {name: field["default"] for name, field in manifest["user_config"].items()} | chosen
    texts = {f"user_config.{name}": _text(value) for name, value in values.items()}
    texts["__dirname"] = folder.as_posix()
    config = json.dumps(manifest["server"]["mcp_config"])
    filled = json.loads(re.sub(r"\$\{([\w.]+)\}", lambda match: texts[match[1]], config))
    assert isinstance(filled, dict)
    return filled


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_manifest_says_what_is_there(unpacked: Path) -> None:
    """Version and tools are the checkout's, and every variable is a setting of ours."""
    manifest = manifest_of(unpacked)
    assert manifest["version"] == __version__
    assert [tool["name"] for tool in manifest["tools"]] == [
        spec.name for spec in listed(Settings())
    ]
    assert set(manifest["server"]["mcp_config"]["env"]) <= set(VARIABLES)
    assert manifest["user_config"]["api_token"]["sensitive"] is True
    assert Settings.model_fields["access"].default == manifest["user_config"]["access"]["default"]
    assert (unpacked / manifest["server"]["entry_point"]).is_file()


def test_the_same_wheel_makes_the_same_bundle(bundle: Path, wheel: Path, tmp_path: Path) -> None:
    """Nothing of the moment or the machine gets into it."""
    again = Path(run([sys.executable, SCRIPT, wheel, tmp_path]).stdout.strip())
    assert again.read_bytes() == bundle.read_bytes()


def test_the_official_validator_agrees(unpacked: Path) -> None:
    """`mcpb validate` finds no fault with the manifest."""
    path = f"{NODE / '.bin'}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node", path=path)
    if node is None or not VALIDATOR.exists():
        pytest.skip("@anthropic-ai/mcpb is not installed; .ci/run does it")
    told = run([node, VALIDATOR, "validate", unpacked / "manifest.json"], check=False)
    assert told.returncode == 0, told.stdout + told.stderr


async def test_the_bundle_serves_the_sandbox(unpacked: Path) -> None:
    """A host's uv installs it, and a client gets an answer."""
    config = started(unpacked, sandbox=True)
    uv = tool(config["command"])
    sync = [uv, "sync", "--directory", str(unpacked), "--python", sys.executable]
    succeeded_or_offline(run(sync, check=False, cwd=unpacked))
    server = StdioServerParameters(command=uv, args=config["args"], env=config["env"])
    async with Client(server) as client:
        answer = await client.call_tool("get_most_severe_event", {})
    assert not answer.is_error
    assert isinstance(answer.structured_content, dict)
    assert answer.structured_content["event"]["level"] == "critical"


def test_the_bundle_with_nothing_filled_in_says_what_is_missing(unpacked: Path) -> None:
    """Without a token and without the sandbox it does not start, and says why."""
    config = started(unpacked)
    assert set(config["env"].values()) == {"", "full"}
    script = config["args"][config["args"].index("server.py") :]
    told = run(
        [sys.executable, ROOT / "packaging" / "mcpb" / script[0], *script[1:]],
        check=False,
        variables=config["env"],
    )
    assert told.returncode == 2
    assert "There is no Losant API token." in told.stderr
