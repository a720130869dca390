"""The generated parts of the README and the documentation, between markers.

``make readme`` writes them; ``test_documents`` compares. The prose around them is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from losant_mcp.api.endpoint import Effect
from losant_mcp.cli import COMMANDS, cli
from losant_mcp.cli.options import default_text, flag
from losant_mcp.config import Settings, is_protected, variable
from losant_mcp.prompts.files import read_files
from losant_mcp.tools.listing import listed
from losant_mcp.tools.spec import TOOLS, ToolSpec
from tests.documents.examples import Example, lasting, run, shown

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
FILES = (README, *sorted((ROOT / "docs").glob("*.md")))
HELP_WIDTH = 80

_part = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)

EFFECTS: Mapping[Effect, str] = {
    Effect.READ: "reads",
    Effect.WRITE: "creates",
    Effect.OVERWRITE: "changes",
    Effect.EXPORT: "exports",
    Effect.DESTROY: "deletes",
}


def updated(text: str) -> str:
    """The text with every generated part made anew."""
    return _part.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}\n{match[3]}", text)


def parts_of(text: str) -> list[str]:
    """The names of the generated parts in a text, in their order."""
    return [match[2] for match in _part.finditer(text)]


def without_parts(text: str) -> str:
    """What of a text is written by hand."""
    return _part.sub("", text)


def tools() -> str:
    """All tools as a table for each toolset."""
    lines = []
    toolset = ""
    for spec in listed(Settings()):
        if spec.toolset != toolset:
            toolset = spec.toolset
            lines += [
                "",
                f"**{toolset}**",
                "",
                "| tool | what it does | effect | Losant's actions |",
                "|---|---|---|---|",
            ]
        lines.append(_tool(spec))
    return "\n".join([*lines, ""])


def _tool(spec: ToolSpec) -> str:
    actions = ", ".join(f"`{endpoint.id}`" for endpoint in spec.endpoints)
    what = spec.description.replace("|", "\\|").replace("*", "\\*")
    return f"| `{spec.name}` | {what} | {EFFECTS[spec.effect]} | {actions} |"


def calls() -> str:
    """Every tool with its arguments and a real call, whose answer is the sandbox's."""
    lines: list[str] = []
    toolset = ""
    for example in run():
        if TOOLS[example.name].toolset != toolset:
            toolset = TOOLS[example.name].toolset
            lines.append(f"\n## {toolset}\n")
        lines.append(_call(example))
    return "\n".join(lines)


def _call(example: Example) -> str:
    spec = TOOLS[example.name]
    properties = spec.input_schema(bound=True)["properties"]
    required = spec.input_schema(bound=True).get("required", ())
    lines = [
        f"### {spec.name}",
        "",
        f"{spec.description} *{EFFECTS[spec.effect].capitalize()}.*".replace("`", ""),
        "",
    ]
    if properties:
        lines += ["| argument | type | |", "|---|---|---|"]
        lines += [_argument(name, properties[name], name in required) for name in properties]
        lines.append("")
    lines += ["```json", shown(example.arguments), "```", ""]
    if example.question:
        lines += [
            "The person is asked:",
            "",
            f"> {lasting(example.question)}",
            "",
            "and agrees:",
            "",
        ]
    return "\n".join([*lines, "```json", shown(example.result), "```", ""])


def _argument(name: str, schema: Mapping[str, Any], required: bool) -> str:
    kind = schema.get("type", "any")
    if kind == "array":
        kind = f"array of {schema.get('items', {}).get('type', 'any')}"
    if values := schema.get("enum") or schema.get("items", {}).get("enum"):
        kind = " ".join(f"`{value}`" for value in values)
    words = [schema.get("description", ""), *(["required"] if required else [])]
    if "default" in schema:
        words.append(f"default `{schema['default']}`")
    text = "; ".join(filter(None, words)).replace("|", "\\|").replace("*", "\\*")
    return f"| `{name}` | {kind if isinstance(kind, str) else ' or '.join(kind)} | {text} |"


def prompts() -> str:
    """All prompts as a table, with what a person fills in."""
    lines = ["", "| prompt | what it does | fill in |", "|---|---|---|"]
    for file in read_files():
        arguments = [f"`{a.name}`" if a.required else f"[`{a.name}`]" for a in file.arguments]
        lines.append(f"| `{file.name}` | {file.description} | {' '.join(arguments)} |")
    return "\n".join([*lines, ""])


def settings() -> str:
    """All settings as a table."""
    lines = [
        "",
        "| variable | flag | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        marks = "\\*" if is_protected(name) else ""
        default = default_text(field)
        shown = f"`{default}`" if default else ""
        meaning = str(field.description).replace("|", "\\|")
        lines.append(f"| `{variable(name)}`{marks} | `{flag(name)}` | {shown} | {meaning} |")
    return "\n".join([*lines, ""])


def commands() -> str:
    """The help of the command line and of each command, without the settings."""
    return "\n".join(_help(*words) for words in ((), *command_words()))


def command_words() -> Iterator[tuple[str, ...]]:
    """What is typed for each command, and for each command of a group."""
    context = click.Context(cli)
    for name in COMMANDS:
        yield (name,)
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((name, inner) for inner in command.list_commands(context))


def _help(*words: str) -> str:
    arguments = [*words, "--help"]
    answer = CliRunner().invoke(
        cli, arguments, prog_name="losant-mcp", terminal_width=HELP_WIDTH, catch_exceptions=False
    )
    text, has_settings, _ = answer.stdout.partition("\nSettings (")
    more = "\nSettings: a flag for each of them.\n" if has_settings else ""
    return f"```text\n$ losant-mcp {' '.join(arguments)}\n{text}{more}```\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "tools": tools,
    "prompts": prompts,
    "settings": settings,
    "commands": commands,
    "calls": calls,
}
