"""Fixtures of the command line: a runner in this process, and logging put back afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from losant_mcp.client import LosantClient
from tests.cli.command import Run, in_process
from tests.cli.kept import Kept
from tests.served import Sandbox


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command sets logging up for its process; the tests share theirs."""
    root, ours = logging.getLogger(), logging.getLogger("losant_mcp")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def on_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The served demo, as the environment's Losant."""
    monkeypatch.setenv("LOSANT_API_URL", sandbox.url)
    monkeypatch.setenv("LOSANT_API_TOKEN", sandbox.tokens["full"])
    monkeypatch.setenv("LOSANT_APPLICATION_ID", sandbox.application_id)
    return sandbox


@pytest.fixture
def kept(
    on_sandbox: Sandbox, losant: LosantClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Kept:
    """A state folder beside the served demo, which the environment names."""
    monkeypatch.setenv("LOSANT_MCP_STATE_DIR", str(tmp_path / "state"))
    return Kept(losant, on_sandbox, tmp_path / "state")


@pytest.fixture
def run() -> Run:
    """Runs a command in this process: ``run("call", "list_events")``."""
    return in_process
