"""What goes wrong with a resource, in the codes of the specification."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mcp import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from losant_mcp.errors import LosantMcpError, describe
from losant_mcp.resources.reading import is_missing


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Raise errors as MCPError with the URI: -32602 where there is no such resource for this
    caller, and -32603 where Losant could not be asked.
    """
    try:
        yield
    except LosantMcpError as error:
        code = INVALID_PARAMS if is_missing(error) else INTERNAL_ERROR
        raise MCPError(code=code, message=describe(error), data={"uri": uri}) from None
