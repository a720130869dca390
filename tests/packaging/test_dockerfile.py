"""The Dockerfile, as far as it can be checked without an engine, and its health check."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.packaging.running import ROOT, run, tool

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STEPS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", TEXT)).splitlines()
    if line.strip()
]
HEALTH = ROOT / "packaging" / "docker" / "health.py"


def arguments_of(instruction: str) -> list[str]:
    """What follows each instruction of this kind."""
    return [rest for name, rest in STEPS if name == instruction]


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    """Every source is in the checkout, and .dockerignore, which hides all else, lets it in."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for rest in arguments_of("COPY")
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert "*" in lines
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_the_base_is_pinned_by_its_tag() -> None:
    """Both stages stand on one version of Python and of Debian, which the package supports."""
    bases = {rest.split()[0] for rest in arguments_of("FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.1[1-4]-slim-[a-z]+", bases.pop())


def test_everything_is_installed_by_hash() -> None:
    """pip takes what the locks name, or no index at all."""
    installs = re.findall(r"pip (?:install|wheel) [^&]*", " && ".join(arguments_of("RUN")))
    assert len(installs) == 4
    assert all(
        "--require-hashes" in install
        or "--no-index" in install
        or {"--no-deps", "--no-build-isolation"} <= set(install.split())
        for install in installs
    )


def test_it_runs_as_nobody_and_speaks_stdio() -> None:
    """The last stage has a user without rights, and starts the server."""
    last = STEPS[max(at for at, (name, _) in enumerate(STEPS) if name == "FROM") :]
    [user] = [rest for name, rest in last if name == "USER"]
    assert int(user) > 0
    assert ("ENTRYPOINT", '["losant-mcp"]') in last
    assert ("CMD", '["serve"]') in last
    assert any(name == "HEALTHCHECK" and HEALTH.name in rest for name, rest in last)


def test_hadolint_finds_nothing() -> None:
    """The linter of Dockerfiles has no complaint."""
    told = run([tool("hadolint"), ROOT / "Dockerfile"], check=False)
    assert told.returncode == 0, told.stdout


def is_well(*arguments: str, **variables: str) -> bool:
    """Whether the health check says so."""
    return (
        run([sys.executable, HEALTH, *arguments], check=False, variables=variables).returncode == 0
    )


@pytest.mark.skipif(not os.path.isdir("/proc/1"), reason="a container has /proc")  # noqa: PTH112
def test_over_stdio_a_container_is_well_while_its_process_runs() -> None:
    """The check sees a process that runs, and one that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_well(str(process.pid))
    process.communicate(b"\n", timeout=30)
    assert not is_well(str(process.pid))


class _Hosted(BaseHTTPRequestHandler):
    """Answers as a hosted server's /healthz does, or as one that is starting."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on standard error."""


def test_over_http_a_container_is_well_while_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an address, the check asks there; an error and silence are not well."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hosted) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        address = f"0.0.0.0:{server.server_port}"
        assert is_well(LOSANT_MCP_HTTP=address)
        monkeypatch.setattr(_Hosted, "status", 503)
        assert not is_well(LOSANT_MCP_HTTP=address)
        server.shutdown()
        thread.join()
    assert not is_well(LOSANT_MCP_HTTP=address)
    assert not is_well(LOSANT_MCP_HTTP="nonsense")
