"""Times as people and models write them, made absolute.

ISO 8601 ("2026-03-01", "2026-03-01T08:15:00Z"), epoch milliseconds, or relative: ``now``,
``today``, ``yesterday`` (midnight in the configured zone), ``-24h``, ``now-24h`` with the units
s, m, h, d, w. A time without a zone is in the configured one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from losant_mcp.errors import InvalidRequest

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_relative = re.compile(r"(?:now)?\s*([+-])\s*(\d{1,6})\s*([smhdw])")
_epoch = re.compile(r"-?\d{11,16}")
_FORMS = (
    'an ISO 8601 time ("2026-03-01T08:00:00Z"), epoch milliseconds, or relative: -24h, now, '
    "today, yesterday"
)


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class Clock:
    """Resolves times against one moment and one zone. ``zone`` "system" is the machine's own."""

    def __init__(self, zone: str = "system", *, now: Callable[[], datetime] = utc_now) -> None:
        self._zone = None if zone == "system" else ZoneInfo(zone)
        self._now = now

    def now(self) -> datetime:
        """The current time in UTC."""
        return self._now()

    def resolve(self, value: str | int | float, name: str) -> int:
        """The time in ms since the epoch. ``name`` is the argument, for the error."""
        try:
            if isinstance(value, str):
                return to_ms(self._parse(value.strip()))
            if isinstance(value, bool):
                raise ValueError
            return to_ms(datetime.fromtimestamp(value / 1000, UTC))
        except (ValueError, OverflowError, OSError):
            raise InvalidRequest(f"{name}: not a time.", hint=f"Write {_FORMS}.") from None

    def local(self, moment: datetime) -> datetime:
        """The moment in the configured zone."""
        return moment.astimezone(self._zone)

    def _parse(self, text: str) -> datetime:
        word = text.lower()
        if word == "now":
            return self.now()
        if word in ("today", "yesterday"):
            day = self.local(self.now()).date() - timedelta(days=word == "yesterday")
            return self._at(datetime.combine(day, datetime.min.time()))
        if match := _relative.fullmatch(word):
            sign, count, unit = match.groups()
            span = timedelta(**{_UNITS[unit]: int(count)})
            return self.now() - span if sign == "-" else self.now() + span
        if _epoch.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        return self._at(datetime.fromisoformat(text))

    def _at(self, moment: datetime) -> datetime:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        # A naive time's astimezone() is the system zone's, with its daylight saving rules.
        local = moment.astimezone() if self._zone is None else moment.replace(tzinfo=self._zone)
        return local.astimezone(UTC)


def to_ms(moment: datetime) -> int:
    """The moment in ms since the epoch."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def iso(ms: int) -> str:
    """Ms since the epoch as ISO 8601 in UTC, without milliseconds where they are zero."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    spec = "milliseconds" if ms % 1000 else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")
