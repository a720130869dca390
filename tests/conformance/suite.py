"""MCP's own conformance suite, run against a URL, and what it found.

The suite leaves a folder per scenario with its checks as JSON, and brings along which scenarios
a revision of the protocol requires; the others it only runs. It judges by them, too; they are read
once more, since an exit code of 0 does not say that anything was tried.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio

from tests.node import PROGRAM, REQUIREMENTS, SUITE

Revision = Literal["2025-11-25", "2026-07-28"]

REQUIRED: dict[Revision, int] = {"2025-11-25": 30, "2026-07-28": 37}
"""How many scenarios each revision requires of a server."""

SECONDS = 120

_FOLDER = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
_REQUIRED = re.compile(r"^server:\n((?:  - .+\n)+)", re.MULTILINE)


@dataclass(frozen=True)
class Report:
    """What a run found: for each scenario its checks that are not met, in words."""

    exit_code: int
    output: str
    required: dict[str, list[str]]
    beyond: dict[str, list[str]]

    @property
    def failed(self) -> dict[str, list[str]]:
        """The required scenarios that did not pass whole, and why."""
        return {name: problems for name, problems in self.required.items() if problems}


async def judge(url: str, folder: Path, *, baselines: Path | None = None) -> dict[Revision, Report]:
    """Try the server at the URL on both revisions at once, as two clients of different age would.

    ``folder`` takes the suite's own files; ``baselines`` has a ``baseline-REVISION.yml`` for each,
    with what is expected to fail.
    """
    reports: dict[Revision, Report] = {}

    async def run(revision: Revision) -> None:
        expected: tuple[str, ...] = ()
        if baselines:
            expected = ("--expected-failures", str(baselines / f"baseline-{revision}.yml"))
        done = await anyio.run_process(
            [
                *(str(PROGRAM), str(SUITE), "server", "--url", url),
                *("--requirements", revision, "--output-dir", str(folder / revision)),
                *expected,
            ],
            check=False,
        )
        output = (done.stdout + done.stderr).decode()
        reports[revision] = _report(done.returncode, output, folder / revision, revision)

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            for revision in REQUIRED:
                tasks.start_soon(run, revision)
    return reports


def _report(exit_code: int, output: str, folder: Path, revision: Revision) -> Report:
    names = ((path, _FOLDER.fullmatch(path.name)) for path in sorted(folder.iterdir()))
    found = {name[1]: _problems(path) for path, name in names if name}
    needed = _needed(revision)
    return Report(
        exit_code,
        output,
        {name: problems for name, problems in found.items() if name in needed},
        {name: problems for name, problems in found.items() if name not in needed},
    )


def _needed(revision: Revision) -> set[str]:
    """What a server must pass, as the suite itself has it."""
    text = (REQUIREMENTS / f"{revision}.yaml").read_text(encoding="utf-8")
    listed = _REQUIRED.search(text)
    assert listed, "the suite writes its requirements in another way"
    return set(listed[1].replace("  - ", "").split())


def _problems(folder: Path) -> list[str]:
    """The checks of a scenario that are not met; also where none is, so that nothing was shown."""
    checks = json.loads((folder / "checks.json").read_text(encoding="utf-8"))
    unmet = [
        f"{check['id']}: {check['status']} {check.get('errorMessage', '')}"
        for check in checks
        if check["status"] not in ("SUCCESS", "INFO")
    ]
    met = any(check["status"] == "SUCCESS" for check in checks)
    return unmet if unmet or met else ["nothing was checked"]
