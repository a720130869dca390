"""Answers and their headers; and the one answer to everything that is not there.

Whatever a stranger asks for (another path, method or host, a guessed plan, no cookie, a used
key), the answer is the same bytes under the same headers, so that nothing can be learnt from it.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from starlette.responses import HTMLResponse, Response

from losant_mcp.http.pages import content_policy, render

MISSES_A_MINUTE = 60
"""After so many, further ones are told to slow down."""

log = logging.getLogger(__name__)


def answer(
    body: str = "", status: int = 200, *, referrer: str = "no-referrer", location: str = ""
) -> Response:
    """A page, or a redirect, with the headers that every answer bears."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": content_policy(),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": referrer,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    if location:
        headers["Location"] = location
    return HTMLResponse(body, status, headers)


def unavailable() -> Response:
    """The answer where the guard's records cannot be used; the same to everybody."""
    return answer(render("unavailable"), 503)


class Misses:
    """Answers what is not there, and counts it.

    Throttled is only who asks for what is not there: a person with a session must not be locked
    out by a web page that floods the port with guesses. It spares the machine and not the keys:
    those have 256 bits, and no rate of guessing comes near one.
    """

    def __init__(
        self, *, hosted: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hosted = hosted
        self._clock = clock
        self._times: deque[float] = deque(maxlen=MISSES_A_MINUTE)
        self._said_at = -60.0

    def answer(self) -> Response:
        """404; or 429, where the last minute had too many of them."""
        now = self._clock()
        crowded = len(self._times) == MISSES_A_MINUTE and now - self._times[0] < 60
        if not crowded:
            self._times.append(now)
            return answer(render("missing", hosted=self._hosted), 404)
        if now - self._said_at >= 60:
            self._said_at = now
            log.warning("the approval page is asked for what is not there, again and again")
        refused = answer(render("missing", hosted=self._hosted), 429)
        refused.headers["Retry-After"] = "60"
        return refused
