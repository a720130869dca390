"""Draws one chart in a process of its own: a Vega-Lite specification in, a PNG out.

Run as a script, by its path, so that nothing of the package is loaded beside vl-convert. Reads
``{"spec", "scales", "most"}`` as JSON from stdin and writes the first PNG of at most ``most``
bytes, trying one scale after the other; exits with 3 where none is small enough.
"""

from __future__ import annotations

import json
import sys
from io import BytesIO

TOO_LARGE = 3
PALETTES = (256, 48)
"""Colours of a picture; fewer are seen only where lines end."""


def main() -> int:
    """Draw what stdin asks for; returns the exit code."""
    # An extra that the server may run without: only a server that lists the tool comes here.
    import vl_convert

    asked = json.load(sys.stdin)
    most: int = asked["most"]
    largest = float(max(asked["scales"]))
    for scale in asked["scales"]:
        if scale > largest:
            continue
        # No address is allowed: all data are in the specification.
        png = vl_convert.vegalite_to_png(asked["spec"], scale=scale, allowed_base_urls=[])
        small = repacked(png, PALETTES[0])
        if len(small) > most:
            small = repacked(png, PALETTES[1])
        if len(small) <= most:
            sys.stdout.buffer.write(small)
            return 0
        # A picture grows somewhat less than its area; sizes that are certainly too large are
        # not drawn, for each takes a second.
        largest = scale * (most / len(small)) ** 0.6
    return TOO_LARGE


def repacked(png: bytes, colours: int) -> bytes:
    """The same picture with a palette: a chart has few colours, and it shrinks to a tenth."""
    from PIL import Image

    small = BytesIO()
    with Image.open(BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        few.save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    sys.exit(main())
