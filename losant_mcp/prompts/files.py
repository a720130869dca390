"""The prompt files: front matter that is checked when the server starts, and a body.

The front matter is TOML between lines of ``+++``, as static site generators have it: Python
reads TOML by itself, while YAML would be one more dependency for seven small files.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from losant_mcp.errors import ConfigurationError
from losant_mcp.prompts import template
from losant_mcp.resources.reading import DOMAINS
from losant_mcp.resources.spec import RESOURCES, SCHEME, ResourceSpec
from losant_mcp.tools.spec import TOOLS

assert DOMAINS, "importing them registers the resources"

Read = TypeVar("Read")

ID_OF = {"table": "dataTableId", "device": "deviceId"}
"""What tools and URIs call the id of what an argument refers to."""

ALWAYS = frozenset({"applicationId", "now", "timeZone"})
"""Names that every body may use: the application where a caller names it, and the time."""

_GROUND_RULES = "_ground_rules.md"
_NOT_PROMPTS = {"README.md", _GROUND_RULES}

_file = re.compile(r"\+\+\+\n(?P<front>.*?\n)\+\+\+\n(?P<body>.*)", re.DOTALL)
_named = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
_STATUSES = frozenset({"approval_required"})


def _condition(text: str) -> str:
    if not template.is_condition(text):
        raise ValueError("must be names of tools joined by and, or, not")
    return text


class _Front(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Argument(_Front):
    """What a person may fill in, as text."""

    name: str = Field(pattern=r"^[a-z][A-Za-z]*$")
    description: str = Field(min_length=1)
    required: bool = False
    refersTo: Literal["table", "device"] | None = None
    """It is the id or the exact name of one; its id is looked up."""
    limit: int = Field(default=2000, ge=1)
    """Characters; of a longer text only the first are passed on, and it says so."""


class PromptFile(_Front):
    """One prompt as it is written, checked in itself."""

    name: str
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    needs: Annotated[str, AfterValidator(_condition)]
    """A condition over tools: without them the prompt is not listed."""
    live: str | None = None
    """The URI of the resource that is attached, as it is in a server with one application."""
    arguments: tuple[Argument, ...] = ()
    body: str

    def check(self) -> None:
        """Raise ValueError where the file contradicts itself, or names what does not exist."""
        declared = {argument.name for argument in self.arguments}
        if len(declared) < len(self.arguments) or declared & ALWAYS:
            raise ValueError("an argument is declared twice, or has a name that is taken")
        used = template.used(self.body)
        asked = (used.tested | used.shown) - ALWAYS - set(TOOLS)
        if unknown := asked - declared:
            raise ValueError(f"{_listed(unknown)}: used, and neither an argument nor a tool")
        if unused := declared - asked:
            raise ValueError(f"{_listed(unused)}: declared as an argument and not used")
        if shown := used.shown & set(TOOLS):
            raise ValueError(f"{_listed(shown)}: a tool is tested or named, it has no value")
        named = set(_named.findall(self.body)) | template.names(self.needs)
        if missing := named - set(TOOLS) - _STATUSES:
            raise ValueError(f"{_listed(missing)}: there is no such tool")
        if self.live is not None:
            variables = set(resource_of(self.live).template(bound=True).variable_names)
            given = {ID_OF[a.refersTo] for a in self.arguments if a.refersTo and a.required}
            if missing := variables - given:
                raise ValueError(f"{_listed(missing)}: no required argument refers to it")


def resource_of(uri: str) -> ResourceSpec:
    """The resource of a URI as it is published. Raises ValueError where there is none."""
    for spec in RESOURCES.values():
        if uri == f"{SCHEME}{spec.path}":
            return spec
    raise ValueError(f"{uri}: there is no such resource")


def read_files(folder: Path | None = None) -> tuple[PromptFile, ...]:
    """Every prompt of the folder, checked, by the order of their files' names.

    Raises ConfigurationError, naming the file, for one that is wrong. Without a folder it is the
    one that came with the package, which is read once.
    """
    return _shipped() if folder is None else _read_all(folder)


@cache
def _shipped() -> tuple[PromptFile, ...]:
    return _read_all(_folder())


def _read_all(folder: Path) -> tuple[PromptFile, ...]:
    ground_rules = _checked(folder / _GROUND_RULES, lambda path: path.read_text(encoding="utf-8"))

    def read(path: Path) -> PromptFile:
        file = _read(path, ground_rules)
        file.check()
        return file

    paths = sorted(path for path in folder.glob("*.md") if path.name not in _NOT_PROMPTS)
    return tuple(_checked(path, read) for path in paths)


def _checked(path: Path, read: Callable[[Path], Read]) -> Read:
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The prompt file {path.name}: {_readable(error)}.") from None


def _folder() -> Path:
    """Inside the package where it is installed, and beside it in a checkout."""
    installed = Path(__file__).parents[1] / "_prompts"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "prompts"


def _read(path: Path, ground_rules: str) -> PromptFile:
    parts = _file.fullmatch(path.read_text(encoding="utf-8"))
    if parts is None:
        raise ValueError("it does not begin with front matter between two lines of +++")
    front = tomllib.loads(parts["front"])
    above = "\n" * (parts["front"].count("\n") + 2)  # so that lines are counted as in the file
    body = f"{above}{parts['body']}\n{ground_rules}"
    made = PromptFile.model_validate({**front, "body": body})
    if made.name != path.stem:
        raise ValueError(f"its name is {made.name!r}, not that of its file")
    return made


def _listed(found: Collection[str]) -> str:
    return ", ".join(sorted(found))


def _readable(error: OSError | ValueError) -> str:
    if isinstance(error, ValidationError):
        [first, *_] = error.errors(include_url=False, include_input=False)
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg'].removeprefix('Value error, ')}"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    return str(error)
