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

FIELDS = frozenset({"token", "decision", "phrase", "pin"})

_ENTER = re.compile(r"/enter/([A-Za-z0-9_-]{43})")
_PLAN = re.compile(r"/approvals/([a-z0-9_]{8,64})")
_HEADERS_ONCE = ("host", "origin", "cookie", "content-type", "content-length")
_PREFETCHES = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def target(request: Request) -> tuple[str, str] | None:
    """What is asked for: ``enter`` and a key, or ``plan`` and an id; None for all else.

    The path is taken as it was sent: nothing is decoded, and no query string is put up with.
    """
    path = bytes(request.scope.get("raw_path") or b"").decode("ascii", "replace")
    if request.scope.get("query_string"):
        return None
    if match := _ENTER.fullmatch(path):
        return "enter", match[1]
    if match := _PLAN.fullmatch(path):
        return "plan", match[1]
    return None


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


async def read_form(request: Request) -> Mapping[str, str] | None:
    """The fields of the form; None where it is too large, too slow, or not one of ours."""
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
            max_num_fields=len(FIELDS),
        )
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) and set(form) <= FIELDS else None
