"""Rules of the house that no linter checks: short files, and words that say what for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 400

FOLDERS = ("losant_mcp", "tests", "benchmarks")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
TEST_FILES = [path for path in FILES if path.is_relative_to(ROOT / "tests")]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_is_short_and_says_what_it_is(path: Path) -> None:
    """A file has at most 400 lines and opens with a docstring."""
    source = path.read_text(encoding="utf-8")
    lines = len(source.splitlines())
    assert lines <= MOST_LINES, f"{_name(path)} has {lines} lines: split it by concern"
    assert ast.get_docstring(ast.parse(source)), f"{_name(path)} does not say what lives there"


@pytest.mark.parametrize("path", TEST_FILES, ids=_name)
def test_a_test_says_in_one_sentence_what_holds(path: Path) -> None:
    """Every test function has a docstring of one sentence."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [
        f"{_name(path)}:{function.lineno} {function.name}"
        for function in _tests_in(tree)
        if not _is_one_sentence(ast.get_docstring(function) or "")
    ]
    assert not wrong, "needs a docstring of one sentence: " + ", ".join(wrong)


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("A row that is gone stays gone.", True),
        ("An id may be a name, e.g. `Boiler 3`, which\nis looked up once.", True),
        ("", False),
        ("No full stop", False),
        ("One sentence. Another one.", False),
        ("One sentence.\n\nA second paragraph.", False),
    ],
)
def test_one_sentence_is_recognised(docstring: str, expected: bool) -> None:
    """The check counts sentences, not lines."""
    assert _is_one_sentence(docstring) is expected


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers of our users find the marker that lets them read our annotations."""
    assert (ROOT / "losant_mcp" / "py.typed").is_file()


def _tests_in(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for node in (node for body in bodies for node in body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith(
            "test_"
        ):
            yield node


def _is_one_sentence(docstring: str) -> bool:
    words = re.sub(r"`[^`]*`|\b(e\.g|i\.e|vs)\.", "", docstring)
    return docstring.endswith((".", "?", "!")) and not re.search(r"[.!?]\s+[A-Z]|\n\s*\n", words)
