"""The words of a command that the documentation quotes: that there is what they name.

Nothing runs here but make, which only says what it would do.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Mapping, Sequence

import click
import pytest

from losant_mcp.cli import cli
from tests.documents.blocks import Typed
from tests.documents.parts import ROOT, command_words

IMAGE = "losant-mcp"


def context_of(words: Sequence[str]) -> click.Context:
    """The command that these words, or the first of them, name."""
    context = click.Context(cli, **cli.context_settings)
    for word in words:
        if word.startswith("-") or not isinstance(context.command, click.Group):
            break
        found = context.command.get_command(context, word)
        assert found is not None, word
        context = click.Context(found, parent=context)
    return context


def options_of(words: Sequence[str]) -> set[str]:
    """Every flag of the command that these words name, `--help` included."""
    context = context_of(words)
    return {flag for option in context.command.get_params(context) for flag in option.opts}


def all_options() -> set[str]:
    """Every flag of every command."""
    return set().union(*(options_of(words) for words in command_words()))


def _check_own(typed: Typed) -> None:
    flags = {word.partition("=")[0] for word in typed.words if word.startswith("--")}
    assert flags <= options_of(typed.words), typed
    parameters = context_of(typed.words).command.params
    for word in typed.words:
        if "|" in word:
            choices = [p.type.choices for p in parameters if isinstance(p.type, click.Choice)]
            assert word.split("|") in map(list, choices), typed


def _check_make(typed: Typed) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    told = subprocess.run(
        [make, "--dry-run", *typed.words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    variables = [word.partition("=")[0] for word in typed.words if "=" in word]
    assert all(f"$({name})" in makefile for name in variables), typed


def _check_docker(typed: Typed) -> None:
    match typed.words:
        case ("build", "-t", image, "."):
            assert image == IMAGE
            assert (ROOT / "Dockerfile").exists()
        case _:
            _check_own(Typed("losant-mcp", in_container(typed)))


def in_container(typed: Typed) -> tuple[str, ...]:
    """The words of ours behind `docker run … losant-mcp`."""
    assert typed.words[0] == "run", typed
    return typed.words[typed.words.index(IMAGE) + 1 :]


def _check_pip(typed: Typed) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = re.fullmatch(rf"{project['name']}\[([a-z,]+)\]", typed.words[-1])
    assert found, typed
    assert set(found[1].split(",")) <= set(project["optional-dependencies"])


def _check_install(typed: Typed) -> None:
    assert typed.words[-2:] == ("install", "."), typed


def _check_python(typed: Typed) -> None:
    if typed.words:
        assert typed.words[0] == "-m"
        assert importlib.util.find_spec(typed.words[1]), typed


CHECKS: Mapping[str, Callable[[Typed], None]] = {
    "losant-mcp": _check_own,
    "make": _check_make,
    "docker": _check_docker,
    "pip": _check_pip,
    "pipx": _check_install,
    "uv": _check_install,
    "python": _check_python,
}
"""By the program's name."""
