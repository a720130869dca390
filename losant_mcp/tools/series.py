"""Time series as a table: one line per time and device, one column per attribute.

Losant answers a query whole, so the pages are cut here: ``next`` asks for the same window, made
absolute, and skips what was shown. Raw points are limited per device; where that limit was ours,
only the part of the window that is complete for every device is shown, and ``next`` goes on
behind it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from losant_mcp.api.data import TimeSeriesData
from losant_mcp.api.times import iso, to_ms
from losant_mcp.text import clean, one_line
from losant_mcp.tools.call import Call

DEFAULT_RAW_POINTS = 1000


@dataclass(frozen=True)
class Window:
    """What was asked for: from ``start`` to just before ``end``, in ms since the epoch.

    ``resolution`` is None for raw points. ``own_limit`` is the limit per device that the caller
    did not set; ``limit`` the one that holds.
    """

    start: int
    end: int
    descending: bool
    resolution: int | None
    limit: int | None
    own_limit: bool


@dataclass(frozen=True)
class _Line:
    at: int
    time: str
    device: str
    values: dict[str, Any]


def table(call: Call, found: TimeSeriesData, window: Window, offset: int) -> dict[str, Any]:
    """The result of a time series query, from line ``offset`` on."""
    lines = _lines(found, rounded=window.resolution is not None)
    lines.sort(key=lambda line: (line.at, line.device), reverse=window.descending)
    edge = _complete_until(found, window) if window.own_limit else None
    if edge is not None:
        lines = [n for n in lines if (n.at >= edge if window.descending else n.at <= edge)]
    attributes = sorted({name for line in lines for name in line.values})
    # An attribute may be called like one of the other two columns.
    columns = {name: f"{name} (attribute)" if name in _OWN else name for name in attributes}
    items = [
        {"time": n.time, "device": n.device, **{columns[k]: v for k, v in n.values.items()}}
        for n in lines[offset:]
    ]

    def paging(fit: int, *, cut: bool) -> tuple[int, dict[str, Any] | None]:
        given = ("duration", "start", "end", "offset")
        rest = {k: v for k, v in call.arguments.items() if k not in given}
        start, end = window.start, window.end
        if offset + fit < len(lines):
            return fit, {**rest, "start": iso(start), "end": iso(end), "offset": offset + fit}
        if edge is None:
            return fit, None
        start, end = (start, edge) if window.descending else (edge + 1, end)
        return fit, {**rest, "start": iso(start), "end": iso(end)}

    return call.listing(
        [*_OWN, *columns.values()],
        items,
        total=len(lines),
        paging=paging,
        **_about(call, found, window, offset, len(lines)),
    )


_OWN = ("time", "device")


def device_labels(found: TimeSeriesData) -> dict[str, str]:
    """What to call each device, by id: its name, or the id where another one has the name."""
    names = {key: clean(device.name) for key, device in found.devices.items()}
    count = Counter(names.values())
    return {key: name if count[name] == 1 else key for key, name in names.items()}


def _lines(found: TimeSeriesData, *, rounded: bool) -> list[_Line]:
    labels = device_labels(found)
    lines = []
    for key, device in found.devices.items():
        for point in device.points:
            at = to_ms(datetime.fromisoformat(point.time))
            values = {k: _shorter(v) if rounded else v for k, v in point.data.items()}
            lines.append(_Line(at, iso(at), labels[key], values))
    return lines


def _shorter(value: Any) -> Any:
    """Without the noise in the last digits of a mean, such as 44.275000000000006."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _complete_until(found: TimeSeriesData, window: Window) -> int | None:
    """Up to when, in reading order, no device lacks points; None where none does."""
    ends = []
    for device in found.devices.values():
        if window.limit is not None and len(device.points) >= window.limit:
            times = [to_ms(datetime.fromisoformat(point.time)) for point in device.points]
            ends.append(min(times) if window.descending else max(times))
    if not ends:
        return None
    return max(ends) if window.descending else min(ends)


def _about(
    call: Call, found: TimeSeriesData, window: Window, offset: int, lines: int
) -> dict[str, Any]:
    devices = [[key, one_line(device.name, 60)] for key, device in found.devices.items()]
    # Few enough for the smallest budget; the labels of the lines are names anyway.
    shown = devices[: max(1, call.tokens // 160)]
    more: dict[str, Any] = {"window": {"start": iso(window.start), "end": iso(window.end)}}
    if window.resolution is not None:
        more["resolution"] = window.resolution
    more["devices"] = shown
    if len(devices) > len(shown):
        more["moreDevices"] = len(devices) - len(shown)
    silent = sum(not device.points for device in found.devices.values())
    if silent and lines:
        more["devicesWithoutData"] = silent
    if window.limit is not None and not window.own_limit:
        full = sum(len(device.points) >= window.limit for device in found.devices.values())
        if full:
            more["limited"] = f"{full} devices may have more than {window.limit} points"
    if lines and offset >= lines:
        more["hint"] = f"offset {offset} is past the end: there are {lines} lines."
    elif not lines:
        more["hint"] = _no_points(found, window)
    return more


def _no_points(found: TimeSeriesData, window: Window) -> str:
    if not found.devices:
        return "No device fits. Check the choice of devices with list_devices."
    return (
        f"{len(found.devices)} devices fit but reported nothing from {iso(window.start)} to"
        f" {iso(window.end)}. Check the attributes (get_device lists them) or widen the window."
    )
