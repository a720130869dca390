"""Floods and chatter, against looking at every window there is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from losant_mcp.analysis.digest_bursts import Bursts

moments = st.lists(st.integers(0, 300), max_size=60).map(sorted)


def every_window(moments: list[int], need: int, span: int) -> list[tuple[int, int, int]]:
    """The bursts as (start, end, count): windows full enough, put together where they overlap."""
    inside: set[int] = set()
    joined: set[tuple[int, int]] = set()
    for i, start in enumerate(moments):
        window = [j for j in range(i, len(moments)) if moments[j] < start + span]
        if len(window) >= need:
            inside.update(window)
            joined.update(pairwise(window))
    found: list[list[int]] = []
    for i in sorted(inside):
        if found and (found[-1][-1], i) in joined:
            found[-1].append(i)
        else:
            found.append([i])
    return [(moments[run[0]], moments[run[-1]], len(run)) for run in found]


@given(moments, st.integers(2, 6), st.integers(1, 60))
def test_bursts_are_what_every_window_shows(moments: list[int], need: int, span: int) -> None:
    """Number, extent and size of all bursts are those found by brute force."""
    bursts = Bursts(need, span, kept=1000)
    for moment in moments:
        bursts.add(moment)
    expected = every_window(moments, need, span)
    found = sorted((burst.start, burst.end, burst.count) for burst in bursts.largest())
    assert found == sorted(expected)
    assert bursts.number == len(expected)
    assert bursts.total == sum(count for _, _, count in expected)


@given(moments, st.integers(1, 4))
def test_only_the_largest_are_remembered(moments: list[int], kept: int) -> None:
    """The memory holds as many bursts as it may, the largest ones, and counts the others."""
    few, all_of_them = Bursts(2, 5, kept=kept), Bursts(2, 5, kept=1000)
    for moment in moments:
        few.add(moment)
        all_of_them.add(moment)
    sizes = [burst.count for burst in all_of_them.largest()]
    assert [burst.count for burst in few.largest()] == sizes[:kept]
    assert (few.number, few.total) == (all_of_them.number, all_of_them.total)


def test_a_burst_says_what_it_was_made_of() -> None:
    """Each moment in a burst is counted under its key, once."""
    bursts = Bursts(3, 10)
    for moment, key in [(0, "a"), (100, "a"), (101, "b"), (102, "a"), (103, "b"), (500, "c")]:
        bursts.add(moment, key)
    [burst] = bursts.largest()
    assert burst.keys == {"a": 2, "b": 2}
