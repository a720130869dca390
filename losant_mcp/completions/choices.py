"""What is offered, and how it is found by what was typed: first by its beginning, then within.

What is offered must work as a reference. A name that was cleaned, that another object has as
well, or that looks like an id does not, so its object is offered by id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mcp.types import Completion

from losant_mcp.api.types import is_object_id
from losant_mcp.text import one_line

MOST = 100
"""What the protocol lets an answer hold."""

MOST_CHARACTERS = 255
"""No name is longer."""

_plain_in_uri = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")


@dataclass(frozen=True, slots=True)
class Choice:
    """One value; ``name`` is what people know it by, ``id`` what else it may be found by."""

    name: str
    value: str
    id: str = ""

    def reference(self, *, in_uri: bool) -> str:
        """What is offered; in a URI a client may put it as it is, so nothing to be escaped."""
        return (
            self.id
            if in_uri and self.id and not _plain_in_uri.fullmatch(self.value)
            else self.value
        )


@dataclass(frozen=True, slots=True)
class Known:
    """The choices of one kind; not ``complete`` where there may be more."""

    choices: tuple[Choice, ...] = ()
    complete: bool = True

    def matching(self, typed: str, *, in_uri: bool = False) -> Completion:
        """What begins with the typed text, then what holds it, then ids that begin with it."""
        wanted = typed.casefold()
        begin, hold = [], []
        for choice in self.choices:
            name = choice.name.casefold()
            if name.startswith(wanted):
                begin.append(choice)
            elif wanted in name:
                hold.append(choice)
        values = [choice.reference(in_uri=in_uri) for choice in (*begin, *hold)]
        if wanted:
            values += [choice.id for choice in self.choices if choice.id.startswith(wanted)]
        found = list(dict.fromkeys(values))
        return Completion(
            values=found[:MOST],
            total=len(found) if self.complete else None,
            has_more=len(found) > MOST or not self.complete,
        )


def words(values: Iterable[str]) -> Known:
    """Values that are their own names, in their order; those with anything unseen are left out."""
    return Known(tuple(Choice(v, v) for v in values if one_line(v, MOST_CHARACTERS) == v != ""))


def named(
    items: Iterable[tuple[str, str]], *, complete: bool = True, shared: Collection[str] = ()
) -> Known:
    """Objects given as (id, name), by name; ``shared`` are names that others may have as well."""
    items = list(items)
    count = Counter(name for _, name in items)
    choices = []
    for id, name in items:
        shown = one_line(name, MOST_CHARACTERS)
        works = shown == name != "" and not is_object_id(name)
        works = works and count[name] == 1 and name not in shared
        choices.append(Choice(shown, name if works else id, id))
    return Known(tuple(sorted(choices, key=lambda choice: choice.name.casefold())), complete)
