"""What is offered fits what was typed, in the best order, and works as a reference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from losant_mcp.completions.choices import MOST, Known, named, words

A, B, C, D = (f"{digit * 12}{'5f0c0de03000'}" for digit in "abcd")


def test_beginnings_come_before_what_is_within() -> None:
    """In any case, and what fits neither is left out."""
    found = words(["spare parts", "Parts", "PARTNERS", "sites"]).matching("part")
    assert found.values == ["Parts", "PARTNERS", "spare parts"]
    assert (found.total, found.has_more) == (3, False)


def test_an_id_is_found_by_its_beginning_after_all_names() -> None:
    """Somebody who has an id at hand goes on with it."""
    known = named([(A, "one"), (B, "aaaa")])
    assert known.matching("aaaa").values == ["aaaa", A]
    assert known.matching(A[:20]).values == [A]
    assert known.matching(A[3:20]).values == []
    assert known.matching("").values == ["aaaa", "one"]


def test_what_does_not_work_as_a_name_is_offered_by_id() -> None:
    """A name that was cleaned, that two have, that is none, or that looks like an id."""
    assert named([(A, "pumps\u202e")]).matching("pumps").values == [A]
    assert named([(A, "two"), (B, "two"), (C, "Two")]).matching("two").values == [A, B, "Two"]
    assert named([(A, " blank "), (B, "double  blank")]).matching("blank").values == [A, B]
    assert named([(A, ""), (B, "\u200b")]).matching("").values == [A, B]
    assert named([(A, D)]).matching(D[:6]).values == [A]
    assert named([(A, "n" * 256)]).matching("nnn").values == [A]


def test_in_a_uri_nothing_is_offered_that_must_be_escaped() -> None:
    """A client may put it there as it is."""
    known = named([(A, "sites"), (B, "Pump log"), (C, "a/b"), (D, "..")])
    assert known.matching("", in_uri=True).values == [D, C, B, "sites"]
    assert known.matching("").values == ["..", "a/b", "Pump log", "sites"]
    assert words(["time-series"]).matching("", in_uri=True).values == ["time-series"]


def test_at_most_a_hundred_are_sent_and_all_are_counted() -> None:
    """Where there may be more than are known, no total is claimed."""
    found = words([f"n{i:03}" for i in range(101)]).matching("n")
    assert (len(found.values), found.total, found.has_more) == (MOST, 101, True)
    full = words([f"n{i:03}" for i in range(100)]).matching("n")
    assert (len(full.values), full.total, full.has_more) == (MOST, 100, False)
    some = Known(words(["n"]).choices, complete=False).matching("n")
    assert (some.values, some.total, some.has_more) == (["n"], None, True)


_TEXT = st.text(max_size=8)


@given(st.lists(_TEXT, max_size=20), _TEXT)
def test_whatever_is_called_whatever_is_offered_once_and_means_one(
    names: list[str], typed: str
) -> None:
    """No name makes an offer that means another object, is not there, or comes twice."""
    ids = [f"{i:024x}" for i in range(len(names))]
    found = named(zip(ids, names, strict=True)).matching(typed)
    assert len(set(found.values)) == len(found.values) == found.total
    for value in found.values:
        assert value in ids or names.count(value) == 1
        assert value.isprintable()
