"""``losant-mcp approvers``: who says yes on a hosted server, and about which applications."""

from __future__ import annotations

from pathlib import Path

import click

from losant_mcp.cli.kept_file import WIDTH, check_applications, takes_file
from losant_mcp.cli.table import table
from losant_mcp.cli.terminal import hidden, require_person
from losant_mcp.errors import ConfigurationError
from losant_mcp.hosting.approvers import ApproverFile, check_name, problem_with

_takes_file = takes_file("approvers_file", "the approvers")


@click.group()
def approvers() -> None:
    """Add, list and remove the approvers of a hosted server."""


@approvers.command("add")
@_takes_file
@click.option(
    "--application",
    "applications",
    multiple=True,
    metavar="ID",
    help="An application that they decide about; give it once for each.",
)
@click.option("--all-applications", is_flag=True, help="They decide about every application.")
@click.option(
    "--caller",
    "callers",
    multiple=True,
    metavar="NAME",
    help="A caller who is this approver, such as key-alice, or the id of their Losant user:"
    " with --four-eyes they do not approve what it asks for. A key of their own name is known.",
)
@click.option(
    "--no-passphrase", is_flag=True, help="They do not log in: a trusted proxy names them."
)
@click.argument("name")
def add_approver(
    path: Path,
    applications: tuple[str, ...],
    all_applications: bool,
    callers: tuple[str, ...],
    no_passphrase: bool,
    name: str,
) -> None:
    """Add an approver, whose passphrase is typed unseen.

    NAME is what they log in with, or what the proxy calls them, and what the audit says, such as
    anna or anna@example.com.
    """
    if bool(applications) == all_applications:
        raise ConfigurationError(
            "Say which applications they decide about.",
            hint="Give --application ID, once for each, or --all-applications.",
        )
    check_applications(applications)
    check_name(name)
    passphrase = None if no_passphrase else _typed(name)
    file = ApproverFile(path)
    file.add(name, "all" if all_applications else applications, passphrase, callers)
    click.echo(f"{name} is an approver now.")


def _typed(name: str) -> str:
    require_person("nobody was added", hint="Run it in a terminal, or add --no-passphrase.")
    passphrase = hidden(f"Passphrase of {name}")
    if problem := problem_with(passphrase):
        raise ConfigurationError(problem)
    if hidden("The same again") != passphrase:
        raise ConfigurationError("That was not the same again. Nobody was added.")
    return passphrase


@approvers.command("list")
@_takes_file
def list_approvers(path: Path) -> None:
    """List the approvers: their names and what each decides about."""
    found = [
        (
            approver.name,
            approver.applications
            if isinstance(approver.applications, str)
            else ", ".join(approver.applications),
            ", ".join(approver.callers),
            "passphrase" if approver.hash else "proxy",
            f"{approver.created:%Y-%m-%d}",
        )
        for approver in ApproverFile(path).entries()
    ]
    if not found:
        click.echo("There are no approvers.")
    for line in table(("name", "applications", "callers", "by", "created"), found, WIDTH):
        click.echo(line)


@approvers.command("remove")
@_takes_file
@click.argument("name")
def remove_approver(path: Path, name: str) -> None:
    """Remove an approver: a running server ends their sessions at the next request."""
    ApproverFile(path).remove(name)
    click.echo(f"{name} is no approver any more.")
