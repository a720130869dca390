"""Opening the page for the person: when, how often, by what, and what the model is told."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from losant_mcp.config import Settings
from losant_mcp.http.approval_page import ApprovalPage
from losant_mcp.http.browser import Browser, has_screen
from losant_mcp.http.redirects import Redirects
from tests.http.asked import Recording, address_of, truncation
from tests.http.conftest import Served

TERMINAL = "`losant-mcp approve` in a terminal on the computer where this server runs"


async def test_the_model_is_told_what_to_tell(served: Served) -> None:
    """Where the page is open, until when, and what to do if it did not come up."""
    plan = await served.add(truncation())
    assert served.page.host is None
    assert await served.page.ask(plan) == (
        "The approval page has been opened in the person's browser. Tell them to decide there"
        f" until 2026-11-18 11:16:40 UTC; or, if no page came up, to run {TERMINAL}."
    )


@pytest.mark.parametrize("browser", [Recording(there=False), Recording(works=False)])
async def test_without_a_browser_the_terminal_is_named(
    served: Served, settings: Settings, browser: Recording
) -> None:
    """No screen, or a browser that does not start: the person is sent to the terminal."""
    plan = await served.add(truncation())
    async with ApprovalPage(
        served.store, served.ledger, settings, served.state_dir, browser=browser
    ) as page:
        for _ in range(2):
            assert await page.ask(plan) == (
                f"No browser could be opened. Tell the person to run {TERMINAL}, until"
                " 2026-11-18 11:16:40 UTC."
            )
    assert not any(file.exists() for file in browser.files)
    assert len(browser.files) <= 1


async def test_the_terminal_is_told_where_the_plans_are(served: Served, tmp_path: Path) -> None:
    """A terminal has other settings than the server, so the command names them."""
    settings = Settings(api_url="http://127.0.0.1:8700", state_dir=tmp_path / "my state")
    async with ApprovalPage(
        served.store, served.ledger, settings, served.state_dir, browser=Recording(there=False)
    ) as page:
        told = await page.ask(await served.add(truncation()))
    assert "losant-mcp approve --api-url http://127.0.0.1:8700 --state-dir " in told
    assert f"{tmp_path / 'my state'}" in told


async def test_asking_again_opens_at_most_once_a_minute(served: Served) -> None:
    """A model that calls again and again does not cover the person in tabs."""
    plan = await served.add(truncation())
    await served.page.ask(plan)
    for _ in range(10):
        served.clock.seconds += 5
        assert "was opened a moment ago" in await served.page.ask(plan)
    served.clock.seconds += 15
    assert "has been opened" in await served.page.ask(plan)
    # The key was not used, so that the same file serves again.
    assert len(served.browser.files) == 2
    assert served.browser.files[0] == served.browser.files[1]
    await served.visitor().enter(served.browser.files[0])
    for _ in range(4):
        served.clock.seconds += 70
        await served.page.ask(plan)
    assert len(served.browser.files) == 2
    served.clock.seconds += 70
    await served.page.ask(plan)
    assert len(served.browser.files) == 3
    assert served.browser.files[2].exists()
    assert served.browser.files[2] != served.browser.files[1]


async def test_the_file_is_for_its_owner_and_goes(served: Served) -> None:
    """Nobody else may read the file, and it is gone once it was used, or at the end."""
    _, used = await served.asked(truncation())
    if os.name != "nt":
        assert stat.S_IMODE(used.stat().st_mode) == 0o600
        assert stat.S_IMODE(used.parent.stat().st_mode) == 0o700
    key = (await address_of(used)).rpartition("/")[2]
    assert key not in str(used)
    await served.visitor().enter(used)
    assert not used.exists()
    async with ApprovalPage(
        served.store,
        served.ledger,
        Settings(),
        served.state_dir,
        browser=(browser := Recording()),
    ) as page:
        await page.ask(await served.add(truncation("Other", arguments="other")))
        [left] = browser.files
        assert left.exists()
    assert not left.exists()


async def test_files_of_a_killed_process_are_swept(served: Served) -> None:
    """What nobody could remove is removed at the next start, once nothing in it works."""
    redirects = Redirects(served.state_dir)
    old, fresh = redirects.write("http://127.0.0.1:1/"), redirects.write("http://127.0.0.1:2/")
    os.utime(old, (time.time() - 700,) * 2)
    redirects.sweep()
    assert not old.exists()
    assert fresh.exists()


async def test_the_page_ends_with_its_server_though_requests_hang(
    served: Served, settings: Settings
) -> None:
    """Half a request keeps nothing alive, and the port is closed."""
    browser = Recording()
    plan = await served.add(truncation())
    async with ApprovalPage(
        served.store, served.ledger, settings, served.state_dir, browser=browser
    ) as page:
        await page.ask(plan)
        assert page.host is not None
        person = served.visitor_of(page.host)
        await person.enter(browser.files[0])
        [cookie] = person.client.cookies.jar
        name, _, port = page.host.partition(":")
        headers = (
            f"POST /approvals/{plan.id} HTTP/1.1\r\nHost: {page.host}\r\n"
            f"Origin: {person.origin}\r\nCookie: {cookie.name}={cookie.value}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\ntok"
        )
        hanging = [await anyio.connect_tcp(name, int(port)) for _ in range(3)]
        for stream, length in zip(hanging, (len(headers), 30, 0), strict=True):
            await stream.send(headers[:length].encode())
        # One that is answered comes after those above, so that the server has seen them.
        assert (await person.get(f"/approvals/{plan.id}")).status_code == 200
        started = time.monotonic()
    assert time.monotonic() - started < 20  # a second; the requests would stay for over a minute
    with pytest.raises(OSError):
        await anyio.connect_tcp(name, int(port))
    for stream in hanging:
        await stream.aclose()
    assert await served.status(plan) == "pending"


# ---- the real thing ------------------------------------------------------------------------


def test_the_browser_gets_the_file_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """BROWSER is started with the file's address, without our token, and silently."""
    page = tmp_path / "approve me.html"
    page.write_text("x", encoding="utf-8")
    noted = tmp_path / "noted"
    script = tmp_path / "browser.py"
    script.write_text(
        "import os, sys\nprint('to standard output'); print('and error', file=sys.stderr)\n"
        f"open({str(noted)!r} + '.part', 'w').write("
        "'|'.join([sys.argv[1], sys.stdin.read(), str('LOSANT_API_TOKEN' in os.environ)]))\n"
        f"os.replace({str(noted)!r} + '.part', {str(noted)!r})\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {script} %s")
    monkeypatch.setenv("LOSANT_API_TOKEN", "secret")
    browser = Browser(patience=30)
    assert browser.is_there()
    assert browser.open(page)
    assert noted.read_text(encoding="utf-8") == f"{page.as_uri()}||False"
    assert capfd.readouterr() == ("", "")


def test_a_browser_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A BROWSER that does not exist opens nothing, and says so."""
    monkeypatch.setenv("BROWSER", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not Browser(patience=30).open(tmp_path / "page.html")


def test_a_browser_in_the_foreground_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that stays until it is closed counts as opened."""
    over = tmp_path / "over"
    script = tmp_path / "browser.py"
    script.write_text(
        f"import os, time\nwhile not os.path.exists({str(over)!r}): time.sleep(0.05)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {script} %s")
    assert Browser(patience=0.3).open(tmp_path / "page.html")
    over.touch()
    for thread in threading.enumerate():
        if thread.name == "browser":
            thread.join(10)
            assert not thread.is_alive()


def test_a_module_in_the_working_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's repository with a file `webbrowser.py` in it runs nothing."""
    caught = tmp_path / "caught"
    (tmp_path / "webbrowser.py").write_text(f"open({str(caught)!r}, 'w')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("BROWSER", f"{sys.executable} -c pass")
    Browser(patience=30).open(tmp_path / "page.html")
    assert not caught.exists()


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_a_screen_is_recognised(environ: dict[str, str], platform: str, expected: bool) -> None:
    """Linux has a screen where it says so; the others always have one."""
    assert has_screen(environ, platform) is expected
