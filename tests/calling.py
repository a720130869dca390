"""Calling tools as a client does, and reading what comes back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable
from typing import Any, Literal, Protocol

from mcp import Client
from mcp.types import CallToolResult, ImageContent, TextContent

from losant_mcp.server import LosantServer
from tests.served import Sandbox

Mode = Literal["auto", "legacy"]
JsonObject = dict[str, Any]

MOST_OF_AN_ERROR = 600


class Serve(Protocol):
    """The fixture ``serve``: keyword arguments are settings by attribute, and these.

    ``token`` is one of the sandbox's by name; ``bound`` binds to its application; ``transport``
    is httpx's; ``now`` the server's clock; ``job_seconds`` how long tools wait for their jobs;
    ``pause`` waits between looks at what is watched.
    """

    def __call__(self, **settings: Any) -> Awaitable[LosantServer]:
        """A server without clients."""


class Connect(Protocol):
    """The fixture ``connect``, which takes what ``serve`` does."""

    def __call__(self, **settings: Any) -> Awaitable[Client]:
        """A connected client."""


async def result(client: Client, name: str, /, **arguments: Any) -> JsonObject:
    """What a tool answers; its text must say the same, and it must be no error."""
    return content(await client.call_tool(name, arguments))


def content(answer: CallToolResult) -> JsonObject:
    """The structured content of an answer that is no error."""
    text = text_of(answer)
    assert not answer.is_error, text
    structured: JsonObject = answer.structured_content or {}
    assert json.loads(text) == structured
    return structured


async def refusal(client: Client, name: str, /, **arguments: Any) -> str:
    """The text of a tool's error, which must be fit for a model to read."""
    answer = await client.call_tool(name, arguments)
    text = text_of(answer)
    assert answer.is_error, text
    assert answer.structured_content is None
    check_error(text)
    return text


def check_error(text: str) -> None:
    """An error is one short paragraph without traces of the machinery."""
    assert 0 < len(text) <= MOST_OF_AN_ERROR, len(text)
    for forbidden in ("Traceback", 'File "', "pydantic", "<html", "<!doctype", "this is a bug"):
        assert forbidden.lower() not in text.lower(), text
    assert "\n" not in text


def text_of(answer: CallToolResult) -> str:
    """The one text block of an answer, which a picture may follow."""
    block, *pictures = answer.content
    assert isinstance(block, TextContent)
    assert all(isinstance(picture, ImageContent) for picture in pictures)
    return block.text


def by_column(listing: JsonObject) -> list[JsonObject]:
    """The rows of a listing as objects."""
    return [dict(zip(listing["columns"], row, strict=True)) for row in listing["rows"]]


def cells(listing: JsonObject, column: str) -> list[Any]:
    """One column of a listing."""
    return [row[column] for row in by_column(listing)]


def stored(sandbox: Sandbox) -> bytes:
    """A fingerprint of the whole database, to the last byte."""
    # Reading every row would take twenty times as long as the database's own image.
    return hashlib.sha256(sandbox.store._connection.serialize()).digest()


def asked(sandbox: Sandbox) -> list[str]:
    """The endpoints that were asked so far, in their order."""
    return [request.endpoint_id or request.path for request in sandbox.requests]
