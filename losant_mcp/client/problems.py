"""From what came back, or did not, to an error of the tree: which one, in which words.

Apart from the transport so that the words can be read in one place. Nothing in here keeps an
httpx exception: those hold the request, and the request holds the token.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TypeVar

import httpx
from pydantic import ValidationError

from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.api.types import ErrorBody, ResponseModel
from losant_mcp.client.content import read_model
from losant_mcp.errors import (
    ApiError,
    BadRequest,
    BadResponse,
    Conflict,
    Forbidden,
    LosantMcpError,
    MethodNotAllowed,
    NoAnswer,
    NotFound,
    NotSent,
    PayloadTooLarge,
    RateLimited,
    ServerError,
    Unauthorized,
)
from losant_mcp.text import one_line, quoted

MAX_DETAIL = 200

_STATUS_ERRORS: Mapping[int, tuple[type[ApiError], str]] = {
    400: (BadRequest, "Losant found it invalid (400)"),
    401: (Unauthorized, "Losant does not accept the token (401)"),
    403: (Forbidden, "the token may not do this (403)"),
    404: (NotFound, "there is no such object, or the token may not see it (404)"),
    405: (MethodNotAllowed, "Losant does not know this operation (405)"),
    409: (Conflict, "the state of the object does not allow this (409)"),
    413: (PayloadTooLarge, "the request is larger than Losant takes (413)"),
    429: (RateLimited, "too many requests (429)"),
}
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_LISTED_BY: Mapping[str, str] = {
    "eventId": "list_events",
    "rowId": "list_rows or query_rows",
    "dataTableId": "list_data_tables",
    "deviceId": "list_devices",
    "jobId": "list_jobs",
    "applicationId": "list_applications",
}
_SHOWN_BY: Mapping[str, str] = {
    "events.post": "list_events",
    "events.patch": "list_events",
    "events.delete": "list_events",
    "events.export": "list_jobs",
    "event.patch": "get_event",
    "event.delete": "get_event",
    "dataTables.post": "list_data_tables",
    "dataTable.patch": "get_data_table",
    "dataTable.delete": "list_data_tables",
    "dataTable.addColumn": "get_data_table",
    "dataTable.removeColumn": "get_data_table",
    "dataTableRows.post": "query_rows",
    "dataTableRows.delete": "query_rows",
    "dataTableRows.truncate": "get_data_table",
    "dataTableRows.export": "list_jobs",
    "dataTableRow.patch": "get_row",
    "dataTableRow.delete": "get_row",
    "data.export": "list_jobs",
}
"""The tool that shows whether an operation happened of which no answer came."""


Redact = Callable[[str], str]
"""Takes the token out of a text."""

_Error = TypeVar("_Error", bound=LosantMcpError)


def about(error: _Error, endpoint: Endpoint) -> _Error:
    """The error, told whether it ended a write; a read never changed anything."""
    error.writes = endpoint.effect is not Effect.READ
    error.look = _SHOWN_BY.get(endpoint.id, "")
    if not error.writes:
        error.changed = "nothing"
    return error


# ---- no answer -----------------------------------------------------------------------------


def from_exception(error: httpx.HTTPError, endpoint: Endpoint, tries: int) -> LosantMcpError:
    """The error for a request that ended in an exception of httpx."""
    return about(_from_exception(error, f"{endpoint.id} failed{_tried(tries)}"), endpoint)


def _from_exception(error: httpx.HTTPError, failed: str) -> LosantMcpError:
    if isinstance(error, httpx.DecodingError):
        return BadResponse(f"{failed}: Losant's answer could not be decoded.")
    if not isinstance(error, _NOT_SENT):
        if isinstance(error, httpx.TimeoutException):
            late = f"{failed}: Losant did not answer in time."
            return NoAnswer(late, hint="A smaller request may be answered sooner.")
        return NoAnswer(f"{failed}: the connection broke before Losant's answer was complete.")
    if is_certificate_problem(error):
        unverified = NotSent(
            f"{failed}: Losant's certificate could not be verified, so nothing was sent.",
            hint="Behind a proxy that inspects TLS, set SSL_CERT_FILE to its certificates.",
        )
        unverified.retry = False
        return unverified
    if isinstance(error, httpx.PoolTimeout):
        return NotSent(
            f"{failed}: all connections were busy, so nothing was sent.",
            hint="Ask for less at the same time.",
        )
    # Texts of LocalProtocolError can hold header values; these two come from the system.
    told = isinstance(error, (httpx.ConnectError, httpx.ProxyError)) and str(error)
    why = f" ({one_line(str(error), 120)})" if told else ""
    return NotSent(
        f"{failed}: no connection to Losant{why}.",
        hint="Check the network, the proxy settings (HTTPS_PROXY) and LOSANT_API_URL.",
    )


def is_repeatable(error: httpx.HTTPError, *, reads: bool) -> bool:
    """Whether a request that ended so may be sent again: it did not leave, or it only reads."""
    if is_certificate_problem(error):
        return False
    # A keep-alive connection that Losant closed meanwhile breaks like this; so may a request
    # that Losant has already carried out.
    broken = isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError))
    return isinstance(error, _NOT_SENT) or (reads and broken)


def is_certificate_problem(error: Exception) -> bool:
    """Whether a connection failed on the server's certificate, which no retry mends."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def out_of_time(endpoint: Endpoint, seconds: float, tries: int) -> LosantMcpError:
    """The error for a request that was given up, wherever it then was."""
    message = f"{endpoint.id} failed{_tried(tries)}: no complete answer within {seconds:g} s."
    return about(NoAnswer(message, hint="Ask for less, or try again later."), endpoint)


def for_log(endpoint: Endpoint, error: LosantMcpError) -> str:
    """What failed, without Losant's own words, which may repeat what it was asked."""
    if isinstance(error, ApiError):
        return f"{endpoint.id} failed: {type(error).__name__} ({error.status})"
    return str(error)


# ---- an error status -----------------------------------------------------------------------


def from_status(
    response: httpx.Response, endpoint: Endpoint, tries: int, redact: Redact
) -> LosantMcpError:
    """The error for an answer with a status that is no success."""
    status = response.status_code
    if status < 400:
        what = "a redirect" if response.is_redirect else "an unexpected answer"
        return about(
            BadResponse(
                f"{endpoint.id} failed: Losant answered with {what} ({status}), which is never "
                "followed, since it could carry the token elsewhere.",
                hint="Check LOSANT_API_URL; it must be the API itself, https://api.losant.com.",
            ),
            endpoint,
        )
    kind, detail = _losant_says(response, redact)
    failed = f"{endpoint.id} failed{_tried(tries)}"
    quote = f" Losant says: {quoted(detail, MAX_DETAIL)}" if detail else ""
    error_type, what = _STATUS_ERRORS.get(status, (ApiError, f"Losant refused it ({status})"))
    if status >= 500:
        who = "Losant" if detail else "Losant, or a proxy before it,"
        error_type, what = ServerError, f"{who} failed ({status})"
    error = error_type(
        f"{failed}: {what}.{quote}",
        status=status,
        kind=kind,
        detail=detail,
        hint=_hint(status, endpoint),
        retry_after=retry_after(response),
    )
    if error_type is ApiError:
        error.changed = "unknown"
    return about(error, endpoint)


def _losant_says(response: httpx.Response, redact: Redact) -> tuple[str, str]:
    """Losant's own type and message, made harmless; empty where the body is not its JSON."""
    try:
        body = read_model(ErrorBody, response.content)
    except ValidationError:
        return "", ""
    # A message may repeat what was sent. The token goes first, so that no cut leaves half of it.
    message = redact(one_line(body.message or "", 100_000))
    kind = redact(one_line(body.type or "", 100_000))
    return one_line(kind, 60), one_line(message, MAX_DETAIL)


def _hint(status: int, endpoint: Endpoint) -> str:
    match status:
        case 400:
            return "Correct what Losant names, and call again."
        case 401:
            return (
                "Check LOSANT_API_TOKEN: it may be mistyped, revoked or expired; "
                "`losant-mcp check` tells more."
            )
        case 403:
            return f"A token with one of these scopes may: {_scopes(endpoint)}."
        case 404:
            named = [name for name in reversed(endpoint.path_params) if name != "applicationId"]
            tools = [_LISTED_BY[name] for name in named or endpoint.path_params]
            return f"Look the id up with {', '.join(tools)}." if tools else ""
        case 405:
            return "LOSANT_API_URL may be wrong, or Losant's API has changed."
        case 409:
            return "Read the object as it is now, and decide again."
        case 413:
            return "Send less at once: fewer rows, or a narrower query."
        case 429:
            return _rate_hint(endpoint)
        case _:
            return ""


def _scopes(endpoint: Endpoint) -> str:
    """The scopes that suffice, the narrowest first."""
    order = ("all.Application.read", "all.Application", "all.User.read", "all.User")
    broad = [scope for scope in order if scope in endpoint.scopes]
    return ", ".join([endpoint.id, f"{endpoint.id.partition('.')[0]}.*", *broad])


def _rate_hint(endpoint: Endpoint) -> str:
    if endpoint.id == "events.post":
        return "Losant takes 15 new events per application in 15 seconds."
    if endpoint.effect is Effect.EXPORT:
        return "Losant runs one export of a kind at a time."
    return "Ask less often."


def retry_after(response: httpx.Response) -> float | None:
    """The wait in seconds that the answer asks for: a number, or a date by its own clock."""
    value = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        until = http_date(value)
        if until is None:
            return None
        seconds = (until - (answered_at(response) or datetime.now(UTC))).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def answered_at(response: httpx.Response) -> datetime | None:
    """When Losant answered, by its own clock."""
    return http_date(response.headers.get("Date", ""))


def http_date(value: str) -> datetime | None:
    """The time in an HTTP date, or None where it is none."""
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# ---- a success that is none ----------------------------------------------------------------


def unusable(endpoint: Endpoint, why: str) -> BadResponse:
    """The error for a success whose content cannot be used."""
    return about(
        BadResponse(
            f"{endpoint.id} failed: {why}.",
            hint="LOSANT_API_URL may be wrong, a proxy may be in the way, or the API has changed.",
        ),
        endpoint,
    )


def unexpected_status(endpoint: Endpoint, response: httpx.Response) -> BadResponse:
    """The error for a success of a kind that the operation does not have."""
    return unusable(
        endpoint, f"Losant answered with status {response.status_code}, which it never should"
    )


def from_content(
    response: httpx.Response, problem: ValidationError, endpoint: Endpoint
) -> BadResponse:
    """The error for content that is not what the API promises; names the field, never a value."""
    [first, *_] = problem.errors(include_url=False, include_context=False, include_input=False)
    if first["type"] == "json_invalid":
        html = "html" in response.headers.get("Content-Type", "") or response.content[
            :100
        ].lstrip().startswith(b"<")
        return unusable(
            endpoint,
            "Losant answered with HTML instead of JSON"
            if html
            else "Losant's answer is broken JSON",
        )
    # Keys of maps are content (device ids, columns); only names of the API are told.
    where = ".".join(
        str(part) if isinstance(part, int) or part in _field_names() else "*"
        for part in first["loc"]
    )
    return unusable(
        endpoint,
        f"Losant's answer has another shape than the API promises, at "
        f"{where or 'its root'} ({first['type']})",
    )


@cache
def _field_names() -> frozenset[str]:
    models: list[type[ResponseModel]] = [ResponseModel]
    for model in models:
        models.extend(model.__subclasses__())
    return frozenset(name for model in models for name in model.model_fields)


def _tried(tries: int) -> str:
    return f" ({tries} tries)" if tries > 1 else ""
