"""``losant-mcp check``: what is set, whether Losant answers, and what a model will see.

Everything is told before the verdict, so that one look shows what is wrong. The token is read
without verifying it, and never printed.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import anyio
import click
from pydantic import SecretStr

from losant_mcp.claims import Claims, read_claims
from losant_mcp.cli.connection import SANDBOX_URL, Connection, connect
from losant_mcp.cli.options import SettingsCommand, Source, takes_settings
from losant_mcp.cli.table import table
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings, variable
from losant_mcp.errors import Forbidden, LosantMcpError, describe
from losant_mcp.server import bound_application
from losant_mcp.text import one_line
from losant_mcp.tools.availability import why_not
from losant_mcp.tools.listing import listed
from losant_mcp.tools.spec import TOOLS, ToolSpec

WIDTH = 80
SOON = timedelta(days=14)

Probe = Callable[[], Awaitable[Any]]  # what they answer does not matter


@click.command(cls=SettingsCommand)
@takes_settings
def check(source: Source) -> None:
    """Check settings, token and connection.

    Says which settings are in force and from where, what the token says of itself, whether
    Losant answers, and which tools are listed and why not the others. The exit code is 0 where
    the server is usable.
    """
    sys.exit(anyio.run(_check, source))


async def _check(source: Source) -> int:
    async with connect(source, quiet=True) as connection:
        settings = connection.settings
        claims = _claims(settings)
        _section("Settings", _settings(source, settings))
        _section("Token", _token(settings, claims))
        advice = await _connection(connection)
        _section("Tools", _tools(settings, claims))
        if not advice and not any(_is_covered(spec, claims) for spec in listed(settings)):
            advice = "No tool is left: widen the token's scopes, or what the settings list."
    click.echo(f"Not usable. {advice}" if advice else "Usable.")
    return 1 if advice else 0


def _section(title: str, lines: Iterator[str]) -> None:
    click.echo(title)
    for line in lines:
        click.echo(f"  {line}".rstrip())
    click.echo()


def _settings(source: Source, settings: Settings) -> Iterator[str]:
    origins = source.origins()
    rows = [
        (variable(name), _shown(getattr(settings, name)), origins[name])
        for name in Settings.model_fields
    ]
    yield from table(("setting", "value", "from"), rows, WIDTH)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else str(value)


# ---- token ---------------------------------------------------------------------------------


def _claims(settings: Settings) -> Claims:
    assert settings.api_token is not None, "connect refuses to start without one"
    return read_claims(settings.api_token.get_secret_value())


def _token(settings: Settings, claims: Claims) -> Iterator[str]:
    if claims == Claims():
        yield "It is no JSON Web Token, so that nothing can be read from it."
    else:
        kind = {"apiToken": "application"}.get(claims.kind, claims.kind)
        yield f"kind         {one_line(kind, 40) or 'not said'}"
        yield f"scopes       {one_line(', '.join(claims.scopes), 60) or 'not said'}"
        yield f"expires      {_expiry(claims)}"
    bound = bound_application(settings)
    if bound is None:
        yield "application  any that the token reaches; set LOSANT_APPLICATION_ID to bind to one"
    elif settings.application_id is not None:
        yield f"application  {bound}, as set"
    else:
        yield f"application  {bound}, to which the token is confined"


def _expiry(claims: Claims) -> str:
    if claims.expires is None:
        return "not said"
    now = datetime.now(UTC)
    day = f"{claims.expires:%Y-%m-%d %H:%M} UTC"
    if claims.expired(now):
        return f"{day}: it HAS EXPIRED"
    left = claims.expires - now
    return f"{day}, in {left.days} days" + (": renew it soon" if left < SOON else "")


# ---- connection ----------------------------------------------------------------------------


async def _connection(connection: Connection) -> str:
    """Print how Losant answers. Returns advice where it does not; empty where it does."""
    client, settings = connection.client, connection.settings
    where = "the embedded sandbox" if client.base_url == SANDBOX_URL else client.base_url
    lines = [where]
    advice = ""
    for action, probe in _probes(client, bound_application(settings)):
        started = perf_counter()
        try:
            await probe()
            outcome = "answered"
        except Forbidden:
            # A narrow token is no fault: Losant knows it, and other actions may be open to it.
            outcome = "answered that the token has no scope for it"
        except LosantMcpError as error:
            outcome = f"failed ({type(error).__name__})"
            advice = describe(error)
        lines.append(f"{action}: {outcome}, {(perf_counter() - started) * 1000:.0f} ms")
        if outcome == "answered" or advice:
            break
    _section("Connection", iter(lines))
    return advice


def _probes(client: LosantClient, bound: str | None) -> Iterator[tuple[str, Probe]]:
    if bound is None:
        yield "applications.get", lambda: client.applications_get(perPage=1)
        return
    yield "application.get", lambda: client.application_get(applicationId=bound)
    yield "events.get", lambda: client.events_get(applicationId=bound, perPage=1)
    yield "dataTables.get", lambda: client.data_tables_get(applicationId=bound, perPage=1)


# ---- tools ---------------------------------------------------------------------------------


def _tools(settings: Settings, claims: Claims) -> Iterator[str]:
    groups: dict[str, list[str]] = {"listed": []}
    for spec in TOOLS.values():
        reason = why_not(spec, settings)
        if reason is not None:
            groups.setdefault(f"not listed: {reason}", []).append(spec.name)
        elif _is_covered(spec, claims):
            groups["listed"].append(spec.name)
        else:
            groups.setdefault("listed, but beyond the token's scopes", []).append(spec.name)
    for group, names in groups.items():
        yield f"{len(names)} {group}"
        yield from click.wrap_text(
            ", ".join(names), WIDTH - 4, initial_indent="  ", subsequent_indent="  "
        ).splitlines()


def _is_covered(spec: ToolSpec, claims: Claims) -> bool:
    """Whether the token has a scope for all that the tool does, as far as it says."""
    held = set(claims.scopes)
    return not held or all(held & endpoint.scopes for endpoint in spec.endpoints)
