"""The guides: small, complete, true to their names, and shipped as part of the package."""

from __future__ import annotations

import re

import pytest

from losant_mcp import guides
from losant_mcp.config import VARIABLES, Settings
from losant_mcp.errors import UnknownName
from losant_mcp.tools.listing import listed
from losant_mcp.tools.spec import TOOLS
from tests.analysis.counting import tokens

MOST_TOKENS = 1500


def test_there_are_the_four_guides() -> None:
    """Their names are those of the resources, and the order is always the same."""
    assert guides.names() == ["advanced-query", "guard", "sql", "time-series"]


@pytest.mark.parametrize("name", guides.names())
def test_a_guide_is_small_and_says_what_it_is(name: str) -> None:
    """A title, one sentence that says what for, and no more text than a chat can bear."""
    guide = guides.read(name)
    assert guide.name == name
    assert guide.text.startswith(f"# {guide.title}\n")
    assert 5 <= len(guide.title) <= 40
    assert 40 <= len(guide.description) <= 200
    assert guide.description.endswith(".")
    assert tokens(guide.text) <= MOST_TOKENS


@pytest.mark.parametrize("name", guides.names())
def test_a_guide_speaks_of_what_there_is(name: str) -> None:
    """Tools and settings that a guide names exist; a renamed one must not live on in it."""
    text = guides.read(name).text
    verbs = "|".join(sorted({tool.partition("_")[0] for tool in TOOLS}))
    named = set(re.findall(rf"\b(?:{verbs})_[a-z_]+\b", text))
    assert named <= {spec.name for spec in listed(Settings())}
    assert set(re.findall(r"\bLOSANT_[A-Z_]+\b", text)) <= set(VARIABLES)


@pytest.mark.parametrize("name", ["", "unknown", "../guard", "guard.md", "GUARD", "__init__"])
def test_an_unknown_guide_is_refused_with_the_known_ones(name: str) -> None:
    """Nothing but a guide can be read, and the error lists the guides."""
    with pytest.raises(UnknownName) as caught:
        guides.read(name)
    assert all(known in caught.value.hint for known in guides.names())
