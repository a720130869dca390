"""Moments as Losant has them: ms since the epoch in what it is asked, ISO 8601 in what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

HOUR = 3_600_000
"""In ms, like all times here."""
DAY = 24 * HOUR

_EPOCH = datetime.fromtimestamp(0, UTC)


def to_ms(moment: datetime) -> int:
    """The moment in ms since the epoch."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """The moment that is so many ms after the epoch, in UTC; any year that a datetime has."""
    return _EPOCH + timedelta(milliseconds=ms)


def iso(ms: int) -> str:
    """Ms since the epoch as ISO 8601 in UTC, without milliseconds where they are zero."""
    spec = "milliseconds" if ms % 1000 else "seconds"
    return from_ms(ms).isoformat(timespec=spec).replace("+00:00", "Z")


def read_date(text: object) -> int | None:
    """A date of Losant's in ms since the epoch, in UTC where it has no zone; None if it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
