"""Where requests may go, and what may stand in an address."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from losant_mcp.api.events import EventPatch
from losant_mcp.client import LosantClient
from losant_mcp.client.addresses import MAX_URL
from losant_mcp.errors import (
    BadResponse,
    ConfigurationError,
    InvalidQuery,
    InvalidRequest,
    ServerError,
    describe,
)
from losant_mcp.policy import Policy
from tests.client.answering import answering
from tests.served import Sandbox

TOKEN = SecretStr("token")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.losant.com",
        "https://api.losant.com/",
        "https://losant.example:8443/api",
        "http://localhost:8700",
        "http://127.0.0.1",
        "http://127.8.8.8:1",
        "http://[::1]:8700",
    ],
)
def test_https_and_this_machine_are_fine(url: str) -> None:
    """A slash at the end makes no difference."""
    assert LosantClient(TOKEN, base_url=url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.losant.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "ftp://localhost",
        "https://user:secret@api.losant.com",
        "https://api.losant.com?x=1",
        "https://api.losant.com#x",
        "https://api.losant.com:port",
        "https://",
        "api.losant.com",
        "https://api.losant.com/\n",
        "https://[::1",
        "",
    ],
)
def test_an_unsafe_address_stops_the_start(url: str) -> None:
    """The token goes nowhere in the clear, and the error repeats no password of a URL."""
    with pytest.raises(ConfigurationError) as caught:
        LosantClient(TOKEN, base_url=url)
    assert str(caught.value).startswith("LOSANT_API_URL ")
    assert "secret" not in describe(caught.value)


async def test_a_proxy_never_sees_what_stays_on_this_machine(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment is not used towards a loopback address."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with LosantClient(SecretStr(sandbox.tokens["full"]), base_url=sandbox.url) as losant:
        await losant.application_get(applicationId=sandbox.application_id)
    assert len(sandbox.requests) == 1


def padded(length: int) -> dict[str, object]:
    """A query that is longer the larger the number."""
    return {"subject": {"$in": ["x" * length]}}


async def test_a_query_that_fits_an_address_is_sent_and_a_longer_one_is_not(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """8192 bytes arrive; one more is refused here, for reading and for changing alike."""
    application = sandbox.application_id
    await losant.events_get(applicationId=application, query=padded(1000))
    [first] = sandbox.requests
    used = len(sandbox.url) + len(first.path) + 1 + len(first.query)
    longest = 1000 + MAX_URL - used
    await losant.events_get(applicationId=application, query=padded(longest))
    assert len(sandbox.requests) == 2
    with pytest.raises(InvalidRequest) as caught:
        await losant.events_get(applicationId=application, query=padded(longest + 1))
    assert "8193 bytes" in describe(caught.value)
    with pytest.raises(InvalidRequest) as caught:
        await losant.events_patch(
            applicationId=application, query=padded(longest + 1), body=EventPatch(state="new")
        )
    assert describe(caught.value).endswith("Nothing was changed.")
    assert len(sandbox.requests) == 2


async def test_a_wrong_query_is_refused_before_it_is_sent(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """Each kind of query is checked by the grammar of what it is about, wherever it travels."""
    application = sandbox.application_id
    with pytest.raises(InvalidQuery) as caught:
        await losant.events_get(applicationId=application, query={"subjct": "x"})
    assert "did you mean 'subject'" in str(caught.value)
    with pytest.raises(InvalidQuery):
        await losant.devices_get(applicationId=application, query={"level": "info"})
    with pytest.raises(InvalidQuery):
        await losant.application_job_logs_get(applicationId=application, query={"level": "info"})
    with pytest.raises(InvalidQuery):
        await losant.events_delete(applicationId=application, body={"message": "x"})
    with pytest.raises(InvalidQuery):
        await losant.data_table_rows_query(
            applicationId=application, dataTableId=application, body={"a": {"$regex": "x"}}
        )
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"sortField": "message"}, "sortField must be one of subject, id,"),
        ({"page": -1}, "page must be a number, 0 or more"),
        ({"perPage": True}, "perPage must be a number, 0 or more"),
        ({"filter": 5}, "filter must be a string"),
        ({"filter": "\ud800"}, "a parameter holds broken Unicode"),
    ],
)
async def test_a_parameter_that_losant_would_misread_is_refused(
    losant: LosantClient, sandbox: Sandbox, arguments: dict[str, object], problem: str
) -> None:
    """Values outside an enumeration or of a wrong type do not leave."""
    with pytest.raises(InvalidRequest) as caught:
        await losant.events_get(applicationId=sandbox.application_id, **arguments)  # type: ignore[arg-type]  # wrong on purpose
    assert f"events.get: {problem}" in str(caught.value)
    assert sandbox.requests == []


# ---- in this process -----------------------------------------------------------------------


async def test_the_sandbox_can_be_used_without_a_socket(sandbox: Sandbox) -> None:
    """The same client speaks to an app in this process, by a name that no network knows."""
    token = SecretStr(sandbox.tokens["full"])
    async with LosantClient.in_process(sandbox.server.app, token) as losant:
        page = await losant.events_get(applicationId=sandbox.application_id, perPage=1)
    assert losant.base_url == "http://sandbox.invalid"
    assert page.totalCount == 2000


async def test_an_app_that_fails_in_this_process_is_a_server_that_fails() -> None:
    """An exception of the app does not come out of the client as itself."""

    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("secret detail")

    async with LosantClient.in_process(broken, TOKEN) as losant:
        with pytest.raises(ServerError) as caught:
            await losant.events_get(applicationId="a" * 24)
    assert "secret" not in describe(caught.value)


async def test_a_success_that_says_it_is_none_is_an_error() -> None:
    """``{"success": false}`` is not returned as if something had been deleted."""
    app = answering({"success": False})
    async with LosantClient.in_process(app, TOKEN, policy=Policy(destroy="open")) as losant:
        with pytest.raises(BadResponse):
            await losant.event_delete(applicationId="a" * 24, eventId="b" * 24)


@pytest.mark.parametrize(
    "content", [{}, {"message": "ok"}, {"items": []}, {"totalCount": 3}, [], "none", None]
)
async def test_an_answer_without_a_list_is_not_an_empty_list(content: object) -> None:
    """Some other server's JSON must never read as if there were no events."""
    async with LosantClient.in_process(answering(content), TOKEN) as losant:
        with pytest.raises(BadResponse):
            await losant.events_get(applicationId="a" * 24)
