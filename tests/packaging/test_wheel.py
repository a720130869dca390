"""What a user installs: the built wheel in a clean environment, not the checkout."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from losant_mcp import __version__
from losant_mcp.guides import names as guide_names
from tests.packaging.running import ROOT, run

# One worker runs all of them, so that the session's fixtures are made once.
pytestmark = pytest.mark.xdist_group("packaging")


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """The wheel carries every module, the type marker, the prompts and the guides, and no tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        [metadata] = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        described = archive.read(metadata).decode()
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "losant_mcp").rglob("*.py")}
    prompts = {f"losant_mcp/_prompts/{path.name}" for path in (ROOT / "prompts").glob("*.md")}
    guides = {f"losant_mcp/guides/{name}.md" for name in guide_names()}
    assert modules | prompts | guides | {"losant_mcp/py.typed"} <= names
    assert {name.split("/")[0] for name in names} == {"losant_mcp"}
    assert f"\nVersion: {__version__}\n" in described
    assert "\nRequires-Python: >=3.11\n" in described


def test_the_installed_command_answers_with_its_version(installed_wheel: Path) -> None:
    """The command works from the wheel alone, outside the checkout."""
    answer = run([installed_wheel, "--version"], cwd=installed_wheel.parent)
    assert answer.stdout.strip() == f"losant-mcp {__version__}"


async def test_the_installed_command_serves_mcp_over_stdio(installed_wheel: Path) -> None:
    """A client gets an answer from the wheel alone, on the sandbox that it brings along."""
    server = StdioServerParameters(
        command=str(installed_wheel), args=["serve", "--sandbox"], cwd=installed_wheel.parent
    )
    async with Client(server) as client:
        answer = await client.call_tool("get_most_severe_event", {})
        prompt = await client.get_prompt("triage_new_events")
    assert prompt.messages
    assert not answer.is_error
    assert isinstance(answer.structured_content, dict)
    assert answer.structured_content["event"]["level"] == "critical"


@pytest.mark.parametrize("over", ["", "--http=127.0.0.1:0"], ids=["stdio", "http"])
def test_a_wrong_prompt_file_stops_the_start(installed_wheel: Path, over: str) -> None:
    """The installed command reads the prompts of the wheel, and names the file that is wrong."""
    [file] = installed_wheel.parents[1].rglob("losant_mcp/_prompts/shift_handover.md")
    text = file.read_text(encoding="utf-8")
    try:
        file.write_text(text.replace("`get_event`", "`get_evnt`"), encoding="utf-8")
        command = [str(installed_wheel), "serve", "--sandbox", *([over] if over else [])]
        answer = run(command, cwd=installed_wheel.parent, check=False)
    finally:
        file.write_text(text, encoding="utf-8")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "The prompt file shift_handover.md: get_evnt: there is no such tool." in answer.stderr


def test_the_installed_command_names_itself_to_a_client(
    installed_wheel: Path, tmp_path: Path
) -> None:
    """What it writes into a client's file is its own whole path."""
    words = ("install", "cursor", "--scope", "project", "--sandbox", "--yes")
    run([str(installed_wheel), *words], cwd=tmp_path)
    written = json.loads((tmp_path / ".cursor" / "mcp.json").read_text(encoding="utf-8"))
    assert Path(written["mcpServers"]["losant"]["command"]) == installed_wheel


def test_the_demo_needs_nothing_but_the_runtime_lock(installed_wheel: Path) -> None:
    """The tour runs where no development tool is installed."""
    assert "Your turn" in run([installed_wheel, "demo"], cwd=installed_wheel.parent).stdout


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements*.lock")), ids=lambda it: it.name)
def test_a_lock_pins_by_hash_and_names_no_place(lock: Path) -> None:
    """Every locked line is an exact version or a hash, so that any index can serve it."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    pinned = re.compile(
        r"[a-z0-9.-]+==[\w.!+]+( ; [^/@]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", re.ASCII
    )
    strange = [line for line in lines if not line.startswith("#") and not pinned.fullmatch(line)]
    assert not strange
    assert "/" not in "".join(line for line in lines if line.startswith("#"))
