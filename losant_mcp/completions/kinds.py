"""What an argument is about, told by its name, so that a new prompt needs no entry anywhere."""

from __future__ import annotations

import re
from typing import Literal, get_args

Kind = Literal["application", "table", "column", "device", "tag", "level", "state", "time", "guide"]
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
_KINDS |= dict.fromkeys(("since", "until", "start", "end"), "time")

# The last words of an argument that say nothing of what it is about.
_FORMS = ("id", "name", "key")
_word = re.compile(r"[A-Z]?[a-z]+")
_last_segment = re.compile(r"([a-z-]+)/\{(\w+)\}$")


def kind_of(argument: str) -> Kind | None:
    """What ``dataTableId``, ``table_name``, ``sortColumn``, ``tagKey`` and the like ask for."""
    words = [_singular(word.lower()) for word in _word.findall(argument)]
    while words and words[-1] in _FORMS:
        words.pop()
    return _KINDS.get(words[-1]) if words else None


def kind_in(template: str, variable: str) -> Kind | None:
    """What a variable of a URI asks for; a plain ``{name}`` or ``{id}`` is of what is before it."""
    last = _last_segment.search(template)
    before = last[1] if last and last[2] == variable else ""
    return kind_of(variable) or kind_of(before)


def _singular(word: str) -> str:
    return word if word.endswith("ss") else word.removesuffix("s")
