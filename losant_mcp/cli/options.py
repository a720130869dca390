"""The settings as command-line flags, generated from the model, and how they are read.

A command decorated with ``takes_settings`` gets a ``Source``: what was given, not yet read, so
that nothing is loaded for ``--help``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from dotenv.parser import parse_stream
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from losant_mcp.config import Settings, variable
from losant_mcp.config.loading import load_settings
from losant_mcp.errors import ConfigurationError

SANDBOX_SETS = ("api_token", "api_url", "application_id")
"""What the embedded sandbox decides by itself."""

Origin = Literal["flag", "environment", "file", "sandbox", "default"]


@dataclass(frozen=True)
class Source:
    """Where a command's settings come from."""

    flags: Mapping[str, str]
    env_file: Path | None
    sandbox: bool
    database: Path | None

    def settings(self, **fixed: object) -> Settings:
        """The settings; ``fixed`` are the embedded sandbox's own. Raises ConfigurationError."""
        return load_settings(
            self._without_losant(os.environ),
            flags={**self.flags, **fixed},
            file=self._without_losant(read_env_file(self.env_file)),
        )

    def origins(self) -> dict[str, Origin]:
        """Where each setting's value comes from, by attribute."""
        return {name: self._origin(name) for name in Settings.model_fields}

    def _origin(self, name: str) -> Origin:
        if self.sandbox and name in SANDBOX_SETS:
            return "sandbox"
        if name in self.flags:
            return "flag"
        if os.environ.get(variable(name)):
            return "environment"
        return "file" if read_env_file(self.env_file).get(variable(name)) else "default"

    def _without_losant(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The variables; beside the sandbox without those that are about a real Losant."""
        dropped = {variable(name) for name in SANDBOX_SETS} if self.sandbox else set()
        return {name: value for name, value in variables.items() if name not in dropped}


def read_env_file(path: Path | None) -> dict[str, str | None]:
    """The NAME=value lines of a file; none without one. Raises ConfigurationError."""
    if path is None:
        return {}
    found: dict[str, str | None] = {}
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for line in parse_stream(stream):
                # dotenv_values would log a line like this and go on without the setting.
                if line.error:
                    raise ConfigurationError(
                        f"{path}, line {line.original.line}: not of the form NAME=value."
                    )
                if line.key is not None:
                    found[line.key] = line.value
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}.") from None
    return found


# ---- flags ---------------------------------------------------------------------------------


def flag(name: str) -> str:
    """The flag of a setting: ``--result-tokens`` for LOSANT_MCP_RESULT_TOKENS."""
    short = variable(name).removeprefix("LOSANT_").removeprefix("MCP_")
    return f"--{short.lower().replace('_', '-')}"


def is_secret(name: str) -> bool:
    """Whether a setting's value is nobody else's to see."""
    return SecretStr in get_args(Settings.model_fields[name].annotation)


class SettingOption(click.Option):
    """A flag that stands for a setting; help shows these in a section of their own."""


class SettingsCommand(click.Command):
    """A command whose help lists the settings after its own options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the settings."""
        own: list[tuple[str, str]] = []
        settings: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                (settings if isinstance(parameter, SettingOption) else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        with formatter.section("Settings (each also an environment variable)"):
            formatter.write_dl(settings)


Command = Callable[..., None]


def takes_settings(command: Command) -> Command:
    """Give a command ``--sandbox``, ``--env-file`` and every setting, as its first argument."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        flags = {name: given.pop(name) for name in Settings.model_fields}
        flags = {name: value for name, value in flags.items() if value is not None}
        source = Source(flags, given.pop("env_file"), given.pop("sandbox"), given.pop("database"))
        _check(source)
        command(source, **given)

    for option in reversed(list(_options())):
        option(run)
    return run


def _check(source: Source) -> None:
    if source.database is not None and not source.sandbox:
        raise click.UsageError("--database goes with --sandbox.")
    if source.sandbox and (set_by_sandbox := set(SANDBOX_SETS) & set(source.flags)):
        names = ", ".join(sorted(flag(name) for name in set_by_sandbox))
        raise click.UsageError(f"--sandbox decides by itself: leave {names} out.")


def _options() -> Iterator[Callable[[Command], Command]]:
    path = click.Path(dir_okay=False, path_type=Path)
    yield click.option(
        "--sandbox", is_flag=True, help="Work on the embedded sandbox; no account needed."
    )
    yield click.option(
        "--database", type=path, help="Keep the sandbox in this file; it is made if missing."
    )
    yield click.option(
        "--env-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Read NAME=value lines; protected settings are refused in it.",
    )
    for name, field in Settings.model_fields.items():
        switch = {"is_flag": True, "default": None} if field.annotation is bool else {}
        metavar = None if switch else _form(field)
        yield click.option(
            flag(name),
            name,
            cls=SettingOption,
            metavar=metavar,
            help=_help(name, field),
            **switch,
        )


def _help(name: str, field: FieldInfo) -> str:
    default = default_text(field)
    return f"{field.description} [{variable(name)}{f'; {default}' if default else ''}]"


def default_text(field: FieldInfo) -> str:
    """A setting's default as a person writes it; empty where there is none."""
    if field.default in (None, (), False):
        return ""
    if isinstance(field.default, tuple):
        return "all"
    return str(field.default)


def _form(field: FieldInfo) -> str:
    """What a flag takes, for its help."""
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    kinds = (field.annotation, *get_args(field.annotation))
    names = {int: "NUMBER", Path: "FOLDER", SecretStr: "SECRET"}
    return next((name for kind, name in names.items() if kind in kinds), "TEXT")
