"""`losant-mcp demo`: it works, it reads well, and it fails loudly."""

from __future__ import annotations

import click
import pytest

from losant_mcp.cli import demo
from losant_mcp.cli.person import Person
from losant_mcp.cli.screen import WIDTH, Screen
from losant_mcp.cli.steps import STEPS
from losant_mcp.cli.table import display_width
from losant_mcp.cli.tour import Failed, Tour, find_most_severe
from tests.calling import Connect
from tests.cli.command import Run, as_process
from tests.served import Sandbox


def test_the_tour_runs_to_its_end() -> None:
    """A newcomer sees every step, in 80 columns and without colours where nobody would see them."""
    ended = as_process("demo", timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert "\x1b" not in ended.stdout
    headings = [line for line in ended.stdout.splitlines() if line[:1].isdigit()]
    assert len(headings) == len(STEPS) + 1
    too_wide = [
        line
        for line in ended.stdout.splitlines()
        if display_width(line) > WIDTH and not line.startswith("   $ ")
    ]
    assert not too_wide
    assert "Alder Street Pump 1" in ended.stdout
    assert "closed without an answer. Nothing was changed." in ended.stdout
    assert ended.stdout.count("parts has 300 rows.") == 2
    assert ended.stdout.count("parts has 0 rows.") == 1


def test_a_server_that_does_not_start_is_a_failed_demo(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is not 0, and standard error says why."""
    monkeypatch.setattr(demo, "ARGUMENTS", ["-c", "raise SystemExit(3)"])
    ended = run("demo")
    assert ended.exit_code == 1
    assert "the demo failed" in ended.stderr


async def test_a_step_that_finds_nothing_fails(connect: Connect, sandbox: Sandbox) -> None:
    """A step does not pass over what it was to show."""
    client = await connect()
    with sandbox.store.transaction(write=True) as db:
        db.execute("DELETE FROM events")
    screen = Screen(color=False)
    with pytest.raises(Failed, match="no event is new"):
        await find_most_severe(Tour(client, screen, Person(screen)))


@pytest.mark.parametrize("color", [False, True])
def test_colours_only_where_they_are_welcome(
    capsys: pytest.CaptureFixture[str], color: bool
) -> None:
    """The screen writes escapes only when it is told that they are welcome."""
    screen = Screen(color=color)
    screen.step("Connect")
    screen.call("list_events", {"perPage": 5})
    screen.result("5 of 468")
    assert screen.styled("x", bold=True) == (click.style("x", bold=True) if color else "x")
    assert "> list_events" in capsys.readouterr().out
