"""The token is nowhere but in the one header: no log, no error, no repr, no traceback."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from losant_mcp.api.tables import RowInsert
from losant_mcp.client import LosantClient
from losant_mcp.errors import ApiError, ConfigurationError, LosantMcpError, describe
from tests.client.answering import answering
from tests.client.calls import ids_in
from tests.served import Sandbox


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that any logger says, even at DEBUG."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def told(error: BaseException) -> str:
    """All that an error could tell: its texts, its repr, its chain, the locals of each frame."""
    full = traceback.TracebackException.from_exception(error, capture_locals=True)
    texts = [str(error), repr(error), repr(vars(error)), "".join(full.format())]
    if isinstance(error, LosantMcpError):
        texts.append(describe(error))
    if error.__context__ is not None:
        texts.append(told(error.__context__))
    return "\n".join(texts)


FAULTS = [
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 503},
    {"kind": "html"},
    {"kind": "html", "status": 200},
    {"kind": "truncated_json"},
    {"kind": "drop_before"},
    {"kind": "reset"},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_no_failure_tells_the_token(
    losant: LosantClient,
    sandbox: Sandbox,
    logged: pytest.LogCaptureFixture,
    fault: dict[str, Any],
) -> None:
    """Neither the error, with the locals of its frames, nor any log line holds the token."""
    sandbox.set_faults({**fault, "endpoint": "events.get"})
    with pytest.raises(LosantMcpError) as caught:
        await losant.events_get(applicationId=sandbox.application_id)
    everything = told(caught.value) + logged.text + repr(losant)
    assert sandbox.tokens["full"] not in everything
    assert "Bearer" not in everything


@pytest.mark.parametrize("status", [200, 400, 403, 500])
async def test_a_token_that_the_server_repeats_is_taken_out(status: int) -> None:
    """A message that quotes the token, even split by an invisible character, does not reach us."""
    message = "no: hunter2\u200bsecret " * 20
    body = {"type": "Bad hunter2secret", "message": message, "items": [{"id": 5}]}
    app = answering(body, status=status)
    async with LosantClient.in_process(app, SecretStr("hunter2secret")) as losant:
        with pytest.raises(LosantMcpError) as caught:
            await losant.events_get(applicationId="a" * 24)
    error = caught.value
    texts = [str(error), repr(error), describe(error)]
    if isinstance(error, ApiError):
        texts += [error.kind, error.detail]
        assert "[token]" in error.detail
    assert all("hunter2" not in text for text in texts)


async def test_logs_hold_no_address_and_no_content(
    losant: LosantClient, sandbox: Sandbox, logged: pytest.LogCaptureFixture
) -> None:
    """A request is logged by its operation; its query, its rows and its URL are not."""
    ids = ids_in(sandbox)
    await losant.events_get(applicationId=ids.application, query={"subject": "confidential"})
    row = {
        "siteCode": "confidential",
        "name": "confidential",
        "kind": "confidential",
        "district": "confidential",
    }
    await losant.data_table_rows_post(
        applicationId=ids.application, dataTableId=ids.table, body=RowInsert({**row})
    )
    ours = [record for record in logged.records if not record.name.startswith("asyncio")]
    assert {record.name for record in ours} == {"losant_mcp.client.transport"}
    assert "events.get: 200" in logged.text
    assert "confidential" not in logged.text
    assert "http" not in logged.text
    assert ids.application not in logged.text


@pytest.mark.parametrize(
    "token", ["", " ", "abc def", "abc\n", "abc\r\nX-Other: 1", "tökén", "\x00abc"]
)
def test_a_token_that_is_none_stops_the_start_unquoted(token: str) -> None:
    """A token that could break out of its header is refused, without being repeated."""
    with pytest.raises(ConfigurationError) as caught:
        LosantClient(SecretStr(token))
    assert str(caught.value) == ("LOSANT_API_TOKEN is empty or has characters that no token has.")
    assert "abc" not in describe(caught.value)
