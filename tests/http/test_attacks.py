"""The page under attack: by other web pages, by programs on this machine, by the model.

Every test ends by asserting that the plan is what it was.
"""

from __future__ import annotations

import re
import socket
from dataclasses import replace

import anyio
import httpx
import pytest
from anyio.to_thread import run_sync

from losant_mcp.guard.plans import Plan
from losant_mcp.http.answers import MISSES_A_MINUTE
from losant_mcp.http.approvals import COOKIE
from losant_mcp.http.requests import MOST_BODY
from tests.http.asked import NAVIGATION, Person, address_of, deletion, hostile, truncation
from tests.http.conftest import Served

YES = {"decision": "approve", "phrase": "Sites"}


async def _inside(served: Served) -> tuple[Plan, Person]:
    """A plan, and a person whose browser has its session."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    assert (await person.enter(file)).status_code == 200
    return plan, person


async def _missing(served: Served) -> httpx.Response:
    """What a stranger sees at an address that never was."""
    return await served.visitor().get("/nothing/here")


def _same(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two answers are the same to the last byte and header."""
    return (one.status_code, one.headers.raw, one.content) == (
        other.status_code,
        other.headers.raw,
        other.content,
    )


# ---- requests that a web page elsewhere can cause ------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json"},
        {"Content-Type": "multipart/form-data; boundary=x"},
    ],
    ids=lambda headers: " ".join(f"{name}={value}" for name, value in headers.items()),
)
async def test_a_form_from_elsewhere_is_refused(served: Served, headers: dict[str, str]) -> None:
    """With cookie and token right, a POST that did not begin on this page gets nowhere."""
    plan, person = await _inside(served)
    port = person.host.partition(":")[2]
    sent = {name: value.replace("{port}", port) for name, value in headers.items()}
    answer = await person.post(_path(plan), YES, **sent)
    assert _same(answer, await _missing(served))
    assert await served.status(plan) == "pending"


async def test_a_form_without_an_origin_is_refused(served: Served) -> None:
    """A browser always says where a form comes from; what does not is none."""
    plan, person = await _inside(served)
    assert _same(await person.post(_path(plan), YES, Origin=""), await _missing(served))
    assert await served.status(plan) == "pending"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
    ],
    ids=lambda headers: " ".join(f"{name}={value}" for name, value in headers.items()),
)
async def test_a_plan_is_not_shown_to_another_page(served: Served, headers: dict[str, str]) -> None:
    """A look that another page causes, or that only looks ahead, sees nothing, cookie or not."""
    plan, person = await _inside(served)
    assert _same(await person.get(_path(plan), **headers), await _missing(served))


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost:{port}"]
)
async def test_another_host_is_refused(served: Served, host: str) -> None:
    """The right port under a name that was rebound, or the right host with another port."""
    plan, person = await _inside(served)
    name = host.replace("{port}", person.host.partition(":")[2])
    missing = await _missing(served)
    assert _same(await person.get(_path(plan), Host=name), missing)
    origin = f"http://{name}"
    assert _same(await person.post(_path(plan), YES, Host=name, Origin=origin), missing)
    assert await served.status(plan) == "pending"


async def test_every_answer_forbids_frames_scripts_and_storage(served: Served) -> None:
    """The headers that protect the page are on each kind of answer."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    entry = await person.follow(await address_of(file))
    page = await person.get(_path(plan))
    wrong = await person.post(_path(plan), {**YES, "phrase": "no"})
    for answer in (entry, page, wrong, await _missing(served)):
        headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert re.fullmatch(
            r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; form-action 'self'; "
            r"frame-ancestors 'none'; base-uri 'none'",
            policy,
        )
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == ("same-origin" if answer is page else "no-referrer")
        assert not {"server", "date", "access-control-allow-origin"} & set(headers)
        assert "<script" not in answer.text


# ---- keys, cookies and tokens --------------------------------------------------------------


async def test_a_key_works_once(served: Served) -> None:
    """A second browser that comes with the same key finds nothing, and the file is gone."""
    plan, file = await served.asked(truncation())
    address = await address_of(file)
    first = await served.visitor().follow(address)
    assert first.status_code == 200
    assert not file.exists()
    second = served.visitor()
    assert _same(await second.follow(address), await _missing(served))
    assert not second.client.cookies
    assert _same(await second.get(_path(plan)), await _missing(served))


async def test_of_many_who_use_a_key_at_once_one_enters(served: Served) -> None:
    """A race for the key has one winner."""
    _, file = await served.asked(truncation())
    address = await address_of(file)
    statuses: list[int] = []

    async def race(visitor: Person) -> None:
        statuses.append((await visitor.follow(address)).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(race, served.visitor())
    assert sorted(statuses) == [200, *[404] * 7]


@pytest.mark.parametrize(
    ("name", "value"),
    [("Sec-Purpose", "prefetch"), ("Purpose", "prefetch"), ("X-Moz", "prefetch")],
)
async def test_looking_ahead_does_not_use_the_key_up(served: Served, name: str, value: str) -> None:
    """A browser that prefetches the entry leaves the key for the person."""
    _, file = await served.asked(truncation())
    address = await address_of(file)
    person = served.visitor()
    assert (await person.follow(address, **{name: value})).status_code == 404
    assert (await person.client.head(address)).status_code == 404
    assert (await person.enter(file)).status_code == 200


async def test_the_cookie_is_for_this_plan_and_no_script(served: Served) -> None:
    """HttpOnly, SameSite=Strict, the plan's path, and an end."""
    plan, file = await served.asked(truncation())
    entry = await served.visitor().follow(await address_of(file))
    cookie = entry.headers["set-cookie"]
    assert re.fullmatch(
        rf"{COOKIE}=[A-Za-z0-9_-]{{43}}; HttpOnly; Max-Age=1500; Path={_path(plan)}; "
        "SameSite=strict",
        cookie,
    )


async def test_another_plans_cookie_or_token_opens_nothing(served: Served) -> None:
    """Being asked about one thing is no way to decide another."""
    plan, person = await _inside(served)
    other, file = await served.asked(deletion())
    neighbour = served.visitor()
    await neighbour.enter(file)
    missing = await _missing(served)
    cookie = next(c.value for c in neighbour.client.cookies.jar)
    borrowed = {"Cookie": f"{COOKIE}={cookie}"}
    stranger = served.visitor()
    assert _same(await stranger.get(_path(plan), **borrowed), missing)
    stranger.token = neighbour.token
    assert _same(await stranger.post(_path(plan), YES, **borrowed), missing)
    # The right session, with the token of the other plan, of nobody, and of a later session.
    for token in (neighbour.token, "", "0" * 64, person.token[:-1]):
        assert _same(await person.post(_path(plan), {**YES, "token": token}), missing)
    assert await served.status(plan) == "pending"
    assert await served.status(other) == "pending"


async def test_the_store_has_no_key_and_no_session_in_it(served: Served) -> None:
    """Who reads the database finds hashes."""
    plan, file = await served.asked(truncation())
    key = (await address_of(file)).rpartition("/")[2]
    person = served.visitor()
    await person.enter(file)
    session = next(c.value for c in person.client.cookies.jar)
    assert session is not None
    for path in served.state_dir.path.rglob("*"):
        content = b"" if path.is_dir() else path.read_bytes()
        assert key.encode() not in content
        assert session.encode() not in content
        assert person.token.encode() not in content
    assert await served.status(plan) == "pending"


# ---- guesses and garbage -------------------------------------------------------------------


async def test_every_miss_looks_the_same(served: Served) -> None:
    """Nothing tells a plan that exists from one that does not, or a wrong key from a used one."""
    plan, _ = await _inside(served)
    stranger = served.visitor()
    missing = await _missing(served)
    for path in (
        "/",
        "/favicon.ico",
        _path(plan),
        f"{_path(plan)}/",
        f"{_path(plan)}?x=1",
        f"/approvals/apr_{'a' * 26}",
        "/approvals/",
        "/approvals/..%2f..%2fetc",
        f"/enter/{'A' * 43}",
        f"/enter/{plan.id}",
        "/enter/",
        "//evil.example/",
    ):
        assert _same(await stranger.get(path), missing), path
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST", "BREW"):
        answer = await stranger.client.request(method, stranger.origin + _path(plan))
        assert _same(answer, missing), method


async def test_guesses_are_throttled_and_the_person_is_not(served: Served) -> None:
    """After too many misses in a minute strangers are told to wait; the session goes on."""
    plan, person = await _inside(served)
    stranger = served.visitor()
    statuses = [
        (await stranger.get(f"/enter/{number:043d}")).status_code
        for number in range(MISSES_A_MINUTE + 5)
    ]
    assert statuses == [404] * MISSES_A_MINUTE + [429] * 5
    assert (await person.get(_path(plan))).status_code == 200
    await person.post(_path(plan), YES)
    assert await served.status(plan) == "approved"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"&",
        b"token",
        b"{token}",
        b"token={token}&decision=maybe",
        b"token={token}",
        b"token={token}&decision=approve&decision=approve&phrase=Sites",
        b"token={token}&decision=approve&phrase=Sites&extra=1",
        b"token={token}&decision=approve&phrase=%ff%fe",
        b"token={token}&decision=approve&phrase=Sites\xff",
        b"token={token}&decision=approve&phrase=Sites&pin=" + b"9" * MOST_BODY,
    ],
)
async def test_a_body_that_is_no_form_of_ours_is_refused(served: Served, body: bytes) -> None:
    """Too large, doubled, unknown or broken fields are a miss, even with the session."""
    plan, person = await _inside(served)
    headers = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": person.origin}
    answer = await person.client.post(
        person.origin + _path(plan),
        content=body.replace(b"{token}", person.token.encode()),
        headers={**headers, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert _same(answer, await _missing(served))
    assert await served.status(plan) == "pending"


async def test_broken_and_doubled_headers_are_refused(served: Served) -> None:
    """Two hosts, two origins or two cookies are not a browser's doing."""
    plan, person = await _inside(served)
    cookie = next(c.value for c in person.client.cookies.jar)
    for extra in ("Host: evil.example", "Cookie: a=b", "Content-Type: text/html"):
        request = (
            f"GET {_path(plan)} HTTP/1.1\r\nHost: {person.host}\r\n{extra}\r\n"
            f"Cookie: {COOKIE}={cookie}\r\nContent-Type: a/b\r\nConnection: close\r\n\r\n"
        )
        answer = await run_sync(_raw, person.host, request)
        assert answer.split(b" ", 2)[1] in (b"404", b"400"), extra
        assert b"3,000" not in answer


async def test_hostile_text_reaches_the_page_escaped(served: Served) -> None:
    """Markup, overrides, escapes and template syntax are text, or are gone."""
    plan, file = await served.asked(hostile(), client="<script>alert('client')</script>\x1b[2J")
    page = (await served.visitor().enter(file)).text
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(&#39;client&#39;)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08\x1b\x7f-\x9f]", page)
    assert page.count("<form") == 2
    assert await served.status(plan) == "pending"


# ---- the model -----------------------------------------------------------------------------


async def test_what_a_tool_result_says_opens_nothing(served: Served) -> None:
    """With every word it was told, cookies and forms, a model gets nowhere."""
    plan = await served.add(replace(truncation(), shown=truncation().shown))
    told = await served.page.ask(plan, "model")
    file = served.browser.files[-1]
    key = (await address_of(file)).rpartition("/")[2]
    assert key not in told
    assert "http" not in told
    assert file.name not in told
    model = served.visitor()
    words = {plan.id, *re.findall(r"[\w.:/-]+", told), *re.findall(r"[\w-]{8,}", file.name)}
    for word in words:
        for path in (f"/enter/{word}", f"/approvals/{word}", f"/{word}"):
            answer = await model.get(path)
            assert answer.status_code in (404, 429), path
            answer = await model.post(path, {**YES, "token": plan.id})
            assert answer.status_code in (404, 429), path
    assert not model.client.cookies
    assert await served.status(plan) == "pending"
    assert served.audit() == []


def _path(plan: Plan) -> str:
    return f"/approvals/{plan.id}"


def _raw(host: str, request: str) -> bytes:
    """What the server answers to exactly these bytes."""
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        connection.sendall(request.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer
