"""The language of a prompt's body: Jinja2's ``{% if %}`` over names, and ``{{ name }}``.

Nothing else of Jinja2 is let in: a body cannot call, loop or reach into a value. That is few
enough forms to check them by a pattern when the server starts, so that Jinja2, which takes a
twentieth of a cold start, is imported by the first prompt that somebody picks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

_OPERAND = r"(?:not )?\w+"
_CONDITION = rf"{_OPERAND}(?: (?:and|or) {_OPERAND})*"
_TAG = re.compile(
    rf"{{% (?P<opens>if|elif) (?P<condition>{_CONDITION}) %}}"
    r"|{% (?P<word>else|endif) %}"
    r"|{{ (?P<shown>\w+) }}"
)
_OPENER = re.compile(r"{[{%#]")


@dataclass(frozen=True)
class Used:
    """The names that a body asks about, and those that it shows."""

    tested: frozenset[str]
    shown: frozenset[str]


def used(body: str) -> Used:
    """The names that the body uses. Raises ValueError, saying where, for a body that is wrong."""
    rest = _TAG.sub(lambda tag: " " * len(tag[0]), body)
    if strange := _OPENER.search(rest):
        raise ValueError(
            f"line {_line(body, strange.start())}: only {{% if name %}}, {{% elif name %}}, "
            "{% else %}, {% endif %} and {{ name }} are known here"
        )
    tested: set[str] = set()
    shown: set[str] = set()
    open_ifs: list[str] = []
    for tag in _TAG.finditer(body):
        if tag["shown"]:
            shown.add(tag["shown"])
        elif tag["condition"]:
            tested |= names(tag["condition"])
        _nest(open_ifs, tag["opens"] or tag["word"], _line(body, tag.start()))
    if open_ifs:
        raise ValueError("an {% if %} has no {% endif %}")
    return Used(frozenset(tested), frozenset(shown))


def _nest(open_ifs: list[str], word: str | None, line: int) -> None:
    """Follow one tag; ``open_ifs`` holds for each open ``if`` the last of its branches."""
    if word == "if":
        open_ifs.append(word)
    elif word is not None:
        if not open_ifs or (word != "endif" and open_ifs[-1] == "else"):
            raise ValueError(f"line {line}: {{% {word} %}} has no {{% if %}}")
        open_ifs.pop()
        if word != "endif":
            open_ifs.append(word)


def _line(body: str, position: int) -> int:
    return body.count("\n", 0, position) + 1


def names(condition: str) -> set[str]:
    """The names in a condition such as ``query_sql or not query_rows``."""
    return set(condition.split()) - {"and", "or", "not"}


def is_condition(text: str) -> bool:
    """Whether the text is names joined by ``and`` and ``or``, each perhaps after ``not``."""
    return re.fullmatch(_CONDITION, text) is not None


def holds(condition: str, true: Collection[str]) -> bool:
    """Whether the condition holds where exactly these names are true; ``and`` binds tighter."""
    return any(
        all(
            (term.removeprefix("not ") in true) is not term.startswith("not ")
            for term in alternative.split(" and ")
        )
        for alternative in condition.split(" or ")
    )


def render(body: str, facts: Mapping[str, str | bool]) -> str:
    """The body as text. Every name that it uses must be among the facts."""
    text = _compiled(body).render(facts)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


@cache
def _compiled(body: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        autoescape=False,  # Markdown for a model; what people fill in never enters it
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).from_string(body)
