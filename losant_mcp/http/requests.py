"""What a request must look like before anybody looks at what it wants.

A browser says where a request comes from, and a web page cannot make it lie. So every header that
a browser sets by itself is held against the only place where a request may begin: this page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect, Request

MOST_BODY = 8 * 1024
BODY_SECONDS = 10

PLAN = re.compile(r"/approvals/([a-z0-9_]{8,64})")
"""The path of a plan's page."""

_HEADERS_ONCE = ("host", "origin", "cookie", "content-type", "content-length")
_PREFETCHES = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def path(request: Request) -> str:
    """The path as it was sent, with nothing decoded; empty where there is a query string, which
    no page here puts up with.
    """
    if request.scope.get("query_string"):
        return ""
    return bytes(request.scope.get("raw_path") or b"").decode("ascii", "replace")


def is_of_person(request: Request, host: str) -> bool:
    """Whether it is a person who wants to see a page of this host, as far as its headers tell."""
    return (
        is_well_formed(request, host) and is_shown_to_person(request) and not is_prefetch(request)
    )


def is_well_formed(request: Request, host: str) -> bool:
    """Whether it is a GET or POST to exactly this host and port, with no header doubled.

    The port counts: a name that was made to point here (DNS rebinding) fails by its host, and a
    page of another server on this machine by its port.
    """
    if request.method not in ("GET", "POST") or request.headers.get("host") != host:
        return False
    return all(len(request.headers.getlist(name)) <= 1 for name in _HEADERS_ONCE)


def is_prefetch(request: Request) -> bool:
    """Whether a browser only looks ahead; nobody sees the answer, so that nothing is used up."""
    values = [request.headers.get(name, "").lower() for name in _PREFETCHES]
    return any("prefetch" in value or "preview" in value for value in values)


def is_shown_to_person(request: Request) -> bool:
    """Whether the answer becomes a page of its own: no frame, no image, no script's request.

    A browser that is too old to say so is trusted; the other checks hold without it.
    """
    destination = request.headers.get("sec-fetch-dest", "document")
    mode = request.headers.get("sec-fetch-mode", "navigate")
    return destination == "document" and mode == "navigate"


def is_from_here(request: Request) -> bool:
    """Whether the person came from this page, or by a bookmark or the address line.

    "same-site" is refused, too: to a browser every port of this machine is the same site, and it
    sends our cookies to all of them.
    """
    return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def is_our_form(request: Request, origin: str) -> bool:
    """Whether a POST was sent by a form of this very page."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        request.headers.get("origin") == origin
        and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        and kind == "application/x-www-form-urlencoded"
    )


async def read_form(request: Request, fields: frozenset[str]) -> Mapping[str, str] | None:
    """What the form holds; None where it is too large or too slow, or has other fields."""
    body = b""
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BODY:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=len(fields),
        )
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) and set(form) <= fields else None
