"""The hosted page in a real browser: login, list and decision by keyboard, without a barrier."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.calling import result
from tests.hosting.approving import PASSPHRASE, WRONG, ask, desk, link_in, path_in
from tests.http.chromium import Scheme, barriers, needs_chromium, picture, stands_in, window
from tests.served import Sandbox

pytestmark = [needs_chromium, pytest.mark.xdist_group("chromium")]

SCHEMES: list[Scheme] = ["light", "dark"]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_approver_decides_by_keyboard(
    sandbox: Sandbox, tmp_path: Path, browser: Browser, scheme: Scheme
) -> None:
    """From the address that the model was told to the yes, with no barrier on the way."""
    async with (
        desk(sandbox, tmp_path) as at,
        at.host.client(at.host.keys.add("alice", "full")) as client,
        # A refused login is an error to the browser's console.
        window(browser, scheme, width=420, quiet=False) as page,
    ):
        arguments, answer = await ask(client)
        await page.goto(link_in(answer))
        assert await page.title() == "Log in to approve – losant-mcp"
        await stands_in(page, "name")
        assert await barriers(page) == []
        await picture(page, f"hosted-login-{scheme}")
        await page.keyboard.type("anna")
        await page.keyboard.press("Tab")
        await page.keyboard.type(WRONG)
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        assert await barriers(page) == []
        await stands_in(page, "name")
        await page.keyboard.type("anna")
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSPHRASE)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="DELETE this event").wait_for()
        assert page.url.endswith(path_in(answer))
        assert await barriers(page) == []
        await picture(page, f"hosted-plan-{scheme}")
        await page.get_by_role("link", name="Everything that waits").press("Enter")
        await page.get_by_role("heading", name="One question waits for you").wait_for()
        assert await barriers(page) == []
        await picture(page, f"hosted-list-{scheme}")
        await page.get_by_role("link", name="DELETE this event").press("Enter")
        await page.get_by_role("button", name="Yes, DELETE this event").press("Enter")
        await page.get_by_role("heading", name="Approved").wait_for()
        assert await barriers(page) == []
        done = await result(client, "delete_event", **arguments, approvalId=answer["approvalId"])
        assert done["status"] == "done"
        await page.get_by_role("button", name="Log out").press("Enter")
        await page.get_by_label("Your passphrase").wait_for()
        assert await page.context.cookies() == []


async def test_a_link_on_another_site_leads_to_the_plan(
    sandbox: Sandbox, tmp_path: Path, browser: Browser
) -> None:
    """Who is logged in and follows it sees the plan at once, though the cookie is strict."""
    async with (
        desk(sandbox, tmp_path) as at,
        at.host.client(at.host.keys.add("alice", "full")) as client,
        window(browser) as page,
    ):
        _, answer = await ask(client)
        await page.goto(f"{at.host.url}/approvals")
        await page.get_by_label("Your name").fill("anna")
        await page.get_by_label("Your passphrase").fill(PASSPHRASE)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="One question waits for you").wait_for()
        chat = f'<meta charset="utf-8"><a href="{link_in(answer)}">the approval page</a>'
        await page.route(
            "http://chat.example/",
            lambda route: route.fulfill(body=chat, content_type="text/html"),
        )
        await page.goto("http://chat.example/")
        await page.get_by_role("link").click()
        await page.get_by_role("heading", name="DELETE this event").wait_for()
