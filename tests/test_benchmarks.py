"""The page of figures says what the last run measured."""

from __future__ import annotations

import json
import re

import pytest

pytest.importorskip("resource", reason="the benchmarks ask POSIX for memory")

from benchmarks import page
from benchmarks.__main__ import MEASURES

RESULTS = json.loads(page.RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_what_was_measured() -> None:
    """`make bench ARGS=--publish` writes both; nobody edits one of them."""
    assert page.PAGE.read_text(encoding="utf-8") == page.page(RESULTS, MEASURES)


def test_every_measure_is_on_the_page() -> None:
    """A new benchmark is published with the others."""
    assert list(RESULTS["figures"]) == list(MEASURES)


def test_the_pictures_are_there() -> None:
    """Each plot that the page shows was drawn."""
    shown = re.findall(r"\]\(images/(\w+\.svg)\)", page.PAGE.read_text(encoding="utf-8"))
    assert shown
    assert all((page.IMAGES / name).is_file() for name in shown)
