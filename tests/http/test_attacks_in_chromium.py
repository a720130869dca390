"""What other pages of the same browser can do to an open question: nothing.

Playwright serves the hostile pages, on another site and on another port of this machine, so that
the browser believes in their origins and no network is needed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route

from losant_mcp.guard.plans import Plan
from tests.http.asked import truncation
from tests.http.chromium import needs_chromium, opened, window
from tests.http.conftest import Served

pytestmark = [needs_chromium, pytest.mark.xdist_group("chromium")]

# Another site, and what a browser takes for the same site: another port of the same host.
ELSEWHERE = ["http://evil.example/", "http://127.0.0.1:9/", "http://localhost:9/"]


async def _visit(page: Page, address: str, markup: str) -> Page:
    """A second tab of the same browser, on a hostile page."""

    async def serve(route: Route) -> None:
        await route.fulfill(
            body=f"<!doctype html><title>evil</title>{markup}", content_type="text/html"
        )

    tab = await page.context.new_page()
    await tab.route(address, serve)
    await tab.goto(address)
    return tab


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_a_form_of_another_page_decides_nothing(
    served: Served, browser: Browser, address: str
) -> None:
    """With the person's cookie in the browser and the token known, a forged form is refused."""
    plan, file = await served.asked(truncation())
    async with window(browser, quiet=False) as page:
        await opened(page, file, plan)
        target = page.url
        token = await page.locator('input[name="token"]').first.get_attribute("value")
        tab = await _visit(
            page,
            address,
            f'<form method="post" action="{target}"><input name="token" value="{token}">'
            '<input name="decision" value="approve"><input name="phrase" value="Sites">'
            "<button>Win a prize</button></form>",
        )
        async with tab.expect_response(target) as answer:
            await tab.get_by_role("button").click()
        assert (await answer.value).status == 404
    assert await served.status(plan) == "pending"


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_the_page_cannot_be_framed_fetched_or_opened_by_another(
    served: Served, browser: Browser, address: str
) -> None:
    """Neither a frame, nor a script, nor a window of another page gets to see the question."""
    plan, file = await served.asked(truncation())
    async with window(browser, quiet=False) as page:
        await opened(page, file, plan)
        target = page.url
        tab = await _visit(
            page, address, f'<iframe src="{target}"></iframe><a href="{target}">x</a>'
        )
        for frame in tab.frames[1:]:
            assert "3,000" not in await frame.content()
        fetched = await tab.evaluate(
            "url => fetch(url, {credentials: 'include'}).then(r => r.text(), e => 'refused')",
            target,
        )
        assert fetched == "refused"
        sent = await tab.evaluate(
            "url => fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include',"
            " body: new URLSearchParams({decision: 'approve', phrase: 'Sites'})})"
            ".then(r => r.type, e => 'refused')",
            target,
        )
        assert sent in ("opaque", "refused")
        async with tab.expect_response(target) as answer:
            await tab.get_by_role("link").click()
        assert (await answer.value).status == 404
    assert await served.status(plan) == "pending"


async def test_back_and_reload_show_how_it_was_decided(served: Served, browser: Browser) -> None:
    """The form does not come back: not by the back button, not by a reload."""
    plan, file = await served.asked(truncation())
    async with window(browser) as page:
        await opened(page, file, plan)
        await page.get_by_role("button", name="Decline").click()
        await page.get_by_role("heading", name="Declined").wait_for()
        await page.reload()
        assert await page.get_by_role("heading", name="Declined").is_visible()
        await page.go_back()
        assert await page.locator("form").count() == 0
    assert await served.status(plan) == "declined"
    assert len(served.audit()) == 1


async def test_a_form_left_open_in_another_tab_changes_nothing(
    served: Served, browser: Browser
) -> None:
    """A yes that is typed in a second tab after the no in the first one comes too late."""
    plan, file = await served.asked(truncation())
    async with window(browser) as page:
        await opened(page, file, plan)
        tab = await page.context.new_page()
        await tab.goto(page.url)
        await page.get_by_role("button", name="Decline").click()
        await page.get_by_role("heading", name="Declined").wait_for()
        await tab.get_by_label("Type").fill("Sites")
        await tab.keyboard.press("Enter")
        await tab.get_by_role("heading", name="Declined").wait_for()
    assert await served.status(plan) == "declined"


async def test_the_cookie_is_strict_and_out_of_reach(served: Served, browser: Browser) -> None:
    """The browser keeps it HttpOnly, SameSite=Strict, for this plan's path; the key is spent."""
    plan, file = await served.asked(truncation())
    async with window(browser) as page:
        await opened(page, file, plan)
        [cookie] = await page.context.cookies(page.url)
        assert await page.evaluate("document.cookie") == ""
        # The entry left no address with a key in the history behind the page.
        assert await page.evaluate("document.referrer") == ""
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["path"] == _path(plan)
    assert not _exists(file)


def _path(plan: Plan) -> str:
    return f"/approvals/{plan.id}"


def _exists(file: Path) -> bool:
    return file.exists()
