"""The one seam to Losant: policy, authentication, timeouts, retries and errors of every request.

Requests leave through `Transport._send` and nowhere else. What may be repeated is decided here,
by effect: a read is repeated after a broken connection and after 429, 502, 503 and 504;
anything else only where no connection was made, so that Losant certainly did not see it. A read
timeout is never repeated: a query that is too slow would only be asked again.
"""

from __future__ import annotations

import json
import logging
import random
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import anyio
import httpx
import stamina
from pydantic import SecretStr, ValidationError

from losant_mcp import __version__
from losant_mcp.api.endpoint import API_VERSION, BASE_URL, Effect, Endpoint
from losant_mcp.api.types import JsonObject, RequestModel, RequestRoot, ResponseModel, Success
from losant_mcp.client import addresses, problems
from losant_mcp.client.content import read_model
from losant_mcp.client.queries import check_queries
from losant_mcp.errors import (
    ConfigurationError,
    InvalidRequest,
    LosantMcpError,
    RateLimited,
    Refused,
    ServerError,
)
from losant_mcp.observer import Observer
from losant_mcp.policy import Permit, Policy, Refusal
from losant_mcp.tracing import request_span

A = TypeVar("A", bound=ResponseModel)
B = TypeVar("B", bound=ResponseModel)

Body = RequestModel | RequestRoot[Any] | JsonObject
"""A model, or an advanced query that was already checked."""

Params = Mapping[str, Any]  # JSON data by name; None is left out

ATTEMPTS = 4
LONGEST_RETRY_AFTER = 30.0
"""Seconds; a longer wait is the caller's decision."""

RETRIED_STATUSES = (429, 502, 503, 504)

_ESSENTIAL = frozenset({"items", "totalCount", "removed", "jobId"})
"""What no schema requires and every answer has: without them nothing would look like "none"."""

_log = logging.getLogger(__name__)
_token = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between bytes read and written, for a free connection, and in all.

    ``total`` bounds one call with all its retries and waits.
    """

    connect: float = 5.0
    read: float = 30.0
    write: float = 30.0
    pool: float = 30.0
    total: float = 120.0


@dataclass(frozen=True, slots=True)
class _Failure:
    """One attempt that failed; ``again`` is whether, or after how many seconds, to repeat it."""

    error: LosantMcpError
    again: bool | float


@dataclass(slots=True)
class _Attempts:
    """What is known of a request's attempts; stamina calls it to learn whether to go on."""

    tries: int = 0
    again: bool | float = False
    error: LosantMcpError | None = None

    def begin(self, number: int) -> None:
        """Forget the attempt before, so that an unforeseen exception is not repeated."""
        self.tries, self.again, self.error = number, False, None

    def __call__(self, _: Exception) -> bool | float:
        return self.again


class _Bearer(httpx.Auth):
    """Adds the token to each request; nothing else ever holds it in the clear."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        """Put the token into one request."""
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


class Transport:
    """A connection pool to one Losant, with one token, under one policy.

    Use it as an async context manager. Proxies and certificates from the environment
    (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE) are used, except towards this machine itself.
    ``retry_wait_scale`` 0 makes every wait between attempts zero, for tests. ``label`` tells apart
    whoever uses the same token.
    """

    def __init__(
        self,
        token: SecretStr,
        *,
        base_url: str = BASE_URL,
        policy: Policy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeouts: Timeouts | None = None,
        max_connections: int = 20,
        retry_wait_scale: float = 1.0,
        observer: Observer | None = None,
        label: str = "",
    ) -> None:
        if not _token.fullmatch(token.get_secret_value()):
            raise ConfigurationError(
                "LOSANT_API_TOKEN is empty or has characters that no token has.",
                hint="Copy the token again, without spaces or line breaks.",
            )
        in_process = isinstance(transport, httpx.ASGITransport)
        self.base_url = addresses.checked_base_url(base_url, any_scheme=in_process)
        self.policy = policy or Policy()
        self.observer = observer or Observer()
        self.label = label
        self._token = token
        self._timeouts = timeouts or Timeouts()
        self._transport = transport
        self._max_connections = max_connections
        self._wait_scale = retry_wait_scale
        self._open: httpx.AsyncClient | None = None
        self._clock_offset = timedelta()
        # They print whole URLs, which hold queries, at INFO.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # It says only that there is a retry; our own line says of what, and why.
        logging.getLogger("stamina").setLevel(logging.ERROR)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url} access={self.policy.access}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        http, self._open = self._open, None
        if http is not None:
            with anyio.CancelScope(shield=True):
                await http.aclose()

    def losant_now(self) -> datetime:
        """The time by Losant's clock, as its newest answer told; by ours before the first."""
        return datetime.now(UTC) + self._clock_offset

    def redact(self, text: str) -> str:
        """The text with the token taken out, should something have repeated it."""
        return text.replace(self._token.get_secret_value(), "[token]")

    # ---- one request -----------------------------------------------------------------------

    @overload
    async def _send(
        self,
        answer: type[A],
        endpoint: Endpoint,
        path: Mapping[str, str],
        params: Params | None = None,
        body: Body | None = None,
        permit: Permit | None = None,
    ) -> A: ...

    @overload
    async def _send(
        self,
        answer: tuple[type[A], type[B]],
        endpoint: Endpoint,
        path: Mapping[str, str],
        params: Params | None = None,
        body: Body | None = None,
        permit: Permit | None = None,
    ) -> A | B: ...

    async def _send(
        self,
        answer: type[ResponseModel] | tuple[type[ResponseModel], ...],
        endpoint: Endpoint,
        path: Mapping[str, str],
        params: Params | None = None,
        body: Body | None = None,
        permit: Permit | None = None,
    ) -> ResponseModel:
        """Send one request under the policy and return its answer as the endpoint's model."""
        response = await self._fetch(endpoint, path, params, body, permit)
        parsed = self._parse(endpoint, response)
        assert isinstance(parsed, answer), "a method and the catalogue disagree"
        return parsed

    async def _fetch(
        self,
        endpoint: Endpoint,
        path: Mapping[str, str],
        params: Params | None = None,
        body: Body | None = None,
        permit: Permit | None = None,
    ) -> httpx.Response:
        """Send one request under the policy, repeat it as its effect allows, and return a 2xx."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            check_queries(endpoint, given, body)
            data = _to_json(endpoint, body)
            url = addresses.url_of(self.base_url, endpoint, path, given)
            content = _encode(data)
            verdict = self.policy.check(endpoint, path, params=given, body=data, permit=permit)
            if isinstance(verdict, Refusal):
                reason = f"{endpoint.id} is refused: {verdict.reason}."
                raise Refused(reason, hint=verdict.how_to_allow)
        except (InvalidRequest, Refused) as error:
            problems.about(error, endpoint)
            raise
        with request_span(endpoint.id, endpoint.method, endpoint.path):
            return await self._persist(endpoint, url, content)

    async def _persist(self, endpoint: Endpoint, url: str, content: bytes | None) -> httpx.Response:
        state = _Attempts()
        scale = self._wait_scale
        with anyio.move_on_after(self._timeouts.total):
            async for attempt in stamina.retry_context(
                on=state,
                attempts=ATTEMPTS,
                timeout=self._timeouts.total,
                wait_initial=0.25 * scale,
                wait_jitter=0.5 * scale,
                wait_max=8.0 * scale,
            ):
                with attempt:
                    state.begin(attempt.num)
                    started = monotonic()
                    outcome = await self._try(endpoint, url, content, attempt.num)
                    self.observer.requested(
                        endpoint.id, _status(outcome), monotonic() - started, attempt.num
                    )
                    if isinstance(outcome, httpx.Response):
                        return outcome
                    state.again, state.error = outcome.again, outcome.error
                    told = problems.for_log(endpoint, outcome.error)
                    _log.info("attempt %d of %s", attempt.num, told)
                    raise outcome.error
        # The time is up: in a wait, the last error is known; in a request, nothing is.
        raise state.error or problems.out_of_time(endpoint, self._timeouts.total, state.tries)

    async def _try(
        self, endpoint: Endpoint, url: str, content: bytes | None, tries: int
    ) -> httpx.Response | _Failure:
        """One attempt. Errors are returned, not raised, so that none has httpx's as context."""
        reads = endpoint.effect is Effect.READ
        started = monotonic()
        try:
            response = await self._http().request(endpoint.method, url, content=content)
        except httpx.HTTPError as error:
            problem = problems.from_exception(error, endpoint, tries)
            return _Failure(problem, problems.is_repeatable(error, reads=reads))
        _log.debug(
            "%s: %d in %.0f ms", endpoint.id, response.status_code, (monotonic() - started) * 1000
        )
        if at := problems.answered_at(response):
            self._clock_offset = at - datetime.now(UTC)
        if response.is_success:
            return response
        problem = problems.from_status(response, endpoint, tries, self.redact)
        return _Failure(problem, self._status_wait(problem) if reads else False)

    def _status_wait(self, problem: LosantMcpError) -> bool | float:
        """Whether, or after how many seconds, to repeat a read that ended in an error status."""
        if not isinstance(problem, (RateLimited, ServerError)):
            return False
        if problem.status not in RETRIED_STATUSES or problem.retry_after is None:
            return problem.status in RETRIED_STATUSES
        if problem.retry_after > LONGEST_RETRY_AFTER:
            return False
        # Pages are asked for at once; without jitter they would all come back at once.
        jitter = random.SystemRandom().uniform(0, 0.5)
        return (problem.retry_after + jitter) * self._wait_scale

    def _parse(self, endpoint: Endpoint, response: httpx.Response) -> ResponseModel:
        model = endpoint.responses.get(response.status_code)
        if model is None and response.status_code in (200, 201):
            model = endpoint.responses.get(200) or endpoint.responses.get(201)
        if model is None:
            raise problems.unexpected_status(endpoint, response)
        problem: LosantMcpError | None = None
        parsed: ResponseModel | None = None
        try:
            parsed = read_model(model, response.content)
        except ValidationError as error:
            problem = problems.from_content(response, error, endpoint)
        if parsed is None:
            # Raised out here, since pydantic's error, as its context, would hold the content.
            raise problem or AssertionError
        lacking = sorted((_ESSENTIAL & set(model.model_fields)) - parsed.model_fields_set)
        if lacking:
            raise problems.unusable(endpoint, f"Losant's answer lacks {', '.join(lacking)}")
        if isinstance(parsed, Success) and not parsed.success:
            raise problems.unusable(endpoint, "Losant answered that it was no success")
        return parsed

    def _http(self) -> httpx.AsyncClient:
        """The connection pool, made on first use: loading certificates takes a while."""
        if self._open is None:
            times = self._timeouts
            self._open = httpx.AsyncClient(
                auth=_Bearer(self._token),
                headers={
                    "Accept": "application/json",
                    "Accept-Version": API_VERSION,
                    "User-Agent": f"losant-mcp/{__version__}",
                },
                timeout=httpx.Timeout(
                    connect=times.connect, read=times.read, write=times.write, pool=times.pool
                ),
                limits=httpx.Limits(
                    max_connections=self._max_connections,
                    max_keepalive_connections=self._max_connections,
                    keepalive_expiry=30.0,
                ),
                transport=self._transport,
                verify=_certificates() if self._transport is None else True,
                follow_redirects=False,
                # A proxy must not see what stays on this machine, which is not encrypted.
                trust_env=not addresses.is_loopback(self.base_url),
            )
        return self._open


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust, once for all clients: it takes 20 ms to load, and a megabyte."""
    return httpx.create_ssl_context()


def _status(outcome: httpx.Response | _Failure) -> str:
    if isinstance(outcome, httpx.Response):
        return str(outcome.status_code)
    return type(outcome.error).__name__


def _to_json(endpoint: Endpoint, body: Body | None) -> Any:  # JSON data, of any shape
    if isinstance(body, (RequestModel, RequestRoot)):
        return body.to_json()
    if body is None and endpoint.body is not None:
        # As the official client does: no query, no filter.
        return {}
    return body


def _encode(data: Any) -> bytes | None:
    if data is None:
        return None
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        problem = InvalidRequest(
            "the body cannot be written as JSON: it holds a number that is not finite, broken "
            "Unicode, or something that is no JSON value"
        )
    raise problem
