"""From a Vega-Lite specification to a PNG, in a child process that dies with its deadline.

vl-convert runs JavaScript in an engine that cannot be interrupted, and takes a hundred MB while
it does; a process of its own gives both back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import anyio
from anyio.lowlevel import RunVar

from losant_mcp.analysis.charts_child import TOO_LARGE
from losant_mcp.api.types import JsonObject
from losant_mcp.errors import InvalidRequest

SECONDS = 20.0
MOST_BYTES = 100_000
AT_ONCE = 2
SCALES = (2.0, 1.5, 1.25, 1.0, 0.75, 0.5)
"""Pixels per point of the drawing, the finest first."""

_CHILD = Path(__file__).with_name("charts_child.py")
# Windows starts nothing without the first; the others are where fonts are looked for.
_KEPT = ("SYSTEMROOT", "WINDIR", "LOCALAPPDATA", "HOME", "XDG_DATA_HOME")

_places: RunVar[anyio.CapacityLimiter] = RunVar("losant_mcp_chart_places")


def available() -> bool:
    """Whether charts can be drawn here: the extra ``charts`` is installed."""
    return all(find_spec(name) is not None for name in ("vl_convert", "PIL"))


async def render(
    specification: JsonObject,
    *,
    time_zone: str = "system",
    seconds: float = SECONDS,
    most: int = MOST_BYTES,
) -> bytes:
    """The drawing as a PNG of at most ``most`` bytes; times are in that zone.

    Raises InvalidRequest where it takes too long, gets too large, or cannot be drawn.
    """
    asked = json.dumps({"spec": specification, "scales": SCALES, "most": most}).encode()
    async with _limiter():
        with anyio.move_on_after(seconds) as scope:
            done = await anyio.run_process(
                [sys.executable, "-I", str(_CHILD)],
                input=asked,
                stderr=subprocess.DEVNULL,
                check=False,
                env=_environment(time_zone),
            )
    if scope.cancelled_caught:
        raise InvalidRequest(
            f"Drawing was stopped: it took longer than {seconds:g} s.", hint="Draw fewer points."
        )
    if done.returncode == TOO_LARGE:
        raise InvalidRequest(
            f"The picture has more than {most:,} bytes at every size.", hint="Draw fewer points."
        )
    if done.returncode != 0 or not done.stdout:
        raise InvalidRequest(
            "The chart could not be drawn.", hint="Try another kind, or other columns."
        )
    return done.stdout


def _limiter() -> anyio.CapacityLimiter:
    """One for each event loop, since it cannot be shared by two."""
    try:
        return _places.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        _places.set(limiter)
        return limiter


def _environment(time_zone: str) -> dict[str, str]:
    zone = os.environ.get("TZ") if time_zone == "system" else time_zone
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, **({"TZ": zone} if zone else {})}
