"""The page in a real browser: from the redirect file to the decision, by keyboard alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page

from losant_mcp.guard.pin import set_pin
from losant_mcp.guard.plans import Operation, Plan, PlannedSet, Target
from tests.http.asked import APPLICATION, deletion, hostile, truncation
from tests.http.chromium import (
    Scheme,
    barriers,
    focused,
    needs_chromium,
    opened,
    picture,
    stands_in,
    window,
)
from tests.http.conftest import Served

pytestmark = [needs_chromium, pytest.mark.xdist_group("chromium")]

SCHEMES: list[Scheme] = ["light", "dark"]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_name_typed_by_keyboard_approves(
    served: Served, browser: Browser, scheme: Scheme
) -> None:
    """From the file in the browser to the approved plan without touching a mouse."""
    plan, file = await served.asked(truncation())
    async with window(browser, scheme) as page:
        await opened(page, file, plan)
        assert await page.title() == "DELETE all 3,000 rows? Approve or decline – losant-mcp"
        await picture(page, f"table-{scheme}")
        stops = []
        for _ in range(4):
            await page.keyboard.press("Tab")
            stops.append(await focused(page))
        assert stops == [
            "group",
            "Decline: change nothing",
            "phrase",
            "Approve: DELETE all 3,000 rows",
        ]
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.type("Site")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        assert (await page.title()).startswith("Error: ")
        await stands_in(page, "phrase")
        await picture(page, f"table-wrong-{scheme}")
        assert await served.status(plan) == "pending"
        await page.keyboard.type("Sites")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Approved").wait_for()
        await picture(page, f"table-approved-{scheme}")
    assert await served.status(plan) == "approved"


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_decline_by_keyboard_changes_nothing(
    served: Served, browser: Browser, scheme: Scheme
) -> None:
    """Decline is the first button that the keyboard reaches, and Enter is enough."""
    plan, file = await served.asked(deletion())
    async with window(browser, scheme) as page:
        await opened(page, file, plan)
        await picture(page, f"event-{scheme}")
        for _ in range(2):
            await page.keyboard.press("Tab")
        assert await focused(page) == "Decline: change nothing"
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Declined").wait_for()
        await picture(page, f"event-declined-{scheme}")
    assert await served.status(plan) == "declined"


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_nothing_bars_anybody_from_reading_and_deciding(
    served: Served, browser: Browser, scheme: Scheme
) -> None:
    """Contrast, labels, headings and landmarks of every page pass axe-core, at any width."""
    plan, file = await served.asked(_change("Pumps and the valves behind them"))
    async with window(browser, scheme, width=360) as page:
        await opened(page, file, plan)
        await picture(page, f"narrow-{scheme}")
        assert await barriers(page) == []
        assert await _overflow(page) == 0
        await page.get_by_label("Type").fill("wrong")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        assert await barriers(page) == []
        await page.get_by_role("button", name="Decline").click()
        await page.get_by_role("heading", name="Declined").wait_for()
        assert await barriers(page) == []


async def test_hostile_text_stays_text(served: Served, browser: Browser) -> None:
    """Names and cells full of markup, scripts, overrides and piled-up accents change nothing."""
    plan, file = await served.asked(hostile())
    async with window(browser) as page:
        await opened(page, file, plan)
        await picture(page, "hostile")
        assert await page.locator("script, img, iframe, link, object, marquee").count() == 0
        assert await page.locator("form").count() == 2
        assert await page.locator("h1").inner_text() == "DELETE all 3,000 rows"
        assert await page.locator("kbd").inner_text() == "delete 72e609"
        assert await _overflow(page) == 0
        assert await barriers(page) == []


async def test_the_pin_is_asked_for_and_counts(served_with_pin: Served, browser: Browser) -> None:
    """A wrong PIN is told, and the right one approves."""
    served = served_with_pin
    await set_pin(served.store, "correct horse")
    plan, file = await served.asked(deletion())
    async with window(browser) as page:
        await opened(page, file, plan)
        await page.get_by_label("Your approval PIN").fill("battery staple")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        await stands_in(page, "pin")
        await picture(page, "pin-wrong")
        assert await barriers(page) == []
        await page.keyboard.type("correct horse")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Approved").wait_for()
        await picture(page, "pin-approved")
    decided = await served.store.plan(plan.id)
    assert decided is not None
    assert (decided.status, decided.way) == ("approved", "pin")


def _change(name: str) -> Plan:
    """A plan to change events, with what the assistant chose."""
    plan = truncation(name)
    return replace(
        plan,
        operation=Operation(
            "update_events",
            APPLICATION,
            APPLICATION,
            selection={"query": {"$and": [{"level": "critical"}, {"subject": {"$ne": None}}]}},
            change={"state": "resolved", "comment": "Cleaned up after the storm of last night"},
        ),
        target=Target("events", APPLICATION, name, "2024-01-01T00:00:00.000Z"),
        planned=PlannedSet(312),
        shown=replace(
            plan.shown, breakdown={"level": {"critical": 12, "warning": 300}}, not_restorable=()
        ),
        verb="CHANGE 312 events",
        destroys=0,
    )


async def _overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    script = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    return int(await page.evaluate(script))
