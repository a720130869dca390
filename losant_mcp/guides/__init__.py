"""What a model may read before it begins: the guides, one Markdown file each, in this folder.

The first line of a file is the guide's title and the next paragraph says what it is for. The
fenced blocks that name a tool behind their language are calls of it, and a test makes each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from losant_mcp.errors import UnknownName

_ENDING = ".md"


@dataclass(frozen=True, slots=True)
class Guide:
    """One guide; ``text`` is the whole of it, as Markdown."""

    name: str
    title: str
    description: str
    text: str


def names() -> list[str]:
    """The names of all guides, in alphabetical order."""
    found = [path.name for path in files(__name__).iterdir()]
    return sorted(name.removesuffix(_ENDING) for name in found if name.endswith(_ENDING))


@cache
def read(name: str) -> Guide:
    """The guide of that name. Raises UnknownName, listing the guides."""
    if name not in names():
        known = ", ".join(names())
        raise UnknownName("There is no guide of that name.", hint=f"There are: {known}.")
    text = files(__name__).joinpath(name + _ENDING).read_text(encoding="utf-8")
    title, description, _ = text.split("\n\n", 2)
    return Guide(name, title.removeprefix("# "), " ".join(description.split()), text)
