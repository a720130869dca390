"""``python -m tests.documents.pictures`` draws the documentation's pictures anew.

The demo as a terminal shows it and the approval page are photographed in Chromium, the chart is
``render_chart``'s own.
"""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import anyio
from playwright.async_api import Browser

from tests.cli.command import as_process
from tests.documents.parts import ROOT
from tests.http.chromium import SCREENSHOTS, launched, window

IMAGES = ROOT / "docs" / "images"

STEPS = {
    "demo-digest": "What happened in the last 24 hours?",
    "demo-sql": "Which sites had many severe events",
    "demo-guard": "It tries again, and this time you agree",
}
"""Each picture, and the beginning of the step that it shows."""

CHART = (
    '{"kind": "bar", "start": "-24h", "colour": "level", "title": "The night of the storm",'
    ' "sql": "SELECT date_trunc(\'hour\', creationDate) AS hour, level, count(*) AS events'
    ' FROM events GROUP BY ALL"}'
)

PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #10151b; }}
pre {{ margin: 0; padding: 18px 22px; display: inline-block; color: #dbe2ea;
  font: 15px/1.4 "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace; }}
b {{ color: #fff; }} i {{ color: #6cc7e0; font-style: normal; }}
</style><pre>{text}</pre>"""


async def draw() -> None:
    """Draw all of them; the approval page's comes from the last run of its own tests."""
    IMAGES.mkdir(exist_ok=True)
    told = as_process("demo", timeout=120)
    assert told.returncode == 0, told.stderr
    async with launched() as browser:
        for name, heading in STEPS.items():
            await _photograph(browser, step(told.stdout, heading), IMAGES / f"{name}.png")
    chart = as_process(
        "call", "--sandbox", "render_chart", CHART, "--image", str(IMAGES / "chart.png")
    )
    assert chart.returncode == 0, chart.stderr
    shutil.copyfile(SCREENSHOTS / "table-light.png", IMAGES / "approval-page.png")


def step(text: str, heading: str) -> str:
    """The part of the demo's output that begins with this heading."""
    steps = re.split(r"\n(?=\d+\. )", text)
    [found] = [part for part in steps if part.partition(". ")[2].startswith(heading)]
    return found.strip()


async def _photograph(browser: Browser, text: str, path: Path) -> None:
    lines = []
    for number, line in enumerate(html.escape(text).splitlines()):
        tag = "b" if not number else "i" if line.startswith("   &gt;") else ""
        lines.append(f"<{tag}>{line}</{tag}>" if tag else line)
    async with window(browser, width=1000) as page:
        await page.set_content(PAGE.format(text="\n".join(lines)))
        await page.locator("pre").screenshot(path=path)


if __name__ == "__main__":
    anyio.run(draw)
