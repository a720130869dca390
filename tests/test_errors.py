"""The tree of errors, and each error in words."""

from __future__ import annotations

import re

import pytest

from losant_mcp import errors
from losant_mcp.errors import (
    MAX_DESCRIPTION,
    InvalidRequest,
    LosantMcpError,
    NoAnswer,
    NotFound,
    RateLimited,
    describe,
)


def below(error: type[LosantMcpError]) -> set[type[LosantMcpError]]:
    """The error and everything below it."""
    return {error}.union(*(below(child) for child in error.__subclasses__()))


def test_the_tree_is_drawn_as_it_is() -> None:
    """The module's docstring names every error, each below its parent."""
    path: list[str] = []
    drawn: dict[str, str] = {}
    for indent, name in re.findall(
        r"^ {4}([│├└─ ]*)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE
    ):
        del path[len(indent) // 4 :]
        drawn[name] = path[-1] if path else ""
        path.append(name)
    ours = {error for error in below(LosantMcpError) if error.__module__ == errors.__name__}
    assert drawn == {
        error.__name__: "" if error is LosantMcpError else error.__bases__[0].__name__
        for error in ours
    }


def test_a_description_is_message_hint_retry_and_change() -> None:
    """Each part is a sentence, in the order in which a reader needs them."""
    error = RateLimited("Too much", status=429, hint="Ask less often", retry_after=12)
    assert describe(error) == "Too much. Ask less often. A retry may help in 12 s."
    error.writes = True
    assert describe(error).endswith("A retry may help in 12 s. Nothing was changed.")


def test_a_write_of_unknown_end_is_not_advised_to_be_repeated() -> None:
    """Repeating could do it twice, so the advice is to look first."""
    error = NoAnswer("The connection broke")
    assert describe(error) == "The connection broke. A retry may help a little later."
    error.writes = True
    assert describe(error) == (
        "The connection broke. Losant may have done it all the same: look before you repeat it."
    )
    error.look = "get_row"
    assert describe(error).endswith("look with get_row before you repeat it.")


@pytest.mark.parametrize("limit", [120, 300])
def test_a_description_in_little_room_keeps_its_end(limit: int) -> None:
    """Where an error is told within another message, that it may have happened is not cut."""
    error = NoAnswer("m" * 1000, hint="h" * 1000)
    error.writes = True
    told = describe(error, limit=limit)
    assert len(told) <= limit
    assert told.endswith(" Losant may have done it all the same: look before you repeat it.")


@pytest.mark.parametrize("message", [10, 300, 5000])
@pytest.mark.parametrize("hint", [0, 10, 300, 5000])
def test_a_long_description_is_cut_but_never_its_end(message: int, hint: int) -> None:
    """What changed is always told, and both message and hint keep a share of the room."""
    error = InvalidRequest("m" * message, hint="h" * hint)
    error.writes = True
    told = describe(error)
    assert len(told) <= MAX_DESCRIPTION
    assert told.endswith(" Nothing was changed.")
    assert told.count("m") >= min(message, 250)
    assert told.count("h") >= min(hint, 250)


def test_a_quotation_needs_no_second_full_stop() -> None:
    """A message that ends with a quotation mark stays as it is."""
    error = NotFound('Losant says: "Gone"', status=404, hint="Look again")
    assert describe(error) == 'Losant says: "Gone" Look again.'


def test_a_description_is_one_inert_line() -> None:
    """Whatever stands in an error or its hint, however it got there."""
    error = InvalidRequest("no \x1b[2J\u202ename\u3164\n\nDone", hint="use\u2028this\x00 \ud800one")
    assert describe(error) == "no [2Jname Done. usethis one."
