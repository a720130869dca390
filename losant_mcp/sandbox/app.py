"""The sandbox over HTTP: one route per row of the catalogue, and what every request goes through.

In this order: fault injection, route, token, scope, application, query parameters, body, and
then the handler, alone in a transaction that is rolled back where it raises.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from anyio.to_thread import run_sync
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from losant_mcp.api.body import parse_body
from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.types import is_object_id
from losant_mcp.errors import InvalidRequest
from losant_mcp.sandbox import data, events, exports, jobs, lookup, rows, tables
from losant_mcp.sandbox.call import Call, Handler, Problem, invalid, not_found
from losant_mcp.sandbox.faults import Faults, FaultsMiddleware
from losant_mcp.sandbox.parameters import parse_parameters, refused
from losant_mcp.sandbox.store import Store
from losant_mcp.sandbox.tokens import authenticate, authorize

MAX_BODY = 10 * 1024 * 1024
"""Bytes in a request's body. Losant's own limit is not documented."""

MAX_LOGGED = 10_000

HANDLERS: Mapping[str, Handler] = {
    **events.HANDLERS,
    **tables.HANDLERS,
    **rows.HANDLERS,
    **data.HANDLERS,
    **exports.HANDLERS,
    **lookup.HANDLERS,
    **jobs.HANDLERS,
}

_JSON = [(b"content-type", b"application/json; charset=utf-8")]


@dataclass(slots=True)
class Logged:
    """A request that came in; ``status`` stays None where no answer was sent."""

    method: str
    path: str
    query: str
    endpoint_id: str | None
    status: int | None = None


def create_app(store: Store, *, base_url: str = "http://sandbox") -> Starlette:
    """The ASGI application; ``app.state.requests`` holds the newest requests as ``Logged``."""
    faults = Faults(store)
    requests: deque[Logged] = deque(maxlen=MAX_LOGGED)
    routes: list[BaseRoute] = [
        _route(
            endpoint.path,
            endpoint.method,
            endpoint.id,
            _Operation(endpoint, HANDLERS[endpoint.id], store, base_url),
        )
        for endpoint in ENDPOINTS.values()
    ]
    routes += _own_routes(store, faults)
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(_Recorder, routes=routes, requests=requests, store=store),
            Middleware(FaultsMiddleware, faults=faults),
        ],
        exception_handlers={HTTPException: _http_problem},
    )
    app.router.redirect_slashes = False
    app.state.requests = requests
    app.state.faults = faults
    return app


def _route(path: str, method: str, name: str, app: ASGIApp) -> Route:
    route = Route(path, app, methods=[method], name=name)
    # Starlette adds HEAD to GET; Losant does not map it.
    route.methods = {method}
    return route


class _Operation:
    """The ASGI application of one endpoint."""

    def __init__(self, endpoint: Endpoint, handler: Handler, store: Store, base_url: str) -> None:
        self.endpoint = endpoint
        self.handler = handler
        self.store = store
        self.base_url = base_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        status, content, after = await run_sync(self.answer, scope, body)
        await _send(send, status, content)
        if after is not None:
            await run_sync(after, self.store)

    def answer(
        self, scope: Scope, body: bytes | None
    ) -> tuple[int, bytes, Callable[[Store], None] | None]:
        """Status, JSON, and what to do afterwards."""
        try:
            answer = self.handle(scope, body)
        except Problem as problem:
            return problem.status, _problem_body(problem.kind, str(problem)), None
        except sqlite3.OperationalError as error:
            if not _is_too_complex(error):
                raise
            message = "The query is too complex"
            return 400, _problem_body("Validation", message), None
        return answer

    def handle(
        self, scope: Scope, raw: bytes | None
    ) -> tuple[int, bytes, Callable[[Store], None] | None]:
        endpoint, store = self.endpoint, self.store
        path = {name: value.lower() for name, value in scope["path_params"].items()}
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        with store.transaction(write=False) as db:
            token = authenticate(store, db, authorization)
            authorize(db, token, endpoint, path)
        for name, value in path.items():
            if not is_object_id(value):
                # Whether a malformed id is a 400 or a 404 is not documented.
                raise not_found(name.removesuffix("Id"))
        params = parse_parameters(endpoint, scope["query_string"].decode("latin-1"))
        body = _parse_body(endpoint, raw)
        with store.transaction(write=endpoint.effect is not Effect.READ) as db:
            call = Call(
                endpoint, store, db, token, path, params, body, store.clock(), self.base_url
            )
            answer = self.handler(call)
        return answer.status, to_json(answer.body), answer.after


# ---- bodies --------------------------------------------------------------------------------


async def _read(receive: Receive) -> bytes | None:
    """The body, or None where it is too large.

    The rest of a body that is too large is read all the same, since a server that closes
    early resets the connection and the client never sees the 413.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False):
            return None if size > MAX_BODY else b"".join(chunks)


def _parse_body(endpoint: Endpoint, raw: bytes | None) -> Any:
    """The body as JSON data, valid by the endpoint's model.

    An optional body that is absent is ``{}``. Raises Problem 400 or 413.
    """
    if raw is None:
        raise Problem(413, "PayloadTooLarge", f"The body is larger than {MAX_BODY} bytes")
    if endpoint.body is None:
        return None
    if not raw.strip():
        if endpoint.body_required:
            raise invalid("A body is required")
        return {}
    try:
        body = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise invalid(f"The body is not JSON: {error}") from error
    try:
        parse_body(endpoint.body, body)
    except InvalidRequest as error:
        raise refused(error) from error
    return body


# ---- answers -------------------------------------------------------------------------------


async def _send(send: Send, status: int, content: bytes) -> None:
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*_JSON, length]})
    await send({"type": "http.response.body", "body": content})


def _problem_body(kind: str, message: str) -> bytes:
    return to_json({"type": kind, "message": message})


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "Error")
    content = _problem_body(kind, error.detail)
    headers = error.headers
    if error.status_code == 405:
        # Starlette names the methods of one route, but a path has several.
        found = (r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE)
        headers = {"Allow": ", ".join(sorted({m for route in found for m in route.methods}))}
    return Response(content, error.status_code, headers, "application/json")


def _is_too_complex(error: sqlite3.OperationalError) -> bool:
    text = str(error)
    return any(
        limit in text
        for limit in ("parser stack overflow", "Expression tree is too", "too many SQL variables")
    )


class _Recorder:
    """Notes every request, and dates every answer by the store's clock, wrong or right."""

    def __init__(
        self, app: ASGIApp, routes: list[BaseRoute], requests: deque[Logged], store: Store
    ) -> None:
        self.app = app
        self.routes = routes
        self.requests = requests
        self.store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = next(
            (
                r.name
                for r in self.routes
                if isinstance(r, Route) and r.matches(scope)[0] is Match.FULL
            ),
            None,
        )
        scope["endpoint_id"] = name
        logged = Logged(
            scope["method"], scope["path"], scope["query_string"].decode("latin-1"), name
        )
        if name not in UNLOGGED:
            self.requests.append(logged)

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                logged.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["date"] = formatdate(self.store.clock() / 1000, usegmt=True)
            await send(message)

        await self.app(scope, receive, dated)


# ---- the sandbox's own routes --------------------------------------------------------------

UNLOGGED = frozenset({"sandbox.health", "sandbox.faults"})


def _own_routes(store: Store, faults: Faults) -> list[Route]:
    async def health(request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def get_faults(request: Request) -> Response:
        return Response(to_json(faults.shown()), media_type="application/json")

    async def put_faults(request: Request) -> Response:
        try:
            faults.set(from_json(await request.body(), allow_inf_nan=False))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            content = _problem_body("Validation", f"rules.{where}: {first['msg']}")
            return Response(content, 400, media_type="application/json")
        except ValueError as error:
            content = _problem_body("Validation", f"The body is not JSON: {error}")
            return Response(content, 400, media_type="application/json")
        return await get_faults(request)

    async def delete_faults(request: Request) -> Response:
        faults.set([])
        return await get_faults(request)

    def file(request: Request) -> Response:
        with store.transaction(write=False) as db:
            found = db.execute(
                "SELECT name, contentType, content FROM files WHERE id = ?",
                (request.path_params["fileId"],),
            ).fetchone()
        if found is None:
            raise HTTPException(404, "File was not found")
        headers = {"content-disposition": f'attachment; filename="{found["name"]}"'}
        return Response(bytes(found["content"]), 200, headers, found["contentType"])

    return [
        Route("/sandbox/health", health, methods=["GET"], name="sandbox.health"),
        Route("/sandbox/faults", get_faults, methods=["GET"], name="sandbox.faults"),
        Route("/sandbox/faults", put_faults, methods=["PUT"], name="sandbox.faults"),
        Route("/sandbox/faults", delete_faults, methods=["DELETE"], name="sandbox.faults"),
        Route("/sandbox/files/{fileId}", file, methods=["GET"], name="sandbox.file"),
    ]
