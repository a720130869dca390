"""The approval page and its terminal twin: a plan whose every text from outside is hostile."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.async_api import Browser

from losant_mcp.guard.plans import Plan, Target
from losant_mcp.guard.wording import phrase_for, question, shown_name
from tests.calling import result
from tests.hostile.corpus import CATEGORIES, DIRECTION, INJECTION, MARKUP, SHAPE, TERMINAL
from tests.hostile.inertness import FOREIGN, assert_inert, assert_sentence
from tests.hostile.planting import Planted
from tests.hosting.approving import desk, path_in
from tests.http.asked import TABLE, truncation
from tests.http.chromium import needs_chromium, opened, window
from tests.http.conftest import Served
from tests.served import Sandbox

VOID = {"meta", "link", "input", "br", "path", "img"}


class Page(HTMLParser):
    """A page as a browser reads it: its tags, and which of its text is marked as data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.data: list[str] = []
        self.ours: list[str] = []
        self._open: list[bool] = []
        self.feed(html)
        self.close()
        assert not self._open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element, with all that is in its attributes but the session's token."""
        values = tuple(f"{name}={value}" for name, value in attrs if len(value or "") != 64)
        self.tags.append((tag, values))
        if tag not in VOID:
            is_data = tag in ("bdi", "kbd") or "class=data" in values
            self._open.append(is_data)

    def handle_endtag(self, tag: str) -> None:
        """Leave the element."""
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Keep the text, apart by whether an element around it says that it is data."""
        (self.data if any(self._open) else self.ours).append(data)


def _plan(texts: tuple[str, ...]) -> Plan:
    """A plan that says these texts wherever it can."""
    name = (" ".join(texts))[:255]
    plan = truncation(name)
    plan = replace(plan, target=Target("data table", TABLE, name, plan.target.created))
    cells = {text[:255]: text for text in texts}
    return replace(
        plan,
        phrase=phrase_for(plan.target, ambiguous=False),
        operation=replace(
            plan.operation,
            selection={"query": {text[:255]: [text] for text in texts}},
            change=cells,
            notify={"email": texts[0][:255]},
        ),
        shown=replace(plan.shown, samples=(cells, cells, cells), former_names=texts),
    )


_HARMLESS = tuple(f"`plain` \u0455 {number}" for number in range(40))


@pytest.mark.parametrize("category", CATEGORIES)
async def test_the_page_keeps_its_structure(served: Served, category: str) -> None:
    """No element but ours, and hostile text only where an element says that it is data."""
    texts = CATEGORIES[category]
    pages: list[Page] = []
    for chosen in (_HARMLESS[: len(texts)], texts):
        plan = replace(_plan(chosen), arguments=f"digest {len(pages)}")
        plan, file = await served.asked(plan, chosen[0])
        html = (await served.visitor().enter(file)).text
        assert_inert(html)
        pages.append(Page(html))
        assert await served.status(plan) == "pending"
    harmless, hostile = pages
    assert set(hostile.tags) <= set(harmless.tags)
    for tag in ("form", "input", "button", "h1", "h2", "section", "label", "a"):
        assert _count(hostile, tag) == _count(harmless, tag), tag
    ours = " ".join(hostile.ours)
    assert not [words for words in FOREIGN if words in ours]
    assert sum(map(len, hostile.data)) < 100_000


def _count(page: Page, tag: str) -> int:
    return sum(name == tag for name, _ in page.tags)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_form_asks_in_our_words(category: str) -> None:
    """A name is quoted in the question, and no more of anything is in it."""
    for text in CATEGORIES[category]:
        plan = _plan((text,))
        asked = question(plan)
        assert_sentence(asked)
        harmless = question(_plan(("`plain`",)))
        begins, ends = asked.partition("\u201c")[0], asked.rpartition("\u201d")[2]
        assert begins == harmless.partition("\u201c")[0]
        if plan.phrase != text:
            assert ends == harmless.rpartition("\u201d")[2]


async def test_an_approvers_pages_show_names_as_data(
    sandbox: Sandbox, planted: Planted, tmp_path: Path
) -> None:
    """On a hosted server the list of what waits, and the page of each question in it."""
    chosen = (INJECTION[1], MARKUP[0], MARKUP[3], TERMINAL[0], DIRECTION[0])
    async with desk(sandbox, tmp_path) as at, at.visitor() as anna:
        async with at.host.client(at.host.keys.add("alice", "full")) as client:
            asked = [
                await result(client, "delete_data_table", dataTableId=planted.named(text))
                for text in chosen
            ]
        await anna.log_in()
        for path in ("/approvals", *map(path_in, asked)):
            html = (await anna.get(path)).text
            assert_inert(html)
            page = Page(html)
            assert not [words for words in FOREIGN if words in " ".join(page.ours)], path
            assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "system"})
            shown = len(chosen) if path == "/approvals" else 1
            assert sum(shown_name(text)[:20] in " ".join(page.data) for text in chosen) == shown


@needs_chromium
@pytest.mark.xdist_group("chromium")
async def test_a_browser_runs_and_fetches_nothing(served: Served, browser: Browser) -> None:
    """Of markup, scripts and styles in every place, a real browser makes text."""
    plan, file = await served.asked(_plan((*MARKUP, *DIRECTION, *SHAPE)), MARKUP[0])
    asked_for: list[str] = []
    dialogs: list[str] = []
    async with window(browser) as page:
        page.on("request", lambda request: asked_for.append(request.url))
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        await opened(page, file, plan)
        await page.get_by_role("heading", name="Your decision").wait_for()
        assert await page.locator("script, img, iframe, base, object, embed").count() == 0
    assert dialogs == []
    assert asked_for
    assert all(url.startswith(("file:", f"http://{served.page.host}/")) for url in asked_for)
    assert await served.status(plan) == "pending"
