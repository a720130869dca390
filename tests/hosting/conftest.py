"""Fixtures of the hosting tests: commands in this process, with logging put back afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.cli.command import Run, in_process


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs a command in this process, which sets logging up; the tests share theirs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield in_process
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
