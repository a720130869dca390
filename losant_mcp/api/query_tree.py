"""An advanced query as a tree: the nodes that ``parse_query`` makes and the sandbox reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from losant_mcp.api.types import Scalar

Comparison = Literal["$eq", "$ne", "$gt", "$lt", "$gte", "$lte"]
TextTest = Literal["$startsWith", "$endsWith", "$contains"]


@dataclass(frozen=True, slots=True)
class And:
    """Every item holds; without items, anything matches."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one item holds. ``$or: []`` adds no condition (the UI's empty ANY)."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Nor:
    """No item holds. ``$nor: []`` matches everything."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """``field operator value``."""

    field: str
    operator: Comparison
    value: Scalar


@dataclass(frozen=True, slots=True)
class Text:
    """The field is a string that starts with, ends with or contains ``value``."""

    field: str
    operator: TextTest
    value: str
    ignore_case: bool


@dataclass(frozen=True, slots=True)
class Among:
    """The field equals one of ``values``; negated, none of them."""

    field: str
    values: tuple[str | int | float | bool, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class TagText:
    """A test of one string: equal to one of ``values`` (None: there is no such string)."""

    values: tuple[str | None, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class HasTag:
    """Some tag passes both tests; None for a test is no test."""

    field: str
    key: TagText | None
    value: TagText | None


@dataclass(frozen=True, slots=True)
class TagIs:
    """The tag ``key`` passes the test; a missing tag passes null and every negated test."""

    field: str
    key: str
    value: TagText


@dataclass(frozen=True, slots=True)
class NoTags:
    """The object has no tag at all."""

    field: str


Node = And | Or | Nor | Compare | Text | Among | HasTag | TagIs | NoTags
