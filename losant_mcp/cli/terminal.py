"""A person at a terminal: that it is one, what they type, and how texts from outside are shown.

What a program pipes in is nobody's yes. Every text from outside is stripped of escapes and stands
behind a bar, so that it cannot pass for a line of ours.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import anyio
import click

from losant_mcp.cli.options import Source
from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.deciding import Deciding, person
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.pin import is_pin, is_pin_set
from losant_mcp.guard.plans import Binding
from losant_mcp.guard.shared_state import store_of
from losant_mcp.guard.state_dir import StateDir
from losant_mcp.guard.store import Limits, StateStore

WIDTH = 80
BAR = "    | "
"""Before every line of a text from outside."""

T = TypeVar("T")


def settings_of(source: Source) -> Settings:
    """The settings that find the state folder; of the embedded sandbox, too."""
    if not source.sandbox:
        return source.settings()
    # Loaded here: it brings the whole server along, of which nothing is needed otherwise.
    from losant_mcp.cli.connection import SANDBOX_URL

    return source.settings(api_url=SANDBOX_URL)


def require_person(nothing: str, *, hint: str) -> None:
    """Raise ConfigurationError unless a person can read and type here; ``nothing`` was done."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigurationError(f"This takes a person at a terminal; {nothing}.", hint=hint)


def hidden(label: str) -> str:
    """What the person types without its being seen."""
    return str(click.prompt(label, hide_input=True, default="", show_default=False))


def end(text: str) -> NoReturn:
    """Say why nothing was done, and exit with 1."""
    click.echo(text)
    sys.exit(1)


# ---- records -------------------------------------------------------------------------------


def audit_of(state: StateDir) -> AuditLog:
    """The audit trail of the state folder."""
    return AuditLog(state.audit, key=state.key("audit"), head_path=state.keys / "audit-head")


@dataclass(frozen=True, slots=True)
class Records:
    """The guard's records, open for one step."""

    store: StateStore
    ledger: Ledger
    deciding: Deciding


LIMITS = Limits(destroyed=0, overwritten=0, created_rows=0, created_events=0)
"""Nothing is planned or spent here."""


class Terminal:
    """A person's terminal on a state folder. Between two questions no record is held open."""

    def __init__(self, settings: Settings, state: StateDir) -> None:
        self.settings = settings
        self.state = state

    def run(self, step: Callable[[Records], Coroutine[Any, Any, T]]) -> T:
        """What the step returns."""

        async def run() -> T:
            async with self.opened() as records:
                return await step(records)

        return anyio.run(run)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Records]:
        """The records. Unlike a server that starts, it clears nothing up."""
        store = store_of(self.settings, self.state)
        binding = Binding(self.settings.api_url, principal=person(), origin="terminal", policy="")
        ledger = Ledger(audit_of(self.state), store, binding, LIMITS)
        try:
            yield Records(store, ledger, Deciding(ledger))
        finally:
            await store.aclose()

    def has_pin(self) -> bool:
        """Whether the approval PIN is set; a terminal asks for one that is."""
        return self.run(lambda records: is_pin_set(records.store))

    def check_pin(self, label: str) -> None:
        """The person typed the PIN, if there is one; else the command ends here."""
        if not self.has_pin():
            return
        pin = hidden(label)
        if self.run(lambda records: is_pin(records.store, pin)):
            return
        click.echo("If it is forgotten, stop the server and remove this file; open questions and")
        click.echo("hourly limits go with it, backups and audit stay:")
        click.echo(f"  {self.state.database}")
        end("That was not the PIN. Nothing was changed.")

    def agree(self, phrase: str, to: str) -> None:
        """The person typed the phrase, and the PIN where there is one or one is demanded; else
        the command ends here. What it is ``to`` do has been shown before.
        """
        if self.settings.approve == "pin" and not self.has_pin():
            end("This takes the approval PIN, and none is set: see `losant-mcp approve --set-pin`.")
        typed = click.prompt(f"Type {phrase} to {to}", default="", show_default=False)
        if typed.strip() != phrase:
            end("That was not exactly what is to be typed. Nothing was changed.")
        self.check_pin("Your approval PIN")


# ---- lines ---------------------------------------------------------------------------------


def tell(lines: Iterable[str]) -> None:
    """Print the lines."""
    for line in lines:
        click.echo(line)


def data(text: str) -> Iterator[str]:
    """A text from outside, cleaned before: every line of it behind a bar."""
    for line in text.expandtabs(4).splitlines() or [""]:
        yield from wrapped(line, BAR, BAR)


def wrapped(text: str, lead: str, then: str | None = None) -> Iterator[str]:
    """The text in lines that begin with ``lead``, and then with spaces or ``then``."""
    rest = " " * len(lead) if then is None else then
    yield from click.wrap_text(
        text or " ", WIDTH, initial_indent=lead, subsequent_indent=rest
    ).splitlines() or [lead]
