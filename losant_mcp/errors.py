"""Everything that can go wrong, as one tree; a class per decision that a caller makes.

::

    LosantMcpError
    ├── ConfigurationError        the settings are wrong; the server does not start
    ├── InvalidRequest            refused here, before anything was sent
    │   ├── InvalidQuery          an advanced query breaks a rule of its grammar
    │   └── UnknownName           a name fits no object, or more than one
    ├── Refused                   policy says no; says who can allow it, and how
    ├── ApiError                  Losant answered with an error status
    │   ├── BadRequest            400
    │   ├── Unauthorized          401
    │   ├── Forbidden             403
    │   ├── NotFound              404
    │   ├── MethodNotAllowed      405
    │   ├── Conflict              409
    │   ├── PayloadTooLarge       413
    │   ├── RateLimited           429
    │   └── ServerError           5xx
    ├── TransportError            no usable answer
    │   ├── NotSent               the request certainly did not reach Losant
    │   ├── NoAnswer              it may have: a timeout or a broken connection
    │   └── BadResponse           an answer came that is not what the API promises
    └── JobFailed                 a background job ended without success

Every error says what happened (its text), what to try next (``hint``), whether a retry can
help (``retry``), and whether Losant may have changed something (``changed``). The text never
holds a token, a raw body or markup. ``describe`` puts all of it into one short paragraph.
"""

from __future__ import annotations

from typing import Literal

from losant_mcp.text import one_line

Changed = Literal["nothing", "unknown"]


class LosantMcpError(Exception):
    """The root. ``str(error)`` is what happened, in one or two sentences."""

    retry: bool = False
    """Whether the very same request may succeed a little later."""

    changed: Changed = "nothing"
    """What is known of a write that ended so: nothing changed, or it cannot be told."""

    writes: bool = False
    """Whether a write was on its way, so that a reader wants to know what changed."""

    look: str = ""
    """The tool that shows whether the write happened all the same, where one does."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigurationError(LosantMcpError):
    """A setting is missing, misspelt or impossible."""


class InvalidRequest(LosantMcpError, ValueError):
    """The request breaks a rule that is known here; nothing was sent."""


class InvalidQuery(InvalidRequest):
    """An advanced query breaks a rule; ``path`` is where, such as ``$or[1].level``."""

    def __init__(self, path: str, rule: str, *, hint: str = "") -> None:
        super().__init__(f"query{'.' + path if path else ''}: {rule}", hint=hint)
        self.path = path
        self.rule = rule


class UnknownName(InvalidRequest):
    """A name where an id is expected fits nothing, or several objects; the text lists them."""


class Refused(LosantMcpError):
    """Policy does not let the request go; ``hint`` says how a person can allow it."""


class ApiError(LosantMcpError):
    """Losant answered with an error status.

    ``status`` is the HTTP status, ``kind`` Losant's own ``type`` ("Validation"), ``detail`` its
    ``message``: text from outside, capped, to be quoted and never to be obeyed. ``retry_after``
    is the wait in seconds that Losant asks for, where it does.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str = "",
        detail: str = "",
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after


class BadRequest(ApiError):
    """400: Losant found the request invalid."""


class Unauthorized(ApiError):
    """401: the token is missing, wrong or expired."""


class Forbidden(ApiError):
    """403: the token lacks a scope for this action."""


class NotFound(ApiError):
    """404: no such object, or none that this token may see."""


class MethodNotAllowed(ApiError):
    """405: the path exists but not with this method; a bug here or a changed API."""


class Conflict(ApiError):
    """409: the state of the object does not allow this."""


class PayloadTooLarge(ApiError):
    """413: the body is larger than Losant takes."""


class RateLimited(ApiError):
    """429: too many calls."""

    retry = True


class ServerError(ApiError):
    """5xx: Losant, or something before it, failed; a write may have happened all the same."""

    retry = True
    changed = "unknown"


class TransportError(LosantMcpError):
    """No usable answer came."""


class NotSent(TransportError):
    """No connection was made, so the request certainly did not reach Losant."""

    retry = True


class NoAnswer(TransportError):
    """The request may have reached Losant, but its answer did not come back."""

    retry = True
    changed = "unknown"


class BadResponse(TransportError):
    """The answer is HTML, broken JSON, a redirect, or not what the API promises."""

    changed = "unknown"


class JobFailed(LosantMcpError):
    """A background job was errored or failed, or did not end in time; ``status`` says which."""

    changed = "unknown"

    def __init__(self, message: str, *, status: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


# ---- in words ------------------------------------------------------------------------------

MAX_DESCRIPTION = 600


def describe(error: LosantMcpError, *, limit: int = MAX_DESCRIPTION) -> str:
    """The whole error in at most ``limit`` characters: what happened, what to do, what changed.

    One line without anything unseen, whoever is quoted in it. What changed comes last and is
    never cut; message and hint share the rest.
    """
    unclear = error.writes and error.changed == "unknown"
    tail = [] if unclear else _retry_advice(error)
    if unclear:
        where = f" with {error.look}" if error.look else ""
        tail.append(f"Losant may have done it all the same: look{where} before you repeat it.")
    elif error.writes:
        tail.append("Nothing was changed.")
    ending = " ".join(tail)
    room = limit - len(ending) - 1
    message = _cut(_sentence(str(error)), room)
    hint = _sentence(error.hint)
    if hint and len(message) + 1 + len(hint) > room:
        message = _cut(message, max(room - len(hint) - 1, room // 2))
        hint = _cut(hint, room - len(message) - 1)
    return " ".join(part for part in (message, hint, ending) if part)


def _retry_advice(error: LosantMcpError) -> list[str]:
    if not error.retry:
        return []
    wait = getattr(error, "retry_after", None)
    return [f"A retry may help in {wait:.0f} s." if wait else "A retry may help a little later."]


def _sentence(text: str) -> str:
    text = one_line(text, MAX_DESCRIPTION * 2)
    return text if not text or text[-1] in '.!?…"' else f"{text}."


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
