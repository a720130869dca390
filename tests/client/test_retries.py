"""What is sent again and what is not, counted by the sandbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr

from losant_mcp.api.events import EventPatch, EventPost, EventsExport
from losant_mcp.api.types import Success
from losant_mcp.client import LosantClient, Timeouts
from losant_mcp.client.transport import ATTEMPTS
from losant_mcp.errors import (
    LosantMcpError,
    NoAnswer,
    NotSent,
    RateLimited,
    ServerError,
    describe,
)
from losant_mcp.policy import Policy
from tests.served import Sandbox

REPEATED = [
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "retryAfter": 1},
    {"kind": "status", "status": 502},
    {"kind": "html", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 503, "retryAfter": 0},
    {"kind": "status", "status": 504},
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "reset"},
]
NOT_REPEATED = [
    {"kind": "status", "status": 400},
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 404},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 429, "retryAfter": 31},
    {"kind": "html", "status": 200},
    {"kind": "html", "status": 302},
    {"kind": "truncated_json"},
]


def named(fault: dict[str, Any]) -> str:
    """A fault as a test's name."""
    return "-".join(str(value) for value in fault.values())


@pytest.mark.parametrize("fault", REPEATED, ids=named)
async def test_a_read_is_repeated_until_it_is_answered(
    losant: LosantClient, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    """Two failures that may pass cost two more requests, and the caller sees the answer only."""
    sandbox.set_faults({**fault, "times": 2})
    answer = await losant.events_get(applicationId=sandbox.application_id)
    assert answer.totalCount == 2000
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize("fault", REPEATED, ids=named)
async def test_a_read_is_given_up_after_a_few_tries(
    losant: LosantClient, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    """The error says how often it was tried."""
    sandbox.set_faults(fault)
    with pytest.raises(LosantMcpError) as caught:
        await losant.events_get(applicationId=sandbox.application_id)
    assert str(caught.value).startswith(f"events.get failed ({ATTEMPTS} tries): ")
    assert len(sandbox.requests) == ATTEMPTS


@pytest.mark.parametrize("fault", NOT_REPEATED, ids=named)
async def test_a_failure_that_would_come_again_is_not_repeated(
    losant: LosantClient, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    """One request, one error."""
    sandbox.set_faults(fault)
    with pytest.raises(LosantMcpError):
        await losant.events_get(applicationId=sandbox.application_id)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("fault", [*REPEATED, *NOT_REPEATED], ids=named)
@pytest.mark.parametrize("effect", ["write", "overwrite", "export", "destroy"])
async def test_what_changes_something_is_sent_once(
    losant: LosantClient, sandbox: Sandbox, fault: dict[str, Any], effect: str
) -> None:
    """Whatever came back or did not, a request that may have been carried out is not repeated."""
    application = sandbox.application_id
    [event] = sandbox.store.rows("SELECT id FROM events LIMIT 1")
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "write": lambda: losant.events_post(
            applicationId=application, body=EventPost(level="info", subject="Once")
        ),
        "overwrite": lambda: losant.event_patch(
            applicationId=application, eventId=event["id"], body=EventPatch(comment="Once")
        ),
        "export": lambda: losant.events_export(applicationId=application, body=EventsExport()),
        "destroy": lambda: losant.event_delete(applicationId=application, eventId=event["id"]),
    }
    sandbox.set_faults(fault)
    with pytest.raises(LosantMcpError):
        await calls[effect]()
    assert len(sandbox.requests) == 1


async def test_a_write_that_was_carried_out_before_the_connection_broke_is_there_once(
    losant: LosantClient, sandbox: Sandbox
) -> None:
    """A dropped answer is reported as unknown, and the event exists exactly once."""
    sandbox.set_faults({"kind": "drop_after"})
    with pytest.raises(NoAnswer) as caught:
        await losant.events_post(
            applicationId=sandbox.application_id, body=EventPost(level="info", subject="Once")
        )
    assert caught.value.changed == "unknown"
    assert len(sandbox.store.rows("SELECT 1 FROM events WHERE subject = 'Once'")) == 1


class FirstConnectionsFail(httpx.AsyncBaseTransport):
    """The network, with a door that stays shut for the first attempts."""

    def __init__(self, times: int, error: type[httpx.TransportError]) -> None:
        self.left = times
        self.error = error
        self.network = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Refuse to connect, or send."""
        if self.left:
            self.left -= 1
            raise self.error("no route", request=request)
        return await self.network.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the real connections."""
        await self.network.aclose()


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_a_write_that_never_left_is_repeated(
    sandbox: Sandbox, error: type[httpx.TransportError]
) -> None:
    """Where no connection was made Losant saw nothing, so a write may try again, and runs once."""
    [event] = sandbox.store.rows("SELECT id FROM events LIMIT 1")
    async with LosantClient(
        SecretStr(sandbox.tokens["full"]),
        base_url=sandbox.url,
        policy=Policy(destroy="open"),
        transport=FirstConnectionsFail(2, error),
        retry_wait_scale=0,
    ) as losant:
        answer = await losant.event_delete(
            applicationId=sandbox.application_id, eventId=event["id"]
        )
    assert isinstance(answer, Success)
    assert [request.status for request in sandbox.requests] == [200]


async def test_a_certificate_that_cannot_be_verified_is_told_at_once() -> None:
    """Waiting mends no certificate, so one try is enough and the hint names the setting."""

    class Unverified(httpx.AsyncBaseTransport):
        tries = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.tries += 1
            raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")

    transport = Unverified()
    async with LosantClient(SecretStr("token"), transport=transport) as losant:
        with pytest.raises(NotSent) as caught:
            await losant.events_get(applicationId="a" * 24)
    assert transport.tries == 1
    assert "SSL_CERT_FILE" in describe(caught.value)
    assert "retry" not in describe(caught.value)


# ---- how long to wait ----------------------------------------------------------------------


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("kind", [RateLimited, ServerError])
async def test_a_long_wait_is_left_to_the_caller(
    losant: LosantClient, sandbox: Sandbox, form: str, kind: type[LosantMcpError]
) -> None:
    """The wait that Losant asks for is told in seconds, from a number and from a date alike."""
    at = datetime.fromtimestamp(sandbox.store.clock() / 1000, UTC) + timedelta(seconds=90)
    value = 90 if form == "seconds" else format_datetime(at, usegmt=True)
    status = 429 if kind is RateLimited else 503
    sandbox.set_faults({"kind": "status", "status": status, "retryAfter": value})
    with pytest.raises(kind) as caught:
        await losant.events_get(applicationId=sandbox.application_id)
    assert isinstance(caught.value, (RateLimited, ServerError))
    assert caught.value.retry_after is not None
    assert 88 <= caught.value.retry_after <= 91
    assert describe(caught.value).endswith(" s.")
    assert len(sandbox.requests) == 1


async def test_a_date_is_read_by_losants_clock(losant: LosantClient, sandbox: Sandbox) -> None:
    """A server whose clock is a day off still makes us wait for as long as it means."""
    day = 24 * 3600 * 1000
    at = datetime.fromtimestamp((sandbox.store.clock() - day) / 1000, UTC) + timedelta(seconds=60)
    sandbox.set_faults(
        {"kind": "clock", "offset": -day},
        {"kind": "status", "status": 429, "retryAfter": format_datetime(at, usegmt=True)},
    )
    with pytest.raises(RateLimited) as caught:
        await losant.events_get(applicationId=sandbox.application_id)
    assert caught.value.retry_after is not None
    assert 58 <= caught.value.retry_after <= 61


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "inf", "Wed, 99 Foo 2026"])
async def test_a_wait_that_makes_no_sense_does_no_harm(
    losant: LosantClient, sandbox: Sandbox, value: str
) -> None:
    """A header that is no number and no date is passed over, and the read goes on."""
    sandbox.set_faults({"kind": "status", "status": 429, "retryAfter": value, "times": 1})
    await losant.events_get(applicationId=sandbox.application_id)
    assert len(sandbox.requests) == 2


async def test_a_short_wait_is_kept(sandbox: Sandbox) -> None:
    """With real waits, a read asked to come back in a second does so after one, not before."""
    sandbox.set_faults({"kind": "status", "status": 429, "retryAfter": 1, "times": 1})
    async with LosantClient(SecretStr(sandbox.tokens["full"]), base_url=sandbox.url) as losant:
        started = anyio.current_time()
        await losant.events_get(applicationId=sandbox.application_id)
        waited = anyio.current_time() - started
    assert 1 <= waited < 5


async def test_all_tries_together_have_a_deadline(sandbox: Sandbox) -> None:
    """Where the time is up during a wait, the error is the last one that Losant gave."""
    sandbox.set_faults({"kind": "status", "status": 503, "retryAfter": 20})
    async with LosantClient(
        SecretStr(sandbox.tokens["full"]), base_url=sandbox.url, timeouts=Timeouts(total=0.3)
    ) as losant:
        with pytest.raises(ServerError) as caught:
            await losant.events_get(applicationId=sandbox.application_id)
    assert caught.value.status == 503
    assert len(sandbox.requests) == 1


async def test_a_cancelled_call_stops_waiting(sandbox: Sandbox) -> None:
    """Cancellation reaches a call that waits for its next try, and no error hides it."""
    sandbox.set_faults({"kind": "status", "status": 503, "retryAfter": 20})
    async with LosantClient(SecretStr(sandbox.tokens["full"]), base_url=sandbox.url) as losant:
        with anyio.move_on_after(0.3) as scope:
            await losant.events_get(applicationId=sandbox.application_id)
    assert scope.cancelled_caught
