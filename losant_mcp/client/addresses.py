"""URLs: which server may be asked, and how an endpoint's path and parameters are written."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from losant_mcp.api.endpoint import Endpoint, Param
from losant_mcp.api.types import is_object_id
from losant_mcp.errors import ConfigurationError, InvalidRequest

MAX_URL = 8192
"""Bytes. Servers and proxies refuse longer ones, each in its own unclear way."""

# Links and embedded objects would only make answers larger. The official MCP server does so, too.
_LEAN = (("_actions", "false"), ("_links", "false"), ("_embedded", "false"))


def checked_base_url(url: str, *, any_scheme: bool = False) -> str:
    """The base URL without a trailing slash. Raises ConfigurationError where it is unsafe.

    Only https, or http towards this machine itself; ``any_scheme`` is for an app in this process.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
        parts = urlsplit("")
    if (
        host is None
        or parts.scheme not in ("http", "https")
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise ConfigurationError(
            "LOSANT_API_URL is not a plain address.",
            hint="Write it like https://api.losant.com, without user, query or fragment.",
        )
    if parts.scheme != "https" and not any_scheme and not is_loopback(url):
        raise ConfigurationError(
            "LOSANT_API_URL must be https: over http, anyone on the way could read the token.",
            hint="Only localhost and 127.0.0.1 may be http.",
        )
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether the host is this machine itself: ``localhost``, or a loopback address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(
    base_url: str, endpoint: Endpoint, path: Mapping[str, str], params: Mapping[str, Any]
) -> str:
    """The whole URL of a request. Raises InvalidRequest for what Losant would not take."""
    ids = {name: _checked_id(endpoint, name, path[name]) for name in endpoint.path_params}
    known = {param.name: param for param in endpoint.params}
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        pairs += _written(endpoint, known[name], value)
    for param in endpoint.params:
        if param.required and param.name not in params:
            raise InvalidRequest(f"{endpoint.id} needs {param.name}.")
    try:
        query = urlencode([*pairs, *_LEAN], quote_via=quote)
    except UnicodeEncodeError:
        raise InvalidRequest(f"{endpoint.id}: a parameter holds broken Unicode.") from None
    url = f"{base_url}{endpoint.path.format_map(ids)}?{query}"
    if len(url) > MAX_URL:
        raise InvalidRequest(
            f"{endpoint.id}: the request's address would have {len(url)} bytes; "
            f"at most {MAX_URL} are sent.",
            hint="Shorten the query, or split it: fewer ids in $in, shorter texts.",
        )
    return url


def _checked_id(endpoint: Endpoint, name: str, value: str) -> str:
    if not is_object_id(value):
        raise InvalidRequest(f"{endpoint.id}: {name} must be an id of 24 hexadecimal characters.")
    return value


def _written(endpoint: Endpoint, param: Param, value: Any) -> Iterator[tuple[str, str]]:
    """A parameter as it is written in a URL; arrays become ``name[0]=…``."""
    match param.kind:
        case "json":
            yield param.name, json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case "boolean":
            yield param.name, "true" if value else "false"
        case "integer":
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InvalidRequest(f"{endpoint.id}: {param.name} must be a number, 0 or more.")
            yield param.name, str(value)
        case "strings":
            for i, item in enumerate(value):
                yield f"{param.name}[{i}]", _checked_text(endpoint, param, item)
        case "tags":
            for i, tag in enumerate(value):
                for key, text in tag.to_json().items():
                    yield f"{param.name}[{i}][{key}]", text
        case "string":
            yield param.name, _checked_text(endpoint, param, value)


def _checked_text(endpoint: Endpoint, param: Param, value: Any) -> str:
    if param.enum and value not in param.enum:
        raise InvalidRequest(f"{endpoint.id}: {param.name} must be one of {', '.join(param.enum)}.")
    if not isinstance(value, str):
        raise InvalidRequest(f"{endpoint.id}: {param.name} must be a string.")
    if param.form and not re.fullmatch(param.form, value):
        raise InvalidRequest(f"{endpoint.id}: {param.name} has a form that Losant does not take.")
    return value
