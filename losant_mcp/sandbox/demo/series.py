"""Thirty days of time series: daily rhythms, noise, and the trouble that the events tell of."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Callable, Iterator

from losant_mcp.sandbox.demo.fleet import OFFLINE, DemoDevice
from losant_mcp.sandbox.demo.places import DAY, HOUR, MINUTE

DAYS = 30
STEP = HOUR
FINE_STEP = 15 * MINUTE
FINE_DEVICES = 3
"""The first few devices report every 15 minutes, the others once an hour."""

STORM_DEVICES = ("Mill Lane Pump 1", "Mill Lane Pump 2", "Canal Road Pump 1")
STORM_BEGAN = 9 * HOUR
STORM_LASTED = 12 * MINUTE
HOT_DEVICE = "Alder Street Pump 1"
HOT_SINCE = 6 * HOUR
BLIND_PROBE = "Weir House Chlorine Probe 1"
LOW_TANK = "Ridgeway Level Sensor"

# base, daily swing, noise, digits
NUMBERS: dict[str, tuple[float, float, float, int]] = {
    "flow": (42.0, 14.0, 1.8, 1),
    "pressure": (4.6, -0.7, 0.12, 2),
    "motorTemp": (61.0, 6.0, 1.1, 1),
    "vibration": (2.1, 0.4, 0.2, 2),
    "waterTemp": (78.0, 5.0, 0.9, 1),
    "steamPressure": (6.2, 0.5, 0.1, 2),
    "level": (71.0, -12.0, 0.8, 1),
    "inflow": (55.0, 9.0, 2.4, 1),
    "cpuTemp": (48.0, 4.0, 1.0, 1),
    "signal": (-71.0, 3.0, 2.0, 0),
    "chlorine": (0.62, 0.07, 0.03, 3),
    "ph": (7.4, 0.08, 0.03, 2),
    "turbidity": (0.31, 0.05, 0.04, 3),
    "demand": (310.0, 120.0, 9.0, 1),
}

Value = float | int | str
Point = tuple[str, str, int, Value]


def seed(db: sqlite3.Connection, devices: list[DemoDevice], now: int, rng: random.Random) -> None:
    """Store the points of every device, in the order of the table's key."""
    for i, device in enumerate(devices):
        step = FINE_STEP if i < FINE_DEVICES else STEP
        newest = now - now % step
        last = newest - OFFLINE.get(device.name, 0) // step * step
        # The rhythm follows the demo's start, not the time of day, so that values never differ.
        times = range(newest - DAYS * DAY + step, last + 1, step)
        for attribute in sorted(device.attributes):
            db.executemany(
                "INSERT INTO points VALUES (?, ?, ?, ?)",
                _points(device, attribute, times, newest, 0.85 + 0.3 * (i % 7) / 6, rng),
            )


def _points(
    device: DemoDevice, attribute: str, times: range, newest: int, scale: float, rng: random.Random
) -> Iterator[Point]:
    value = _values(device, attribute, scale, rng)
    return (
        (device.id, attribute, at, value((newest - at) / HOUR, n)) for n, at in enumerate(times)
    )


def _values(
    device: DemoDevice, attribute: str, scale: float, rng: random.Random
) -> Callable[[float, int], Value]:
    """A function of the hours ago and the point's number."""
    match attribute:
        case "mode":
            return lambda _, n: "manual" if n % 170 < 3 else "standby" if n % 61 == 7 else "auto"
        case "status":
            return lambda _, n: "lockout" if n % 233 == 5 else "idle" if n % 24 < 5 else "firing"
        case "running" | "burnerOn":
            return lambda _, n: int(n % 24 > 2)
        case "valveOpen":
            return lambda _, n: int(n % 13 == 0)
        case "fuelLevel":
            return lambda _, n: round(96.0 - n % 336 * 0.21, 1)
        case "battery":
            return lambda _, n: round(100.0 - n * 0.031, 1)
    base, swing, noise, digits = NUMBERS[attribute]
    base *= scale if attribute not in ("ph", "signal", "level") else 1.0
    gauss, sine = rng.gauss, math.sin
    trouble = _trouble(device, attribute)
    turn = math.tau / 24

    def value(hours: float, n: int) -> float:
        plain = base + swing * sine(hours * turn) + gauss(0.0, noise)
        return round(plain + trouble(hours), digits)

    def untroubled(hours: float, n: int) -> float:
        return round(base + swing * sine(hours * turn) + gauss(0.0, noise), digits)

    return value if trouble is not _none else untroubled


def _none(hours: float) -> float:
    return 0.0


def _trouble(device: DemoDevice, attribute: str) -> Callable[[float], float]:
    if device.name in STORM_DEVICES and attribute == "pressure":
        began, ended = STORM_BEGAN / HOUR + 0.5, STORM_BEGAN / HOUR - 1.5
        return lambda hours: -2.9 if ended <= hours <= began else 0.0
    if device.name == HOT_DEVICE and attribute in ("motorTemp", "vibration"):
        rise = 7.1 if attribute == "motorTemp" else 0.9
        return lambda hours: rise * max(0.0, HOT_SINCE / HOUR - hours)
    if device.name == LOW_TANK and attribute == "level":
        return lambda hours: -3.57 * max(0.0, 14.0 - hours)
    if device.name == BLIND_PROBE and attribute == "chlorine":
        return lambda hours: -0.48 if 4.0 <= hours <= 5.0 else 0.0
    return _none
