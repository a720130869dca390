"""Callers with Losant tokens of their own: checked, kept for a while, and never mixed up."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from losant_mcp.client import LosantClient
from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.hosting import callers
from losant_mcp.hosting.address import parse_address
from losant_mcp.hosting.app import check_hosting
from losant_mcp.hosting.callers import NotAuthorized, TokenHolders, Undecided
from losant_mcp.policy import Policy
from tests.calling import Mode, asked, result
from tests.hosting.serving import held_up, message_of, served, until
from tests.served import Sandbox


def _dial(token: SecretStr, policy: Policy, label: str, *, url: str) -> LosantClient:
    return LosantClient(token, base_url=url, policy=policy, label=label, retry_wait_scale=0)


def _jwt(**claims: object) -> str:
    parts = ({"alg": "HS256"}, claims)
    head, body = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts)
    return f"{head.rstrip('=')}.{body.rstrip('=')}.c2lnbmF0dXJl"


async def test_each_token_reaches_what_it_may(sandbox: Sandbox, tmp_path: Path, mode: Mode) -> None:
    """The server acts with the caller's own token, whose scopes Losant checks."""
    async with served(sandbox, tmp_path, token=None, auth="losant") as host:
        async with host.client(sandbox.tokens["full"], mode) as client:
            status = await result(client, "get_server_status")
            assert status["hosting"]["auth"] == "losant"
            assert status["hosting"]["caller"].startswith("token-")
            done = await result(client, "create_event", subject="hosted", level="info")
            assert done["event"]["subject"] == "hosted"
        async with host.client(sandbox.tokens["read"], mode) as client:
            assert (await result(client, "list_events"))["total"] > 0
            refused = await client.call_tool("create_event", {"subject": "x", "level": "info"})
            assert refused.is_error


@pytest.mark.parametrize("kind", ["none", "expired", "strange", "no-jwt", "client-key"])
async def test_a_token_that_is_none_is_refused_unasked(
    sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    """Its shape and its end are seen here; Losant is not troubled with it."""
    given = {
        "none": None,
        "expired": sandbox.tokens["expired"],
        "strange": "a.b.c",
        "no-jwt": "0123456789abcdef",
        "client-key": "lmk_" + "a" * 43,
    }[kind]
    async with served(sandbox, tmp_path, token=None, auth="losant") as host:
        before = len(sandbox.requests)
        answer = await host.listing(given)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert len(sandbox.requests) == before


async def test_a_token_that_losant_does_not_know_is_refused(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A token of the right shape is nothing yet; it is asked about once in a while."""
    forged = _jwt(subtype="user", scope=["all.User"], exp=4_000_000_000)
    async with served(sandbox, tmp_path, token=None, auth="losant") as host:
        for _ in range(3):
            answer = await host.listing(forged)
            assert answer.status_code == 401
            assert message_of(answer) == "Losant does not know this token."
        assert len(sandbox.requests) == 1


async def test_a_token_is_checked_once_for_a_while(sandbox: Sandbox, tmp_path: Path) -> None:
    """However many requests come with it at the same time."""
    async with served(sandbox, tmp_path, token=None, auth="losant") as host:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(host.listing, sandbox.tokens["full"])
        assert asked(sandbox) == ["application.get"]


async def test_a_verdict_is_kept_for_a_minute_and_no_longer(sandbox: Sandbox) -> None:
    """So that a token which was withdrawn ends soon, and a wrong one is not asked about often."""
    now = 1000.0
    settings = Settings(api_url=sandbox.url, application_id=sandbox.application_id)
    holders = TokenHolders(
        settings, lambda *given: _dial(*given, url=sandbox.url), clock=lambda: now
    )
    for seconds, requests in ((0, 1), (59, 1), (2, 2)):
        now += seconds
        await holders.identify(sandbox.tokens["full"])
        assert len(sandbox.requests) == requests
    forged = _jwt(subtype="user")
    for seconds, requests in ((0, 3), (9, 3), (2, 4)):
        now += seconds
        with pytest.raises(NotAuthorized):
            await holders.identify(forged)
        assert len(sandbox.requests) == requests


async def test_how_many_verdicts_are_kept_is_bounded(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries tokens without end fills no memory, and pushes out the oldest."""
    monkeypatch.setattr(callers, "MOST_VERDICTS", 2)
    settings = Settings(api_url=sandbox.url, application_id=sandbox.application_id)
    holders = TokenHolders(settings, lambda *given: _dial(*given, url=sandbox.url))
    for number in (1, 2, 3, 3, 1):
        with pytest.raises(NotAuthorized):
            await holders.identify(_jwt(subtype="user", n=number))
    assert len(sandbox.requests) == 4


async def test_a_crowd_of_strangers_keeps_no_regular_out(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who tries token after token fills a line in which nobody stands who was known before."""
    monkeypatch.setattr(callers, "MOST_CHECKS", 1)
    monkeypatch.setattr(callers, "MOST_WAITING", 1)
    now = 1000.0
    settings = Settings(api_url=sandbox.url, application_id=sandbox.application_id)
    holders = TokenHolders(
        settings, lambda *given: _dial(*given, url=sandbox.url), clock=lambda: now
    )
    await holders.identify(sandbox.tokens["full"])
    now += 61

    async def stranger(number: int) -> None:
        with pytest.raises(NotAuthorized):
            await holders.identify(_jwt(subtype="user", n=number))

    async with anyio.create_task_group() as tasks:
        with held_up(sandbox):
            for number in (1, 2):
                tasks.start_soon(stranger, number)
            await until(lambda: len(sandbox.requests) == 2)
            with pytest.raises(Undecided):
                await holders.identify(_jwt(subtype="user", n=3))
            tasks.start_soon(holders.identify, sandbox.tokens["full"])
            await until(lambda: len(sandbox.requests) == 3)


async def test_where_losant_does_not_answer_nobody_is_let_in(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """503 with a time to come again: neither a yes nor a no is known."""
    sandbox.set_faults({"kind": "status", "status": 503})
    async with served(sandbox, tmp_path, token=None, auth="losant") as host:
        answer = await host.listing(sandbox.tokens["full"])
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        sandbox.set_faults()


async def test_the_check_says_when_it_cannot_tell() -> None:
    """A Losant that nobody reaches is no verdict about a token."""
    settings = Settings(api_url="http://127.0.0.1:9")
    holders = TokenHolders(settings, lambda *given: _dial(*given, url="http://127.0.0.1:9"))
    with pytest.raises(Undecided):
        await holders.identify(_jwt(subtype="user"))


async def test_a_token_of_another_application_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """A server of one application has no use for it; Losant is not asked."""
    async with served(
        sandbox, tmp_path, token=None, auth="losant", application_id="5f0c0de0000000000000beef"
    ) as host:
        answer = await host.listing(sandbox.tokens["application"])
        assert answer.status_code == 403
        assert not sandbox.requests


def test_the_server_has_no_token_to_fall_back_to() -> None:
    """It does not start with one, so no caller can ever act with it."""
    with pytest.raises(ConfigurationError, match="every caller brings their own"):
        TokenHolders(
            Settings(api_token=SecretStr("secret")),
            lambda *given: _dial(*given, url="http://127.0.0.1:9"),
        )


def test_a_table_cannot_be_denied_by_a_name_that_everybody_gives_anew() -> None:
    """Each caller has tables of their own, so a name would protect by accident."""
    with pytest.raises(ConfigurationError, match="LOSANT_MCP_DENY"):
        check_hosting(Settings(auth="losant", deny=("Pumps",)), parse_address("127.0.0.1:0"))


async def test_no_token_is_ever_logged_or_stored(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: Mode
) -> None:
    """Not at the chattiest level, nor in any file of the server's."""
    caplog.set_level(logging.DEBUG)
    token = sandbox.tokens["full"]
    forged = _jwt(subtype="user", n=7)
    async with served(sandbox, tmp_path, token=None, auth="losant") as host:
        async with host.client(token, mode) as client:
            await result(client, "create_event", subject="x", level="info")
        await host.listing(forged)
    for secret in (token, token.rpartition(".")[2], forged):
        assert secret not in caplog.text
        assert not _files_with(tmp_path, secret)


def _files_with(folder: Path, text: str) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]
