"""What the tour looks like: plain text for 80 columns, with colours where a terminal wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from losant_mcp.cli.table import table
from losant_mcp.text import clean

WIDTH = 80
INDENT = "   "


class Screen:
    """Prints titles, steps, calls and tables; ``color`` is whether escapes are welcome."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._steps = 0

    def title(self, text: str) -> None:
        """Print the first line of all."""
        click.echo()
        self._echo(text, bold=True)
        self._echo("=" * len(text), dim=True)

    def step(self, text: str) -> None:
        """Print the heading of the next step, with its number."""
        self._steps += 1
        click.echo()
        self._echo(f"{self._steps}. {text}", bold=True)

    def say(self, text: str) -> None:
        """Print a paragraph of our own words."""
        for line in click.wrap_text(text, WIDTH - len(INDENT)).splitlines():
            click.echo(f"{INDENT}{line}")

    def command(self, text: str) -> None:
        """Print a command that a person could type; never wrapped, to be copied."""
        self._echo(f"{INDENT}$ {text}", fg="cyan")

    def call(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Print a tool call as the client sends it, but a text of several lines as lines below."""
        long = {k: v for k, v in arguments.items() if isinstance(v, str) and "\n" in v}
        short = {k: f"<{k}>" if k in long else v for k, v in arguments.items()}
        given = json.dumps(short, ensure_ascii=False) if arguments else ""
        indent = f"{INDENT}    "
        text = click.wrap_text(
            f"{name} {given}", WIDTH, initial_indent=f"{INDENT}> ", subsequent_indent=indent
        )
        self._echo(text, fg="cyan")
        for line in "\n".join(long.values()).splitlines():
            self._echo(f"{indent}{line}", fg="cyan")

    def rows(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table that fits."""
        names, rule, *lines = table(columns, rows, WIDTH - len(INDENT))
        self._echo(f"{INDENT}{names}", dim=True)
        self._echo(f"{INDENT}{rule}", dim=True)
        for line in lines:
            click.echo(f"{INDENT}{line}")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Print ``name  value`` lines; a long value is wrapped below itself."""
        size = max(map(len, facts))
        for name, value in facts.items():
            lead = f"{INDENT}{name:<{size}}  "
            lines = click.wrap_text(clean(value), WIDTH - len(lead)).splitlines() or [""]
            self._echo(lead, dim=True, end=False)
            click.echo(f"\n{' ' * len(lead)}".join(lines))

    def result(self, text: str, *, good: bool = True) -> None:
        """Print what a call came to, in the server's own words."""
        for line in click.wrap_text(clean(text), WIDTH - len(INDENT)).splitlines():
            self._echo(f"{INDENT}{line}", fg="green" if good else "yellow")

    def fail(self, text: str) -> None:
        """Print why the tour ends here, to standard error."""
        click.echo(f"losant-mcp: the demo failed: {clean(text)}", err=True)

    def styled(self, text: str, **style: Any) -> str:  # click's own styles
        """The text with escapes, where they are welcome."""
        return click.style(text, **style) if self._color else text

    def _echo(self, text: str, *, end: bool = True, **style: Any) -> None:
        click.echo(self.styled(text, **style), nl=end)
