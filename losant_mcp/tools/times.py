"""Times as people and models write them, made absolute.

ISO 8601 ("2026-03-01", "2026-03-01T08:15:00Z"), epoch milliseconds, or relative: ``now``,
``today``, ``yesterday`` (midnight in the configured zone), ``-24h``, ``now-24h`` with the units
s, m, h, d (24 hours), w. A time without a zone is in the configured one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from losant_mcp.api.times import from_ms, to_ms
from losant_mcp.errors import InvalidRequest

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# A capital M would be read as minutes by some and as months by others.
_relative = re.compile(r"(?:[nN][oO][wW])?\s*([+-])\s*([0-9]{1,6})\s*([smhdwSHDW])")
_epoch = re.compile(r"[0-9]{12,16}")

LAST = 253_402_300_799_999
"""The last ms of the year 9999."""

_FIRST_AS_NUMBER = 100_000_000_000
"""Numbers below this (March 1973) are seconds, or a span, given by mistake."""

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
        """The time in ms since the epoch, from 1970 to 9999. Raises InvalidRequest.

        ``name`` is the argument, for the error. A number is ms; 0 and negative ones, which mean
        now and before now at some of Losant's endpoints, are refused.
        """
        try:
            ms = to_ms(self._parse(value.strip())) if isinstance(value, str) else _number(value)
        except (ValueError, OverflowError, OSError):
            raise InvalidRequest(f"{name}: not a time.", hint=f"Write {_FORMS}.") from None
        if not 0 < ms <= LAST:
            raise InvalidRequest(f"{name}: lies outside the years 1970 to 9999.")
        return ms

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
        if match := _relative.fullmatch(text):
            sign, count, unit = match.groups()
            span = timedelta(**{_UNITS[unit.lower()]: int(count)})
            return self.now() - span if sign == "-" else self.now() + span
        if _epoch.fullmatch(text):
            return from_ms(int(text))
        return self._at(datetime.fromisoformat(text))

    def _at(self, moment: datetime) -> datetime:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        # A naive time's astimezone() is the system zone's, with its daylight saving rules.
        local = moment.astimezone() if self._zone is None else moment.replace(tzinfo=self._zone)
        return local.astimezone(UTC)


def _number(value: int | float) -> int:
    if isinstance(value, bool) or not value >= _FIRST_AS_NUMBER:
        raise ValueError
    return int(value)
