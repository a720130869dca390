"""A real Chromium, driven by Playwright: the system's own, with a fresh profile for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from losant_mcp.guard.plans import Plan

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox",  # a container's root has no other way
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = Path(__file__).parents[2] / ".build" / "screenshots"

EXECUTABLE = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

needs_chromium = pytest.mark.skipif(
    EXECUTABLE is None, reason="no Chromium here; CHROMIUM names one that PATH does not find"
)

Scheme = Literal["light", "dark"]


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Chromium without a window, with a data folder of its own."""
    assert EXECUTABLE is not None, "guarded by needs_chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=EXECUTABLE, headless=True, args=list(FLAGS)
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def window(
    browser: Browser, scheme: Scheme = "light", *, width: int = 860, quiet: bool = True
) -> AsyncIterator[Page]:
    """A page with cookies of its own.

    Unless ``quiet`` is off, it must have had no reason for a message: a policy that was
    violated, or anything that was not there.
    """
    context = await browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        timezone_id="Europe/Berlin",
    )
    page = await context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    assert messages == [] or not quiet


async def opened(page: Page, file: Path, plan: Plan) -> None:
    """Open the redirect file as the default browser would, and end up on the plan's page."""
    await page.goto(file.as_uri(), wait_until="commit")
    await page.wait_for_url(f"**/approvals/{plan.id}")


async def picture(page: Page, name: str) -> None:
    """Keep how the whole page looks, to be looked at by a person."""
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


async def barriers(page: Page) -> list[tuple[str, Any]]:
    """What axe-core finds: the rule, and where."""
    results = await Axe().run(page)
    found = results.response["violations"]
    return [(rule["id"], [node["html"][:100] for node in rule["nodes"]]) for rule in found]


async def stands_in(page: Page, field: str) -> None:
    """Wait until the browser has put the keyboard on a field, as ``autofocus`` asks it to.

    It does so with one of its next frames, which may come after everything else of the page.
    """
    await expect(page.locator(f"input[name={field}]")).to_be_focused(timeout=30_000)


async def focused(page: Page) -> str:
    """What the keyboard is on: the text of a button, the name of a field."""
    script = "(e => e.name || e.getAttribute('role') || e.textContent)(document.activeElement)"
    return str(await page.evaluate(script)).strip()
