"""What the documentation shows as code: blocks, and words within the text, by a Markdown parser."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.documents.parts import ROOT, without_parts

PAGES = sorted(
    chain(
        ROOT.glob("*.md"),
        *((ROOT / folder).rglob("*.md") for folder in ("docs", "packaging")),
        (ROOT / "prompts").glob("README.md"),
    )
)
"""All that a reader of the project reads. Guides and prompts are read by models, and have tests
of their own."""

_markdown = MarkdownIt("commonmark").enable("table")
_variable = re.compile(r"([A-Z][A-Z_]*)=(.*)")


@dataclass(frozen=True)
class Block:
    """A block of code that is written by hand."""

    place: str
    language: str
    text: str


@dataclass(frozen=True)
class Typed:
    """A command as a reader types it, with the variables before it."""

    program: str
    words: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()


def blocks() -> list[Block]:
    """Every block of every page, outside the generated parts."""
    return [
        Block(f"{_name(page)}-{number}", token.info, token.content)
        for page in PAGES
        for number, token in enumerate(
            token for token in _tokens(page) if token.type in ("fence", "code_block")
        )
    ]


def quotes() -> Iterator[tuple[str, str]]:
    """Every page's name and a word, or words, that it quotes as code within its text."""
    for page in PAGES:
        for token in _tokens(page):
            for child in token.children or ():
                if child.type == "code_inline":
                    yield _name(page), child.content


def typed(text: str) -> tuple[Typed, ...]:
    """The commands of a shell's text, without comments; `&&` and the end of a line part them."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&")
        lexer.whitespace_split = True
        for parts, words in groupby(lexer, "&&".__eq__):
            if not parts:
                found.append(_typed(list(words)))
    return tuple(found)


def _typed(words: list[str]) -> Typed:
    variables = []
    while given := _variable.fullmatch(words[0]):
        variables.append((given[1], given[2]))
        words = words[1:]
    return Typed(Path(words[0]).name, tuple(words[1:]), tuple(variables))


def _tokens(page: Path) -> list[Token]:
    return _markdown.parse(without_parts(page.read_text(encoding="utf-8")))


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()
