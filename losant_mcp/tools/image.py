"""A result with a picture: what a model that sees gets beside the JSON."""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import Any

from mcp.types import ImageContent


class WithImage(dict[str, Any]):
    """A tool's result, and a PNG that belongs to it."""

    def __init__(self, result: dict[str, Any], png: bytes) -> None:
        super().__init__(result)
        self.png = png

    def content(self) -> ImageContent:
        """The picture as MCP content."""
        return ImageContent(data=b64encode(self.png).decode(), mime_type="image/png")


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height
