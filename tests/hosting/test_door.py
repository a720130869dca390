"""Attacks at the door: each is refused, says why, reaches nobody, and leaves the server alive."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

import anyio
import anyio.abc
import pytest

from losant_mcp.errors import ConfigurationError
from losant_mcp.hosting import limits, listening
from losant_mcp.hosting.address import Address, names_of, parse_address
from losant_mcp.hosting.listening import TimedProtocol
from losant_mcp.hosting.tenants import MOST_BODY
from tests.hosting.serving import (
    INITIALIZE,
    JSON_RPC,
    LIST_TOOLS,
    MODERN,
    Served,
    message_of,
    served,
    until,
)
from tests.served import Sandbox

# ---- names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example", "[::2]:80", ""]
)
async def test_a_host_that_is_not_ours_is_refused(
    sandbox: Sandbox, tmp_path: Path, host: str
) -> None:
    """DNS rebinding: a page whose name points here comes with its own name."""
    async with served(sandbox, tmp_path) as server:
        answer = await server.listing(headers={"host": host})
        assert answer.status_code == 421
        async with server.http(host=host) as http:
            assert (await http.get("/metrics")).status_code == 421
        assert await server.is_alive()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost", "http://127.0.0.1:1", "file://"]
)
async def test_a_page_of_another_origin_is_refused(
    sandbox: Sandbox, tmp_path: Path, origin: str
) -> None:
    """Also of another port of this machine; and no header lets a browser read the answer."""
    async with served(sandbox, tmp_path) as server:
        answer = await server.listing(headers={"origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert await server.is_alive()


@pytest.mark.parametrize(
    "written", ["https://app.example.com", "https://App.example.com:443"], ids=["plain", "long"]
)
async def test_names_and_origins_that_are_set_are_allowed(
    sandbox: Sandbox, tmp_path: Path, written: str
) -> None:
    """A host at any port unless one is named; a page with the headers that it needs."""
    page = "https://app.example.com"
    async with served(
        sandbox, tmp_path, allowed_hosts=("mcp.example.com",), allowed_origins=(written,)
    ) as server:
        for host in ("mcp.example.com", "MCP.example.com:8443"):
            assert (await server.listing(headers={"host": host})).status_code == 200
        answer = await server.listing(headers={"origin": page})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == page
        async with server.http() as http:
            asks = {"origin": page, "access-control-request-method": "POST"}
            asks["access-control-request-headers"] = "authorization,mcp-method"
            assert (await http.options("/mcp", headers=asks)).status_code == 200
            asks["origin"] = "https://evil.example"
            assert (await http.options("/mcp", headers=asks)).status_code == 400


@pytest.mark.parametrize("text", ["https://mcp.example.com", "a b", "a/b", "x:port", "*"])
def test_a_host_that_is_none_stops_the_start(text: str) -> None:
    """And so does an origin, since it would protect or allow nothing."""
    if text != "*":
        with pytest.raises(ConfigurationError):
            names_of(Address("127.0.0.1", 1), [text], [])
    with pytest.raises(ConfigurationError):
        names_of(Address("127.0.0.1", 1), [], [text if "//" not in text else f"{text}/"])


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("localhost:0", True),
        ("127.0.0.2:1", True),
        ("0.0.0.0:8000", False),
        ("[::]:8000", False),
        ("192.168.1.5:80", False),
        ("localhost.evil.example:80", False),
    ],
)
def test_loopback_is_told_from_what_others_reach(text: str, loopback: bool) -> None:
    """By the address itself; a name may point anywhere."""
    assert parse_address(text).is_loopback is loopback


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
async def test_without_authentication_no_proxy_opens_the_server(
    sandbox: Sandbox, tmp_path: Path, header: str
) -> None:
    """It is for its own machine; with keys a proxy is what stands before it."""
    for auth, status in (("none", 403), ("keys", 200)):
        async with served(sandbox, tmp_path, auth=auth) as server:
            key = server.keys.add("alice", "read") if auth == "keys" else None
            answer = await server.listing(key, {header: "203.0.113.7"})
            assert answer.status_code == status


# ---- tokens in more than one place ---------------------------------------------------------

KEY = "lmk_" + "s" * 43


@pytest.mark.parametrize("auth", ["none", "keys"])
@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": KEY},
        {"X-Losant-Token": KEY},
        {"proxy-authorization": f"Bearer {KEY}"},
        {"x-custom": f"bearer {KEY}"},
    ],
    ids=lambda given: next(iter(given)),
)
async def test_a_token_in_another_header_is_refused(
    sandbox: Sandbox, tmp_path: Path, headers: dict[str, str], auth: str
) -> None:
    """Something between may read it otherwise than this server does."""
    async with served(sandbox, tmp_path, auth=auth) as server:
        key = server.keys.add("alice", "full") if auth == "keys" else None
        answer = await server.listing(key, headers)
        assert answer.status_code == 400
        assert KEY not in answer.text
        assert await server.is_alive()


async def test_a_second_authorization_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whichever of the two is right, and wherever it stands."""
    async with served(sandbox, tmp_path, auth="keys") as server:
        key = server.keys.add("alice", "full")
        for pair in ((key, KEY), (KEY, key), (key, key)):
            head = "".join(f"Authorization: Bearer {each}\r\n" for each in pair)
            assert await _status(server, head) == 400
        assert await _status(server, f"Authorization: Bearer {key}, Bearer {KEY}\r\n") == 401
        for scheme in ("Bearer", "BEARER"):
            assert await _status(server, f"Authorization: {scheme} {key}\r\n") == 200


async def test_a_token_in_the_address_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Addresses are logged by everything on the way; the refusal does not repeat it."""
    async with served(sandbox, tmp_path, auth="keys") as server:
        key = server.keys.add("alice", "full")
        async with server.http(key) as http:
            for query in (f"access_token={KEY}", f"token={KEY}", "x=1"):
                sent = {**JSON_RPC, **MODERN}
                answer = await http.post(f"/mcp?{query}", json=LIST_TOOLS, headers=sent)
                assert answer.status_code == 400
                assert KEY not in answer.text


# ---- bodies --------------------------------------------------------------------------------


MALFORMED = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe\x00",
    json.dumps([LIST_TOOLS] * 2).encode(),
    b"[" * 100_000,
    b'{"jsonrpc": "2.0", "id": {}, "method": "tools/list"}',
    b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}',
    b'{"jsonrpc": "2.0", "id": 1, "method": 5}',
    b'{"jsonrpc": "2.0", "id": 1' + b"0" * 5000 + b', "method": "tools/list"}',
)


async def test_malformed_json_rpc_is_an_error_of_the_callers(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """4xx on both protocol versions, and the server is alive."""
    async with served(sandbox, tmp_path) as server:
        async with server.http(**JSON_RPC) as http:
            for content in MALFORMED:
                for headers in (MODERN, {"mcp-protocol-version": "2025-11-25"}, {}):
                    answer = await http.post("/mcp", content=content, headers=headers)
                    assert 400 <= answer.status_code < 500, (content[:50], answer.text)
                    assert "Traceback" not in answer.text
        assert await server.is_alive()


async def test_a_body_that_is_too_large_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whether its length is declared or not, and without reading it to its end."""
    async with served(sandbox, tmp_path) as server:
        async with server.http(**JSON_RPC, **MODERN) as http:
            answer = await http.post("/mcp", content=b" " * (MOST_BODY + 1))
            assert answer.status_code == 413

            async def chunks() -> object:
                for _ in range(MOST_BODY // 65_536 + 2):
                    yield b" " * 65_536

            answer = await http.post("/mcp", content=chunks())  # type: ignore[arg-type]
            assert answer.status_code == 413
        assert await server.is_alive()


async def test_headers_that_never_end_are_given_up(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow-loris: a connection that sends a header every while is closed; others are served."""
    monkeypatch.setattr(TimedProtocol, "header_seconds", 0.3)
    async with served(sandbox, tmp_path) as server:
        address = server.server.address
        async with await anyio.connect_tcp(address.host, address.port) as stream:
            await stream.send(b"POST /mcp HTTP/1.1\r\nHost: x\r\n")
            with anyio.fail_after(10):
                while not await _is_closed(stream):
                    await stream.send(b"X-A: b\r\n")
        assert (await server.listing()).status_code == 200


async def test_headers_that_are_endless_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """However fast they come."""
    async with served(sandbox, tmp_path) as server:
        assert await _status(server, "X-A: " + "b" * 70_000 + "\r\n") in (400, 431)
        assert await server.is_alive()


async def test_a_body_that_never_ends_is_given_up(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place is free again."""
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    async with served(sandbox, tmp_path) as server:
        assert await _status(server, "", body=b"{", length=100) == 408
        assert server.hosting.door.calls.taken == 0
        assert await server.is_alive()


@pytest.mark.parametrize(("path", "status"), [("/mcp", 400), ("/healthz", 200)])
async def test_no_request_is_smuggled_in_a_body(
    sandbox: Sandbox, tmp_path: Path, path: str, status: int
) -> None:
    """Where its length is told in two ways, what comes after it is nobody's request."""
    async with served(sandbox, tmp_path) as server:
        address = server.server.address
        host = f"Host: {address.host}:{address.port}"
        hidden = f"GET /healthz HTTP/1.1\r\n{host}\r\n\r\n"
        lines = [f"GET {path} HTTP/1.1", host, f"Content-Length: {len(hidden) + 5}"]
        head = "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""])
        async with await anyio.connect_tcp(address.host, address.port) as stream:
            await stream.send(f"{head}0\r\n\r\n{hidden}".encode())
            told = b""
            with anyio.fail_after(10), contextlib.suppress(anyio.EndOfStream):
                while True:
                    told += await stream.receive()
        assert told.startswith(f"HTTP/1.1 {status} ".encode())
        assert told.count(b"HTTP/1.1") == 1


async def test_answers_that_nobody_reads_are_given_up(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that only asks is closed, and what it asked for is not kept for ever."""
    monkeypatch.setattr(TimedProtocol, "reading_seconds", 0.3)
    async with served(sandbox, tmp_path) as server:
        address = server.server.address
        server.server._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        body = json.dumps(LIST_TOOLS).encode()
        sent = {"host": f"{address.host}:{address.port}", "content-length": len(body)}
        headers = "".join(
            f"{name}: {value}\r\n" for name, value in (sent | JSON_RPC | MODERN).items()
        )
        async with await anyio.connect_tcp(address.host, address.port) as stream:
            await stream.send((f"POST /mcp HTTP/1.1\r\n{headers}\r\n".encode() + body) * 400)
            assert server.server._server is not None
            state = server.server._server.server_state
            await until(lambda: bool(state.connections))
            await until(lambda: not state.connections)
        assert await server.is_alive()


async def test_too_many_connections_are_told_to_come_again(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they ask for, and as a caller is who finds no place."""
    monkeypatch.setattr(listening, "MOST_CONNECTIONS", 1)
    async with served(sandbox, tmp_path) as server:
        address = server.server.address
        async with await anyio.connect_tcp(address.host, address.port):
            answer = await server.listing()
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            assert message_of(answer) == "Too many connections at a time."
        with anyio.fail_after(10):
            while (await server.listing()).status_code != 200:  # noqa: ASYNC110 - it is not told
                await anyio.sleep(0.05)


async def test_other_methods_and_paths_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """There is nothing but what is told of."""
    async with served(sandbox, tmp_path) as server, server.http(**JSON_RPC) as http:
        assert (await http.put("/mcp", json=LIST_TOOLS)).status_code == 405
        assert (await http.post("/mcp/", json=LIST_TOOLS)).status_code == 404
        assert (await http.get("/")).status_code == 404
        assert (await http.get("//evil.example/%2e%2e")).status_code == 404
        assert (await http.post("/metrics")).status_code == 405


async def test_an_answer_can_be_found_in_the_logs(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By its id: the proxy's own where it is one word, otherwise one of ours."""
    caplog.set_level("INFO", "losant_mcp")
    async with served(sandbox, tmp_path) as server:
        given = await server.listing(headers={"x-request-id": "proxy-0001"})
        assert given.headers["x-request-id"] == "proxy-0001"
        forged = await server.listing(headers={"x-request-id": "two words\tand more"})
        assert len(forged.headers["x-request-id"]) == 16
        refused = await server.listing(headers={"origin": "https://evil.example"})
        assert message_of(refused)
        [line] = [r for r in caplog.records if r.name == "losant_mcp.requests"]
        assert line.__dict__["request"] == refused.headers["x-request-id"]
        assert "evil" not in line.getMessage()


async def _status(
    server: Served, head: str, *, body: bytes | None = None, length: int | None = None
) -> int:
    """The status of a request with these raw header lines."""
    content = json.dumps(INITIALIZE).encode() if body is None else body
    address = server.server.address
    lines = [
        "POST /mcp HTTP/1.1",
        f"Host: {address.host}:{address.port}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {length if length is not None else len(content)}",
    ]
    async with await anyio.connect_tcp(address.host, address.port) as stream:
        await stream.send("\r\n".join(lines).encode() + b"\r\n" + head.encode() + b"\r\n")
        await stream.send(content)
        with anyio.fail_after(10):
            return int((await stream.receive()).split(b" ")[1])


async def _is_closed(stream: anyio.abc.ByteStream) -> bool:
    """Whether the server has closed the connection, which it is given a moment for."""
    with anyio.move_on_after(0.05):
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True
    return False
