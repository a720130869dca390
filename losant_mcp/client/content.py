"""From the bytes of an answer to a model, where they are JSON to everybody but a strict reader.

A text that was cut in the middle of an emoji ends in half a surrogate pair, which JavaScript
writes as an escape like any other (``"\\ud83d"``). One such subject must not hide all the events.
"""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import ValidationError

from losant_mcp.api.types import ResponseModel

Model = TypeVar("Model", bound=ResponseModel)

# A pair, half of one, or any other escape: what is escaped before it is told apart by its length.
_ESCAPE = re.compile(
    rb"\\(?:u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    rb"|(?P<half>u[Dd][89A-Fa-f][0-9A-Fa-f]{2})|.)",
    re.DOTALL,
)


def read_model(model: type[Model], content: bytes) -> Model:
    """The model that the JSON describes; halves of characters become U+FFFD.

    Raises ValidationError.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError:
        mended = _mended(content)
        if mended == content:
            raise
    return model.model_validate_json(mended)


def _mended(content: bytes) -> bytes:
    whole = content.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], whole)
