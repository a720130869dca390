"""How many examples a fuzz test tries: some in every run, always the same; ten times as many,
and new ones every night, under the marker ``nightly``."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings

NIGHTLY = 10
"""How many times as many."""


def examples(count: int) -> pytest.MarkDecorator:
    """Parametrizes a test by ``fuzzing``: the settings of a run in the day and of one at night."""
    return pytest.mark.parametrize(
        "fuzzing",
        [
            pytest.param(_settings(count, derandomize=True), id="brief"),
            pytest.param(
                _settings(count * NIGHTLY, derandomize=False), id="long", marks=pytest.mark.nightly
            ),
        ],
    )


def _settings(count: int, *, derandomize: bool) -> settings:
    return settings(
        max_examples=count,
        derandomize=derandomize,
        database=None,
        # Every test has a deadline of its own, which ends it where hypothesis only reports.
        deadline=None,
        print_blob=True,
        # Examples share a fixture on purpose: they follow each other in one process.
        suppress_health_check=list(HealthCheck),
        # Explaining a failure would run it fifty times more, against a server.
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
