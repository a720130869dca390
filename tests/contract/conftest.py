"""Where the published contract lies; without it the comparisons skip and say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.published import Published

# The contract is not part of the repository; a checkout may lie beside it.
FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "losant-api"


@pytest.fixture(scope="session")
def contract() -> Published:
    """The published actions, schemas and examples."""
    if not (FOLDER / "actions.json").is_file():
        pytest.skip("the published contract is not here: no ../shared/losant-api")
    return Published(FOLDER)
