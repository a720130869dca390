"""Whatever the documentation shows as code is run, or checked by what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from losant_mcp.cli.install_clients import CLIENTS, INPUT, TOKEN
from tests.cli.command import COMMAND, environment
from tests.cli.pseudo_terminal import needs_terminal
from tests.documents.blocks import Typed, blocks, quotes, typed
from tests.documents.shell import Shell
from tests.documents.words import CHECKS, all_options, in_container
from tests.served import Sandbox

COMMANDS = {typed(block.text): block.place for block in blocks() if block.language == "sh"}
CONFIGURATIONS = [block for block in blocks() if block.language == "json"]
SPHINX = ("{include}", "{toctree}")

Launch = tuple[tuple[str, ...], tuple[str, ...]]
"""The words of ours that a client is told to start, and the names of what it puts around them."""


@pytest.fixture
def home(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's home folder and environment, with the served demo as their Losant."""
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.setenv("LOSANT_API_URL", sandbox.url)
    monkeypatch.setenv(TOKEN, sandbox.tokens["full"])
    return tmp_path


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    """A block is a shell's, a client's configuration, the layers, or Sphinx's own."""
    strange = [
        block.place
        for block in blocks()
        if block.language not in ("sh", "json")
        and not block.language.startswith(SPHINX)
        and (block.place, block.language) != ("CONTRIBUTING.md-1", "text")
    ]
    assert not strange
    assert len(COMMANDS) > 10
    assert {block.place.partition("-")[0] for block in CONFIGURATIONS} == {"README.md"}


@needs_terminal
@pytest.mark.parametrize("commands", COMMANDS, ids=COMMANDS.values())
def test_what_a_reader_is_told_to_type_works(
    commands: tuple[Typed, ...], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of a block does what it is there for, in the order of the block."""
    with ExitStack() as opened:
        shell = Shell(home, opened, monkeypatch)
        for command in commands:
            shell.type(command)


def _launches() -> Iterator[tuple[Launch, str]]:
    for block in CONFIGURATIONS:
        server = server_in(json.loads(block.text))
        yield (tuple(server["args"]), tuple(server.get("env", {}))), block.place
    for commands, place in COMMANDS.items():
        for command in commands:
            if command.program == "claude":
                options, words = split(command.words)
                yield (words[1:], tuple(pair.partition("=")[0] for pair in options)), place
    for place, quote in quotes():
        if "docker run" in quote:
            yield (in_container(typed(quote)[-1]), ()), place


def split(words: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
    """What `claude mcp add` puts into the environment, and the command that it is to start."""
    at = words.index("--")
    given = [value for flag, value in pairwise(words[:at]) if flag == "-e"]
    assert Path(words[at + 1]).name == "losant-mcp"
    return given, words[at + 1 :]


def server_in(configuration: dict[str, Any]) -> dict[str, Any]:
    """The one server of a client's configuration."""
    [server] = (configuration.get("mcpServers") or configuration["servers"]).values()
    assert isinstance(server, dict)
    return server


@pytest.mark.parametrize(
    "launch", sorted({launch for launch, _ in _launches()}), ids=lambda it: "-".join(chain(*it))
)
async def test_what_a_client_is_told_to_start_answers(
    launch: Launch, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Each way of starting the server that a page shows serves its tools to a client."""
    arguments, names = launch
    assert names in ((), (TOKEN,))
    given = {TOKEN: sandbox.tokens["full"], "LOSANT_API_URL": sandbox.url} if names else {}
    parameters = StdioServerParameters(
        command=COMMAND[0],
        args=[*COMMAND[1:], *arguments],
        cwd=tmp_path,
        env=environment(**given, LOSANT_MCP_STATE_DIR=str(tmp_path / "state")),
    )
    async with Client(parameters) as client:
        answer = await client.call_tool("list_applications", {})
    assert not answer.is_error, answer.content


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=lambda block: block.place)
def test_a_configuration_has_the_form_that_install_writes(block: Any) -> None:
    """A client finds the server where `losant-mcp install` would put it, and asks for the token."""
    configuration = json.loads(block.text)
    [servers] = {"servers", "mcpServers"} & set(configuration)
    clients = [client for client in CLIENTS.values() if client.servers == servers]
    server = server_in(configuration)
    assert Path(server["command"]).name == "losant-mcp"
    assert ("type" in server) == all(client.typed for client in clients)
    if "${input" in block.text:
        assert configuration["inputs"] == [INPUT]
        assert server["env"][TOKEN] == f"${{input:{INPUT['id']}}}"


def test_what_the_text_quotes_can_be_typed() -> None:
    """Commands, flags, targets of make and extras that are named within a text exist."""
    options = all_options()
    checked = 0
    for place, quote in quotes():
        first = quote.split()[0].rpartition("/")[2] if quote.strip() else ""
        if first.startswith("--"):
            assert first in options, (place, quote)
        elif first in CHECKS or quote.startswith("UPDATE_SNAPSHOTS="):
            for command in typed(quote):
                CHECKS[command.program](command)
                checked += 1
    assert checked > 30
