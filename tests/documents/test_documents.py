"""README and documentation say what is there: generated parts are current, examples hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from losant_mcp import guides
from losant_mcp.cli import COMMANDS
from losant_mcp.config import VARIABLES, Access, Settings
from losant_mcp.prompts.files import read_files
from losant_mcp.server import INSTRUCTIONS
from losant_mcp.tools.listing import listed
from tests.analysis.counting import tokens
from tests.documents.blocks import PAGES
from tests.documents.parts import FILES, PARTS, README, ROOT, parts_of, updated

TEXT = README.read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in FILES if path != README}
EVERYTHING = "\n".join([TEXT, *DOCS.values()])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_generated_parts_are_up_to_date(path: Path) -> None:
    """Tools, calls, settings and help are as the code has them; `make readme` writes them anew."""
    text = path.read_text(encoding="utf-8")
    assert updated(text) == text


def test_every_part_is_there() -> None:
    """No marker was lost in an edit."""
    assert set(parts_of(EVERYTHING)) == set(PARTS)


def test_everything_a_user_can_name_is_documented() -> None:
    """Every tool, setting, prompt and command has its place."""
    for spec in listed(Settings()):
        assert f"| `{spec.name}` |" in TEXT
        assert f"### {spec.name}\n" in DOCS["tools.md"]
    assert all(f"| `{name}`" in DOCS["settings.md"] for name in VARIABLES)
    assert all(f"$ losant-mcp {name} --help" in DOCS["commands.md"] for name in COMMANDS)
    assert all(f"| `{file.name}` |" in DOCS["prompts.md"] for file in read_files())
    assert all(f"`{name}`" in DOCS["prompts.md"] for name in guides.names())


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    """Every page is reached, and every link and picture is there."""
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning"]
    built = subprocess.run(
        [*command, "-d", tmp_path / "trees", ROOT / "docs", tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "html" / "index.html").is_file()


@pytest.mark.parametrize("name", ["README.md", *DOCS])
def test_a_link_to_a_file_leads_somewhere(name: str) -> None:
    """Files that the text links to exist."""
    path = README if name == "README.md" else ROOT / "docs" / name
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_the_tour_tells_of_steps_that_the_demo_has() -> None:
    """Each heading that the page quotes is one of the demo's."""
    told = re.findall(r"\*([A-Z][^*\n]+(?:\n[^*\n]+)?)\*", DOCS["tour.md"])
    source = "".join(
        (ROOT / "losant_mcp" / "cli" / name).read_text(encoding="utf-8")
        for name in ("tour.py", "tour_guard.py")
    )
    assert len(told) >= 8
    assert all(f'step("{" ".join(heading.split())}' in source for heading in told), told


def test_a_variable_that_the_text_names_exists() -> None:
    """The prose names no setting that is not there."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"LOSANT_[A-Z_]*[A-Z]", pages))
    assert named <= set(VARIABLES)


def test_every_setting_is_read_by_a_running_server() -> None:
    """None is documented that has no effect: a module that nothing imports does nothing."""
    sources = [path.read_text(encoding="utf-8") for path in _reached("losant_mcp.cli.serve")]
    idle = {
        name
        for name in [*Settings.model_fields, "nonsense"]
        if not any(re.search(rf"settings\.{name}\b", source) for source in sources)
    }
    assert idle == {"nonsense"}


def _reached(start: str) -> set[Path]:
    """The files of all our modules that a module imports, directly or not, early or late."""
    found: dict[str, Path] = {}
    left = [start]
    while left:
        name = left.pop()
        path = _file(name)
        if path is None or name in found:
            continue
        found[name] = path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                left += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                left += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return set(found.values())


def _file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    ours = module.startswith("losant_mcp.")
    return next((path for path in candidates if ours and path.is_file()), None)


def test_the_first_command_is_on_the_first_screen() -> None:
    """A newcomer sees within 25 lines what to type."""
    assert "make demo" in "\n".join(TEXT.splitlines()[:25])


@pytest.mark.parametrize(
    ("access", "claim"),
    [
        ("full", r"about ([\d,]+) tokens for all (\d+) tools"),
        ("read", r"LOSANT_MCP_ACCESS=read` \| about ([\d,]+) tokens()"),
    ],
)
def test_the_stated_cost_of_the_tools_holds(access: Access, claim: str) -> None:
    """What the README says that the definitions cost is true within five percent."""
    stated = re.search(claim, TEXT)
    assert stated is not None
    specs = listed(Settings(access=access))
    facts = [
        {
            "name": spec.name,
            "description": spec.description,
            "inputSchema": spec.input_schema(bound=True),
        }
        for spec in specs
    ]
    cost = sum(map(tokens, [INSTRUCTIONS, *facts]))
    assert cost == pytest.approx(int(stated[1].replace(",", "")), rel=0.05)
    assert stated[2] in ("", str(len(specs)))
