"""The figures that operators and newcomers are told are those of the code."""

from __future__ import annotations

import pytest

from losant_mcp.config import Settings
from losant_mcp.guard.backup_volume import STANDING_SECONDS
from losant_mcp.guard.gate import limits_of
from losant_mcp.guard.plans import PLAN_SECONDS, YES_SECONDS
from losant_mcp.guard.redis_store.connection import LEAST_VERSION
from losant_mcp.guard.redis_store.pulse import LIFE_SECONDS
from losant_mcp.guard.restore_work import EVENT_WINDOW, EVENTS_PER_WINDOW
from losant_mcp.hosting.approver_logins import IDLE_SECONDS, SESSION_SECONDS, TRIES_OF_ONE
from losant_mcp.hosting.callers import GOOD_SECONDS
from losant_mcp.sandbox.demo.alarms import EVENTS
from losant_mcp.sandbox.demo.series import DAYS
from losant_mcp.sandbox.store import Store
from tests.documents.parts import ROOT

LIMITS = limits_of(Settings())
WORDS = {1: "one", 2: "two", 3: "three", 5: "five", 10: "ten", 15: "fifteen", 20: "twenty"}


def _minutes(seconds: float) -> str:
    return WORDS[round(seconds / 60)]


TRIES = f"{WORDS[TRIES_OF_ONE]} tries an hour by"
SANDBOX = f"{EVENTS:,} events, five data tables and\n{DAYS} days of measurements"
CLAIMS = {
    "README.md": [SANDBOX],
    "docs/tour.md": [SANDBOX],
    "docs/guard.md": [
        f"It holds for {_minutes(YES_SECONDS)} minutes, the question for {_minutes(PLAN_SECONDS)}",
        f"{WORDS[LIMITS.pending]} questions may wait, {WORDS[LIMITS.questions]} may be asked",
        f"{WORDS[LIMITS.plain_yeses]} plain yeses an hour make the next one a typed phrase",
        f"a no stands for {_minutes(LIMITS.refusal_seconds)} minutes",
        f"and {WORDS[LIMITS.noes_in_a_row]} noes in a row stop all deletion",
        f"at most {WORDS[EVENTS_PER_WINDOW]} in {WORDS[round(EVENT_WINDOW)]} seconds",
        f"{TRIES} one name",
        f"session ends after {IDLE_SECONDS // 60} minutes without use",
        f"after {SESSION_SECONDS // 3600} hours in any case",
    ],
    "docs/hosting.md": [
        f"{TRIES} a name",
        "Losant is asked about it once a minute",
    ],
    "docs/replicas.md": [
        f"a Redis, {'.'.join(map(str, LEAST_VERSION))} or newer",
        f"it counts after {STANDING_SECONDS:g} seconds",
        f"{_minutes(LIFE_SECONDS).capitalize()} minutes later another one tells it",
    ],
}


@pytest.mark.parametrize("page", CLAIMS)
def test_a_page_has_the_figures_of_the_code(page: str) -> None:
    """A limit that changes must change in what people read, too."""
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert [claim for claim in CLAIMS[page] if " ".join(claim.split()) not in text] == []


def test_a_token_is_asked_about_once_a_minute() -> None:
    """As the page about hosting says in words."""
    assert GOOD_SECONDS == 60


def test_the_sandbox_has_what_is_promised(store: Store) -> None:
    """As many events and data tables as a newcomer is told of."""
    [events] = store.rows("SELECT count(*) AS n FROM events")
    [tables] = store.rows("SELECT count(*) AS n FROM data_tables")
    assert (events["n"], tables["n"]) == (EVENTS, 5)
