"""The hosted approval page under attack: guesses, forged forms, other people's sessions, headers.

Whoever tries is left with what a stranger has, and the question stays open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from losant_mcp.hosting import approver_logins
from losant_mcp.hosting.approvals import LOGIN, LOGOUT
from losant_mcp.http.requests import MOST_BODY
from tests.calling import JsonObject, result, stored
from tests.hosting.approving import (
    PASSPHRASE,
    WRONG,
    Desk,
    Visitor,
    approver,
    ask,
    desk,
    path_in,
)
from tests.served import Sandbox

YES = {"decision": "approve"}
PUBLIC = "https://mcp.example.com"


@asynccontextmanager
async def _asked(
    sandbox: Sandbox, folder: Path, **settings: Any
) -> AsyncIterator[tuple[Desk, Visitor, JsonObject]]:
    """A question, and anna at the page; after the block it is still open, and nothing changed."""
    people = (approver("anna"), approver("bert"))
    async with desk(sandbox, folder, *people, **settings) as at:
        key = at.host.keys.add("alice", "full")
        async with at.host.client(key) as client, at.visitor() as anna:
            arguments, answer = await ask(client)
            before = stored(sandbox)
            yield at, anna, answer
            again = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert again["status"] == "approval_required"
            assert stored(sandbox) == before


# ---- guesses -------------------------------------------------------------------------------


async def test_a_wrong_name_and_a_wrong_passphrase_are_the_same(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """To the byte, with no cookie; and it is a hash that is compared either way."""
    async with _asked(sandbox, tmp_path) as (_, anna, answer):
        wrong = await anna.log_in("anna", WRONG, answer["approvalId"])
        unknown = await anna.log_in("nobody", PASSPHRASE, answer["approvalId"])
        for found in (wrong, unknown):
            assert found.status_code == 403
            assert "set-cookie" not in found.headers
        assert wrong.content == unknown.content
        assert "Your passphrase" in (await anna.get(path_in(answer))).text


async def test_an_approver_without_a_passphrase_cannot_log_in(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Neither with none nor with anything else."""
    async with (
        desk(sandbox, tmp_path, approver("anna", passphrase=None)) as at,
        at.visitor() as anna,
    ):
        for tried in ("", "None", PASSPHRASE):
            assert (await anna.log_in("anna", tried)).status_code == 403


async def test_guessing_ends_after_a_few_tries(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the right passphrase is refused, too, for this name alone, whoever tries."""
    monkeypatch.setattr(approver_logins, "TRIES_OF_ONE", 2)
    async with _asked(sandbox, tmp_path) as (at, anna, _):
        for _ in range(2):
            assert (await anna.log_in("anna", WRONG)).status_code == 403
        async with at.visitor() as other:
            locked = await other.log_in("anna")
            assert locked.status_code == 429
            assert "set-cookie" not in locked.headers
            assert (await other.log_in("bert")).status_code == 303


async def test_all_names_together_are_bounded(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of names costs the machine no more than so many hashes a minute."""
    monkeypatch.setattr(approver_logins, "TRIES_A_MINUTE", 2)
    async with _asked(sandbox, tmp_path) as (_, anna, _):
        assert [(await anna.log_in(f"n{n}", WRONG)).status_code for n in range(3)] == [
            403,
            403,
            429,
        ]


# ---- forms of others -----------------------------------------------------------------------


ELSEWHERE = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Dest": "iframe"},
    {"Content-Type": "text/plain"},
    {"Host": "evil.example"},
)


async def test_a_form_from_elsewhere_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """A yes, a login and a logout alike, with cookie and token right."""
    async with _asked(sandbox, tmp_path) as (_, anna, answer):
        await anna.log_in()
        yes = {**YES, "token": anna.token_for(answer["approvalId"])}
        out = {"token": anna.token_for(LOGOUT)}
        for headers in ELSEWHERE:
            refused = [
                await anna.post(path_in(answer), yes, **headers),
                await anna.post(LOGOUT, out, **headers),
                await anna.log_in("bert", **headers),
            ]
            assert [found.status_code for found in refused] == [404] * 3, headers
            assert not any("set-cookie" in found.headers for found in refused), headers
        assert "<bdi>anna</bdi>" in (await anna.get("/approvals")).text


async def test_a_form_takes_its_own_token(sandbox: Sandbox, tmp_path: Path) -> None:
    """None, another session's, another form's and a guess are refused."""
    async with _asked(sandbox, tmp_path) as (at, anna, answer), at.visitor() as bert:
        await anna.log_in()
        await bert.log_in("bert")
        about = answer["approvalId"]
        for token in ("", "0" * 64, bert.token_for(about), anna.token_for(LOGOUT), "é"):
            refused = await anna.post(path_in(answer), {**YES, "token": token})
            assert refused.status_code == 404
        assert (await anna.post(LOGOUT, {"token": anna.token_for(about)})).status_code == 404


BODIES = ("", "token=x&token=y", "token=%ff", "unknown=1", "token=" + "x" * MOST_BODY)


async def test_a_form_that_is_none_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Empty, doubled, no text, with something else in it, or too large: at every address."""
    async with _asked(sandbox, tmp_path) as (_, anna, answer):
        await anna.log_in()
        form = "application/x-www-form-urlencoded"
        for body in BODIES:
            for path in (path_in(answer), LOGIN, LOGOUT, "/approvals"):
                headers = {"Origin": anna.origin, "Content-Type": form}
                url = anna.origin + path
                found = await anna.client.post(url, content=body, headers=headers)
                assert found.status_code == 404, (body[:20], path)


async def test_everything_else_is_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """Other methods, other paths, query strings, looks ahead; not even with a session."""
    async with desk(sandbox, tmp_path) as at, at.visitor() as anna:
        await anna.log_in()
        for method in ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
            found = await anna.client.request(method, f"{anna.origin}/approvals")
            assert found.status_code == 404, method
        for rest in ("/", "?x=1", "/x", "/%2e%2e/mcp", "/login", "/logout", "//x"):
            assert (await anna.get(f"/approvals{rest}")).status_code == 404, rest
        assert (await anna.get("/approvals", **{"Sec-Purpose": "prefetch"})).status_code == 404


# ---- sessions ------------------------------------------------------------------------------


async def test_a_session_that_was_put_there_is_not_taken_over(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A login makes a fresh one, and ends the one that the browser had."""
    async with _asked(sandbox, tmp_path) as (at, anna, _), at.visitor() as thief:
        await thief.log_in("bert")
        planted = thief.session
        anna.client.cookies.set(approver_logins.COOKIE, planted, domain="127.0.0.1", path="/")
        await anna.log_in()
        assert anna.session != planted
        assert "Your passphrase" in (await thief.get("/approvals")).text
        assert "<bdi>anna</bdi>" in (await anna.get("/approvals")).text


async def test_a_guessed_session_is_none(sandbox: Sandbox, tmp_path: Path) -> None:
    """And a form without one leads to the login, and decides nothing."""
    async with _asked(sandbox, tmp_path) as (at, anna, answer):
        anna.client.cookies.set(approver_logins.COOKIE, "x" * 43, domain="127.0.0.1", path="/")
        assert "Your passphrase" in (await anna.get("/approvals")).text
        anna.token = anna.token_for(answer["approvalId"])
        led = await anna.post(path_in(answer), YES)
        assert (led.status_code, led.headers["location"]) == (303, path_in(answer))
        assert not any(b"x" * 43 in path.read_bytes() for path in at.state.rglob("*.sqlite*"))


async def test_logging_out_ends_the_session(sandbox: Sandbox, tmp_path: Path) -> None:
    """For whoever has a copy of the cookie, too."""
    async with _asked(sandbox, tmp_path) as (at, anna, answer), at.visitor() as copy:
        await anna.log_in()
        copy.client.cookies.update(anna.client.cookies)
        assert "DELETE" in (await copy.get(path_in(answer))).text
        copy.token = copy.token_for(answer["approvalId"])
        out = await anna.post(LOGOUT, {"token": anna.token_for(LOGOUT)})
        assert out.headers["location"] == "/approvals"
        for visitor in (anna, copy):
            assert "Your passphrase" in (await visitor.get(path_in(answer))).text
        await copy.post(path_in(answer), YES)


async def test_a_session_that_is_not_used_ends(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a short while, so that a browser that was left open does not say yes for long."""
    monkeypatch.setattr(approver_logins, "IDLE_SECONDS", 0.001)
    async with _asked(sandbox, tmp_path) as (_, anna, answer):
        await anna.log_in()
        await anna.sees(path_in(answer), "Your passphrase")


async def test_behind_https_the_cookie_is_for_this_host_alone(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """As a proxy with TLS passes requests on: by the public name, which alone is answered."""
    async with _asked(sandbox, tmp_path, public_url=PUBLIC + ":443/") as (at, anna, answer):
        assert f"{PUBLIC}/approvals/" in answer["message"]
        own = {"Host": "mcp.example.com", "Origin": PUBLIC}
        given = (await anna.log_in(**own)).headers["set-cookie"]
        name, _, value = given.partition("=")
        assert name == "__Host-losant-mcp-approver"
        parts = {part.strip() for part in value.split(";")[1:]}
        assert parts == {"HttpOnly", "Path=/", "SameSite=strict", "Secure"}
        cookie = {"Cookie": f"{name}={value.split(';')[0]}"}
        assert "waits for you" in (await anna.get("/approvals", **own, **cookie)).text
        assert (await anna.get("/approvals", **cookie)).status_code == 404
        # By this name MCP is spoken, too, and by none that was not set.
        for name, status in (("mcp.example.com", 401), ("evil.example", 421)):
            assert (await at.host.listing(headers={"host": name})).status_code == status
        plain = await anna.client.get(f"{at.host.url}/approvals", headers={"Host": "127.0.0.1"})
        assert plain.status_code == 404


async def test_a_link_from_another_site_begins_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    """It shows nothing by itself, since the cookie is not sent along, and leads on from here."""
    async with _asked(sandbox, tmp_path) as (_, anna, answer):
        await anna.log_in()
        page = await anna.get(path_in(answer), **{"Sec-Fetch-Site": "cross-site"})
        assert f'content="0; url={path_in(answer)}"' in page.text
        assert "DELETE" not in page.text
        framed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}
        assert (await anna.get(path_in(answer), **framed)).status_code == 404


async def test_no_answer_may_be_kept_or_framed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every page has the same strict headers; a page elsewhere that may call MCP reads none."""
    async with _asked(sandbox, tmp_path, allowed_origins=("https://app.example",)) as (_, anna, a):
        pages = [await anna.get("/approvals"), await anna.log_in(), await anna.get(path_in(a))]
        pages.append(await anna.get("/approvals/nothing", Origin="https://app.example"))
        for page in pages:
            assert page.headers["cache-control"] == "no-store"
            assert page.headers["x-frame-options"] == "DENY"
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert "access-control-allow-origin" not in page.headers


# ---- a proxy's header ----------------------------------------------------------------------

HEADER = "X-Forwarded-User"


async def test_a_header_means_nothing_unless_it_was_set_up(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Without the setting, it is a stranger who wrote it."""
    async with _asked(sandbox, tmp_path) as (_, anna, answer):
        page = await anna.get(path_in(answer), **{HEADER: "anna"})
        assert "Your passphrase" in page.text


async def test_a_proxy_on_this_machine_names_the_approver(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody logs in then; who is no approver, or comes without the header, sees nothing."""
    people = (approver("anna@example.com", passphrase=None), approver("bert", [], passphrase=None))
    given: dict[str, Any] = {"approver_header": HEADER, "public_url": PUBLIC}
    proxied = {"Host": "mcp.example.com", "Origin": PUBLIC, HEADER: "anna@example.com"}
    async with desk(sandbox, tmp_path, *people, **given) as at:
        key = at.host.keys.add("alice", "full")
        async with at.host.client(key) as client, at.visitor() as anna:
            arguments, answer = await ask(client)
            for name in ("", "nobody", "ANNA@example.com", "bert"):
                seen = await anna.get(path_in(answer), **proxied | {HEADER: name})
                assert seen.status_code == 404
            page = await anna.get(path_in(answer), **proxied)
            assert "<bdi>anna@example.com</bdi>" in page.text
            assert "Log out" not in page.text
            cookie = {"Cookie": page.headers["set-cookie"].partition(";")[0]}
            # The session is good for whom the proxy names, and for nobody without it.
            for name in ("bert", ""):
                other = proxied | cookie | {HEADER: name}
                await anna.post(path_in(answer), YES, **other)
            pending = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert pending["status"] == "approval_required"
            assert (await anna.log_in("anna@example.com", **proxied)).status_code == 404
            await anna.post(path_in(answer), YES, **proxied | cookie)
            done = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert done["status"] == "done"
        assert [line["by"] for line in at.audited("approved")] == ["anna@example.com"]


PEERS: tuple[tuple[str, list[tuple[str, str]], int], ...] = (
    ("127.0.0.1", [(HEADER, "anna")], 200),
    ("::1", [(HEADER, "anna")], 200),
    ("203.0.113.7", [(HEADER, "anna")], 404),
    ("10.0.0.1", [(HEADER, "anna")], 404),
    ("", [(HEADER, "anna")], 404),
    ("127.0.0.1", [(HEADER, "anna"), (HEADER, "anna")], 404),
    ("127.0.0.1", [("X-Forwarded-For", "127.0.0.1")], 404),
)


async def test_the_header_counts_from_this_machine_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whoever else can reach the server could write it."""
    async with desk(sandbox, tmp_path, approver_header=HEADER, public_url=PUBLIC) as at:
        for peer, headers, status in PEERS:
            # The app as it is served, with the peer's address as the socket would have it.
            transport = httpx.ASGITransport(app=at.host.hosting.app, client=(peer, 4711))
            async with httpx.AsyncClient(transport=transport) as client:
                page = await client.get(f"{PUBLIC}/approvals", headers=headers)
                assert page.status_code == status, (peer, headers)
                assert ("set-cookie" in page.headers) is (status == 200)
