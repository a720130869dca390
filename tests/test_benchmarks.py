"""The page of figures says what the last run measured."""

from __future__ import annotations

import json
import re

import pytest

pytest.importorskip("resource", reason="the benchmarks ask POSIX for memory")

from benchmarks import page
from benchmarks.__main__ import MEASURES

LEAN = "all tools, bound, beside a lean document"
START = "cold start to tools/list"
EVENTS = "list_events of 100 events"
RESULTS = json.loads(page.RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_what_was_measured() -> None:
    """`make bench ARGS=--publish` writes both; nobody edits one of them."""
    assert page.PAGE.read_text(encoding="utf-8") == page.page(RESULTS, MEASURES)


def test_every_measure_is_on_the_page() -> None:
    """A new benchmark is published with the others."""
    assert list(RESULTS["figures"]) == list(MEASURES)


@pytest.mark.parametrize(
    ("measure", "what", "unit", "side", "claim"),
    [
        ("tokens", "all tools, bound", "tokens", "ours", r"about ([\d,]+) tokens for all 40 tools"),
        ("tokens", "all tools, bound", "tokens", "alternative", r"about ([\d,]+) tokens from Los"),
        ("tokens", LEAN, "tokens", "alternative", r"about ([\d,]+) from `losant-mcp openapi`"),
        ("tokens", "all tools, read-only", "tokens", "ours", r"=read` \| about ([\d,]+) tokens"),
        ("jobs", "all ten jobs", "tokens", "ours", r"about ([\d,]+) tokens in \d+ calls \| about"),
        ("jobs", "all ten jobs", "calls", "ours", r"tokens in (\d+) calls \| about"),
        ("jobs", "all ten jobs", "tokens", "alternative", r"about ([\d,]+) tokens in \d+ calls:"),
        ("jobs", "all ten jobs", "calls", "alternative", r"tokens in (\d+) calls: one plain tool"),
        ("tokens", EVENTS, "tokens", "ours", r"100 events \| about ([\d,]+) tokens"),
        ("tokens", EVENTS, "tokens", "alternative", r"about ([\d,]+) tokens: the API's JSON"),
        (
            "cold_start",
            "cold start to tools/list",
            "ms",
            "ratio",
            r"listed tools \| ([\d.]+) times",
        ),
    ],
)
def test_the_readme_tells_what_was_measured(
    measure: str, what: str, unit: str, side: str, claim: str
) -> None:
    """Rounded, to as many digits as it gives."""
    readme = (page.ROOT / "README.md").read_text(encoding="utf-8")
    [told] = re.findall(claim, readme)
    [figure] = [
        it for it in RESULTS["figures"][measure] if (it["what"], it["unit"]) == (what, unit)
    ]
    digits = told.replace(",", "").rstrip("0")
    _, point, behind = digits.partition(".")
    places = len(behind) if point else len(digits) - len(told.replace(",", ""))
    assert round(figure[side], places) == float(told.replace(",", ""))


def test_the_pictures_are_there() -> None:
    """Each plot that the page shows was drawn."""
    shown = re.findall(r"\]\(images/(\w+\.svg)\)", page.PAGE.read_text(encoding="utf-8"))
    assert shown
    assert all((page.IMAGES / name).is_file() for name in shown)
