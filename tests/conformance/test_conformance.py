"""MCP's own conformance suite, over HTTP, on both revisions of the protocol.

The product ships none of the tools, prompts and resources that most scenarios call; the baselines
say which those are. With them added, every scenario passes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from losant_mcp.hosting import tenants
from losant_mcp.resources.spec import RESOURCES
from tests.cli.command import started
from tests.conformance import grafting
from tests.conformance.suite import REQUIRED, judge
from tests.hosting.serving import served
from tests.node import needs_suite
from tests.served import Sandbox

HERE = Path(__file__).parent
WITHOUT_FIXTURES = {"2025-11-25": 8, "2026-07-28": 10}
"""How many required scenarios call nothing that only the suite's own server has."""


@contextmanager
def _product(folder: Path) -> Iterator[str]:
    """The URL of `losant-mcp serve`, as a process of its own that ends in order at a signal."""
    with started(
        *("serve", "--sandbox", "--http", "127.0.0.1:0", "--auth", "none"),
        *("--state-dir", str(folder / "state"), "--log-level", "warning"),
    ) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()
    assert os.name == "nt" or server.returncode == 0


@needs_suite
# What the earlier revision has is deprecated, and tried all the same.
@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
async def test_the_server_object_passes_every_scenario(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the suite's fixtures added there is no failure, no warning and no baseline."""
    monkeypatch.setattr(tenants, "build_server", grafting.build_grafted)
    for name, spec in grafting.RESOURCES.items():
        monkeypatch.setitem(RESOURCES, name, spec)
    async with served(sandbox, tmp_path) as host:
        reports = await judge(f"{host.url}/mcp", tmp_path)
    for revision, report in reports.items():
        assert report.failed == {}, revision
        assert report.exit_code == 0, report.output
    assert {revision: len(report.required) for revision, report in reports.items()} == REQUIRED
    assert reports["2026-07-28"].beyond["http-custom-header-server-validation"] == []


@needs_suite
async def test_the_product_fails_only_where_it_has_no_fixture(tmp_path: Path) -> None:
    """A failure that the baseline does not name fails the run, and so does a name that passes."""
    with _product(tmp_path) as url:
        reports = await judge(url, tmp_path, baselines=HERE)
    for report in reports.values():
        assert report.exit_code == 0, report.output
    assert {revision: len(report.required) for revision, report in reports.items()} == REQUIRED
    whole = {r: len(report.required) - len(report.failed) for r, report in reports.items()}
    assert whole == WITHOUT_FIXTURES
    # Not required of a server at their revision, and without a need of fixtures.
    assert reports["2025-11-25"].beyond["server-session-lifecycle"] == []
    assert reports["2026-07-28"].beyond["http-header-validation"] == []


@pytest.mark.parametrize("revision", REQUIRED)
def test_everything_that_is_expected_to_fail_has_its_reason(revision: str) -> None:
    """A name alone would not say that only a fixture is missing."""
    lines = (HERE / f"baseline-{revision}.yml").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if not line.startswith("#") and line != "server:"]
    assert entries
    assert [line for line in entries if not re.fullmatch(r"  - \S+ # .+", line)] == []
